/* SPDX-License-Identifier: ISC
 *
 * The octets of a message on their way in: the end of DATA and its dots (RFC 5321 sections 4.1.1.4 and 4.5.2), and
 * what may not be in a message at all.
 *
 * Only CRLF "." CRLF ends DATA. A CR or LF alone and NUL are no part of mail (RFC 5321 section 2.3.8): programs disagree
 * about what they mean, and that is how one message is made to look like two. They are remembered; the rest
 * is read up to the real end, and the whole message is refused.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct data_decoder {
	unsigned char state;
	bool is_malformed; /* CR or LF alone, or NUL, was seen */
	bool is_ended;     /* CRLF "." CRLF was read; nothing behind it was touched */
};

#define DATA_DECODER_START ((struct data_decoder){ 0 })

/* Takes input off *in and points *content at the next piece of the message in it, without the dots of transparency.
 * false: *in is used up, or the end was read. Pieces are as long as can be. */
bool data_decode(struct data_decoder *decoder, struct slice *in, struct slice *content);

/* What is remembered about a message's content while it passes, by whichever command it came. */
struct data_scan {
	bool is_malformed;    /* as above */
	bool has_8bit;        /* an octet >= 0x80 anywhere */
	bool has_8bit_header; /* one before the first empty line: the header is that of RFC 6532 */
	bool is_after_cr, has_line, is_in_body; /* where the scan is */
};

#define DATA_SCAN_START ((struct data_scan){ 0 })

void data_scan(struct data_scan *scan, struct slice content);
void data_scan_end(struct data_scan *scan); /* a CR at the very end is one alone */
