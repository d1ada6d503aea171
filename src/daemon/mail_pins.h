/* SPDX-License-Identifier: ISC
 *
 * mail@ID shows its pins to the owner and takes the owner's orders about them, by way of the control role.
 */
#pragma once

#include "daemon/mail_queue.h"

#define MAIL_PINS_PAGE_ROWS 500

/* Carries out a PIN_REQUEST: PIN_ROWs, if any, and one QUEUE_END. */
void mail_pins_answer(const struct mail_queue *queue, const struct ipc_pin_request *request);
