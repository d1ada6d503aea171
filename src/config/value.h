/* SPDX-License-Identifier: ISC
 *
 * The kinds of values that a configuration key can have. Each parser returns ERROR_INVALID or ERROR_TOO_LARGE with a
 * text that completes "line 3: KEY " ("must be ..., not '...'").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"

/* How much of a wrong value an error text repeats, for "%.*s". */
int value_shown_len(struct slice text);

/* "127.0.0.1:1587", "[::1]:1587": a loopback address (127.0.0.0/8 or ::1) and a port, 0 for any free one. */
int value_endpoint(struct slice text, struct config_endpoint *out, struct error *err);

/* A number of bytes, with K, M or G for powers of 1024. Between least and most. */
int value_size(struct slice text, uint64_t least, uint64_t most, uint64_t *out, struct error *err);

/* Seconds: a number with s, m, h or d. Between least_s and most_s. */
int value_duration(struct slice text, uint32_t least_s, uint32_t most_s, uint32_t *out_s, struct error *err);

/* Where a tor listens: "unix:/run/tor/control" or "127.0.0.1:9051", on loopback. out has room for CONFIG_PLACE_MAX. */
int value_place(struct slice text, char *out, struct error *err);

int value_yes_no(struct slice text, bool *out, struct error *err);

/* Any text of 1 to CONFIG_VALUE_MAX - 1 bytes; out has room for CONFIG_VALUE_MAX. */
int value_text(struct slice text, char *out, struct error *err);
