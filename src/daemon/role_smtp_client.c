/* SPDX-License-Identifier: ISC
 *
 * The client of smtp@ID: mail@ID orders sessions, the tor role brings the connected sockets, in either order; the sessions
 * themselves are smtpc's.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/role_smtp.h"
#include "ipc/body.h"
#include "ipc/pack.h"
#include "smtpc/session.h"

#define SESSIONS_MAX 1024
/* How long one half of a session waits for the other: dialling through tor may take minutes. */
#define HALF_SESSION_MS (10 * 60 * 1000)
#define RECIPIENTS_MAX 1000

struct client {
	struct client *next;
	uint64_t session_id;
	bool is_ordered;             /* SESSION_START has come */
	bool is_connected;           /* the session has its connection */
	bool gave_flight;            /* FLIGHT was sent */
	bool wants_flight;           /* FLIGHT_WANTED has come, before it */
	uint32_t attempt;            /* of the dial, that the flight is for */
	uint32_t turn;               /* of the last SESSION_READY, or the next if there was none */
	bool told_ready;
	int fd;                      /* CONNECTED has come; -1: not, or handed on */
	size_t sent_bytes;           /* of the first flight, on that connection */
	enum smtpc_mode mode;
	char onion[IPC_ONION_MAX + 1];
	struct buffer resume;        /* a session to go on with; wiped when it was used */
	struct smtpc_session *session;
	struct timer *timer;         /* while a half is missing */
	struct body body;            /* of the message that is on its way */
	uint64_t delivery_id;
};

static struct {
	struct client *clients;
	unsigned count;
	struct channel *tor;
	struct tls_context *tls;
	char own_onion[IPC_ONION_MAX + 1];
	size_t body_max_bytes;
} self;

static void
tell_mail(const struct ipc_message *m)
{
	struct error err = { 0 };
	struct channel *mail = role_smtp_server_mail();
	if (mail != NULL && channel_send(mail, m, &err) != 0)
		log_warn("cannot tell mail %s: %s", ipc_type_name(m->type), err.text);
}

static void
tell_end(uint64_t session_id, enum ipc_end_reason reason, unsigned code, const char *text)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_END, .fd = -1, .session_end = {
		.session_id = session_id, .reason = (uint8_t)reason, .code = (uint16_t)code } };
	snprintf(m.session_end.text, sizeof m.session_end.text, "%s", text);
	tell_mail(&m);
}

/* ---- the list */

static struct client *
find(uint64_t session_id)
{
	for (struct client *each = self.clients; each != NULL; each = each->next)
		if (each->session_id == session_id)
			return each;
	return NULL;
}

static void
wipe_resume(struct client *client)
{
	if (client->resume.data != NULL)
		explicit_bzero(client->resume.data, client->resume.capacity);
	buffer_finish(&client->resume);
}

static void
drop(struct client *client)
{
	struct client **link = &self.clients;
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	self.count--;
	smtpc_session_free(client->session);
	timer_free(client->timer);
	file_close(&client->fd);
	body_finish(&client->body);
	wipe_resume(client);
	free(client);
	role_smtp_check_stopped();
}

static void
on_half_too_long(void *context)
{
	struct client *client = context;
	if (client->is_ordered)
		tell_end(client->session_id, SESSION_END_TIMEOUT, 0, "no connection came");
	drop(client);
}

static struct client *
find_or_make(uint64_t session_id)
{
	struct client *client = find(session_id);
	if (client != NULL || self.count == SESSIONS_MAX || role_smtp.is_stopping)
		return client;
	client = calloc(1, sizeof *client);
	if (client == NULL)
		return NULL;
	*client = (struct client){ .next = self.clients, .session_id = session_id, .fd = -1, .body = BODY_EMPTY };
	client->timer = timer_new(role_loop(), on_half_too_long, client);
	timer_start(client->timer, HALF_SESSION_MS);
	self.clients = client;
	self.count++;
	return client;
}

/* ---- one session */

static void
on_ready(void *context, const struct smtpc_readiness *readiness)
{
	struct client *client = context;
	unsigned char key[IPC_KEY_HASH_BYTES];
	client->turn += client->told_ready;
	client->told_ready = true;
	body_finish(&client->body); /* of a message that is not on its way after all */
	bool has_key = smtpc_session_key_hash(client->session, key, NULL) == 0;
	const struct ipc_message m = { .type = IPC_TYPE_SESSION_READY, .fd = -1, .session_ready = {
		.session_id = client->session_id, .turn = client->turn, .tls = readiness->is_tls, .early = readiness->is_early,
		.size_max_bytes = readiness->size_max_bytes, .key = slice_of(key, has_key ? sizeof key : 0) } };
	tell_mail(&m);
}

static void
on_ticket(void *context, struct slice session)
{
	const struct client *client = context;
	const struct ipc_message m = { .type = IPC_TYPE_SESSION_TICKET, .fd = -1, .session_ticket = {
		.session_id = client->session_id, .resume = session } };
	static_assert(TLS_SESSION_MAX_BYTES <= IPC_RESUME_MAX, "a session fits into a message");
	tell_mail(&m);
}

static void
on_prove(void *context, const unsigned char exporter[TLS_EXPORTER_BYTES])
{
	const struct client *client = context;
	if (role_smtp_proof_ask(client->session_id, client->onion, exporter) == 0)
		return;
	log_info("there is nobody to sign: a session goes on without a proof of who we are");
	smtpc_session_prove(client->session, NULL);
}

void
role_smtp_client_prove(uint64_t session_id, const char *proof)
{
	struct client *client = find(session_id);
	if (client != NULL && client->session != NULL)
		smtpc_session_prove(client->session, proof);
}

void
role_smtp_client_prove_nothing(void)
{
	for (struct client *each = self.clients; each != NULL; each = each->next)
		if (each->session != NULL)
			smtpc_session_prove(each->session, NULL);
}

/* Reports results; the texts are cut where many recipients share one message. */
static void
tell_delivered(struct client *client, uint64_t delivery_id, const struct smtpc_result *results, size_t count)
{
	struct buffer packed;
	buffer_init(&packed, IPC_RECIPIENTS_MAX);
	size_t text_max = count > 0 ? IPC_RECIPIENTS_MAX / count - 32 : 0;
	if (text_max > SMTPC_TEXT_MAX)
		text_max = SMTPC_TEXT_MAX;
	for (size_t i = 0; i < count; i++) {
		struct pack_result result = { results[i].code, results[i].enhanced, results[i].text };
		if (result.text.len > text_max)
			result.text.len = text_max;
		int packing = pack_result(&packed, &result, NULL);
		assert(packing == 0); /* RECIPIENTS_MAX and the length of the texts see to it */
	}
	struct ipc_message m = { .type = IPC_TYPE_DELIVERED, .fd = -1, .delivered = {
		.session_id = client->session_id, .delivery_id = delivery_id,
		.results = slice_of(buffer_bytes(&packed), buffer_len(&packed)) } };
	tell_mail(&m);
	buffer_finish(&packed);
}

static void
on_delivered(void *context, const struct smtpc_result *results, size_t count)
{
	struct client *client = context;
	body_finish(&client->body);
	tell_delivered(client, client->delivery_id, results, count);
}

static void
on_end(void *context, enum smtpc_end reason, unsigned code, const char *text)
{
	static const enum ipc_end_reason reasons[] = {
		[SMTPC_END_QUIT] = SESSION_END_QUIT, [SMTPC_END_LOST] = SESSION_END_LOST,
		[SMTPC_END_NOT_SMTORP] = SESSION_END_NOT_SMTORP, [SMTPC_END_REFUSED] = SESSION_END_REFUSED,
		[SMTPC_END_PROTOCOL] = SESSION_END_PROTOCOL, [SMTPC_END_TIMEOUT] = SESSION_END_TIMEOUT,
	};
	struct client *client = context;
	tell_end(client->session_id, reasons[reason], code, text);
	drop(client);
}

static void
tell_card(uint64_t session_id, struct slice card, bool is_later)
{
	const struct ipc_message m = { .type = IPC_TYPE_CARD_FETCHED, .fd = -1, .card_fetched = { session_id, is_later, card } };
	static_assert(SMTPC_CARD_MAX_BYTES <= IPC_CARD_MAX, "a card fits into a message");
	tell_mail(&m);
}

static void
on_card(void *context, struct slice card, bool is_later)
{
	const struct client *client = context;
	tell_card(client->session_id, card, is_later);
}

static void
make_session(struct client *client)
{
	static const struct smtpc_session_events events = { on_ready, on_delivered, on_end, on_ticket, on_prove, on_card };
	const struct smtpc_peer peer = { client->mode, self.tls, self.own_onion, client->onion,
		slice_of(buffer_bytes(&client->resume), buffer_len(&client->resume)) };
	if (client->session != NULL)
		return;
	client->session = smtpc_session_new(role_loop(), -1, &peer, &events, client);
	wipe_resume(client); /* a ticket is for one beginning only */
}

/* Another attempt needs another beginning: the one that was made for the last was heard by nobody, or by a peer who drops the second of
 * two. A message that went with it is ordered again by mail, which is told that this session is ready. */
static void
begin_anew(struct client *client)
{
	smtpc_session_free(client->session);
	client->session = NULL;
	body_finish(&client->body);
	client->gave_flight = false;
	client->turn += client->told_ready;
	client->told_ready = false;
}

/* With early data it is made when the message is there. */
static void
give_flight(struct client *client)
{
	make_session(client);
	if (smtpc_session_is_early(client->session))
		return;
	client->wants_flight = false;
	struct ipc_message m = { .type = IPC_TYPE_FLIGHT, .fd = -1, .flight = { .session_id = client->session_id, .attempt = client->attempt,
		.bytes = smtpc_session_first_flight(client->session) } };
	client->gave_flight = true;
	if (self.tor != NULL && m.flight.bytes.len > 0)
		channel_send(self.tor, &m, NULL); /* when it is gone, on_tor_end() will say so */
}

/* Both halves are there. */
static void
begin_if_complete(struct client *client)
{
	if (!client->is_ordered || client->fd < 0)
		return;
	timer_stop(client->timer);
	make_session(client);
	/* What went out may be the flight of a process of this role that has died since. */
	if (client->sent_bytes > (client->gave_flight ? smtpc_session_first_flight(client->session).len : 0)) {
		tell_end(client->session_id, SESSION_END_LOST, 0, "something else was sent on the connection");
		drop(client);
		return;
	}
	client->is_connected = true;
	smtpc_session_connect(client->session, client->fd, client->sent_bytes);
	client->fd = -1;
}

/* ---- orders */

static void
on_session_start(const struct ipc_session_start *start)
{
	struct client *client = find_or_make(start->session_id);
	bool is_known_mode = start->mode == SESSION_SMTORP || start->mode == SESSION_SMTP;
	if (client == NULL || client->is_ordered || !is_known_mode || self.own_onion[0] == '\0') {
		tell_end(start->session_id, SESSION_END_LOST, 0, "too many sessions");
		return;
	}
	client->is_ordered = true;
	client->mode = start->mode == SESSION_SMTORP ? SMTPC_SMTORP : SMTPC_SMTP;
	snprintf(client->onion, sizeof client->onion, "%s", start->onion);
	buffer_init(&client->resume, IPC_RESUME_MAX);
	buffer_append(&client->resume, start->resume.data, start->resume.len, NULL); /* without memory, without it */
	if (client->wants_flight)
		give_flight(client);
	begin_if_complete(client);
}

/* The same result for every recipient, without asking the peer. */
static void
refuse_delivery(struct client *client, uint64_t delivery_id, size_t count, const struct error *err)
{
	struct smtpc_result results[RECIPIENTS_MAX];
	bool is_temporary = error_is_temporary(err);
	for (size_t i = 0; i < count; i++)
		results[i] = (struct smtpc_result){ .code = is_temporary ? 451 : 550,
			.enhanced = slice_of_string(is_temporary ? "4.3.0" : "5.6.0"), .text = slice_of_string(err->text) };
	tell_delivered(client, delivery_id, results, count);
}

static void
on_deliver(struct ipc_message *m)
{
	struct client *client = find(m->deliver.session_id);
	if (client == NULL || m->deliver.turn != client->turn)
		return; /* SESSION_END is on its way to mail, or SESSION_READY once more */
	struct slice recipients[RECIPIENTS_MAX], list = m->deliver.recipients;
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	size_t count = 0;
	while (count < RECIPIENTS_MAX && pack_next(&list, &recipients[count]))
		count++;
	int result = -1;
	if (!client->told_ready)
		error_set(&err, ERROR_BUSY, "the session is not connected yet");
	else if (list.len > 0)
		error_set(&err, ERROR_TOO_LARGE, "too many recipients");
	else if (count == 0)
		error_set(&err, ERROR_INVALID, "no recipients");
	else
		result = body_take_any(m, m->deliver.body, self.body_max_bytes, &body, &err);
	if (result == 0) {
		const struct smtpc_file file = { body.fd, (size_t)body.file_bytes };
		const struct smtpc_message message = { .reverse_path = slice_of_string(m->deliver.reverse_path),
			.recipients = recipients, .recipient_count = count, .body = body.bytes,
			.file = body.file_bytes > 0 ? &file : NULL,
			.flags = ((m->deliver.flags & BODY_8BIT) != 0 ? SMTPC_8BIT : 0) |
			         ((m->deliver.flags & BODY_SMTPUTF8) != 0 ? SMTPC_SMTPUTF8 : 0) };
		result = smtpc_session_deliver(client->session, &message, &err);
	}
	if (result == 0) {
		client->delivery_id = m->deliver.delivery_id;
		client->body = body;
		if (client->wants_flight)
			give_flight(client);
		return;
	}
	body_finish(&body);
	refuse_delivery(client, m->deliver.delivery_id, count, &err);
}

static void
on_session_quit(uint64_t session_id)
{
	struct client *client = find(session_id);
	if (client != NULL && client->is_connected) {
		smtpc_session_quit(client->session);
	} else {
		tell_end(session_id, SESSION_END_QUIT, 0, "");
		if (client != NULL)
			drop(client);
	}
}

/* No peer is asked yet. */
static void
on_fetch_card(uint64_t session_id)
{
	struct client *client = find(session_id);
	struct error err = { 0 };
	if (client == NULL)
		return; /* SESSION_END is on its way to mail */
	if (client->session == NULL || !client->is_connected || smtpc_session_fetch_card(client->session, &err) != 0)
		tell_card(session_id, slice_of("", 0), err.code != ERROR_UNSUPPORTED);
}

void
role_smtp_client_on_mail_message(struct ipc_message *m)
{
	switch (m->type) {
	case IPC_TYPE_SESSION_START:
		on_session_start(&m->session_start);
		break;
	case IPC_TYPE_SESSION_QUIT:
		on_session_quit(m->session_quit.session_id);
		break;
	case IPC_TYPE_FETCH_CARD:
		on_fetch_card(m->fetch_card.session_id);
		break;
	case IPC_TYPE_DELIVER:
		on_deliver(m);
		break;
	default: /* the table of messages lets nothing else through */
		break;
	}
}

void
role_smtp_client_on_mail_gone(void)
{
	while (self.clients != NULL)
		drop(self.clients);
}

/* ---- tor */

static bool
is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static void
want_flight(uint64_t session_id, uint32_t attempt)
{
	struct client *client = find_or_make(session_id);
	if (client == NULL || client->fd >= 0 || client->is_connected)
		return;
	if (client->gave_flight)
		begin_anew(client);
	client->attempt = attempt;
	client->wants_flight = true;
	if (client->is_ordered)
		give_flight(client);
}

static void
take_connection(struct ipc_message *m)
{
	struct client *client = find_or_make(m->connected.session_id);
	if (client == NULL || client->fd >= 0 || client->is_connected)
		return; /* the descriptor is closed with the message */
	if (!is_stream(m->fd)) { /* mail would wait for it */
		tell_end(client->session_id, SESSION_END_LOST, 0, "the connection cannot be used");
		drop(client);
		return;
	}
	if (client->gave_flight && m->connected.attempt != client->attempt)
		begin_anew(client);
	client->fd = m->fd;
	client->sent_bytes = m->connected.sent_bytes;
	m->fd = -1;
	begin_if_complete(client);
}

static void
on_tor_message(void *context, struct ipc_message *m)
{
	(void)context;
	if (m->type == IPC_TYPE_FLIGHT_WANTED)
		want_flight(m->flight_wanted.session_id, m->flight_wanted.attempt);
	else if (m->type == IPC_TYPE_CONNECTED)
		take_connection(m);
}

static void
on_tor_end(void *context, const struct error *err)
{
	(void)context;
	if (err->code != ERROR_CLOSED)
		log_error("%s", err->text);
	if (err->code == ERROR_BUSY)
		role_quit(1); /* see channel.h */
	channel_free(self.tor);
	self.tor = NULL;
}

void
role_smtp_client_on_tor(int fd)
{
	static const struct channel_events events = { on_tor_message, on_tor_end };
	channel_free(self.tor);
	self.tor = channel_new(role_loop(), fd, ROLE_SMTP, ROLE_TOR, &events, NULL);
}

/* ---- begin and end */

void
role_smtp_client_on_config(const char *own_onion, uint64_t message_max_bytes)
{
	struct error err = { 0 };
	snprintf(self.own_onion, sizeof self.own_onion, "%s", own_onion);
	self.body_max_bytes = (size_t)message_max_bytes * 2 + 2 * 1024 * 1024; /* what is sent has grown a little since it was taken */
	if (self.tls == NULL && tls_context_new_client(&self.tls, &err) != 0) {
		log_error("no TLS for sessions to others: %s", err.text);
		role_quit(1);
	}
}

void
role_smtp_client_stop(void)
{
	for (struct client *each = self.clients, *next; each != NULL; each = next) {
		next = each->next;
		if (each->is_connected)
			smtpc_session_quit(each->session);
		else
			drop(each);
	}
}

bool
role_smtp_client_is_idle(void)
{
	return self.clients == NULL;
}
