/* SPDX-License-Identifier: ISC */
#include "cli/doctor_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INDENT 23
#define WIDTH 118

static const char *const names[REPORT_LEVELS] = { "ok", "warning", "wrong", "unknown" };

/* Prints words from column INDENT on. */
static void
print_wrapped(const char *text)
{
	size_t column = INDENT;
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column > INDENT && column + 1 + len > WIDTH) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)len, text);
		column += len;
		text += len;
		text += *text == ' ';
	}
	putchar('\n');
}

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
	printf("  %-8s %-*s", names[level], INDENT - 11, report->check);
	print_wrapped(text);
	if (todo[0] != '\0' && strcmp(todo, report->last_todo) != 0) {
		printf("%*s", INDENT, "");
		print_wrapped(todo);
	}
	snprintf(report->last_todo, sizeof report->last_todo, "%s", todo);
	fflush(stdout);
}
