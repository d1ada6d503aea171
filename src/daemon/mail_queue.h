/* SPDX-License-Identifier: ISC
 *
 * mail@ID shows its queue to the owner and takes the owner's orders, by way of the control role.
 */
#pragma once

#include "ipc/messages.h"
#include "queue/dispatch.h"
#include "queue/mailstore.h"

#define MAIL_QUEUE_PAGE_ROWS 2000
#define MAIL_QUEUE_PAGE_BYTES (512 * 1024) /* of rows; a page that reaches it ends, so that a slow reader costs little */

struct mail_queue {
	struct mailstore *mailstore;
	struct dispatch *dispatch;
	bool (*send)(void *context, const struct ipc_message *m); /* to the control role */
	void *context;
};

/* Carries out a QUEUE_REQUEST: QUEUE_ROWS, if any, and one QUEUE_END. */
void mail_queue_answer(const struct mail_queue *queue, const struct ipc_queue_request *request);

/* Sends end, a QUEUE_END, and tells of a database that failed. err is read when result is not 0. */
void mail_queue_end(const struct mail_queue *queue, struct ipc_message *end, int result, const struct error *err);
