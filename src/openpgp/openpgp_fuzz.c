/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "openpgp/openpgp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct openpgp *owner;

static void
begin(void)
{
	struct buffer secret;
	buffer_init(&secret, OPENPGP_KEY_MAX_BYTES);
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC); /* RNP tells of everything that it does not like */
	if (quiet >= 0)
		dup2(quiet, STDERR_FILENO);
	if (openpgp_generate("alice@example.onion", 1700000000, &secret, NULL) != 0)
		abort();
	struct slice key = slice_of(buffer_bytes(&secret), buffer_len(&secret));
	if (openpgp_new(&key, 1, &owner, NULL) != 0)
		abort();
	buffer_finish(&secret);
}

/* As a key, a message and a signature: nothing that is made up is read, or verifies. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_of(data, size);
	struct openpgp_key key;
	struct openpgp_verdict verdict;
	struct buffer out;
	if (owner == NULL)
		begin();
	buffer_init(&out, 65536);
	if (openpgp_decrypt(owner, &all, 1, all, &out, &verdict, NULL) == 0 || buffer_len(&out) > 0)
		abort();
	if (openpgp_verify(owner, NULL, 0, slice_of_string("text"), all, &verdict, NULL) == 0 &&
	    verdict.is_signed == OPENPGP_SIGNED_GOOD)
		abort();
	if (openpgp_look(all, &key, NULL) == 0 && key.fingerprint[0] == '\0')
		abort();
	return 0;
}
