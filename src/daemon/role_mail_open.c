/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/log.h"
#include "daemon/mail_trouble.h"
#include "daemon/role_mail.h"

#define GATHER_MS 50 /* from one group to the next, under load */

static void
begin_waiting(const struct ipc_mail_config *c)
{
	static const struct mail_waiting_events events = { role_mail_on_settled };
	const struct mail_waiting_config config = { .expire_ms = (int64_t)c->expire_s * 1000,
		.keep_delivered_s = c->keep_delivered_s };
	mail.waiting = mail_waiting_new(role_loop(), &config, mail.mailstore, mail.dispatch, mail.content, &events, NULL);
}

static void
on_findings(void *context, const char *sender, struct slice list)
{
	(void)context;
	mail_invite_take(mail.invite, sender, list); /* first: strangers' cards are not looked at, and guests are none */
	mail_findings_take(mail.findings, sender, list);
}

static void
on_waits(void *context, const char *onion, const struct queue_item *item, struct slice card, bool is_later)
{
	(void)context;
	mail_ready_begin(mail.ready, onion, item, card, is_later);
}

static void
on_readied(void *context, uint64_t item, enum dispatch_readied readied, const char *text)
{
	(void)context;
	dispatch_readied(mail.dispatch, item, readied, text);
}

static void
begin_ready(const struct ipc_mail_config *c)
{
	struct mail_ready_config config = { .encryption = c->encryption, .date_step_s = c->date_step_s, .mailstore = mail.mailstore, .contacts = mail.contacts, .content = mail.content,
		.sign = mail.sign, .cards = mail.card, .on_appended = role_mail_on_appended, .on_readied = on_readied };
	memcpy(config.onion, c->onion, sizeof config.onion);
	memcpy(config.local_part, c->local_part, sizeof config.local_part);
	mail.ready = mail_ready_new(role_loop(), &config);
}

static int
begin_card(const struct ipc_mail_config *c, struct error *err)
{
	struct mail_card_config config = { .contacts = mail.contacts, .database = mailstore_database(mail.mailstore), .pins = queue_pins(mailstore_queue(mail.mailstore)),
		.content = mail.content, .sign = mail.sign, .send = role_mail_send_control, .reply = role_mail_reply };
	memcpy(config.onion, c->onion, sizeof config.onion);
	memcpy(config.local_part, c->local_part, sizeof config.local_part);
	memcpy(config.tls, c->tls, sizeof config.tls);
	memcpy(config.recovery, c->recovery, sizeof config.recovery);
	return mail_card_new(&config, &mail.card, err);
}

static int
begin_invite(const struct ipc_mail_config *c, struct error *err)
{
	struct mail_invite_config config = { .cards = mail.card, .intake = mail.intake, .contacts = mail.contacts,
		.database = mailstore_database(mail.mailstore), .send = role_mail_send_control };
	memcpy(config.onion, c->onion, sizeof config.onion);
	memcpy(config.local_part, c->local_part, sizeof config.local_part);
	return mail_invite_new(&config, &mail.invite, err);
}

static void
on_book_news(void *context)
{
	(void)context;
	mail_notice_look(mail.notice);
}

static int
is_closed(void *context, const char *onion, struct pack_result *why, struct error *err)
{
	(void)context;
	return mail_moves_is_closed(mail.contacts, onion, why, err);
}

static void
on_notice(void *context, const char *onion)
{
	struct pack_result why;
	struct error err = { 0 };
	int closed = is_closed(context, onion, &why, &err);
	if (closed < 0)
		log_error("%s", err.text); /* it is looked at again before anything is sent */
	else if (closed == 1)
		dispatch_closed(mail.dispatch, onion);
	mail_notice_look(mail.notice);
}

static void
begin_findings(const struct ipc_mail_config *c)
{
	struct mail_findings_config config = { .book = { mail.contacts, mailstore_database(mail.mailstore) }, .cards = mail.card,
		.on_news = on_book_news, .on_notice = on_notice };
	memcpy(config.onion, c->onion, sizeof config.onion);
	mail.findings = mail_findings_new(&config);
}

static void
set_schedule(const struct ipc_mail_config *c)
{
	mail.schedule = (struct schedule){ (int64_t)c->retry_first_s * 1000, (int64_t)c->retry_most_s * 1000,
		(int64_t)c->expire_s * 1000 };
	if (mail.schedule.first_ms < 1000)
		mail.schedule.first_ms = 1000;
	if (mail.schedule.most_ms < mail.schedule.first_ms)
		mail.schedule.most_ms = mail.schedule.first_ms;
}

/* What the mail store does between two events. */
static void
begin_steps(struct loop *loop)
{
	mailstore_set_gathering(mail.mailstore, GATHER_MS);
	mail.committed = watch_new(loop, mailstore_commit_fd(mail.mailstore), WATCH_READ, role_mail_on_commit, NULL);
	mail.processed = watch_new(loop, mailstore_process_fd(mail.mailstore), WATCH_READ, role_mail_on_process, NULL);
	watch_enable(mail.committed, true);
	watch_enable(mail.processed, true);
	mail.commit = timer_new(loop, role_mail_on_commit, NULL);
	mail.process = timer_new(loop, role_mail_on_process, NULL);
	mail.settle = timer_new(loop, role_mail_on_settle, NULL);
	mail.rest = timer_new(loop, role_mail_on_rest, NULL);
}

/* With a full disk it is tried again. With a damaged database the role stays, so that nothing is started again and
 * again: it refuses mail for the moment, and the owner's mail program reads on. */
void
role_mail_open_store(void)
{
	const struct ipc_mail_config *c = &mail.config;
	static const struct mail_intake_events intake_events = { role_mail_reply, role_mail_on_appended, role_mail_on_broken, role_mail_no_space, role_mail_on_reserve,
		on_findings };
	static const struct dispatch_events dispatch_events = { role_mail_send_tor, role_mail_send_smtp, on_waits, is_closed, role_mail_on_result, role_mail_on_broken };
	struct loop *loop = role_loop();
	struct error err = { 0 };
	set_schedule(c);
	struct mail_intake_config config = { .message_max_bytes = c->message_max_bytes, .keep_free_bytes = c->keep_free_bytes,
		.date_step_s = c->date_step_s, .refuse_unproved = c->refuse_unproved,
		.encryption = c->encryption, .opens = c->opens, .stands_by = c->stands_by };
	memcpy(config.onion, c->onion, sizeof config.onion);
	memcpy(config.local_part, c->local_part, sizeof config.local_part);
	struct mail_bounce_config bounce_config = { .delay_ms = (int64_t)c->delay_notice_s * 1000,
		.expire_ms = (int64_t)c->expire_s * 1000 };
	memcpy(bounce_config.onion, c->onion, sizeof bounce_config.onion);
	if (mailstore_open(&mail.schedule, &mail.mailstore, &err) != 0) {
		if (err.code == ERROR_NO_SPACE)
			role_mail_no_space(NULL, &err);
		else if (err.code == ERROR_DAMAGED)
			mail_trouble_note(&err);
		else
			role_mail_die(&err);
		return;
	}
	mail_trouble_is_over();
	database_watch(mailstore_database(mail.mailstore), role_mail_on_broken, NULL);
	if (mailstore_start_threads(mail.mailstore, &err) != 0) {
		role_mail_die(&err);
		return;
	}
	if (contacts_open(mailstore_database(mail.mailstore), &mail.contacts, &err) != 0) {
		role_mail_die(&err);
		return;
	}
	begin_steps(loop);
	mail.content = mail_content_new(loop, c->message_max_bytes * 2 + 2 * 1024 * 1024, role_mail_need_content, NULL);
	mail.sign = mail.sign != NULL ? mail.sign : mail_sign_new(loop);
	if (begin_card(c, &err) != 0) {
		role_mail_die(&err);
		return;
	}
	begin_findings(c);
	mail.intake = mail_intake_new(&config, mail.mailstore, mail.content, mail.sign, mail.contacts, &intake_events, NULL);
	if (begin_invite(c, &err) != 0) {
		role_mail_die(&err);
		return;
	}
	mail.bounce = mail_bounce_new(loop, &bounce_config, mail.mailstore, mail.content, role_mail_on_appended, NULL);
	mail.notice = mail_notice_new(loop, c, mail.mailstore, mail.contacts, role_mail_on_appended, NULL);
	mail.moves = (struct mail_moves){ .onion = c->onion, .local_part = c->local_part, .contacts = mail.contacts, .intake = mail.intake,
		.send = role_mail_send_control };
	mail.introduce = (struct mail_introduce){ .onion = c->onion, .local_part = c->local_part, .contacts = mail.contacts, .intake = mail.intake,
		.send = role_mail_send_control };
	mail.dispatch = dispatch_new(loop, mail.mailstore, (int64_t)c->stagger_s * 1000, &dispatch_events, NULL);
	mail.network = mail_network_new(loop, mail.dispatch);
	begin_waiting(c);
	begin_ready(c);
	role_mail_tell_dispatch(&mail.tor);
	role_mail_tell_dispatch(&mail.smtp);
	timer_start(mail.process, 0); /* what the journal still holds */
}
