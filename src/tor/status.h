/* SPDX-License-Identifier: ISC
 *
 * What tor says about itself: version, progress of the bootstrap, trouble. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

#define STATUS_VERSION_LEAST "0.4.9.11" /* fixes a rendezvous impersonation race and a crash in proof-of-work code */
#define STATUS_VERSION_MAX 64
#define STATUS_PHASE_MAX 128
#define STATUS_HINT_MAX 200

struct status {
	unsigned bootstrap_percent;           /* 0 to 100 */
	char version[STATUS_VERSION_MAX + 1]; /* "" until known */
	char phase[STATUS_PHASE_MAX + 1];     /* for people: what is being done, or what is wrong */
	char hint[STATUS_HINT_MAX + 1];       /* for people: what to do about it; "": nothing */
};

/* Takes tor's version ("0.4.9.11", perhaps with more words). ERROR_UNSUPPORTED when it is older than the least that will
 * do or not readable; the text says what to do. */
int status_set_version(struct status *status, struct slice version, struct error *err);

/* Takes the words of STATUS_CLIENT or of GETINFO status/bootstrap-phase, beginning with the severity ("NOTICE BOOTSTRAP
 * PROGRESS=..."), or those of STATUS_GENERAL ("WARN CLOCK_SKEW SKEW=..."). true when the status changed. */
bool status_take(struct status *status, struct slice words);
