/* SPDX-License-Identifier: ISC
 *
 * One line that shows how far something is: redrawn in place on a terminal; elsewhere a new line each time that
 * something changed.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct progress {
	FILE *out;
	bool is_terminal;
	bool is_drawn;
	char last[160];
};

void progress_init(struct progress *p, FILE *out);

/* percent 0 to 100, or -1 when it is not known. */
void progress_show(struct progress *p, const char *what, int percent, const char *detail);

/* A line that stays, above the one that is redrawn. */
__attribute__((format(printf, 2, 3)))
void progress_say(struct progress *p, const char *format, ...);

void progress_clear(struct progress *p);
