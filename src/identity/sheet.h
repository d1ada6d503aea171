/* SPDX-License-Identifier: ISC
 *
 * The recovery sheet: an onion key on paper, in nine lines that a person can type again (doc/secrets.md). Each line says
 * its number, four groups of four letters and digits, and has a checksum of its own, so that a typing error is found in
 * its line; the last line vouches for all of them together. random_init() comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "identity/identity.h"
#include "identity/recovery.h"
#include "identity/sheet_line.h"
#include "onionkey/onionkey.h"

#define SHEET_LINES 9
#define SHEET_TEXT_MAX 8192
#define SHEET_INPUT_MAX 65536         /* of a file that is read: it may hold more than the sheet */

/* Line number, 1 to SHEET_LINES, of a key. */
void sheet_write_line(const struct onionkey *key, unsigned number, char out[SHEET_LINE_LEN + 1]);

/* Appends the whole sheet: at most 60 lines of at most 79 characters, all ASCII. recovery: NULL when it is not there to be taken. today is
 * "YYYY-MM-DD". The caller wipes out, which holds at least SHEET_TEXT_MAX bytes. */
int sheet_write(const struct identity *identity, const struct onionkey *key, const struct recovery *recovery, const char *today,
    struct buffer *out, struct error *err);

struct sheet_reader {
	bool is_read[SHEET_LINES], is_wrong[SHEET_LINES];
	unsigned char bytes[SHEET_LINES][SHEET_LINE_BYTES];
	char onion[ONIONKEY_NAME_LEN + 1]; /* the address on the sheet, "" when it was not given */
};

void sheet_reader_init(struct sheet_reader *r);
void sheet_reader_wipe(struct sheet_reader *r);

/* What stands on line number, 1 to SHEET_LINES, without that number: either case; spaces and dashes anywhere or nowhere;
 * i, l and | for 1, o for 0, u for v. ERROR_INVALID with a text that names the line; it may be given again. */
int sheet_reader_take(struct sheet_reader *r, unsigned number, struct slice text, struct error *err);

/* A whole sheet, or any text with its lines in it, in any order, each behind its number. Wrong lines are remembered. */
void sheet_reader_take_text(struct sheet_reader *r, struct slice text);

/* The key. ERROR_INVALID with the numbers of all lines that are wrong or missing, or when lines or address are those of
 * another sheet. */
int sheet_reader_finish(const struct sheet_reader *r, struct onionkey *out, struct error *err);
