/* SPDX-License-Identifier: ISC
 *
 * For work that must put things back before it ends: Ctrl-C is noticed, and counts afterwards.
 */
#pragma once

#include <stdbool.h>

void interrupt_hold(void);    /* SIGINT, SIGTERM and SIGHUP wait from here on */
bool interrupt_is_due(void);  /* whether one of them does */
void interrupt_release(void); /* ends the process when one did */
