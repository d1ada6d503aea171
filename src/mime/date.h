/* SPDX-License-Identifier: ISC
 *
 * Reading dates as mail writes them (RFC 5322 3.3, 4.3). Does not read the machine's zone or open a file.
 */
#pragma once

#include <stdint.h>

#include "base/date.h"
#include "base/error.h"
#include "base/slice.h"

/* An unfolded value to seconds since 1970. ERROR_INVALID when it names no moment from 1970 to 9999. library_init() first. */
int date_parse(struct slice value, int64_t *time_s, struct error *err);
