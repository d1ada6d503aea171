/* SPDX-License-Identifier: ISC
 *
 * One line to standard error for each event that an administrator may want to see.
 * Never message content. What tells who writes to whom is taken out on the way to the log (smtorp-log, base/redact.h).
 */
#pragma once

#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
};

/* Comes first. name stands before each line, e.g. "mail". Copied (at most 63 bytes). */
void log_init(const char *name, enum log_level level);

__attribute__((format(printf, 2, 3)))
void log_line(enum log_level level, const char *format, ...);

/* One event, one line, and nothing that a terminal obeys, whoever wrote it: puts spaces in the place of C0 and C1 controls, also
 * of those in UTF-8. log_line() does it. */
void log_make_harmless(unsigned char *line, size_t len);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
