/* SPDX-License-Identifier: ISC
 *
 * Which message is late, so that its sender is to be told.
 */
#pragma once

#include "queue/queue.h"

#define MAIL_DELAY_NEVER INT64_MAX

/* The first message above the item passed_over that has waited for delay_ms without its sender being told. 1: *out is the
 * caller's, for queue_bounce_finish(): its item is the last one of the message, its failures are the recipients that
 * wait, with words for people where the code is 0. 0: none is late, and none will be before *next_ms (queue clock;
 * MAIL_DELAY_NEVER). */
int mail_delay_find(struct queue *queue, uint64_t passed_over, int64_t now_ms, int64_t delay_ms, struct queue_bounce *out,
    int64_t *next_ms, struct error *err);
