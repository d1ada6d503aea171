/* SPDX-License-Identifier: ISC
 *
 * Dates as mail writes them (RFC 5322 3.3, 4.3). Ours are always in UTC and written "+0000", so that they tell no
 * time zone. Neither function reads the machine's zone or opens a file.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define DATE_TEXT_SIZE 32 /* "Sun, 22 Nov 2026 10:47:51 +0000" and a NUL */

/* time_s: seconds since 1970, 0 to the end of the year 9999 (others are moved to the nearer end). */
void date_format(int64_t time_s, char out[DATE_TEXT_SIZE]);

/* An unfolded value to seconds since 1970. ERROR_INVALID when it names no moment from 1970 to 9999. library_init() first. */
int date_parse(struct slice value, int64_t *time_s, struct error *err);
