/* SPDX-License-Identifier: ISC */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef error_set
#undef error_set_errno

/* Stores one line, whatever a peer's words brought into it, and no half of a UTF-8 character at the end. The
 * arguments may have been err->text itself, so it is written last. */
static int
store(struct error *err, enum error_code code, char text[ERROR_TEXT_MAX], size_t wanted_len)
{
	size_t len = strlen(text);
	if (wanted_len > len) {
		while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
			len--;
		if (len > 0 && (unsigned char)text[len - 1] >= 0xc0)
			len--;
	}
	for (size_t i = 0; i < len; i++)
		err->text[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	err->text[len] = '\0';
	err->code = code;
	return -1;
}

int
error_set(struct error *err, enum error_code code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return store(err, code, text, len < 0 ? 0 : (size_t)len);
}

static enum error_code
code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return ERROR_NOT_FOUND;
	case EEXIST:
		return ERROR_EXISTS;
	case EACCES:
	case EPERM:
		return ERROR_DENIED;
	case ENOSPC:
	case EDQUOT:
		return ERROR_NO_SPACE;
	case ENOMEM:
		return ERROR_NO_MEMORY;
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case EADDRINUSE:
		return ERROR_BUSY;
	case EPIPE:
	case ECONNRESET:
		return ERROR_CLOSED;
	case ECONNREFUSED:
		return ERROR_UNREACHABLE;
	case ETIMEDOUT:
		return ERROR_TIMEOUT;
	default:
		return ERROR_IO;
	}
}

int
error_set_errno(struct error *err, int errnum, const char *format, ...)
{
	if (err == NULL)
		return -1;
	char text[ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t used = strlen(text);
	int more = snprintf(text + used, sizeof text - used, ": %s", strerror(errnum));
	return store(err, code_of_errno(errnum), text, len < 0 || more < 0 ? 0 : (size_t)len + (size_t)more);
}

bool
error_is_temporary(const struct error *err)
{
	switch (err->code) {
	case ERROR_NONE:
	case ERROR_INVALID:
	case ERROR_TOO_LARGE:
	case ERROR_NOT_FOUND:
	case ERROR_EXISTS:
	case ERROR_DENIED:
	case ERROR_UNSUPPORTED:
		return false;
	case ERROR_PROTOCOL:
	case ERROR_CLOSED:
	case ERROR_TIMEOUT:
	case ERROR_BUSY:
	case ERROR_NO_MEMORY:
	case ERROR_NO_SPACE:
	case ERROR_IO:
	case ERROR_UNREACHABLE:
	case ERROR_DAMAGED:
		return true;
	}
	return true;
}
