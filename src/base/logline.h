/* SPDX-License-Identifier: ISC
 *
 * A line of the log, taken apart: "2026-11-22T10:47:51.000Z warn mail: what happened". Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

#define LOGLINE_TIME_LEN 24
#define LOGLINE_WHO_MAX 16

struct logline {
	struct slice time;  /* LOGLINE_TIME_LEN bytes */
	struct slice level; /* error, warn or info */
	struct slice who;   /* letters and '-' */
	struct slice text;
};

/* What comes out points into line, which has no line end. false when it is none of ours. */
bool logline_parse(struct slice line, struct logline *out);

/* Lines of other programs, as they write them to standard error: "Nov 22 10:47:51.000 [notice] ..." is tor's,
 * "dovecot: ..." is Dovecot's (parent_dovecot.c makes it write so), anything else is "program"'s. time stays empty: what they
 * write tells the machine's time zone. */
void logline_parse_foreign(struct slice line, struct logline *out);
