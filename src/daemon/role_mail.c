/* SPDX-License-Identifier: ISC
 *
 * mail@ID: journal, mailbox and queue of one identity. Its working directory is the identity's mail/ folder, which its
 * parent has chosen; it opens nothing else and has no network.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "contacts/contacts.h"
#include "daemon/mail_bounce.h"
#include "daemon/mail_card.h"
#include "daemon/mail_contacts.h"
#include "daemon/mail_content.h"
#include "daemon/mail_intake.h"
#include "daemon/mail_network.h"
#include "daemon/mail_notice.h"
#include "daemon/mail_pins.h"
#include "daemon/mail_queue.h"
#include "daemon/mail_sign.h"
#include "daemon/mail_trouble.h"
#include "daemon/mail_waiting.h"
#include "daemon/role.h"
#include "onionkey/onionkey.h"
#include "queue/dispatch.h"
#include "queue/mailstore.h"

#define PROCESS_AGAIN_MS 5000 /* after a lack of space or memory */
#define GATHER_MS 50   /* from one group to the next, under load */
#define SETTLE_MS 1000
#define REST_MS (10 * 60 * 1000) /* without mail: then the journal's spare parts go */
#define ROOM_AGAIN_MS 2000
#define ROOM_BYTES (16 * 1024 * 1024) /* two parts of the journal: with less it soon is full again */
#define STOP_GROUPS_MOST 16   /* processed before stopping; the next start does the rest */

/* A role that gives and takes messages here. */
struct source {
	enum role role;
	struct channel *channel;
	unsigned generation; /* an answer goes to the channel that the question came from, or nowhere */
};

static struct mail {
	struct source smtp, submission, tor, control;
	struct schedule schedule;
	struct mailstore *mailstore; /* NULL until MAIL_CONFIG came */
	struct contacts *contacts;
	struct mail_card *card;
	struct mail_content *content;
	struct mail_sign *sign;
	struct mail_intake *intake;
	struct mail_bounce *bounce;
	struct mail_notice *notice;
	struct dispatch *dispatch;
	struct mail_waiting *waiting;
	struct timer *commit, *process, *settle, *rest, *room;
	struct mail_network *network;
	struct watch *committed, *processed; /* what the threads have done; NULL: there are none */
	struct ipc_mail_config config;
	bool has_caught_up; /* with what the journal held at the start */
} mail = { .smtp = { ROLE_SMTP }, .submission = { ROLE_SUBMISSION }, .tor = { ROLE_TOR },
	.control = { ROLE_CONTROL } };

static void
die(const struct error *err)
{
	log_error("%s", err->text);
	mail_trouble_note(err);
	role_quit(1);
}

/* ---- a full disk: new mail is refused, what was taken waits, and both until there is room again */

static void
no_space(void *context, const struct error *err)
{
	(void)context;
	mail_trouble_note(err);
	if (!timer_is_running(mail.room))
		timer_start(mail.room, ROOM_AGAIN_MS);
}

static void
on_reserve(void *context)
{
	(void)context;
	mail_trouble_note_reserve();
	if (!timer_is_running(mail.room))
		timer_start(mail.room, ROOM_AGAIN_MS);
}

static void open_store(void);

static void
on_room(void *context)
{
	(void)context;
	struct error err = { 0 };
	if (file_check_room(AT_FDCWD, "mail", ROOM_BYTES, &err) != 0) {
		timer_start(mail.room, ROOM_AGAIN_MS);
		return;
	}
	if (mail.mailstore == NULL) {
		open_store();
		return;
	}
	timer_start(mail.process, 0);
	if (mail_intake_may_receive(mail.intake, ROOM_BYTES))
		mail_trouble_is_over();
	else
		on_reserve(NULL);
}

/* ---- the work behind the answers */

static void
on_commit(void *context)
{
	(void)context;
	uint64_t before = mailstore_durable_below(mail.mailstore);
	mail_intake_commit(mail.intake);
	if (mailstore_durable_below(mail.mailstore) != before)
		timer_start(mail.process, 0);
}

static void
settle_soon(void)
{
	if (!timer_is_running(mail.settle))
		timer_start(mail.settle, SETTLE_MS);
}

static void
on_process(void *context)
{
	(void)context;
	struct error err = { 0 };
	int more = mailstore_process(mail.mailstore, &err);
	if (more == MAILSTORE_WAITS || more == MAILSTORE_BEGUN) {
		if (more == MAILSTORE_BEGUN)
			timer_start(mail.process, 0);
		return;
	}
	if (more == MAILSTORE_GATHERS) {
		timer_start(mail.process, mailstore_gathers_ms(mail.mailstore));
		return;
	}
	if (more < 0) {
		if (err.code != ERROR_NO_SPACE && err.code != ERROR_NO_MEMORY && err.code != ERROR_BUSY) {
			die(&err);
			return;
		}
		if (err.code == ERROR_NO_SPACE)
			no_space(NULL, &err);
		else
			log_error("%s", err.text);
		timer_start(mail.process, PROCESS_AGAIN_MS);
		return;
	}
	dispatch_wake(mail.dispatch);
	mail_bounce_look(mail.bounce);
	mail_waiting_expect(mail.waiting);
	mail_notice_look(mail.notice);
	if (more == MAILSTORE_MORE)
		timer_start(mail.process, 0);
	else {
		if (!mail.has_caught_up)
			mail_trouble_look_again();
		mail.has_caught_up = true;
		settle_soon();
		timer_start(mail.rest, REST_MS);
	}
}

static void
on_rest(void *context)
{
	(void)context;
	mailstore_rest(mail.mailstore);
}

static void
on_settle(void *context)
{
	(void)context;
	struct error err = { 0 };
	if (mailstore_settle(mail.mailstore, &err) != 0) {
		if (database_is_lost(&err))
			die(&err);
		else if (err.code == ERROR_NO_SPACE)
			no_space(NULL, &err);
		else
			log_error("%s", err.text);
	}
}

static void
on_appended(void *context)
{
	(void)context;
	if (!timer_is_running(mail.commit))
		timer_start(mail.commit, 0);
}

static void
on_broken(void *context, const struct error *err)
{
	(void)context;
	die(err);
}

static void
on_result(void *context)
{
	(void)context;
	mail_bounce_look(mail.bounce);
	mail_waiting_look(mail.waiting);
	mail_notice_look(mail.notice);
	settle_soon(); /* bodies that were sent */
}

static void
on_settled(void *context)
{
	(void)context;
	settle_soon();
}

static void
need_content(void *context)
{
	(void)context;
	struct ipc_message m = { .type = IPC_TYPE_NEED_CONTENT, .fd = -1 };
	role_tell_parent(&m);
}

/* ---- channels */

static struct source *
source_of(enum role role)
{
	struct source *all[] = { &mail.smtp, &mail.submission, &mail.tor, &mail.control };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i]->role == role)
			return all[i];
	return NULL;
}

static bool
send_to(struct source *s, const struct ipc_message *m)
{
	struct error err = { 0 };
	if (s->channel == NULL)
		return false;
	if (channel_send(s->channel, m, &err) == 0)
		return true;
	log_warn("cannot send %s: %s", ipc_type_name(m->type), err.text);
	return false;
}

static bool
send_tor(void *context, const struct ipc_message *m)
{
	(void)context;
	return send_to(&mail.tor, m);
}

static bool
send_smtp(void *context, const struct ipc_message *m)
{
	(void)context;
	return send_to(&mail.smtp, m);
}

static void
reply(void *context, enum role role, unsigned generation, const struct ipc_message *m)
{
	(void)context;
	struct error err = { 0 };
	struct source *s = source_of(role);
	if (s->generation == generation && s->channel != NULL && channel_send_soon(s->channel, m, &err) != 0)
		log_warn("cannot send %s: %s", ipc_type_name(m->type), err.text);
}

static void
refuse_for_now(struct source *s, const struct ipc_message *intake)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1 };
	m.intake_done.transaction_id = intake->intake.transaction_id;
	m.intake_done.code = mail_trouble_is_full() ? 452 : 451;
	strcpy(m.intake_done.enhanced, mail_trouble_is_full() ? "4.3.1" : "4.3.2");
	strcpy(m.intake_done.text, mail_trouble_is_full() ? "no space for mail; try again later" : "starting; try again later");
	send_to(s, &m);
}

static bool
send_control(void *context, const struct ipc_message *m)
{
	(void)context;
	return send_to(&mail.control, m);
}

/* Whose answer ends with QUEUE_END. */
static uint64_t
owners_request(const struct ipc_message *m)
{
	switch (m->type) {
	case IPC_TYPE_QUEUE_REQUEST:
		return m->queue_request.request_id;
	case IPC_TYPE_PIN_REQUEST:
		return m->pin_request.request_id;
	case IPC_TYPE_CONTACT_REQUEST:
		return m->contact_request.request_id;
	case IPC_TYPE_CARD_REQUEST:
		return m->card_request.request_id;
	default:
		return 0;
	}
}

static void
answer_owner(const struct ipc_message *request)
{
	const struct mail_queue queue = { mail.mailstore, mail.dispatch, send_control, on_broken, NULL };
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = owners_request(request), .error = ERROR_BUSY,
		.text = "this identity is not ready: `smtorp status` says why if it takes longer" } };
	if (mail.mailstore == NULL)
		send_to(&mail.control, &m);
	else if (request->type == IPC_TYPE_PIN_REQUEST)
		mail_pins_answer(&queue, &request->pin_request);
	else if (request->type == IPC_TYPE_CONTACT_REQUEST)
		mail_contacts_answer(&queue, mail.contacts, &request->contact_request);
	else if (request->type == IPC_TYPE_CARD_REQUEST)
		mail_card_answer(mail.card, &request->card_request);
	else
		mail_queue_answer(&queue, &request->queue_request);
	if (mail.mailstore != NULL)
		mail_waiting_look(mail.waiting);
}

static void
give_file(struct source *s)
{
	struct ipc_message m = { .type = IPC_TYPE_SPOOL_FILE, .fd = -1 };
	struct error err = { 0 };
	/* Without a file the message stays in memory, if there is enough, and comes to the journal, which has the word on space. */
	if (file_check_room(AT_FDCWD, "mail", ROOM_BYTES, &err) != 0)
		no_space(NULL, &err);
	else if (s->role == ROLE_SMTP && mail.mailstore != NULL && !mail_intake_may_receive(mail.intake, mail.config.message_max_bytes))
		on_reserve(NULL);
	else if (file_open_unnamed(AT_FDCWD, &m.fd, &err) != 0)
		log_warn("%s", err.text);
	send_to(s, &m);
	file_close(&m.fd);
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct source *s = context;
	if (m->type == IPC_TYPE_INTAKE && mail.mailstore == NULL)
		refuse_for_now(s, m);
	else if (m->type == IPC_TYPE_INTAKE)
		mail_intake_take(mail.intake, s->role, s->generation, m);
	else if (m->type == IPC_TYPE_SPOOL_WANTED)
		give_file(s);
	else if (m->type == IPC_TYPE_QUEUE_REQUEST || m->type == IPC_TYPE_PIN_REQUEST || m->type == IPC_TYPE_CONTACT_REQUEST ||
	    m->type == IPC_TYPE_CARD_REQUEST)
		answer_owner(m);
	else if (mail.mailstore != NULL)
		dispatch_on_message(mail.dispatch, m);
}

static void
tell_dispatch(const struct source *s)
{
	if (mail.mailstore == NULL)
		return;
	if (s->role == ROLE_TOR)
		dispatch_set_tor(mail.dispatch, s->channel != NULL);
	else if (s->role == ROLE_SMTP)
		dispatch_set_smtp(mail.dispatch, s->channel != NULL);
}

static void
lose(struct source *s)
{
	channel_free(s->channel);
	s->channel = NULL;
	s->generation++;
	tell_dispatch(s);
}

static void
on_end(void *context, const struct error *err)
{
	log_info("%s", err->text);
	lose(context);
	if (err->code == ERROR_BUSY)
		role_quit(1); /* see channel.h */
}

static void
on_peer(void *context, enum role peer, const char *identity, int fd)
{
	(void)context;
	(void)identity;
	static const struct channel_events events = { on_message, on_end };
	struct source *s = source_of(peer);
	if (peer == ROLE_CONTENT && mail.mailstore != NULL) {
		mail_card_content_began(mail.card);
		mail_content_set_peer(mail.content, fd);
		return;
	}
	if (peer == ROLE_SIGN && mail.sign != NULL) {
		mail_sign_set_peer(mail.sign, fd);
		return;
	}
	if (s == NULL) {
		file_close(&fd);
		return;
	}
	if (s->channel != NULL)
		lose(s);
	s->channel = channel_new(role_loop(), fd, ROLE_MAIL, peer, &events, s);
	tell_dispatch(s);
}

static void
on_peer_gone(void *context, enum role peer, const char *identity)
{
	(void)context;
	(void)identity;
	struct source *s = source_of(peer);
	if (s != NULL && s->channel != NULL)
		lose(s);
}

/* ---- beginning and end */

static void
begin_waiting(const struct ipc_mail_config *c)
{
	static const struct mail_waiting_events events = { on_settled, on_broken };
	const struct mail_waiting_config config = { .expire_ms = (int64_t)c->expire_s * 1000,
		.keep_delivered_s = c->keep_delivered_s };
	mail.waiting = mail_waiting_new(role_loop(), &config, mail.mailstore, mail.dispatch, mail.content, &events, NULL);
}

static int
begin_card(const struct ipc_mail_config *c, struct error *err)
{
	struct mail_card_config config = { .contacts = mail.contacts, .database = mailstore_database(mail.mailstore), .content = mail.content,
		.sign = mail.sign, .send = send_control, .on_broken = on_broken };
	memcpy(config.onion, c->onion, sizeof config.onion);
	memcpy(config.local_part, c->local_part, sizeof config.local_part);
	memcpy(config.tls, c->tls, sizeof config.tls);
	memcpy(config.recovery, c->recovery, sizeof config.recovery);
	return mail_card_new(&config, &mail.card, err);
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

/* With a full disk it is tried again. With a damaged database the role stays, so that nothing is started again and
 * again: it refuses mail for the moment, and the owner's mail program reads on. */
static void
open_store(void)
{
	const struct ipc_mail_config *c = &mail.config;
	static const struct mail_intake_events intake_events = { reply, on_appended, on_broken, no_space, on_reserve };
	static const struct dispatch_events dispatch_events = { send_tor, send_smtp, on_result, on_broken };
	struct error err = { 0 };
	struct mail_intake_config config = { .message_max_bytes = c->message_max_bytes, .keep_free_bytes = c->keep_free_bytes,
		.date_step_s = c->date_step_s, .refuse_unproved = c->refuse_unproved,
		.encryption = c->encryption, .opens = c->opens };
	memcpy(config.onion, c->onion, sizeof config.onion);
	memcpy(config.local_part, c->local_part, sizeof config.local_part);
	struct mail_bounce_config bounce_config = { .delay_ms = (int64_t)c->delay_notice_s * 1000,
		.expire_ms = (int64_t)c->expire_s * 1000 };
	memcpy(bounce_config.onion, c->onion, sizeof bounce_config.onion);
	if (mailstore_open(&mail.schedule, &mail.mailstore, &err) != 0) {
		if (err.code == ERROR_NO_SPACE)
			no_space(NULL, &err);
		else if (err.code == ERROR_DAMAGED)
			mail_trouble_note(&err);
		else
			die(&err);
		return;
	}
	mail_trouble_is_over();
	if (mailstore_start_threads(mail.mailstore, &err) != 0) {
		die(&err);
		return;
	}
	mailstore_set_gathering(mail.mailstore, GATHER_MS);
	if (contacts_open(mailstore_database(mail.mailstore), &mail.contacts, &err) != 0) {
		die(&err);
		return;
	}
	struct loop *loop = role_loop();
	mail.committed = watch_new(loop, mailstore_commit_fd(mail.mailstore), WATCH_READ, on_commit, NULL);
	mail.processed = watch_new(loop, mailstore_process_fd(mail.mailstore), WATCH_READ, on_process, NULL);
	watch_enable(mail.committed, true);
	watch_enable(mail.processed, true);
	mail.commit = timer_new(loop, on_commit, NULL);
	mail.process = timer_new(loop, on_process, NULL);
	mail.settle = timer_new(loop, on_settle, NULL);
	mail.rest = timer_new(loop, on_rest, NULL);
	mail.content = mail_content_new(loop, c->message_max_bytes * 2 + 2 * 1024 * 1024, need_content, NULL);
	mail.sign = mail.sign != NULL ? mail.sign : mail_sign_new(loop);
	if (begin_card(c, &err) != 0) {
		die(&err);
		return;
	}
	mail.intake = mail_intake_new(&config, mail.mailstore, mail.content, mail.sign, mail.contacts, &intake_events, NULL);
	mail.bounce = mail_bounce_new(loop, &bounce_config, mail.mailstore, mail.content, on_appended, NULL);
	mail.notice = mail_notice_new(loop, c, mail.mailstore, on_appended, NULL);
	mail.dispatch = dispatch_new(loop, mail.mailstore, (int64_t)c->stagger_s * 1000, &dispatch_events, NULL);
	mail.network = mail_network_new(loop, mail.dispatch);
	begin_waiting(c);
	tell_dispatch(&mail.tor);
	tell_dispatch(&mail.smtp);
	timer_start(mail.process, 0); /* what the journal still holds */
}

static void
begin(const struct ipc_mail_config *config)
{
	mail.config = *config;
	mail.room = timer_new(role_loop(), on_room, NULL);
	set_schedule(config);
	open_store();
}

static void
on_parent(void *context, struct ipc_message *m)
{
	(void)context;
	if (m->type == IPC_TYPE_MAIL_CONFIG && mail.room == NULL)
		begin(&m->mail_config);
	else if (m->type == IPC_TYPE_NETWORK && mail.mailstore != NULL)
		mail_network_changed(mail.network);
}

/* What is still to be done waits for the disk by itself. */
static void
stop_threads(void)
{
	watch_free(mail.committed);
	watch_free(mail.processed);
	mail.committed = mail.processed = NULL;
	mailstore_stop_threads(mail.mailstore);
}

static void
on_stop(void *context)
{
	(void)context;
	struct error err = { 0 };
	if (mail.mailstore == NULL) {
		role_quit(0);
		return;
	}
	dispatch_stop(mail.dispatch);
	mail_intake_stop(mail.intake);
	stop_threads();
	mail_intake_commit(mail.intake);
	int more = MAILSTORE_MORE;
	for (int i = 0; i < STOP_GROUPS_MOST && more == MAILSTORE_MORE; i++)
		more = mailstore_process(mail.mailstore, &err);
	if (more < 0 || mailstore_checkpoint(mail.mailstore, &err) != 0)
		log_error("%s", err.text);
	role_quit(0);
}

static void
finish(void)
{
	if (mail.committed != NULL)
		stop_threads();
	mail_network_free(mail.network);
	dispatch_free(mail.dispatch);
	mail_content_free(mail.content);
	mail_sign_free(mail.sign);
	mail_bounce_free(mail.bounce);
	mail_waiting_free(mail.waiting);
	mail_notice_free(mail.notice);
	mail_intake_free(mail.intake);
	mail_card_free(mail.card);
	contacts_free(mail.contacts);
	mailstore_free(mail.mailstore);
}

int
main(void)
{
	static const struct role_events events = { on_parent, on_peer, on_peer_gone, on_stop };
	tzset(); /* the folders show local times; nothing is opened for them later */
	onionkey_library_init();
	role_init(ROLE_MAIL, &events, NULL);
	int status = role_run();
	finish();
	return status;
}
