/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/session.h"

#define STOP_WAIT_MS 3000
#define SLOT_MASK ((1u << 24) - 1)

struct smtpd *
smtpd_new(struct loop *loop, unsigned large_max, const struct smtpd_events *events, void *context)
{
	struct smtpd *server = calloc(1, sizeof *server);
	assert(server != NULL);
	*server = (struct smtpd){ .loop = loop, .events = events, .context = context, .minute_ms = 60 * 1000,
		.budget = { .max_bytes = SMTPD_SPOOL_MAX_BYTES, .files_max_bytes = SMTPD_SPOOL_FILES_MAX_BYTES, .large_max = large_max } };
	server->relief = timer_new(loop, fairness_bound_buffers, server);
	loop_bound_buffers(loop, SMTPD_BUFFERS_MAX_BYTES * 2); /* what one round may take before there is relief */
	return server;
}

void
smtpd_free(struct smtpd *server)
{
	if (server == NULL)
		return;
	while (server->sessions != NULL)
		session_free(server->sessions);
	while (server->listeners != NULL) {
		struct smtpd_listener *each = server->listeners;
		server->listeners = each->next;
		listener_free(each->listener);
		free(each);
	}
	timer_free(server->relief);
	timer_free(server->stop_timer);
	free(server->slots);
	free(server);
}

/* A slot that nobody has. -1: no memory for more. */
static int
find_slot(struct smtpd *server, unsigned *slot)
{
	if (server->session_count == server->slot_count) {
		unsigned wanted = server->slot_count == 0 ? 64 : server->slot_count * 2;
		struct session **grown = wanted <= SLOT_MASK ? realloc(server->slots, wanted * sizeof *grown) : NULL;
		if (grown == NULL)
			return -1;
		for (unsigned i = server->slot_count; i < wanted; i++)
			grown[i] = NULL;
		server->slots = grown;
		*slot = server->slot_count;
		server->slot_count = wanted;
		return 0;
	}
	while (server->slots[server->next_slot % server->slot_count] != NULL)
		server->next_slot++;
	*slot = server->next_slot++ % server->slot_count;
	return 0;
}

/* One too many is told so, if the kernel takes it at once; where TLS comes first there is nobody to tell. */
static void
turn_away(struct smtpd_listener *listener, int fd, enum answer why)
{
	struct buffer line;
	buffer_init(&line, 512);
	bool is_plain = listener->config.kind != SMTPD_SMTORP && listener->config.kind != SMTPD_SUBMISSIONS;
	if (is_plain && answer_write(&line, why, NULL, NULL) == 0)
		(void)!send(fd, buffer_bytes(&line), buffer_len(&line), MSG_NOSIGNAL | MSG_DONTWAIT);
	buffer_finish(&line);
	close(fd);
}

static bool
is_own_user(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

void
smtpd_serve(struct smtpd_listener *listener, int fd)
{
	struct smtpd *server = listener->server;
	unsigned slot;
	if (server->is_stopping) {
		turn_away(listener, fd, ANSWER_CLOSING);
		return;
	}
	if (listener->config.kind == SMTPD_SENDMAIL && !is_own_user(fd)) {
		close(fd);
		return;
	}
	bool is_full = listener->sessions - listener->leaving >= listener->config.sessions_max;
	if ((is_full && !fairness_free_slot(listener)) || find_slot(server, &slot) != 0) {
		turn_away(listener, fd, ANSWER_TOO_MANY_SESSIONS);
		return;
	}
	struct session *s = session_new(listener, fd, slot);
	if (s == NULL)
		return;
	server->slots[slot] = s;
	server->session_count++;
	s->next = server->sessions;
	s->link = &server->sessions;
	if (s->next != NULL)
		s->next->link = &s->next;
	server->sessions = s;
}

static void
on_accepted(void *context, int fd)
{
	smtpd_serve(context, fd);
}

struct smtpd_listener *
smtpd_listen(struct smtpd *server, int fd, const struct smtpd_config *config)
{
	struct smtpd_listener *listener = calloc(1, sizeof *listener);
	assert(listener != NULL);
	*listener = (struct smtpd_listener){ .server = server, .next = server->listeners, .config = *config };
	if (fd >= 0)
		listener->listener = listener_new(server->loop, fd, on_accepted, listener);
	server->listeners = listener;
	return listener;
}

static void
check_stopped(struct smtpd *server)
{
	if (server->is_stopping && server->session_count == 0)
		timer_start(server->stop_timer, 0);
}

void
smtpd_forget(struct session *s)
{
	struct smtpd *server = s->server;
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	server->slots[s->slot] = NULL;
	server->session_count--;
	check_stopped(server);
}

/* The session has its answer: on with what has come in since. */
static void
wake(struct session *s)
{
	s->transaction_id = 0;
	s->depends_on = NULL;
	s->mode = SESSION_COMMAND;
	timer_start(s->timer, fairness_patience_ms(s));
	if (s->is_stopping) {
		session_stop(s);
		return;
	}
	session_run(s);
	stream_resume_input(s->stream); /* it does not see by itself that there is room again */
}

/* The same, and it has got on. */
static void
wake_with_progress(struct session *s)
{
	s->errors = s->commands = s->tries = 0;
	fairness_note_progress(s);
	wake(s);
}

/* The session that waits for this answer, NULL: it is gone. */
static struct session *
find_waiting(const struct smtpd *server, uint64_t transaction_id)
{
	unsigned slot = (unsigned)(transaction_id & SLOT_MASK);
	struct session *s = slot < server->slot_count ? server->slots[slot] : NULL;
	return s != NULL && s->mode == SESSION_WAITING && s->transaction_id == transaction_id ? s : NULL;
}

void
smtpd_answer(struct smtpd *server, uint64_t transaction_id, unsigned code, const char *enhanced, const char *text)
{
	struct session *s = find_waiting(server, transaction_id);
	if (s == NULL)
		return;
	if (answer_write_free(&s->out, code, enhanced, text, NULL) == 0)
		wake_with_progress(s);
	else
		session_close(s);
}

void
smtpd_answer_card(struct smtpd *server, uint64_t transaction_id, struct slice card)
{
	struct session *s = find_waiting(server, transaction_id);
	if (s == NULL)
		return;
	if (card.len == 0)
		session_reply(s, ANSWER_TRY_LATER, NULL);
	if (card.len == 0 || verb_card_write(&s->out, card))
		wake(s);
	else
		session_close(s);
}

void
smtpd_answer_all(struct smtpd *server, const void *depends_on)
{
	for (struct session *s = server->sessions, *next; s != NULL; s = next) {
		next = s->next;
		if (s->mode != SESSION_WAITING || s->depends_on != depends_on)
			continue;
		session_reply(s, ANSWER_TRY_LATER, NULL);
		wake_with_progress(s);
	}
}

static void
on_stop_timer(void *context)
{
	struct smtpd *server = context;
	while (server->sessions != NULL)
		session_free(server->sessions); /* who has not gone in three seconds */
	timer_stop(server->stop_timer);
	server->events->on_stopped(server->context);
}

void
smtpd_stop(struct smtpd *server)
{
	if (server->is_stopping)
		return;
	server->is_stopping = true;
	server->stop_timer = timer_new(server->loop, on_stop_timer, server);
	timer_start(server->stop_timer, STOP_WAIT_MS);
	for (struct smtpd_listener *each = server->listeners; each != NULL; each = each->next) {
		listener_free(each->listener);
		each->listener = NULL;
	}
	for (struct session *s = server->sessions; s != NULL; s = s->next)
		session_stop(s);
	check_stopped(server);
}

unsigned
smtpd_session_count(const struct smtpd *server)
{
	return server->session_count;
}
