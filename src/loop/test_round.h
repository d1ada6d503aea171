/* SPDX-License-Identifier: ISC
 *
 * What tests and fuzzers share that let a loop run for a known number of rounds.
 */
#pragma once

#include "loop/loop.h"

static void
test_stop_loop(void *l)
{
	loop_stop(l);
}

/* Everything that is ready is done, count times: what a round makes ready may need another one. */
static void
test_run_rounds(struct loop *l, unsigned count)
{
	struct timer *round_end = timer_new(l, test_stop_loop, l);
	while (count-- > 0) {
		timer_start(round_end, 0);
		loop_run(l);
	}
	timer_free(round_end);
}
