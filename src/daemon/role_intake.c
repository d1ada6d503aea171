/* SPDX-License-Identifier: ISC */
#include "daemon/role_intake.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/role.h"

static void
keep_file(struct role_intake *intake, struct ipc_message *m)
{
	if (intake->has_asked && m->fd >= 0) {
		intake->has_file = true;
		intake->file = m->fd;
		m->fd = -1;
	}
	intake->has_asked = false;
}

int
role_intake_open_file(struct role_intake *intake)
{
	const struct ipc_message m = { .type = IPC_TYPE_SPOOL_WANTED, .fd = -1 };
	if (intake->has_file) {
		intake->has_file = false;
		return intake->file;
	}
	if (intake->channel != NULL && !intake->has_asked)
		intake->has_asked = channel_send(intake->channel, &m, NULL) == 0;
	return -1;
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct role_intake *intake = context;
	if (m->type == IPC_TYPE_INTAKE_DONE)
		smtpd_answer(intake->server, m->intake_done.transaction_id, m->intake_done.code,
		    m->intake_done.enhanced, m->intake_done.text);
	else if (m->type == IPC_TYPE_SPOOL_FILE)
		keep_file(intake, m);
	else if (intake->on_other != NULL)
		intake->on_other(m);
}

static void
on_end(void *context, const struct error *err)
{
	if (err->code != ERROR_CLOSED)
		log_error("%s", err->text);
	if (err->code == ERROR_BUSY)
		role_quit(1); /* see channel.h */
	role_intake_disconnect(context);
}

void
role_intake_disconnect(struct role_intake *intake)
{
	if (intake->channel == NULL)
		return;
	channel_free(intake->channel);
	intake->channel = NULL;
	if (intake->has_file)
		file_close(&intake->file);
	intake->has_asked = intake->has_file = false;
	smtpd_answer_all(intake->server, intake);
	if (intake->on_gone != NULL)
		intake->on_gone();
}

void
role_intake_connect(struct role_intake *intake, struct smtpd *server, enum role own, int fd)
{
	static const struct channel_events events = { on_message, on_end };
	role_intake_disconnect(intake);
	intake->server = server;
	intake->channel = channel_new(role_loop(), fd, own, ROLE_MAIL, &events, intake);
}

const void *
role_intake_take(struct role_intake *intake, const struct smtpd_message *message)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = message->fd, .intake = {
		.transaction_id = message->transaction_id, .recipients = message->recipients, .body = message->body,
		.flags = (message->has_8bit ? BODY_8BIT : 0) | (message->is_smtputf8 ? BODY_SMTPUTF8 : 0) } };
	struct error err = { 0 };
	snprintf(m.intake.reverse_path, sizeof m.intake.reverse_path, "%s", message->reverse_path);
	if (message->proved != NULL)
		snprintf(m.intake.proved, sizeof m.intake.proved, "%s", message->proved);
	if (intake->channel == NULL)
		error_set(&err, ERROR_CLOSED, "mail is not there");
	else if (channel_send_soon(intake->channel, &m, &err) == 0)
		return intake;
	log_warn("a message is put off: %s", err.text);
	smtpd_answer(intake->server, message->transaction_id, 451, "4.3.0", "Try again later");
	return NULL;
}
