/* SPDX-License-Identifier: ISC
 *
 * What went wrong: a code for the program and one line for the person.
 *
 * Functions that can fail take a caller-owned struct error and return 0 or -1.
 * The code nearest to the cause writes the text (what happened and what the user
 * can do); callers pass it on unchanged. The text never holds message content.
 */
#pragma once

#include <stdbool.h>

enum error_code {
	ERROR_NONE,
	ERROR_INVALID,     /* malformed input or argument */
	ERROR_TOO_LARGE,   /* over a stated maximum */
	ERROR_NOT_FOUND,
	ERROR_EXISTS,
	ERROR_DENIED,      /* policy or permission */
	ERROR_UNSUPPORTED,
	ERROR_PROTOCOL,    /* the other side broke the protocol */
	ERROR_CLOSED,      /* the other side is gone */
	ERROR_TIMEOUT,
	ERROR_BUSY,        /* a limit was reached: try again later */
	ERROR_NO_MEMORY,
	ERROR_NO_SPACE,
	ERROR_IO,
	ERROR_UNREACHABLE, /* the peer cannot be reached now */
	ERROR_DAMAGED,     /* what is on the disk is not what was written */
};

#define ERROR_TEXT_MAX 256

struct error {
	enum error_code code;
	char text[ERROR_TEXT_MAX]; /* one line, NUL-terminated */
};

/* Fills *err and returns -1, so that `return error_set(...)` reads well. err may be NULL. Control characters become
 * spaces; the arguments may be err's own text. */
__attribute__((format(printf, 3, 4)))
int error_set(struct error *err, enum error_code code, const char *format, ...);

/* The same for a failed system call: the code is chosen by errnum, its text is appended. */
__attribute__((format(printf, 3, 4)))
int error_set_errno(struct error *err, int errnum, const char *format, ...);

#ifdef __clang_analyzer__ /* it sees no other file, and would go on where the error was returned */
#define error_set(...) ((void)error_set(__VA_ARGS__), -1)
#define error_set_errno(...) ((void)error_set_errno(__VA_ARGS__), -1)
#endif

/* The one place that decides 4yz or 5yz, retry or bounce. */
bool error_is_temporary(const struct error *err);
