/* SPDX-License-Identifier: ISC
 *
 * What comes behind AUTH SMTORP-ONION. Nobody who has no key proves anything by it, and the one proof that is right stays right only as it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proof/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct onionkey client, server;
	static char right[SESSION_PROOF_LEN + 1];
	static const unsigned char exporter[CONTEXT_EXPORTER_BYTES] = "one connection";
	unsigned char found[ONIONKEY_PUBLIC_BYTES], seed[32] = { 1 };
	if (right[0] == '\0') {
		unsigned char text[CONTEXT_TEXT_MAX], signature[ONIONKEY_SIGNATURE_BYTES];
		onionkey_from_seed(seed, &client);
		seed[0] = 2;
		onionkey_from_seed(seed, &server);
		size_t len = context_session_text(client.public_key, server.public_key, exporter, text);
		onionkey_sign(&client, slice_of(text, len), signature);
		session_proof_write(client.public_key, signature, right);
	}
	struct slice said = slice_of(data, size);
	if (session_proof_check(said, server.public_key, exporter, found, NULL) == 0 && !slice_is(said, right))
		abort();
	/* The same octets over the right ones. */
	char changed[SESSION_PROOF_LEN + 1];
	memcpy(changed, right, sizeof changed);
	for (size_t i = 1; i < size && size > 0; i++)
		changed[(data[0] + i) % SESSION_PROOF_LEN] = (char)data[i];
	if (session_proof_check(slice_of(changed, SESSION_PROOF_LEN), server.public_key, exporter, found, NULL) == 0 &&
	    memcmp(changed, right, SESSION_PROOF_LEN) != 0)
		abort();
	return 0;
}
