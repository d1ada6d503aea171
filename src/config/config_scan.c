/* SPDX-License-Identifier: ISC
 *
 * The lines of a configuration file, for config.c and for other small files of the same form.
 */
#include "config/config.h"

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Control characters would end up in files that we generate from values, and in error texts on terminals. */
static bool
has_control_characters(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] == 0x7f)
			return true;
	return false;
}

static int
scan_line(struct slice text, unsigned line, config_line_callback *callback, void *context, struct error *err)
{
	text = trim(text);
	if (text.len == 0 || text.data[0] == '#')
		return 0;
	if (has_control_characters(text))
		return error_set(err, ERROR_INVALID, "line %u: there is a control character in it", line);
	const unsigned char *equals = memchr(text.data, '=', text.len);
	if (equals == NULL || equals == text.data)
		return error_set(err, ERROR_INVALID, "line %u: it must read 'key = value'", line);
	size_t key_len = (size_t)(equals - text.data);
	return callback(context, line, trim(slice_of(text.data, key_len)),
	    trim(slice_of(equals + 1, text.len - key_len - 1)), err);
}

int
config_scan(struct slice text, config_line_callback *callback, void *context, struct error *err)
{
	for (unsigned line = 1; text.len > 0; line++) {
		const unsigned char *newline = memchr(text.data, '\n', text.len);
		size_t len = newline == NULL ? text.len : (size_t)(newline - text.data);
		size_t taken = newline == NULL ? len : len + 1;
		if (scan_line(slice_of(text.data, len), line, callback, context, err) != 0)
			return -1;
		text = slice_of(text.data + taken, text.len - taken);
	}
	return 0;
}
