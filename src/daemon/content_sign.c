/* SPDX-License-Identifier: ISC */
#include "daemon/content_sign.h"

#include <string.h>

#define END "\r\n\r\n"
#define END_LEN 4
#define PIECE_BYTES 65536 /* a header is copied by so much at a time, since what follows it is not copied */

void
content_sign_init(struct content_sign *s, const char *from, const char *to)
{
	*s = (struct content_sign){ .from = from, .to = to };
	buffer_init(&s->header, HEADER_SECTION_MAX_BYTES + PIECE_BYTES);
	buffer_init(&s->field, ONIONSIG_MAX_BYTES);
	dkim_body_init(&s->body);
}

void
content_sign_finish(struct content_sign *s)
{
	buffer_finish(&s->header);
	buffer_finish(&s->field);
}

/* Copies what belongs to the header; *taken is its length. */
static int
add_to_header(struct content_sign *s, const unsigned char *bytes, size_t len, size_t *taken, struct error *err)
{
	size_t before = buffer_len(&s->header), from = before < END_LEN - 1 ? 0 : before - (END_LEN - 1);
	if (buffer_append(&s->header, bytes, len, err) != 0)
		return -1;
	const unsigned char *all = buffer_bytes(&s->header);
	const unsigned char *end = memmem(all + from, buffer_len(&s->header) - from, END, END_LEN);
	*taken = len;
	if (end != NULL) {
		s->has_header = true; /* what was copied behind it does no harm: a header ends at its empty line */
		*taken = (size_t)(end - all) + END_LEN - before;
	}
	return 0;
}

int
content_sign_update(struct content_sign *s, const void *data, size_t len, struct error *err)
{
	const unsigned char *bytes = data;
	if (s->to[0] == '\0')
		return 0;
	while (len > 0 && !s->has_header) {
		size_t taken;
		if (add_to_header(s, bytes, len < PIECE_BYTES ? len : PIECE_BYTES, &taken, err) != 0)
			return -1;
		bytes += taken;
		len -= taken;
	}
	if (len > 0)
		dkim_body_update(&s->body, bytes, len);
	return 0;
}

int
content_sign_end(struct content_sign *s, struct error *err)
{
	unsigned char body_digest[HASH_SHA256_BYTES];
	if (s->to[0] == '\0')
		return 0;
	dkim_body_final(&s->body, body_digest);
	return onionsig_begin(slice_of(buffer_bytes(&s->header), buffer_len(&s->header)), body_digest, s->from, s->to, &s->field, s->digest,
	    err);
}
