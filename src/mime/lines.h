/* SPDX-License-Identifier: ISC
 *
 * The lines of a message: what may be sent by SMTP without any server on the way reading other lines than we wrote
 * (RFC 5321 2.3.8, 4.5.3.1.6; RFC 5322 2.3). A bare CR or LF is how one message is smuggled inside another.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

#define LINES_LENGTH_MAX_BYTES 998 /* without CRLF */

struct lines_facts {
	size_t lines;        /* looked at */
	bool has_8bit;       /* octets >= 0x80 */
	bool ends_with_crlf; /* an empty text does */
};

/* One pass. ERROR_INVALID for NUL, a bare CR or LF and a line that is too long: the text
 * gives its number and what to do. */
int lines_check(struct slice text, struct lines_facts *facts, struct error *err);

/* The text goes on: with what comes after a line end. */
int lines_check_more(struct slice text, struct lines_facts *facts, struct error *err);
