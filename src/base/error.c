/* SPDX-License-Identifier: ISC */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
error_set(struct error *err, enum error_code code, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	err->code = code;
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return -1;
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
	va_list args;
	va_start(args, format);
	err->code = code_of_errno(errnum);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	size_t used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(errnum));
	return -1;
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
		return true;
	}
	return true;
}
