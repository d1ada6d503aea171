/* SPDX-License-Identifier: ISC */
#include "scenario.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"
#include "scenario_internal.h"

/* What is there. */
struct found {
	const struct scenario *scenario;
	struct queue *queue;
	unsigned in_new[SCENARIO_ALL], in_cur[SCENARIO_ALL];
	unsigned queued[SCENARIO_ALL][SCENARIO_DESTINATIONS], bounced[SCENARIO_ALL][SCENARIO_DESTINATIONS];
	uint64_t bodies[SCENARIO_ALL];
	unsigned body_count;
	bool is_wrong;
};

__attribute__((format(printf, 2, 3))) static void
wrong(struct found *f, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	f->is_wrong = true;
}

unsigned
scenario_number(struct slice text)
{
	static const char subject[] = "Subject: message ";
	const char *at = memmem(text.data, text.len < 200 ? text.len : 200, subject, sizeof subject - 1);
	return at == NULL ? UINT_MAX : (unsigned)strtoul(at + sizeof subject - 1, NULL, 10);
}

/* ---- looking */

static bool
is_bounce(struct found *f, struct slice text)
{
	char whole[200];
	for (unsigned which = 0; which < SCENARIO_MESSAGES; which++)
		for (unsigned d = 0; d < SCENARIO_DESTINATIONS; d++) {
			snprintf(whole, sizeof whole, "Return-Path: <>\nSubject: bounce of %u to bob@%c.onion\n\n", which, 'b' + d);
			if (slice_is(text, whole)) {
				f->bounced[which][d]++;
				return true;
			}
		}
	return false;
}

static bool
is_mailbox_copy(const struct scenario *sc, unsigned which, struct slice text)
{
	static const char first[] = "Return-Path: <" SENDER ">\n";
	struct buffer body;
	size_t at = sizeof first - 1;
	scenario_body(sc, which, &body);
	const unsigned char *p = buffer_bytes(&body);
	bool is_same = text.len > at && memcmp(text.data, first, at) == 0;
	for (size_t i = 0; is_same && i < buffer_len(&body); i++)
		if (p[i] != '\r')
			is_same = at < text.len && text.data[at++] == p[i];
	is_same &= at == text.len;
	buffer_finish(&body);
	return is_same;
}

static void
look_at_mailbox(struct found *f, const char *path, unsigned counts[SCENARIO_ALL])
{
	struct buffer text;
	struct error err = { 0 };
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		buffer_init(&text, 1 << 20);
		must_be(file_load(dirfd(dir), e->d_name, &text, &err), &err);
		unsigned which = scenario_number(bytes_of(&text));
		if (which < SCENARIO_ALL && is_mailbox_copy(f->scenario, which, bytes_of(&text)))
			counts[which]++;
		else if (!is_bounce(f, bytes_of(&text)))
			wrong(f, "a file in %s with %zu bytes is no message that was sent: %s", path, buffer_len(&text), e->d_name);
		buffer_finish(&text);
	}
	if (dir != NULL)
		closedir(dir);
}

static unsigned
count_files(const char *path, const char *with)
{
	unsigned count = 0;
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		count += e->d_name[0] != '.' && (with == NULL || strstr(e->d_name, with) != NULL);
	if (dir != NULL)
		closedir(dir);
	return count;
}

static bool
take_row(void *context, const struct queue_row *row)
{
	struct found *f = context;
	struct error err = { 0 };
	struct body body;
	struct buffer expected;
	unsigned d = (unsigned)(row->onion.data[0] - 'b');
	if (queue_load_body(f->queue, row->body, row->body_bytes, &body, &err) != 0) {
		wrong(f, "an item in the queue has no body: %s", err.text);
		return true;
	}
	unsigned which = scenario_number(body.bytes);
	if (which >= SCENARIO_MESSAGES || d >= SCENARIO_DESTINATIONS)
		wrong(f, "an item in the queue is none that was submitted");
	else {
		scenario_body(f->scenario, which, &expected);
		if (body.bytes.len != buffer_len(&expected) || memcmp(body.bytes.data, buffer_bytes(&expected), body.bytes.len) != 0)
			wrong(f, "message %u has other bytes in the queue", which);
		buffer_finish(&expected);
		f->queued[which][d]++;
	}
	body_finish(&body);
	unsigned i = 0;
	while (i < f->body_count && f->bodies[i] != row->body)
		i++;
	if (i == f->body_count && i < SCENARIO_ALL)
		f->bodies[f->body_count++] = row->body;
	return true;
}

/* ---- comparing */

static void
check_destination(struct found *f, const struct knowledge *k, unsigned which, unsigned d, bool is_there)
{
	unsigned queued = f->queued[which][d], bounced = f->bounced[which][d];
	bool began = k->began[which][d], done = k->done[which][d];
	enum fate fate = f->scenario->messages[which].fates[d];
	bool is_right;
	if (!is_there)
		is_right = queued == 0 && bounced == 0;
	else if (fate == FATE_DELIVERED && began)
		is_right = bounced == 0 && (done ? queued == 0 : queued <= 1);
	else if (fate == FATE_FAILED && began)
		is_right = done ? bounced == 1 && queued == 0 : queued + bounced == 1;
	else
		is_right = queued == 1 && bounced == 0;
	if (!is_right)
		wrong(f, "message %u to %c.onion: %u in the queue, %u bounces (250: %d; result, fate %d: begun %d, written down %d)",
		    which, 'b' + d, queued, bounced, k->acknowledged[which], fate, began, done);
}

static void
check_in_mailbox(struct found *f, const struct knowledge *k, unsigned which, bool is_acknowledged)
{
	unsigned in_new = f->in_new[which], in_cur = f->in_cur[which];
	bool is_right = in_cur == 0 && (in_new == 1 || (in_new == 0 && !is_acknowledged));
	if (k->reader[which] == MARK_MOVED)
		is_right = in_new == 0 && in_cur == 1;
	else if (k->reader[which] == MARK_DELETED)
		is_right = in_new == 0 && in_cur == 0;
	if (!is_right)
		wrong(f, "message %u: %u in Maildir/new, %u in cur (250: %d, its reader: %s)", which, in_new, in_cur,
		    is_acknowledged, k->reader[which] == MARK_MOVED ? "moved it" : k->reader[which] == MARK_DELETED ? "deleted it" : "-");
}

static void
check_message(struct found *f, const struct knowledge *k, unsigned which)
{
	const struct message *m = &f->scenario->messages[which];
	bool is_acknowledged = false;
	if (m->same_as != which)
		return; /* looked at with the first of them */
	for (unsigned i = which; i < SCENARIO_ALL; i++)
		is_acknowledged |= f->scenario->messages[i].same_as == which && k->acknowledged[i];
	if (!m->is_submitted || m->to_self)
		check_in_mailbox(f, k, which, is_acknowledged);
	else if (f->in_new[which] + f->in_cur[which] > 0)
		wrong(f, "message %u is in the mailbox and was not sent there", which);
	bool is_there = is_acknowledged || (m->to_self && f->in_new[which] > 0);
	for (unsigned d = 0; d < m->destinations; d++)
		is_there |= f->queued[which][d] > 0 || f->bounced[which][d] > 0 || k->began[which][d];
	if (m->to_self && is_there && f->in_new[which] == 0 && k->reader[which] == 0)
		wrong(f, "message %u is in the queue, and not in the own mailbox", which);
	for (unsigned d = 0; d < m->destinations; d++)
		check_destination(f, k, which, d, is_there);
}

static int
check(struct mailstore *s, const struct scenario *sc, const struct knowledge *known)
{
	struct error err = { 0 };
	struct found f = { .scenario = sc, .queue = mailstore_queue(s) };
	look_at_mailbox(&f, "Maildir/new", f.in_new);
	look_at_mailbox(&f, "Maildir/cur", f.in_cur);
	must_be(queue_look(f.queue, 0, false, take_row, &f, &err), &err);
	for (unsigned i = 0; i < SCENARIO_ALL; i++)
		check_message(&f, known, i);
	if (count_files("journal", ".damaged") > 0)
		wrong(&f, "a part of the journal was set aside");
	if (count_files("staging", NULL) > 0)
		wrong(&f, "%u files are left in staging/", count_files("staging", NULL));
	if (count_files("queue", NULL) != f.body_count)
		wrong(&f, "queue/ has %u files for %u messages", count_files("queue", NULL), f.body_count);
	return f.is_wrong ? -1 : 0;
}

int
scenario_recover(const struct scenario *sc, const struct knowledge *known, unsigned later)
{
	struct error err = { 0 };
	struct stat st;
	struct knowledge now = *known;
	struct mailstore *s = scenario_open(false);
	scenario_process(s);
	scenario_bounces(s, UINT_MAX);
	scenario_forget_ended(s);
	unsigned which = SCENARIO_MESSAGES + later;
	scenario_take(s, sc, which);
	scenario_commit(s);
	now.acknowledged[which] = true;
	scenario_process(s);
	must_be(mailstore_settle(s, &err), &err);
	if (fstat(STDERR_FILENO, &st) != 0 || st.st_size > 0) {
		fputs("that is what was logged\n", stderr);
		return -1;
	}
	int result = check(s, sc, &now);
	mailstore_free(s);
	return result;
}
