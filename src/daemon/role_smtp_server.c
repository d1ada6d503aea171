/* SPDX-License-Identifier: ISC
 *
 * The server of smtp@ID: strangers who write to one identity.
 */
#include <assert.h>
#include <stdio.h>

#include "address/address.h"
#include "base/encode.h"
#include "daemon/role_intake.h"
#include "daemon/role_smtp.h"
#include "smtpd/rules.h"

static struct {
	char onion[IPC_ONION_MAX + 1];
	char local_part[65];
	char fingerprint[ADDRESS_FINGERPRINT_MAX + 1]; /* of the certificate that is shown */
	struct role_intake mail;
} self;

static enum smtpd_verdict
on_sender(void *context, struct smtpd_question *question)
{
	(void)context;
	(void)question; /* anybody may claim anything: what is proved is decided by who reads the message */
	return SMTPD_ACCEPT;
}

static enum smtpd_verdict
on_recipient(void *context, struct smtpd_question *question)
{
	(void)context;
	return rules_inbound_recipient(self.onion, self.fingerprint, self.local_part, question->path, question->mailbox);
}

static const void *
on_message(void *context, const struct smtpd_message *message)
{
	(void)context;
	self.mail.server = role_smtp.server;
	return role_intake_take(&self.mail, message);
}

static const void *
on_card(void *context, uint64_t transaction_id)
{
	const struct ipc_message m = { .type = IPC_TYPE_CARD_WANTED, .fd = -1, .card_wanted.transaction_id = transaction_id };
	(void)context;
	self.mail.server = role_smtp.server;
	if (self.mail.channel != NULL && channel_send(self.mail.channel, &m, NULL) == 0)
		return &self.mail;
	smtpd_answer_card(role_smtp.server, transaction_id, slice_of("", 0));
	return NULL;
}

/* What mail says besides of its own orders. */
static void
on_mail_message(struct ipc_message *m)
{
	if (m->type == IPC_TYPE_CARD_GIVEN)
		smtpd_answer_card(role_smtp.server, m->card_given.transaction_id, m->card_given.card);
	else
		role_smtp_client_on_mail_message(m);
}

static int
on_large(void *context, enum smtpd_kind kind, const char *login, const char *reverse_path)
{
	(void)context, (void)kind, (void)login, (void)reverse_path;
	return role_intake_open_file(&self.mail);
}

static void
on_stopped(void *context)
{
	(void)context;
	role_smtp_check_stopped();
}

const struct smtpd_events role_smtp_server_events = {
	.on_sender = on_sender,
	.on_recipient = on_recipient,
	.on_message = on_message,
	.on_card = on_card,
	.on_large = on_large,
	.on_stopped = on_stopped,
};

void
role_smtp_server_on_config(const struct ipc_smtp_config *config)
{
	snprintf(self.onion, sizeof self.onion, "%s", config->onion);
	snprintf(self.local_part, sizeof self.local_part, "%s", config->local_part);
	self.mail.on_other = on_mail_message;
	self.mail.on_gone = role_smtp_client_on_mail_gone;
}

void
role_smtp_server_on_tls(const struct tls_context *tls)
{
	unsigned char hash[32];
	static_assert(ENCODE_BASE32_LEN(sizeof hash) < sizeof self.fingerprint, "it fits");
	if (tls_context_key_hash(tls, hash, NULL) == 0)
		encode_base32(self.fingerprint, hash, sizeof hash);
}

void
role_smtp_server_on_mail(int fd)
{
	role_intake_connect(&self.mail, role_smtp.server, ROLE_SMTP, fd);
}

struct channel *
role_smtp_server_mail(void)
{
	return self.mail.channel;
}
