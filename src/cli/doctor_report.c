/* SPDX-License-Identifier: ISC */
#include "cli/doctor_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/wrap.h"

#define INDENT 23
#define WIDTH_MOST 118 /* wider lines are hard to read */

static const char *const names[REPORT_LEVELS] = { "ok", "warning", "wrong", "unknown" };

void
report_add(struct report *report, enum report_level level, const char *todo, const char *format, ...)
{
	char text[REPORT_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report->count[level]++;
	if (report->findings != NULL) {
		json_array_append_new(report->findings, json_pack("{s:s, s:s, s:s, s:s}", "check", report->check, "result", names[level],
		    "found", text, "do", todo));
		return;
	}
	progress_clear(&report->progress);
	size_t columns = wrap_columns(stdout, WIDTH_MOST), width = columns < WIDTH_MOST ? columns : WIDTH_MOST;
	printf("  %-8s %-*s", names[level], INDENT - 11, report->check);
	wrap_print(stdout, text, INDENT, width);
	if (todo[0] != '\0' && strcmp(todo, report->last_todo) != 0) {
		printf("%*s", INDENT, "");
		wrap_print(stdout, todo, INDENT, width);
	}
	snprintf(report->last_todo, sizeof report->last_todo, "%s", todo);
	fflush(stdout);
}
