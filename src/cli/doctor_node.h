/* SPDX-License-Identifier: ISC
 *
 * The part of the doctor that looks at the node from inside: pure judgements of texts, and the checks that use them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "cli/doctor.h"

enum node_clock {
	NODE_CLOCK_FINE,   /* within the time for which the consensus is valid, or a day later: the node may have been off */
	NODE_CLOCK_SLOW,   /* before it was made */
	NODE_CLOCK_FAST,   /* more than a day after it ended, or the consensus is that old */
	NODE_CLOCK_NOBODY, /* this is no consensus */
};

/* Compares a clock with the beginning of a consensus (dir-spec, "valid-after" and "valid-until"). *after_s and *until_s, since 1970. */
enum node_clock node_judge_clock(struct slice consensus, int64_t now_s, int64_t *after_s, int64_t *until_s);

/* The first HiddenServicePort of a torrc that leads one of mail's ports to a TCP port, as a printable line; false when there is none. */
#define NODE_LINE_MAX 200
bool node_find_tcp_port(struct slice torrc, char line[NODE_LINE_MAX + 1]);

/* Files and folders of the node that others may read or write. */
doctor_check doctor_files;
doctor_check doctor_sandbox;
doctor_check doctor_system_tor; /* of tor.control */
doctor_check doctor_clock;
