/* SPDX-License-Identifier: ISC */
#include "proof/dkim.h"

void
dkim_body_init(struct dkim_body *body)
{
	*body = (struct dkim_body){ 0 };
	hash_sha256_init(&body->hash);
}

/* What was held back turned out to count: something stands behind it. */
static void
release(struct dkim_body *body)
{
	for (; body->line_ends > 0; body->line_ends--)
		hash_sha256_update(&body->hash, "\r\n", 2);
	if (body->has_blank)
		hash_sha256_update(&body->hash, " ", 1);
	if (body->has_cr)
		hash_sha256_update(&body->hash, "\r", 1);
	body->has_blank = body->has_cr = false;
	body->has_text = true;
}

static bool
is_plain(unsigned char c)
{
	return c != ' ' && c != '\t' && c != '\r' && c != '\n';
}

/* One byte that may be more than itself. */
static void
take(struct dkim_body *body, unsigned char c)
{
	if (c == '\n' && body->has_cr) {
		body->has_cr = body->has_blank = false;
		body->line_ends++;
		return;
	}
	if (body->has_cr)
		release(body); /* a CR alone */
	if (c == '\r') {
		body->has_cr = true;
	} else if (c == '\n') {
		release(body);
		hash_sha256_update(&body->hash, "\n", 1);
	} else
		body->has_blank = true;
}

void
dkim_body_update(struct dkim_body *body, const void *bytes, size_t len)
{
	const unsigned char *at = bytes, *end = at + len;
	while (at < end) {
		const unsigned char *run = at;
		while (at < end && is_plain(*at))
			at++;
		if (at > run) {
			release(body);
			hash_sha256_update(&body->hash, run, (size_t)(at - run));
		}
		if (at < end)
			take(body, *at++);
	}
}

void
dkim_body_final(struct dkim_body *body, unsigned char digest[HASH_SHA256_BYTES])
{
	/* Empty lines at the end go; the last line that is not empty has an end, also if it had none. */
	if (body->has_cr)
		release(body);
	if (body->has_text)
		hash_sha256_update(&body->hash, "\r\n", 2);
	hash_sha256_final(&body->hash, digest);
}
