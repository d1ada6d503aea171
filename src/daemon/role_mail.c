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
#include "daemon/mail_contacts.h"
#include "daemon/mail_pins.h"
#include "daemon/mail_queue.h"
#include "daemon/mail_standby.h"
#include "daemon/mail_trouble.h"
#include "daemon/role_mail.h"
#include "onionkey/onionkey.h"

#define PROCESS_AGAIN_MS 5000 /* after a lack of space or memory */
#define SETTLE_MS 1000
#define REST_MS (10 * 60 * 1000) /* without mail: then the journal's spare parts go */
#define ROOM_AGAIN_MS 2000
#define ROOM_BYTES (16 * 1024 * 1024) /* two parts of the journal: with less it soon is full again */
#define STOP_GROUPS_MOST 16   /* processed before stopping; the next start does the rest */

struct mail mail = { .smtp = { ROLE_SMTP }, .submission = { ROLE_SUBMISSION }, .tor = { ROLE_TOR },
	.control = { ROLE_CONTROL } };

void
role_mail_die(const struct error *err)
{
	if (mail.is_dying)
		return; /* the database has said so, and then whoever asked it */
	mail.is_dying = true;
	log_error("%s", err->text);
	mail_trouble_note(err);
	role_quit(1);
}

/* ---- a full disk: new mail is refused, what was taken waits, and both until there is room again */

void
role_mail_no_space(void *context, const struct error *err)
{
	(void)context;
	mail_trouble_note(err);
	if (!timer_is_running(mail.room))
		timer_start(mail.room, ROOM_AGAIN_MS);
}

void
role_mail_on_reserve(void *context)
{
	(void)context;
	mail_trouble_note_reserve();
	if (!timer_is_running(mail.room))
		timer_start(mail.room, ROOM_AGAIN_MS);
}

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
		role_mail_open_store();
		return;
	}
	timer_start(mail.process, 0);
	if (mail_intake_may_receive(mail.intake, ROOM_BYTES))
		mail_trouble_is_over();
	else
		role_mail_on_reserve(NULL);
}

/* ---- the work behind the answers */

void
role_mail_on_commit(void *context)
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

void
role_mail_on_process(void *context)
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
			role_mail_die(&err);
			return;
		}
		if (err.code == ERROR_NO_SPACE)
			role_mail_no_space(NULL, &err);
		else
			log_error("%s", err.text);
		timer_start(mail.process, PROCESS_AGAIN_MS);
		return;
	}
	dispatch_wake(mail.dispatch);
	mail_bounce_look(mail.bounce);
	mail_waiting_expect(mail.waiting);
	mail_notice_look(mail.notice);
	mail_ready_look(mail.ready);
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

void
role_mail_on_rest(void *context)
{
	(void)context;
	mailstore_rest(mail.mailstore);
}

void
role_mail_on_settle(void *context)
{
	(void)context;
	struct error err = { 0 };
	if (mailstore_settle(mail.mailstore, &err) != 0) {
		if (database_is_lost(&err))
			role_mail_die(&err);
		else if (err.code == ERROR_NO_SPACE)
			role_mail_no_space(NULL, &err);
		else
			log_error("%s", err.text);
	}
}

void
role_mail_on_appended(void *context)
{
	(void)context;
	if (!timer_is_running(mail.commit))
		timer_start(mail.commit, 0);
}

void
role_mail_on_broken(void *context, const struct error *err)
{
	(void)context;
	role_mail_die(err);
}

void
role_mail_on_result(void *context)
{
	(void)context;
	mail_bounce_look(mail.bounce);
	mail_waiting_look(mail.waiting);
	mail_notice_look(mail.notice);
	settle_soon(); /* bodies that were sent */
}

void
role_mail_on_settled(void *context)
{
	(void)context;
	settle_soon();
}

void
role_mail_need_content(void *context)
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

bool
role_mail_send_tor(void *context, const struct ipc_message *m)
{
	(void)context;
	return send_to(&mail.tor, m);
}

bool
role_mail_send_smtp(void *context, const struct ipc_message *m)
{
	(void)context;
	return send_to(&mail.smtp, m);
}

void
role_mail_reply(void *context, enum role role, unsigned generation, const struct ipc_message *m)
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

bool
role_mail_send_control(void *context, const struct ipc_message *m)
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
	const struct mail_queue queue = { mail.mailstore, mail.dispatch, role_mail_send_control, NULL };
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = owners_request(request), .error = ERROR_BUSY,
		.text = "this identity is not ready: `smtorp status` says why if it takes longer" } };
	if (mail.mailstore == NULL)
		send_to(&mail.control, &m);
	else if (request->type == IPC_TYPE_PIN_REQUEST)
		mail_pins_answer(&queue, &request->pin_request);
	else if (request->type == IPC_TYPE_CONTACT_REQUEST && request->contact_request.verb == CONTACT_VERB_INTRODUCE)
		mail_introduce_answer(&mail.introduce, &request->contact_request);
	else if (request->type == IPC_TYPE_CONTACT_REQUEST && request->contact_request.verb == CONTACT_VERB_NOTIFY)
		mail_moves_answer(&mail.moves, &request->contact_request);
	else if (request->type == IPC_TYPE_CONTACT_REQUEST)
		mail_contacts_answer(&queue, mail.contacts, &request->contact_request);
	else if (request->type == IPC_TYPE_CARD_REQUEST &&
	    (request->card_request.verb == CARD_VERB_INVITE || request->card_request.verb == CARD_VERB_ADD_INVITED))
		mail_invite_answer(mail.invite, &request->card_request);
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
		role_mail_no_space(NULL, &err);
	else if (s->role == ROLE_SMTP && mail.mailstore != NULL && !mail_intake_may_receive(mail.intake, mail.config.message_max_bytes))
		role_mail_on_reserve(NULL);
	else if (file_open_unnamed(AT_FDCWD, &m.fd, &err) != 0)
		log_warn("%s", err.text);
	if (!send_to(s, &m) && m.fd >= 0) {
		file_close(&m.fd);
		send_to(s, &m); /* it is asked for more files than it takes */
	}
	file_close(&m.fd);
}

/* Without a store there is no card. */
static void
give_card(struct source *s, const struct ipc_card_wanted *wanted)
{
	const struct ipc_message none = { .type = IPC_TYPE_CARD_GIVEN, .fd = -1, .card_given.transaction_id = wanted->transaction_id };
	if (mail.card == NULL)
		send_to(s, &none);
	else
		mail_card_give(mail.card, wanted->transaction_id, s->generation);
}

static void
take(struct source *s, struct ipc_message *m)
{
	mail_intake_take(mail.intake, s->role, s->generation, m);
	if (s->role == ROLE_SMTP)
		dispatch_proved(mail.dispatch, m->intake.proved);
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct source *s = context;
	if (m->type == IPC_TYPE_INTAKE && mail.mailstore == NULL)
		refuse_for_now(s, m);
	else if (m->type == IPC_TYPE_INTAKE)
		take(s, m);
	else if (m->type == IPC_TYPE_SPOOL_WANTED)
		give_file(s);
	else if (m->type == IPC_TYPE_CARD_WANTED)
		give_card(s, &m->card_wanted);
	else if (m->type == IPC_TYPE_QUEUE_REQUEST || m->type == IPC_TYPE_PIN_REQUEST || m->type == IPC_TYPE_CONTACT_REQUEST ||
	    m->type == IPC_TYPE_CARD_REQUEST)
		answer_owner(m);
	else if (mail.mailstore != NULL)
		dispatch_on_message(mail.dispatch, m);
}

void
role_mail_tell_dispatch(const struct source *s)
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
	role_mail_tell_dispatch(s);
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
	role_mail_tell_dispatch(s);
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
begin(const struct ipc_mail_config *config)
{
	mail.config = *config;
	mail.room = timer_new(role_loop(), on_room, NULL);
	role_mail_open_store();
}

/* What may change while the role runs. */
static void
begin_again(const struct ipc_mail_config *config)
{
	bool stood_by = mail.config.stands_by;
	mail.config.stands_by = config->stands_by;
	memcpy(mail.config.recovery, config->recovery, sizeof mail.config.recovery);
	if (mail.card != NULL)
		mail_card_set_recovery(mail.card, config->recovery);
	if (mail.mailstore == NULL || stood_by == (bool)config->stands_by)
		return;
	mail_intake_set_standby(mail.intake, config->stands_by);
	if (config->stands_by)
		mail_standby_tell(mail.intake, &mail.config);
}

static void
on_parent(void *context, struct ipc_message *m)
{
	(void)context;
	if (m->type == IPC_TYPE_MAIL_CONFIG && mail.room == NULL)
		begin(&m->mail_config);
	else if (m->type == IPC_TYPE_MAIL_CONFIG)
		begin_again(&m->mail_config);
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
	mail_ready_free(mail.ready);
	mail_findings_free(mail.findings);
	mail_invite_free(mail.invite);
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
