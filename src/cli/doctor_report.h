/* SPDX-License-Identifier: ISC
 *
 * What the doctor found: a line for each finding as it comes, or JSON at the end.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "cli/progress.h"

enum report_level {
	REPORT_OK,
	REPORT_WARNING,
	REPORT_WRONG,
	REPORT_UNKNOWN, /* could not be tested */
	REPORT_LEVELS,
};

#define REPORT_TEXT_MAX 1280

struct report {
	json_t *findings;   /* of the present subject; NULL: printed as they come */
	const char *check;  /* the present one's name */
	struct progress progress;
	char last_todo[REPORT_TEXT_MAX]; /* advice is not repeated from line to line */
	unsigned count[REPORT_LEVELS];
};

/* todo: what to do about it, "" when there is nothing; format makes one sentence that says what was found. */
__attribute__((format(printf, 4, 5)))
void report_add(struct report *report, enum report_level level, const char *todo, const char *format, ...);
