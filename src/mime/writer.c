/* SPDX-License-Identifier: ISC */
#include "mime/writer.h"

#include <glib.h>
#include <stdarg.h>
#include <string.h>

void
writer_put_bytes(struct writer *w, const void *bytes, size_t len)
{
	if (w->result == 0)
		w->result = buffer_append(w->out, bytes, len, w->err);
}

void
writer_put_strings(struct writer *w, ...)
{
	const char *each;
	va_list args;
	va_start(args, w);
	while ((each = va_arg(args, const char *)) != NULL)
		writer_put_bytes(w, each, strlen(each));
	va_end(args);
}

/* Would a terminal or a mail program take this character for more than a letter? Controls, and the marks that turn the
 * direction of text around. */
static bool
is_harmless(gunichar c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	return !(c >= 0x200e && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

void
writer_put_foreign(struct writer *w, struct slice text, bool ascii_only)
{
	const char *p = (const char *)text.data;
	size_t left = text.len > WRITER_FOREIGN_MAX_BYTES ? WRITER_FOREIGN_MAX_BYTES : text.len;
	while (left > 0) {
		gunichar c = g_utf8_get_char_validated(p, (gssize)left);
		bool is_char = c != (gunichar)-1 && c != (gunichar)-2;
		size_t len = is_char ? (size_t)g_utf8_skip[(unsigned char)*p] : 1;
		if (is_char && is_harmless(c) && (!ascii_only || c < 0x80))
			writer_put_bytes(w, p, len);
		else
			writer_put(w, "?");
		p += len;
		left -= len;
	}
}
