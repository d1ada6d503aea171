/* SPDX-License-Identifier: ISC */
#include "smtp/data.h"

#include <string.h>

enum {
	LINE_START, /* behind CRLF, or at the very beginning */
	IN_LINE,
	AFTER_CR,
	AFTER_DOT,    /* CRLF "." */
	AFTER_DOT_CR, /* CRLF "." CR */
};

/* Of text inside of a line nothing is remembered; most octets of most mail are this. */
static size_t
text_length(const unsigned char *octets, size_t len)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t eight;
	size_t i = 0;
	/* Eight at a time: of the first octet that is none, the highest bit is set, or becomes so when ' ' is taken away. */
	for (; len - i >= sizeof eight; i += sizeof eight) {
		memcpy(&eight, octets + i, sizeof eight);
		if (((eight | (eight - each * ' ')) & (each * 0x80)) != 0)
			break;
	}
	while (i < len && octets[i] >= ' ' && octets[i] < 0x80)
		i++;
	return i;
}

/* The state behind one octet; notes what is malformed. */
static unsigned char
next_state(struct data_decoder *d, unsigned char octet)
{
	bool was_cr = d->state == AFTER_CR || d->state == AFTER_DOT_CR;
	if (was_cr != (octet == '\n') || octet == '\0')
		d->is_malformed = true;
	switch (octet) {
	case '\r':
		return d->state == AFTER_DOT ? AFTER_DOT_CR : AFTER_CR;
	case '\n':
		return was_cr ? LINE_START : IN_LINE;
	case '.':
		return d->state == LINE_START ? AFTER_DOT : IN_LINE;
	default:
		return IN_LINE;
	}
}

/* Octets that frame the message and are no part of it: the dot of transparency, and the end. */
static bool
is_framing(const struct data_decoder *d, unsigned char octet)
{
	return (d->state == LINE_START && octet == '.') || (d->state == AFTER_DOT && octet == '\r') ||
	       (d->state == AFTER_DOT_CR && octet == '\n');
}

static void
step(struct data_decoder *d, unsigned char octet)
{
	d->is_ended = d->state == AFTER_DOT_CR && octet == '\n';
	d->state = next_state(d, octet);
}

bool
data_decode(struct data_decoder *d, struct slice *in, struct slice *content)
{
	size_t start = 0;
	while (start < in->len && !d->is_ended && is_framing(d, in->data[start]))
		step(d, in->data[start++]);
	size_t at = start;
	while (at < in->len && !d->is_ended && !is_framing(d, in->data[at])) {
		step(d, in->data[at++]);
		if (d->state == IN_LINE)
			at += text_length(in->data + at, in->len - at);
	}
	*content = slice_of(in->data + start, at - start);
	*in = slice_of(in->data + at, in->len - at);
	return content->len > 0;
}

void
data_scan(struct data_scan *s, struct slice content)
{
	for (size_t i = 0; i < content.len; i++) {
		unsigned char octet = content.data[i];
		if ((s->is_after_cr != (octet == '\n')) || octet == '\0')
			s->is_malformed = true;
		if (octet >= 0x80) {
			s->has_8bit = true;
			s->has_8bit_header |= !s->is_in_body;
		}
		if (octet == '\n') {
			s->is_in_body |= !s->has_line;
			s->has_line = false;
		} else if (octet != '\r') {
			s->has_line = true;
		}
		s->is_after_cr = octet == '\r';
		if (s->has_line && !s->is_after_cr)
			i += text_length(content.data + i + 1, content.len - i - 1);
	}
}

void
data_scan_end(struct data_scan *s)
{
	if (s->is_after_cr)
		s->is_malformed = true;
}
