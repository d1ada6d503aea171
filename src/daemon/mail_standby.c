/* SPDX-License-Identifier: ISC */
#include "daemon/mail_standby.h"

#include <stdio.h>

#include "address/address.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "ipc/pack.h"

#define MESSAGE_MAX_BYTES 4096

static void
on_told(void *context, unsigned code, const char *text)
{
	(void)context;
	if (code / 100 != 2)
		log_warn("the other copy of this identity was not told that this one stands by: %s", text);
}

static int
compose(const struct ipc_mail_config *mailbox, struct buffer *out, struct error *err)
{
	char date[DATE_TEXT_SIZE];
	date_format(clock_wall_s(), date);
	return buffer_printf(out, err, "Date: %s\r\nFrom: <%s@%s>\r\nTo: <%s@%s>\r\nSubject: Two machines run this identity\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "Two machines run the identity\r\n\r\n  %s@%s\r\n\r\n"
	    "The one that was started last is published, and gets what others write. The other one has noticed, stands by, and\r\n"
	    "has written this to both mailboxes.\r\n\r\n"
	    "If you are moving to another machine, all is well. When nothing of the old one is needed any more, remove the identity\r\n"
	    "there. If the one that stands by is to be the one, say there, with the identity's name for NAME:\r\n\r\n"
	    "  smtorp identity takeover NAME\r\n\r\n"
	    "If you know of one machine only, somebody else has a copy of your onion's key. Then nothing at this address is safe any\r\n"
	    "more: make a new identity, and tell your contacts by\r\n\r\n  smtorp identity move NAME --to NEW\r\n", date,
	    mailbox->local_part, mailbox->onion, mailbox->local_part, mailbox->onion, mailbox->local_part, mailbox->onion);
}

void
mail_standby_tell(struct mail_intake *intake, const struct ipc_mail_config *mailbox)
{
	char address[ADDRESS_MAX + 1];
	struct buffer message, recipients;
	struct error err = { 0 };
	struct body body;
	buffer_init(&message, MESSAGE_MAX_BYTES);
	buffer_init(&recipients, IPC_RECIPIENTS_MAX);
	snprintf(address, sizeof address, "%s@%s", mailbox->local_part, mailbox->onion);
	if (compose(mailbox, &message, &err) == 0 && pack_string(&recipients, slice_of_string(address), &err) == 0) {
		body_from_buffer(&message, &body);
		mail_intake_own(intake, slice_of(buffer_bytes(&recipients), buffer_len(&recipients)), &body, on_told, NULL);
	} else
		log_warn("the other copy of this identity was not told that this one stands by: %s", err.text);
	buffer_finish(&recipients);
	buffer_finish(&message);
}
