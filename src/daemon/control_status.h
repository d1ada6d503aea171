/* SPDX-License-Identifier: ISC
 *
 * The answer to "status": the parent says it in rows, one message each.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "ipc/messages.h"

/* Words that may be tor's or some role's: JSON takes UTF-8 only, and terminals obey what is not printable. The caller's. */
json_t *control_text(const char *words);

/* The answer without rows; the caller's. */
json_t *control_status_new(void);

/* Whether a message is such a row, and to which request it belongs. */
bool control_status_is_row(const struct ipc_message *m, uint64_t *request_id);
void control_status_add(json_t *status, const struct ipc_message *row);
