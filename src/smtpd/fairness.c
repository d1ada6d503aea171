/* SPDX-License-Identifier: ISC
 *
 * Who must go when room is short. tor tells no addresses, so nobody can be held to a share of his own; what tells strangers apart
 * is what they have brought lately. The one who has got on least is ended for one who comes anew or gets on better.
 *
 * A session gets on by beginning, by TLS, by the first recipient that is accepted in a transaction, by each piece of a message and by a
 * message. Idle commands and single octets are nothing. Who is in the middle of a message, or has logged in, may take several times as
 * long; who waits for the answer to a whole message stays.
 */
#include "smtpd/session.h"

#include "base/clock.h"

#define PATIENCE_IN_MESSAGE 4
#define LAST_WORD_MS 10
#define BUFFERED_LITTLE_BYTES 4096 /* whoever has no more is not at fault */

/* Nobody goes who got on only now: a stranger behind slow circuits needs seconds for each step. */
static int64_t
grace_ms(const struct smtpd *server)
{
	return server->minute_ms * SMTPD_GRACE_S / 60;
}

void
fairness_note_progress(struct session *s)
{
	s->progress_ms = clock_monotonic_ms();
}

static bool
may_go(const struct session *s)
{
	return !s->is_evicted && !s->is_running && s->mode != SESSION_WAITING;
}

/* For how long it has not got on, as far as that counts against it. */
static int64_t
idle_ms(const struct session *s, int64_t now_ms)
{
	bool deserves = s->login != NULL || (s->transaction != NULL && s->transaction->recipient_count > 0);
	if (s->mode == SESSION_CLOSING)
		return INT64_MAX;
	return (now_ms - s->progress_ms) / (deserves ? PATIENCE_IN_MESSAGE : 1);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
fairness_patience_ms(const struct session *s)
{
	const struct transaction *t = s->transaction;
	int64_t minute_ms = s->server->minute_ms, now_ms = clock_monotonic_ms();
	int64_t left_ms = least(SMTPD_TIMEOUT_MINUTES * minute_ms, s->progress_ms + SMTPD_PROGRESS_MINUTES * minute_ms - now_ms);
	if (t == NULL || !t->has_begun)
		return left_ms;
	int64_t sent_minutes = (int64_t)(t->content_bytes / (SMTPD_SLOWEST_BYTES_PER_S * 60));
	return least(left_ms, t->begun_ms + (SMTPD_MESSAGE_MINUTES + sent_minutes) * minute_ms - now_ms);
}

/* Its last word goes out with the end of this round; it is freed later than that: callers may be walking along the list. */
static void
evict(struct session *s)
{
	s->is_evicted = true;
	s->listener->leaving++;
	if (s->mode != SESSION_STARTING_TLS && s->mode != SESSION_CLOSING)
		session_reply(s, ANSWER_TOO_MANY_SESSIONS, NULL);
	session_close(s);
	timer_start(s->timer, LAST_WORD_MS);
}

bool
fairness_free_slot(struct smtpd_listener *listener)
{
	struct session *worst = NULL;
	int64_t now_ms = clock_monotonic_ms(), most_ms = grace_ms(listener->server) - 1;
	for (struct session *s = listener->server->sessions; s != NULL; s = s->next)
		if (s->listener == listener && may_go(s) && idle_ms(s, now_ms) > most_ms) {
			worst = s;
			most_ms = idle_ms(s, now_ms);
		}
	if (worst != NULL)
		evict(worst);
	return worst != NULL;
}

bool
fairness_free_spool(struct session *asking, enum spool_room room)
{
	struct session *worst = NULL;
	int64_t now_ms = clock_monotonic_ms(), most_ms = grace_ms(asking->server) - 1;
	if (most_ms < idle_ms(asking, now_ms))
		most_ms = idle_ms(asking, now_ms);
	for (struct session *s = asking->server->sessions; s != NULL; s = s->next)
		if (s != asking && may_go(s) && s->transaction != NULL && spool_takes(&s->transaction->spool, room) &&
		    idle_ms(s, now_ms) > most_ms) {
			worst = s;
			most_ms = idle_ms(s, now_ms);
		}
	if (worst != NULL)
		evict(worst);
	return worst != NULL;
}

static size_t
buffered_bytes(const struct session *s)
{
	return stream_buffered_bytes(s->stream) + s->out.capacity;
}

/* They do not read what they are told, or send more than they may before they are answered. At once, and without a word. */
void
fairness_bound_buffers(void *context)
{
	struct smtpd *server = context;
	while (loop_buffered_bytes(server->loop) > SMTPD_BUFFERS_MAX_BYTES) {
		struct session *worst = NULL;
		for (struct session *s = server->sessions; s != NULL; s = s->next)
			if (may_go(s) && buffered_bytes(s) > (worst != NULL ? buffered_bytes(worst) : BUFFERED_LITTLE_BYTES))
				worst = s;
		if (worst == NULL)
			return;
		session_free(worst);
	}
}
