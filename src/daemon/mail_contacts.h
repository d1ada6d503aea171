/* SPDX-License-Identifier: ISC
 *
 * mail@ID shows its address book to the owner and takes the owner's orders about it, by way of the control role.
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_queue.h"

#define MAIL_CONTACTS_PAGE_ROWS 500
#define MAIL_CONTACTS_PAGE_BYTES (512 * 1024) /* of rows: with keys and introductions, a page that reaches it ends */
#define MAIL_CONTACTS_INTRODUCTIONS_SHOWN 200 /* of one contact */

/* Carries out a CONTACT_REQUEST, but for INTRODUCE: CONTACT_ROWs, if any, and one QUEUE_END. contacts is borrowed. */
void mail_contacts_answer(const struct mail_queue *queue, struct contacts *contacts, const struct ipc_contact_request *request);
