/* SPDX-License-Identifier: ISC */
#include "proof/session.h"

#include <string.h>

#include "base/encode.h"

void
session_proof_write(const unsigned char client[ONIONKEY_PUBLIC_BYTES], const unsigned char signature[ONIONKEY_SIGNATURE_BYTES],
    char out[SESSION_PROOF_LEN + 1])
{
	unsigned char bytes[SESSION_PROOF_BYTES];
	memcpy(bytes, client, ONIONKEY_PUBLIC_BYTES);
	memcpy(bytes + ONIONKEY_PUBLIC_BYTES, signature, ONIONKEY_SIGNATURE_BYTES);
	encode_base64(out, bytes, sizeof bytes);
}

int
session_proof_check(struct slice base64, const unsigned char server[ONIONKEY_PUBLIC_BYTES],
    const unsigned char exporter[CONTEXT_EXPORTER_BYTES], unsigned char client[ONIONKEY_PUBLIC_BYTES], struct error *err)
{
	unsigned char bytes[SESSION_PROOF_BYTES], text[CONTEXT_TEXT_MAX];
	char name[ONIONKEY_NAME_LEN + 1];
	size_t len = sizeof bytes;
	if (base64.len != SESSION_PROOF_LEN || encode_from_base64(bytes, &len, (const char *)base64.data, base64.len, NULL) != 0 ||
	    len != sizeof bytes) /* with padding it would be shorter */
		return error_set(err, ERROR_INVALID, "a proof is %d letters of base64", SESSION_PROOF_LEN);
	/* A point with torsion is many keys at once: whoever has one of them could have others verify. No onion name holds one. */
	onionkey_name(bytes, name);
	if (onionkey_parse_name(slice_of_string(name), client, err) != 0)
		return -1;
	size_t text_len = context_session_text(client, server, exporter, text);
	return onionkey_verify(client, slice_of(text, text_len), bytes + ONIONKEY_PUBLIC_BYTES, err);
}
