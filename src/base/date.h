/* SPDX-License-Identifier: ISC
 *
 * Dates as mail writes them (RFC 5322 3.3). Ours are always in UTC and written "+0000", so that they tell no time zone.
 * Neither reads the machine's zone nor opens a file.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

#define DATE_TEXT_SIZE 32 /* "Sun, 22 Nov 2026 10:47:51 +0000" and a NUL */
#define DATE_LAST_S INT64_C(253402300799) /* 31 Dec 9999 23:59:59 */

/* time_s: seconds since 1970, 0 to the end of the year 9999 (others are moved to the nearer end). */
void date_format(int64_t time_s, char out[DATE_TEXT_SIZE]);

/* A day as ISO 8601 and vCard 4.0 (RFC 6350 4.3) write it, at its beginning: "20261122T000000Z" and a NUL. Time as above. */
#define DATE_STAMP_SIZE 17
void date_format_stamp(int64_t time_s, char out[DATE_STAMP_SIZE]);
/* Reads it, with any time of the day, from 1970 on; -1 for what is none. *time_s: the day's beginning. */
int date_from_stamp(struct slice text, int64_t *time_s);
