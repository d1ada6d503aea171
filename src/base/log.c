/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char who[64] = "smtorp";
static enum log_level most = LOG_LEVEL_INFO;

void
log_init(const char *name, enum log_level level)
{
	snprintf(who, sizeof who, "%s", name);
	most = level;
	tzset(); /* else gmtime_r() opens the time zone's file at the first line, when roles open nothing any more */
}

void
log_make_harmless(unsigned char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
		else if (line[i] == 0xc2 && i + 1 < len && line[i + 1] >= 0x80 && line[i + 1] < 0xa0)
			line[i] = line[i + 1] = ' ';
		else if (line[i] >= 0x80 && line[i] < 0xa0 && (i == 0 || line[i - 1] < 0x80))
			line[i] = ' ';
	}
}

void
log_line(enum log_level level, const char *format, ...)
{
	static const char *const words[] = { "error", "warn", "info" };
	if (level > most)
		return;
	char line[1024];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct tm utc;
	gmtime_r(&now.tv_sec, &utc); /* UTC: a log that is shown around tells no time zone */
	size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s %s: ",
	    now.tv_nsec / 1000000, words[level], who);
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line + used, sizeof line - used - 1, format, args);
	va_end(args);
	used = len < 0 ? used : used + (size_t)len;
	if (used > sizeof line - 2)
		used = sizeof line - 2;
	log_make_harmless((unsigned char *)line, used);
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nowhere left to say so */
}
