/* SPDX-License-Identifier: ISC */
#include "identity/sheet_line.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/hash.h"

#define CHECK_BYTES 2

/* Crockford's: no i, l, o and u. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static_assert((SHEET_LINE_BYTES + CHECK_BYTES) * 8 == SHEET_LINE_SYMBOLS * 5, "a line's symbols hold whole bytes");

void
sheet_line_check(const char *domain, unsigned number, const void *bytes, size_t len, unsigned char out[SHEET_LINE_BYTES])
{
	unsigned char sum[16], n = (unsigned char)number;
	struct hash hash;
	hash_init(&hash, sizeof sum, domain, strlen(domain));
	hash_update(&hash, &n, 1);
	hash_update(&hash, bytes, len);
	hash_final(&hash, sum, sizeof sum);
	memcpy(out, sum, SHEET_LINE_BYTES);
}

void
sheet_line_write(const unsigned char line[SHEET_LINE_BYTES], const unsigned char check[SHEET_LINE_BYTES], char out[SHEET_LINE_LEN + 1])
{
	unsigned char bytes[SHEET_LINE_BYTES + CHECK_BYTES];
	memcpy(bytes, line, SHEET_LINE_BYTES);
	memcpy(bytes + SHEET_LINE_BYTES, check, CHECK_BYTES);
	char *p = out;
	for (unsigned i = 0; i < SHEET_LINE_SYMBOLS; i++) {
		unsigned bit = i * 5, pair = bytes[bit / 8] * 256u + (bit / 8 + 1 < sizeof bytes ? bytes[bit / 8 + 1] : 0);
		if (i > 0 && i % 4 == 0)
			*p++ = ' ';
		*p++ = alphabet[pair >> (11 - bit % 8) & 31];
	}
	*p = '\0';
	sodium_memzero(bytes, sizeof bytes);
}

int
sheet_line_symbol(unsigned char c)
{
	if (c >= 'a' && c <= 'z')
		c = (unsigned char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L' || c == '|')
		c = '1';
	else if (c == 'O')
		c = '0';
	else if (c == 'U')
		c = 'V';
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
	return at != NULL ? (int)(at - alphabet) : SHEET_WRONG_SYMBOL;
}

bool
sheet_line_is_filler(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '-' || c == '\r';
}

int
sheet_line_read(const char *name, struct slice text, unsigned char bytes[SHEET_LINE_BYTES], unsigned char check[2], struct error *err)
{
	unsigned char out[SHEET_LINE_BYTES + CHECK_BYTES] = { 0 };
	unsigned count = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (sheet_line_is_filler(text.data[i]))
			continue;
		int value = sheet_line_symbol(text.data[i]);
		if (value == SHEET_WRONG_SYMBOL)
			return error_set(err, ERROR_INVALID, "line %s: only letters and digits stand on the sheet", name);
		for (unsigned b = 0; count < SHEET_LINE_SYMBOLS && b < 5; b++)
			out[(count * 5 + b) / 8] |= (unsigned char)((value >> (4 - b) & 1) << (7 - (count * 5 + b) % 8));
		count++;
	}
	if (count != SHEET_LINE_SYMBOLS)
		return error_set(err, ERROR_INVALID, "line %s: these are %u letters and digits, and %d stand on the sheet", name, count,
		    SHEET_LINE_SYMBOLS);
	memcpy(bytes, out, SHEET_LINE_BYTES);
	memcpy(check, out + SHEET_LINE_BYTES, CHECK_BYTES);
	sodium_memzero(out, sizeof out);
	return 0;
}
