/* SPDX-License-Identifier: ISC
 *
 * What the run (scenario.c) and the look at what it left (scenario_check.c) share.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/slice.h"
#include "ipc/body.h"
#include "ipc/pack.h"
#include "queue/mailstore.h"
#include "scenario.h"

#define SENDER "carol@e.onion"

extern const struct schedule scenario_schedule;

void must_be(int result, const struct error *err); /* else the process ends */
struct slice bytes_of(const struct buffer *b);

void scenario_body(const struct scenario *sc, unsigned which, struct buffer *out); /* to be finished */
unsigned scenario_number(struct slice text); /* of the message whose text it is, in any form; UINT_MAX: of none */

struct mailstore *scenario_open(bool has_threads);
void scenario_take(struct mailstore *s, const struct scenario *sc, unsigned which);
void scenario_commit(struct mailstore *s);                  /* until all are answered */
void scenario_process(struct mailstore *s);                 /* until nothing is left */
void scenario_bounces(struct mailstore *s, unsigned most);  /* composes what is owed */
void scenario_forget_ended(struct mailstore *s);
