/* SPDX-License-Identifier: ISC
 *
 * A line of secrets on paper: eight bytes and two of a checksum, in four groups of four letters and digits. Within this module only.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

#define SHEET_LINE_BYTES 8
#define SHEET_LINE_SYMBOLS 16 /* ten bytes, five bits each */
#define SHEET_LINE_LEN 19     /* "XXXX XXXX XXXX XXXX" */
#define SHEET_WRONG_SYMBOL (-1)

/* domain: what the line is of; number: which of them. */
void sheet_line_check(const char *domain, unsigned number, const void *bytes, size_t len, unsigned char out[SHEET_LINE_BYTES]);
/* check: of which the first two bytes stand on the line. */
void sheet_line_write(const unsigned char bytes[SHEET_LINE_BYTES], const unsigned char check[SHEET_LINE_BYTES], char out[SHEET_LINE_LEN + 1]);
/* name: what the line is called in errors. ERROR_INVALID. */
int sheet_line_read(const char *name, struct slice text, unsigned char bytes[SHEET_LINE_BYTES], unsigned char check[2], struct error *err);

/* The value of a letter or digit, with what people and scanners take for another one; SHEET_WRONG_SYMBOL. */
int sheet_line_symbol(unsigned char c);
bool sheet_line_is_filler(unsigned char c);
