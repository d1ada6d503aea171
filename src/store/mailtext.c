/* SPDX-License-Identifier: ISC */
#include "store/mailtext.h"

#define FIELD "return-path"

void
mailtext_init(struct mailtext *t)
{
	*t = (struct mailtext){ .state = MAILTEXT_LINE_START };
}

/* Copies body octets: everything up to the next CR at once. */
static int
feed_body(struct mailtext *t, struct slice *wire, struct buffer *out, struct error *err)
{
	if (t->held_cr && wire->len > 0) {
		t->held_cr = false;
		if (wire->data[0] == '\n') {
			t->lines++;
			if (buffer_append(out, "\n", 1, err) != 0)
				return -1;
			*wire = slice_of(wire->data + 1, wire->len - 1);
		} else {
			t->has_bare = true;
			if (buffer_append(out, "\r", 1, err) != 0)
				return -1;
		}
	}
	const unsigned char *cr = memchr(wire->data, '\r', wire->len);
	size_t run = cr == NULL ? wire->len : (size_t)(cr - wire->data);
	if (buffer_append(out, wire->data, run, err) != 0)
		return -1;
	t->has_bare |= memchr(wire->data, '\n', run) != NULL;
	t->held_cr = cr != NULL;
	run += cr != NULL;
	*wire = slice_of(wire->data + run, wire->len - run);
	return 0;
}

static int
release_name(struct mailtext *t, struct buffer *out, struct error *err)
{
	size_t len = t->name_len;
	t->name_len = 0;
	return buffer_append(out, t->name, len, err);
}

/* The name so far is held back; this octet decides whether it can still become "Return-Path[ ]:". */
static int
feed_name(struct mailtext *t, unsigned char c, struct buffer *out, struct error *err)
{
	size_t len = sizeof FIELD - 1;
	if (t->name_len == len && c == ':') {
		t->name_len = 0;
		t->state = MAILTEXT_DROP;
		return 0;
	}
	bool matches = t->name_len < len && (c | 0x20) == FIELD[t->name_len];
	if (t->name_len < len && FIELD[t->name_len] == '-')
		matches = c == '-';
	if (matches) {
		t->name[t->name_len++] = (char)c;
		return 0;
	}
	t->state = MAILTEXT_KEEP;
	return release_name(t, out, err);
}

static int
feed_header_octet(struct mailtext *t, unsigned char c, struct buffer *out, struct error *err)
{
	t->has_bare |= c == '\r' || c == '\n';
	if (t->state == MAILTEXT_LINE_START) {
		if (c == ' ' || c == '\t')
			t->state = t->dropping ? MAILTEXT_DROP : MAILTEXT_KEEP;
		else
			t->state = MAILTEXT_NAME;
		t->dropping = false;
	}
	if (t->state == MAILTEXT_NAME) {
		if (feed_name(t, c, out, err) != 0)
			return -1;
		if (t->state != MAILTEXT_KEEP)
			return 0;
	}
	if (t->state == MAILTEXT_DROP) {
		t->dropping = true;
		return 0;
	}
	return buffer_append(out, &c, 1, err);
}

static int
end_header_line(struct mailtext *t, struct buffer *out, struct error *err)
{
	bool empty = t->state == MAILTEXT_LINE_START;
	bool dropped = t->state == MAILTEXT_DROP;
	if (release_name(t, out, err) != 0)
		return -1;
	t->dropping = dropped;
	t->state = empty ? MAILTEXT_BODY : MAILTEXT_LINE_START;
	if (dropped)
		return 0;
	t->lines++;
	return buffer_append(out, "\n", 1, err);
}

int
mailtext_feed(struct mailtext *t, struct slice wire, struct buffer *out, struct error *err)
{
	while (wire.len > 0) {
		if (t->state == MAILTEXT_BODY) {
			if (feed_body(t, &wire, out, err) != 0)
				return -1;
			continue;
		}
		unsigned char c = wire.data[0];
		wire = slice_of(wire.data + 1, wire.len - 1);
		if (t->held_cr && c == '\n') {
			t->held_cr = false;
			if (end_header_line(t, out, err) != 0)
				return -1;
			continue;
		}
		if (t->held_cr && feed_header_octet(t, '\r', out, err) != 0)
			return -1;
		t->held_cr = c == '\r';
		if (!t->held_cr && feed_header_octet(t, c, out, err) != 0)
			return -1;
	}
	return 0;
}

int
mailtext_finish(struct mailtext *t, struct buffer *out, struct error *err)
{
	if (release_name(t, out, err) != 0)
		return -1;
	if (!t->held_cr || t->state == MAILTEXT_DROP)
		return 0;
	t->held_cr = false;
	t->has_bare = true;
	return buffer_append(out, "\r", 1, err);
}
