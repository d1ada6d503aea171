/* SPDX-License-Identifier: ISC
 *
 * The clocks. Waiting is measured by the monotonic one, which does not jump;
 * the wall clock is only for what people and other machines see. L0 and L1 code
 * takes times as arguments.
 */
#pragma once

#include <stdint.h>

int64_t clock_wall_s(void);       /* seconds since 1970, UTC; may jump */
int64_t clock_wall_ms(void);
int64_t clock_monotonic_ms(void); /* since some start; counts time spent suspended */
int64_t clock_awake_ms(void);     /* the same without it: the difference of the two is how long the machine slept */
