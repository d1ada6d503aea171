/* SPDX-License-Identifier: ISC */
#include "daemon/mail_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/hash.h"
#include "daemon/reason.h"
#include "ipc/pack.h"

#define SOON_MS (15 * 60 * 1000)
#define TIME_MAX 64
#define LOOK_HASH_BYTES 16

/* ---- text; what does not fit is left out */

__attribute__((format(printf, 2, 3)))
static void
say(struct buffer *out, const char *format, ...)
{
	char line[REASON_TEXT_MAX + IPC_MAILBOX_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	buffer_append_string(out, line, NULL);
}

/* "Sun, 22 Nov 2026 at 14:05", or only the hour, by the local clock. */
static void
say_time(int64_t when_s, bool is_brief, char out[TIME_MAX])
{
	time_t t = (time_t)when_s;
	struct tm tm;
	size_t len = 0;
	if (localtime_r(&t, &tm) != NULL)
		len = is_brief ? strftime(out, TIME_MAX, "%H:%M", &tm) : strftime(out, TIME_MAX, "%a, %d %b %Y at %H:%M", &tm);
	if (len == 0)
		snprintf(out, TIME_MAX, "?");
}

static int64_t
wall_of(int64_t queue_ms, int64_t now_ms)
{
	return (clock_wall_ms() + queue_ms - now_ms) / 1000;
}

/* ---- what waits */

/* What is known of the row that a person wants to read. */
static unsigned
reason_of(const struct queue_row *row, const struct dispatch *dispatch, int64_t now_ms)
{
	char onion[IPC_ONION_MAX + 1];
	slice_to_string(row->onion, onion, sizeof onion);
	enum ipc_wait_reason now = dispatch == NULL ? WAIT_REASON_NEW : dispatch_reason(dispatch, onion, row->id);
	if (now == WAIT_REASON_TOR_DOWN && row->due_ms <= now_ms)
		return now; /* it would be tried if tor were there */
	return row->reason == WAIT_REASON_NEW ? now : row->reason;
}

static void
say_recipients(struct mail_state *s, const struct queue_row *row, unsigned reason)
{
	struct slice list = slice_of(buffer_bytes(&row->recipients), buffer_len(&row->recipients)), mailbox;
	struct pack_result r;
	char text[IPC_TEXT_MAX + 1], words[REASON_TEXT_MAX];
	slice_to_string(slice_of(buffer_bytes(&row->text), buffer_len(&row->text)), text, sizeof text);
	reason_say(reason, reason == row->reason ? text : "", words);
	while (pack_next_failure(&list, &mailbox, &r)) {
		if (r.code >= 500)
			continue; /* it failed, and its bounce is on the way */
		s->waiting++;
		say(&s->text, "  %.*s\n", (int)mailbox.len, (const char *)mailbox.data);
		if (reason == WAIT_REASON_REPLY && r.code != 0)
			say(&s->text, "    The other side said: %u %.*s %.*s\n", r.code, (int)r.enhanced.len,
			    (const char *)r.enhanced.data, (int)r.text.len, (const char *)r.text.data);
	}
	if (reason != WAIT_REASON_REPLY)
		say(&s->text, "    %s\n", words);
}

bool
mail_state_add(struct mail_state *s, const struct queue_row *row, const struct dispatch *dispatch, int64_t now_ms)
{
	if (s->body != 0 && row->body != s->body)
		return false;
	if (s->body == 0) {
		*s = (struct mail_state){ .body = row->body, .first_item = row->id, .body_bytes = row->body_bytes,
			.arrival_ms = row->arrival_ms, .due_ms = QUEUE_NO_TRY, .is_transient = true };
		buffer_init(&s->text, MAIL_STATE_TEXT_MAX);
	}
	if (row->due_ms == QUEUE_NO_TRY)
		return true; /* it failed */
	unsigned reason = reason_of(row, dispatch, now_ms);
	if (s->waiting == 0)
		s->reason = reason;
	if (row->due_ms < s->due_ms)
		s->due_ms = row->due_ms;
	s->has_waited = s->has_waited || row->tries > 0 || now_ms - row->arrival_ms >= QUEUE_WAITED_MS;
	s->is_transient = s->is_transient && reason <= WAIT_REASON_DELIVERING;
	say_recipients(s, row, reason);
	return true;
}

struct telling {
	struct buffer *out;
	enum queue_outcome only;
	size_t count;
	const char *heading;
};

static bool
take_outcome(void *context, struct slice mailbox, enum queue_outcome outcome, int64_t wall_s)
{
	struct telling *t = context;
	char when[TIME_MAX];
	if (outcome != t->only)
		return true;
	if (t->count++ == 0)
		say(t->out, "\n%s\n", t->heading);
	say_time(wall_s, false, when);
	say(t->out, "  %.*s, %s\n", (int)mailbox.len, (const char *)mailbox.data, when);
	return true;
}

/* Appends what is settled. */
static int
say_outcomes(struct queue *queue, uint64_t body, struct buffer *out, size_t *count, size_t *delivered, struct error *err)
{
	static const struct {
		enum queue_outcome outcome;
		const char *heading;
	} parts[] = {
		{ QUEUE_DELIVERED, "Delivered:" },
		{ QUEUE_FAILED, "Could not be delivered; a report in your mailbox says why:" },
		{ QUEUE_CANCELLED, "Taken back by you:" },
	};
	*count = *delivered = 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct telling t = { .out = out, .only = parts[i].outcome, .heading = parts[i].heading };
		if (queue_outcomes(queue, body, take_outcome, &t, err) != 0)
			return -1;
		*count += t.count;
		if (t.only == QUEUE_DELIVERED)
			*delivered = t.count;
	}
	return 0;
}

static uint64_t
look_of(const struct mail_state *s, int64_t due_ms)
{
	struct hash hash;
	unsigned char number[8], out[LOOK_HASH_BYTES];
	hash_init(&hash, sizeof out, NULL, 0);
	hash_update(&hash, buffer_bytes(&s->text), buffer_len(&s->text));
	encode_number(number, s->reason, sizeof number);
	hash_update(&hash, number, sizeof number);
	encode_number(number, (uint64_t)due_ms, sizeof number);
	hash_update(&hash, number, sizeof number);
	hash_final(&hash, out, sizeof out);
	return encode_from_number(out, 8) | 1; /* 0 is what no copy has */
}

int
mail_state_end(struct mail_state *s, struct queue *queue, struct error *err)
{
	size_t delivered;
	if (say_outcomes(queue, s->body, &s->text, &s->settled, &delivered, err) != 0)
		return -1;
	s->look_soon = look_of(s, 0);
	s->look_exact = look_of(s, s->due_ms);
	return 0;
}

void
mail_state_finish(struct mail_state *s)
{
	buffer_finish(&s->text);
	*s = (struct mail_state){ 0 };
}

bool
mail_state_is_soon(const struct mail_state *s, int64_t now_ms)
{
	return s->due_ms - now_ms < SOON_MS;
}

bool
mail_state_is_shown(const struct mail_state *s, uint64_t look, int64_t now_ms)
{
	return look == s->look_exact || (look == s->look_soon && mail_state_is_soon(s, now_ms));
}

/* ---- the words */

static void
say_cut(struct buffer *out, uint64_t bytes, bool is_cut)
{
	if (is_cut)
		say(out, "\nWhat it holds (%.1f MiB) is not kept here a second time; it is where your mail program keeps what you sent.\n",
		    (double)bytes / (1024 * 1024));
}

static void
say_mark(const struct mail_state *s, bool is_soon, int64_t due_s, char mark[MAIL_STATE_MARK_MAX])
{
	char count[48] = "", when[TIME_MAX] = "";
	if (s->waiting + s->settled > 1)
		snprintf(count, sizeof count, "%zu of %zu waiting: ", s->waiting, s->waiting + s->settled);
	if (!is_soon)
		say_time(due_s, true, when);
	snprintf(mark, MAIL_STATE_MARK_MAX, "%s%s%s%s", count, reason_brief(s->reason), is_soon ? "" : ", again at ", when);
}

void
mail_state_say(const struct mail_state *s, int64_t now_ms, int64_t expire_ms, bool is_cut, char mark[MAIL_STATE_MARK_MAX],
    struct buffer *text)
{
	char when[TIME_MAX];
	bool is_soon = mail_state_is_soon(s, now_ms);
	int64_t due_s = wall_of(s->due_ms, now_ms);
	say_mark(s, is_soon, due_s, mark);
	say(text, "This message of yours has not arrived %s. It is tried again and again; you need not do anything.\n\n"
	    "Waiting:\n", s->settled > 0 ? "everywhere yet" : "yet");
	buffer_append(text, buffer_bytes(&s->text), buffer_len(&s->text), NULL);
	say_time(due_s, false, when);
	if (is_soon)
		say(text, "\nThe next try comes within a quarter of an hour.\n");
	else
		say(text, "\nThe next try: %s\n", when);
	say_time(wall_of(s->arrival_ms + expire_ms, now_ms), false, when);
	say(text, "If it has not arrived by %s, it is given up, and you will be told.\n", when);
	say_cut(text, s->body_bytes, is_cut);
	say(text, "\nThis is a copy to look at: nothing that you do with it changes what becomes of the message.\n"
	    "`smtorp queue` takes a message back, or has it tried at once.\n");
}

int
mail_state_say_ended(struct queue *queue, uint64_t body, uint64_t body_bytes, bool is_cut, char mark[MAIL_STATE_MARK_MAX],
    struct buffer *text, struct error *err)
{
	size_t count, delivered;
	struct buffer outcomes;
	buffer_init(&outcomes, MAIL_STATE_TEXT_MAX);
	int result = say_outcomes(queue, body, &outcomes, &count, &delivered, err);
	if (result == 0) {
		bool is_all = delivered == count;
		mark[0] = '\0';
		if (!is_all)
			snprintf(mark, MAIL_STATE_MARK_MAX, "%zu of %zu delivered", delivered, count);
		say(text, "This message of yours had to wait, and has arrived%s.\n", is_all ? "" : " at some of its recipients");
		buffer_append(text, buffer_bytes(&outcomes), buffer_len(&outcomes), NULL);
		say_cut(text, body_bytes, is_cut);
	}
	buffer_finish(&outcomes);
	return result;
}
