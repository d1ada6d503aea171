/* SPDX-License-Identifier: ISC
 *
 * Which identity a message is from when -f does not say.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "config/paths.h"

#define SENDER_MAX 1000

/* Takes From of the header when it is a mailbox of an identity; else the only identity's address. ERROR_NOT_FOUND with
 * a text that says what to do. */
int sender_choose(const struct paths *paths, struct slice header, char out[SENDER_MAX + 1], struct error *err);
