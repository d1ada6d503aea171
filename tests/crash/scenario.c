/* SPDX-License-Identifier: ISC */
#include "scenario.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "recorder.h"
#include "scenario_internal.h"

/* Messages that were appended and not answered: what must be durable for that; 0: none. */
static uint64_t waits_for[SCENARIO_ALL];

const struct schedule scenario_schedule = { 30000, 4 * 3600 * 1000, 7 * 24 * 3600 * (int64_t)1000 };

void
scenario_draw(uint64_t seed, struct scenario *out)
{
	static const unsigned sizes[] = { 0, 40, 300, 500, 900, 3000, 7000, 15000 };
	uint64_t random = seed;
	*out = (struct scenario){ .seed = seed, .has_threads = seed % 2 == 0 };
	for (unsigned i = 0; i < SCENARIO_ALL; i++) {
		struct message *m = &out->messages[i];
		m->same_as = i;
		m->body_bytes = sizes[disk_random(&random) % 8];
		if (seed % 4 < 2) /* so that in the journal they stand where others stood */
			m->body_bytes = sizes[5 + seed / 4 % 2];
		m->is_submitted = i < SCENARIO_MESSAGES && disk_random(&random) % 5 < 2;
		m->to_self = m->is_submitted && disk_random(&random) % 4 == 0;
		m->destinations = m->is_submitted ? 1 + (unsigned)(disk_random(&random) % SCENARIO_DESTINATIONS) : 0;
		for (unsigned d = 0; d < m->destinations; d++)
			m->fates[d] = (enum fate)(disk_random(&random) % 3);
		unsigned earlier = (unsigned)(disk_random(&random) % (i + 1));
		if (!m->is_submitted && i < SCENARIO_MESSAGES && disk_random(&random) % 4 == 0 &&
		    !out->messages[earlier].is_submitted)
			m->same_as = out->messages[earlier].same_as;
	}
}

/* ---- what messages look like */

void
scenario_body(const struct scenario *sc, unsigned which, struct buffer *out)
{
	struct error err = { 0 };
	uint64_t random = sc->seed * 1000 + which;
	unsigned len = sc->messages[which].body_bytes;
	char text[80];
	buffer_init(out, 1 << 20);
	snprintf(text, sizeof text, "Subject: message %u\r\n\r\n", which);
	must_be(buffer_append(out, text, strlen(text), &err), &err);
	for (unsigned done = 0; done < len; done += 66) {
		for (unsigned i = 0; i < 64; i++)
			text[i] = (char)('a' + disk_random(&random) % 26);
		memcpy(text + 64, "\r\n", 2);
		must_be(buffer_append(out, text, 66, &err), &err);
	}
}

void
must_be(int result, const struct error *err)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s\n", err->text);
	_exit(2);
}

struct slice
bytes_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

void
scenario_take(struct mailstore *s, const struct scenario *sc, unsigned which)
{
	static const char *const onions[] = { "b.onion", "c.onion", "d.onion" };
	struct error err = { 0 };
	const struct message *m = &sc->messages[which];
	struct buffer body, recipients, destinations;
	scenario_body(sc, m->same_as, &body);
	buffer_init(&recipients, 1000);
	buffer_init(&destinations, 1000);
	struct record r = { .type = RECORD_RECEIVED, .arrival_ms = 1700000000000, .reverse_path = slice_of_string(SENDER) };
	if (!m->is_submitted || m->to_self)
		must_be(pack_string(&recipients, slice_of_string("alice@a.onion"), &err), &err);
	if (!m->is_submitted) {
		r.recipients = bytes_of(&recipients);
		must_be(record_hash(r.reverse_path, r.recipients, BODY_BORROWED(bytes_of(&body)), r.hash, &err), &err);
		must_be(mailstore_receive(s, &r, BODY_BORROWED(bytes_of(&body)), &err), &err);
	} else {
		r.type = RECORD_SUBMITTED;
		if (m->to_self)
			must_be(record_add_destination(&destinations, slice_of_string(""), bytes_of(&recipients), &err), &err);
		for (unsigned d = 0; d < m->destinations; d++) {
			char mailbox[32];
			snprintf(mailbox, sizeof mailbox, "bob@%s", onions[d]);
			buffer_finish(&recipients);
			buffer_init(&recipients, 1000);
			must_be(pack_string(&recipients, slice_of_string(mailbox), &err), &err);
			must_be(record_add_destination(&destinations, slice_of_string(onions[d]), bytes_of(&recipients), &err), &err);
		}
		r.destinations = bytes_of(&destinations);
		must_be(mailstore_submit(s, &r, BODY_BORROWED(bytes_of(&body)), &err), &err);
	}
	waits_for[which] = mailstore_appended_below(s);
	buffer_finish(&body);
	buffer_finish(&recipients);
	buffer_finish(&destinations);
}

/* ---- steps */

struct mailstore *
scenario_open(bool has_threads)
{
	struct error err = { 0 };
	struct mailstore *s;
	memset(waits_for, 0, sizeof waits_for);
	recorder_phase(" at the start");
	must_be(mailstore_open(&scenario_schedule, &s, &err), &err);
	recorder_phase("");
	if (has_threads)
		must_be(mailstore_start_threads(s, &err), &err);
	return s;
}

static void
wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	recorder_end_syncs();
	if (poll(&p, 1, 10000) != 1)
		abort();
}

/* Goes on with the commit, and answers those that are durable. Whether all are. */
static bool
commit_step(struct mailstore *s)
{
	struct error err = { 0 };
	int result = mailstore_commit(s, &err);
	must_be(result, &err);
	for (unsigned i = 0; i < SCENARIO_ALL; i++)
		if (waits_for[i] != 0 && waits_for[i] <= mailstore_durable_below(s)) {
			recorder_mark(MARK_ACKNOWLEDGED, i);
			waits_for[i] = 0;
		}
	return result == 0;
}

void
scenario_commit(struct mailstore *s)
{
	while (!commit_step(s))
		wait_for(mailstore_commit_fd(s));
}

void
scenario_process(struct mailstore *s)
{
	struct error err = { 0 };
	int more;
	while ((more = mailstore_process(s, &err)) != MAILSTORE_IDLE) {
		must_be(more, &err);
		if (more == MAILSTORE_WAITS)
			wait_for(mailstore_process_fd(s));
	}
}

/* One notification for a message and the first of the destinations that failed. */
static bool
compose_bounce(struct mailstore *s)
{
	struct error err = { 0 };
	struct queue_bounce b;
	struct body body;
	struct pack_result why;
	struct slice mailbox, failures;
	char text[200];
	int found = queue_next_bounce(mailstore_queue(s), 0, &b, &err);
	must_be(found, &err);
	if (found == 0)
		return false;
	must_be(queue_load_body(mailstore_queue(s), b.body, b.body_bytes, &body, &err), &err);
	failures = bytes_of(&b.failures);
	if (!pack_next_failure(&failures, &mailbox, &why))
		abort();
	snprintf(text, sizeof text, "Subject: bounce of %u to %.*s\r\n\r\n", scenario_number(body.bytes), (int)mailbox.len,
	    (const char *)mailbox.data);
	struct record r = { .type = RECORD_BOUNCE, .arrival_ms = 1700000000000, .reverse_path = slice_of_string(""),
		.item = b.item, .positions = bytes_of(&b.positions) };
	must_be(mailstore_bounce(s, &r, BODY_BORROWED(slice_of_string(text)), &err), &err);
	body_finish(&body);
	queue_bounce_finish(&b);
	return true;
}

void
scenario_bounces(struct mailstore *s, unsigned most)
{
	while (most-- > 0 && !mailstore_has_bounce(s) && compose_bounce(s)) {
		scenario_commit(s);
		scenario_process(s);
	}
}

static void
deliver(struct mailstore *s, const struct scenario *sc, unsigned d)
{
	static const char *const onions[] = { "b.onion", "c.onion", "d.onion" };
	static const unsigned codes[] = { 450, 250, 550 };
	struct error err = { 0 };
	struct queue_item item;
	struct body body;
	struct buffer list;
	int found = queue_next_item(mailstore_queue(s), onions[d], mailstore_now_ms(s), &item, &err);
	must_be(found, &err);
	if (found == 0) {
		queue_item_finish(&item);
		return;
	}
	must_be(queue_load_body(mailstore_queue(s), item.body, item.body_bytes, &body, &err), &err);
	unsigned which = scenario_number(body.bytes);
	enum fate fate = sc->messages[which].fates[d];
	body_finish(&body);
	buffer_init(&list, 1000);
	struct pack_result r = { codes[fate], slice_of_string("x.y.z"), slice_of_string("said the server") };
	must_be(pack_result(&list, &r, &err), &err);
	if (fate != FATE_WAITS)
		recorder_mark(MARK_BEGAN, which * SCENARIO_DESTINATIONS + d);
	must_be(queue_result(mailstore_queue(s), onions[d], &item, bytes_of(&list), mailstore_now_ms(s), 0, &err), &err);
	if (fate != FATE_WAITS)
		recorder_mark(MARK_DONE, which * SCENARIO_DESTINATIONS + d);
	buffer_finish(&list);
	queue_item_finish(&item);
}

/* The owner's mail program moves or deletes a message, and syncs nothing. */
static void
read_one(uint64_t chance)
{
	char path[300], to[300];
	struct buffer text;
	DIR *dir = opendir("Maildir/new");
	if (dir == NULL)
		return;
	bool is_moved = chance % 2 == 0, is_done = false;
	for (struct dirent *e; !is_done && (e = readdir(dir)) != NULL;) {
		struct error err = { 0 };
		if (e->d_name[0] == '.')
			continue;
		buffer_init(&text, 1 << 20);
		must_be(file_load(dirfd(dir), e->d_name, &text, &err), &err);
		unsigned which = scenario_number(bytes_of(&text));
		buffer_finish(&text);
		if (which >= SCENARIO_ALL || disk_random(&chance) % 3 != 0)
			continue;
		snprintf(path, sizeof path, "Maildir/new/%s", e->d_name);
		snprintf(to, sizeof to, "Maildir/cur/%s:2,S", e->d_name);
		recorder_reader(is_moved ? MARK_MOVED : MARK_DELETED, which);
		if ((is_moved ? rename(path, to) : unlink(path)) != 0)
			abort();
		recorder_reader(0, 0);
		is_done = true;
	}
	closedir(dir);
}

void
scenario_forget_ended(struct mailstore *s)
{
	struct error err = { 0 };
	uint64_t body = 0;
	int found;
	while ((found = queue_next_ended(mailstore_queue(s), 0, &body, &err)) == 1)
		must_be(queue_forget_outcomes(mailstore_queue(s), body, &err), &err);
	must_be(found, &err);
}

/* ---- the run */

static unsigned
take_some(struct mailstore *s, const struct scenario *sc, unsigned next, uint64_t *random)
{
	unsigned until = next + 1 + (unsigned)(disk_random(random) % 4);
	for (; next < until && next < SCENARIO_MESSAGES; next++) {
		scenario_take(s, sc, next);
		if (disk_random(random) % 4 == 0)
			commit_step(s);
	}
	if (!commit_step(s) && disk_random(random) % 2 == 0)
		scenario_commit(s);
	return next;
}

static struct mailstore *
do_something(struct mailstore *s, const struct scenario *sc, uint64_t *random)
{
	struct error err = { 0 };
	switch (disk_random(random) % 12) {
	case 0:
		must_be(mailstore_process(s, &err), &err);
		break;
	case 1: case 2: case 3:
		scenario_process(s);
		break;
	case 4: case 5:
		for (unsigned d = 0; d < SCENARIO_DESTINATIONS; d++)
			deliver(s, sc, d);
		break;
	case 6:
		scenario_bounces(s, 1);
		break;
	case 7:
		scenario_process(s);
		scenario_forget_ended(s);
		must_be(mailstore_settle(s, &err), &err);
		break;
	case 8:
		scenario_process(s);
		must_be(mailstore_checkpoint(s, &err), &err);
		break;
	case 9:
		mailstore_free(s);
		s = scenario_open(sc->has_threads);
		break;
	default:
		read_one(disk_random(random));
	}
	return s;
}

void
scenario_run(const struct scenario *sc)
{
	uint64_t random = sc->seed ^ 0x5ca1ab1e;
	struct error err = { 0 };
	struct mailstore *s = scenario_open(sc->has_threads);
	for (unsigned next = 0; next < SCENARIO_MESSAGES;) {
		next = take_some(s, sc, next, &random);
		for (uint64_t steps = disk_random(&random) % 4; steps > 0; steps--)
			s = do_something(s, sc, &random);
	}
	scenario_commit(s);
	scenario_process(s);
	for (unsigned d = 0; d < SCENARIO_DESTINATIONS; d++)
		deliver(s, sc, d);
	scenario_bounces(s, 2);
	must_be(mailstore_checkpoint(s, &err), &err);
	mailstore_free(s);
}

void
scenario_learn(const struct trace *t, uint32_t length, const unsigned char *kept, struct knowledge *known)
{
	for (uint32_t i = 0; i < length; i++) {
		const struct op *op = &t->ops[i];
		unsigned which = op->value / SCENARIO_DESTINATIONS, d = op->value % SCENARIO_DESTINATIONS;
		if (op->mark == MARK_ACKNOWLEDGED)
			known->acknowledged[op->value] = true;
		else if (op->mark == MARK_BEGAN)
			known->began[which][d] = true;
		else if (op->mark == MARK_DONE)
			known->done[which][d] = true;
		else if (op->mark != 0 && kept[i])
			known->reader[op->value] = op->mark;
	}
}
