/* SPDX-License-Identifier: ISC
 *
 * The field in which the node says what it has found out about a message (doc/spec/verdict.md), and what in a message asks for that. Like threads.h, it
 * needs nothing, so that mail@ID can use it: it compares bytes at the beginnings of lines. A line ends in LF, with or without a CR before it,
 * as mail programs read a mailbox.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define VERDICT_FIELD "SMTorP-Verdict"

/* Whether the header says something that can be true or false: it names an onion in From, or has an Onion-Signature. */
bool verdict_is_asked_for(struct slice header);

/* Whether the header has its end in the text. */
bool verdict_header_ends(struct slice text);

/* Takes all fields of that name out of the header, in place. Returns the new length. */
size_t verdict_drop(unsigned char *text, size_t len);
