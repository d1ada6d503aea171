/* SPDX-License-Identifier: ISC
 *
 * Why a message waits, in a word for programs and in words for people.
 */
#pragma once

#include "ipc/messages.h"

#define REASON_TEXT_MAX 640

/* Borrowed for ever. A reason that is none is WAIT_REASON_OTHER. */
const char *reason_word(unsigned reason);
const char *reason_brief(unsigned reason); /* a few words, ASCII, for a list */

/* text: what was said, by tor or the peer; may be "". It is cut if need be. The peer's words are as they came. */
void reason_say(unsigned reason, const char *text, char out[REASON_TEXT_MAX]);
