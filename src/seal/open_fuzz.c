/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "mime/library.h"
#include "seal/entity.h"
#include "seal/payload.h"
#include "seal/pgpmime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct openpgp *owner;

static void
begin(void)
{
	struct buffer secret;
	library_init();
	buffer_init(&secret, OPENPGP_KEY_MAX_BYTES);
	if (openpgp_generate("bob@bobonion.onion", 1700000000, &secret, NULL) != 0)
		abort();
	struct slice key = slice_of(buffer_bytes(&secret), buffer_len(&secret));
	if (openpgp_new(&key, 1, &owner, NULL) != 0)
		abort();
	buffer_finish(&secret);
}

/* As what somebody encrypted, under a header that stood outside: one From, the one outside, and no line of inside that may not be there. */
static void
merge(struct slice payload)
{
	struct entity outside, inside, merged;
	struct buffer lines, out;
	buffer_init(&lines, 1 << 20);
	buffer_init(&out, 1 << 22);
	entity_read(slice_of_string("From: alice@aliceonion.onion\r\nSubject: ...\r\n\r\n"), &outside, NULL);
	if (payload_lines(payload, &lines, NULL) == 0 &&
	    entity_read(slice_of(buffer_bytes(&lines), buffer_len(&lines)), &inside, NULL) == 0 &&
	    payload_merge(&outside, &inside, &out, NULL) == 0) {
		struct slice all = slice_of(buffer_bytes(&out), buffer_len(&out));
		if (entity_read(all, &merged, NULL) != 0 || memcmp(all.data, "From: alice@", 12) != 0 ||
		    merged.body.len != inside.body.len || strcmp(merged.type, inside.type) != 0)
			abort();
		payload_is_from_other(&inside, "alice@aliceonion.onion");
	}
	buffer_finish(&lines);
	buffer_finish(&out);
}

/* A message of anybody's: nothing that is made up is opened, or signed. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgpmime_facts facts;
	struct buffer out;
	enum pgpmime_kind kind;
	if (owner == NULL)
		begin();
	buffer_init(&out, 1 << 20);
	const struct pgpmime_open how = { owner, NULL, 0, "alice@aliceonion.onion" };
	if (pgpmime_open(&how, slice_of(data, size), &facts, &out, NULL) == 0 &&
	    (buffer_len(&out) > 0 || facts.encryption == PGPMIME_OPENED || facts.signature == PGPMIME_SIGNED_GOOD))
		abort();
	pgpmime_look(slice_of(data, size), &kind, NULL);
	merge(slice_of(data, size));
	buffer_finish(&out);
	return 0;
}
