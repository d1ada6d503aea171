/* SPDX-License-Identifier: ISC */
#include "cli/wrap.h"

#include <string.h>
#include <sys/ioctl.h>

#define COLUMNS_LEAST 40 /* narrower ones wrap by themselves */

size_t
wrap_columns(FILE *out, size_t otherwise)
{
	struct winsize size;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < COLUMNS_LEAST)
		return otherwise;
	return size.ws_col;
}

/* UTF-8: bytes that begin no letter take no column. */
static size_t
count_columns(const char *word, size_t len)
{
	size_t columns = 0;
	for (size_t i = 0; i < len; i++)
		columns += ((unsigned char)word[i] & 0xc0) != 0x80;
	return columns;
}

void
wrap_print(FILE *out, const char *text, size_t column, size_t width)
{
	size_t at = column;
	while (*text != '\0') {
		size_t len = strcspn(text, " "), columns = count_columns(text, len);
		if (at > column && columns + 1 > width - (at < width ? at : width)) {
			fprintf(out, "\n%*s", (int)column, "");
			at = column;
		} else if (at > column) {
			putc(' ', out);
			at++;
		}
		fwrite(text, 1, len, out);
		at += columns;
		text += len;
		text += *text == ' ';
	}
	putc('\n', out);
}
