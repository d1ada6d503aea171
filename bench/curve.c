/* SPDX-License-Identifier: ISC
 *
 * What a message costs mail@ID while more and more of them wait, each cost beside that with the smallest queue. See
 * usage.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "ipc/pack.h"
#include "measure.h"
#include "queue/mailstore.h"
#include "store/schema.h"

#define OWN "alice@own.onion"
#define BODY_BYTES 4096
#define FAR_MS ((int64_t)1 << 50)
#define ITEMS_OF_A_PEER 10 /* but every second item waits for one and the same */

static const struct schedule schedule = { 30000, 4 * 3600 * 1000, 7 * 24 * 3600 * (int64_t)1000 };
static const uint64_t sizes[] = { 1000, 3000, 10000, 30000, 100000, 300000 };
static uint64_t number; /* of messages, so that no two are the same */

enum { ACCEPT, SUBMIT, DECIDE, RESULT, KINDS };
static const char *const kinds[KINDS] = { "accept", "submit", "decide", "result" };

struct cost {
	double us, cpu_us, written_kib;
};

struct options {
	uint64_t most, messages, remembered;
};

static const char usage[] =
    "usage: curve [--most N] [--messages N] [--remembered N]\n\n"
    "What a message costs mail@ID in time, in time of the processor, and in KiB that go to the disk, while up to --most\n"
    "(300000) others wait, and then beside --remembered (1000000) rows in each of the tables of what was received (`seen`)\n"
    "and of message ids:\n"
    "  accept   a message from a peer: journal, mailbox, what is remembered of it\n"
    "  submit   one of the owner's, to one peer: journal, queue\n"
    "  decide   which peer is next, and which message\n"
    "  result   what became of it is written down: three are delivered, the fourth has to wait\n"
    "Each line is the mean of --messages (1024), of 4 KiB, 64 at a time; x: how much more than with the smallest queue. Of the\n"
    "waiting messages half are for one peer, the others for one in ten each. Files are made in $TMPDIR, else /tmp, and removed.\n";

static void
must(int result)
{
	if (result < 0)
		stop("curve");
}

/* What this process has given the disk to write. 0 where the kernel does not say. */
static double
written_kib(void)
{
	char line[100];
	unsigned long long bytes = 0;
	FILE *io = fopen("/proc/self/io", "re");
	while (io != NULL && fgets(line, sizeof line, io) != NULL)
		if (sscanf(line, "write_bytes: %llu", &bytes) == 1)
			break;
	if (io != NULL)
		fclose(io);
	return (double)bytes / 1024;
}

static void
begin(struct cost *cost)
{
	cost->us -= now_us(CLOCK_MONOTONIC);
	cost->cpu_us -= now_us(CLOCK_PROCESS_CPUTIME_ID);
	cost->written_kib -= written_kib();
}

static void
end(struct cost *cost)
{
	cost->us += now_us(CLOCK_MONOTONIC);
	cost->cpu_us += now_us(CLOCK_PROCESS_CPUTIME_ID);
	cost->written_kib += written_kib();
}

/* ---- what is there before */

static struct statement *
prepared(struct database *db, const char *sql)
{
	struct statement *s;
	must(statement_new(db, sql, &s, &err));
	return s;
}

static void
peer_of(uint64_t item, char onion[100])
{
	if (item % 2 == 0)
		snprintf(onion, 100, "%s.onion", "offline");
	else
		snprintf(onion, 100, "%056llx.onion", (unsigned long long)(item / ITEMS_OF_A_PEER * 0x9e3779b97f4a7c15u));
}

/* Items up to `to`, and their peers, as the queue itself would have them after a try that failed. */
static void
fill_queue(struct database *db, uint64_t from, uint64_t to)
{
	char onion[100], mailbox[120];
	struct statement *peer = prepared(db, "INSERT OR IGNORE INTO peers"
	    " (onion, due_ms, not_before_ms, tried_ms, tries, failures, port, port_ms, reason, reply)"
	    " VALUES (?1, ?2, ?2, 0, 1, 1, 0, 0, 5, 'it went offline')");
	struct statement *item = prepared(db, "INSERT INTO items VALUES (?1, ?2, ?1, 4096, '" OWN "', 0, ?3, ?4, ?5, 0, 0)");
	struct statement *recipient = prepared(db, "INSERT INTO recipients VALUES (?1, 0, ?2, 0, 0, '', '')");
	for (uint64_t i = from; i < to; i++) {
		uint64_t id = ((uint64_t)1 << 40) + i;
		peer_of(i, onion);
		snprintf(mailbox, sizeof mailbox, "bob@%s", onion);
		statement_bind_string(peer, 1, onion);
		statement_bind_int(peer, 2, FAR_MS + (int64_t)random_below(1000000));
		must(statement_run(peer, &err));
		statement_bind_int(item, 1, (int64_t)id);
		statement_bind_string(item, 2, onion);
		statement_bind_int(item, 3, clock_wall_s());
		statement_bind_int(item, 4, (int64_t)random_below(1000000));
		statement_bind_int(item, 5, FAR_MS + (int64_t)random_below(1000000));
		must(statement_run(item, &err));
		statement_bind_int(recipient, 1, (int64_t)id);
		statement_bind_string(recipient, 2, mailbox);
		must(statement_run(recipient, &err));
	}
	statement_free(peer);
	statement_free(item);
	statement_free(recipient);
}

/* What 14 days of so much mail leave behind. */
static void
fill_memory(struct database *db, uint64_t rows)
{
	char sql[400];
	snprintf(sql, sizeof sql, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %llu)"
	    " INSERT INTO seen SELECT randomblob(32), %lld - abs(random() %% 1000000) FROM n ORDER BY 1", (unsigned long long)rows,
	    (long long)clock_wall_s());
	must(database_run(db, sql, &err));
	snprintf(sql, sizeof sql, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %llu)"
	    " INSERT INTO ids (hash, inner_id) SELECT randomblob(16), '' FROM n ORDER BY 1", (unsigned long long)rows);
	must(database_run(db, sql, &err));
}

static void
fill(uint64_t from, uint64_t to, uint64_t remembered)
{
	struct database *db;
	must(database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &db, &err));
	must(database_begin(db, &err));
	fill_queue(db, from, to);
	if (remembered > 0)
		fill_memory(db, remembered);
	must(database_commit(db, &err));
	must(database_checkpoint(db, &err));
	database_close(db);
}

/* ---- one message */

static struct slice
message(char body[BODY_BYTES + 1])
{
	number++;
	int head = snprintf(body, BODY_BYTES, "Message-ID: <%llu.%llu@own.onion>\r\nSubject: %llu\r\n\r\n",
	    (unsigned long long)random_u64(), (unsigned long long)number, (unsigned long long)number);
	memset(body + head, 'x', (size_t)(BODY_BYTES - head));
	memcpy(body + BODY_BYTES - 2, "\r\n", 2);
	return slice_of(body, BODY_BYTES);
}

static void
accept_one(struct mailstore *s)
{
	char body[BODY_BYTES + 1];
	struct slice text = message(body);
	struct buffer recipients;
	buffer_init(&recipients, 1000);
	must(pack_string(&recipients, slice_of_string(OWN), &err));
	struct record r = { .type = RECORD_RECEIVED, .arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string("bob@b.onion"),
		.recipients = buffer_slice(&recipients) };
	must(record_hash(r.reverse_path, r.recipients, BODY_BORROWED(text), r.hash, &err));
	must(mailstore_receive(s, &r, BODY_BORROWED(text), &err));
	buffer_finish(&recipients);
}

/* To a peer that nothing waits for, with ids as a mail program's are named. */
static void
submit_one(struct mailstore *s)
{
	char body[BODY_BYTES + 1], onion[100];
	struct slice text = message(body);
	struct buffer recipients, destinations;
	struct ids_leaving leaving;
	buffer_init(&recipients, 1000);
	buffer_init(&destinations, 1000);
	snprintf(onion, sizeof onion, "%056llx.onion", (unsigned long long)random_u64());
	must(pack_string(&recipients, slice_of_string("carol@c.onion"), &err));
	must(record_add_destination(&destinations, slice_of_string(onion), buffer_slice(&recipients), &err));
	must(ids_leave(mailstore_ids(s), text, "own.onion", &leaving, &err));
	struct record r = { .type = RECORD_SUBMITTED, .arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string(OWN),
		.ids = buffer_slice(&leaving.kept), .destinations = buffer_slice(&destinations) };
	must(mailstore_submit(s, &r, BODY_BORROWED(text), &err));
	ids_leaving_finish(&leaving);
	buffer_finish(&recipients);
	buffer_finish(&destinations);
}

static void
bring(struct mailstore *s, uint64_t messages, void (*one)(struct mailstore *), struct cost *cost)
{
	begin(cost);
	for (uint64_t i = 1; i <= messages; i++) {
		one(s);
		if (i % MAILSTORE_GROUP_RECORDS != 0 && i != messages)
			continue;
		int more;
		must(mailstore_commit(s, &err));
		while ((more = mailstore_process(s, &err)) == 1)
			;
		must(more);
	}
	must(mailstore_settle(s, &err));
	end(cost);
}

static bool
nobody(void *context, const struct peer *peer)
{
	(void)context;
	(void)peer;
	return false;
}

static void
deliver_one(struct queue *queue, int64_t now_ms, bool is_taken, struct cost costs[KINDS])
{
	struct peer peer;
	struct queue_item item;
	struct buffer results;
	begin(&costs[DECIDE]);
	must(peers_next(queue_peers(queue), now_ms, nobody, NULL, &peer, &err));
	int found = queue_next_item(queue, peer.onion, now_ms, &item, &err);
	must(found);
	end(&costs[DECIDE]);
	if (found != 1) {
		error_set(&err, ERROR_NOT_FOUND, "nothing is due for %s", peer.onion);
		stop("curve");
	}
	struct pack_result r = { is_taken ? 250 : 450, slice_of_string(is_taken ? "2.0.0" : "4.2.0"), slice_of_string("said the server") };
	buffer_init(&results, 1000);
	must(pack_result(&results, &r, &err));
	begin(&costs[RESULT]);
	must(queue_result(queue, peer.onion, &item, buffer_slice(&results), now_ms, random_u64(), &err));
	end(&costs[RESULT]);
	buffer_finish(&results);
	queue_item_finish(&item);
}

/* ---- lines */

static void
measure(const struct options *o, struct cost costs[KINDS])
{
	struct mailstore *s;
	memset(costs, 0, KINDS * sizeof *costs);
	must(mailstore_open(&schedule, &s, &err));
	bring(s, o->messages, accept_one, &costs[ACCEPT]);
	bring(s, o->messages, submit_one, &costs[SUBMIT]);
	int64_t now_ms = mailstore_now_ms(s);
	for (uint64_t i = 0; i < o->messages; i++)
		deliver_one(mailstore_queue(s), now_ms, i % 4 != 0, costs);
	begin(&costs[RESULT]);
	must(mailstore_settle(s, &err));
	end(&costs[RESULT]);
	must(mailstore_checkpoint(s, &err));
	mailstore_free(s);
	for (size_t i = 0; i < KINDS; i++) {
		costs[i].us /= (double)o->messages;
		costs[i].cpu_us /= (double)o->messages;
		costs[i].written_kib /= (double)o->messages;
	}
}

static void
show(const char *what, const struct cost costs[KINDS], const struct cost first[KINDS])
{
	struct stat st = { 0 };
	if (stat("mail.db", &st) != 0)
		exit(1);
	for (size_t i = 0; i < KINDS; i++) {
		const struct cost *c = &costs[i], *f = &first[i];
		printf("%-16s%-8s%8.0f us%6.2f x%8.0f us CPU%6.2f x", what, kinds[i], c->us, c->us / f->us, c->cpu_us, c->cpu_us / f->cpu_us);
		if (f->written_kib > 0)
			printf("%8.1f KiB%6.2f x", c->written_kib, c->written_kib / f->written_kib);
		else
			printf("%8.1f KiB", c->written_kib);
		if (i == 0)
			printf("   mail.db: %.1f MiB", (double)st.st_size / 1048576);
		putchar('\n');
	}
	fflush(stdout);
}

static void
run(const struct options *o)
{
	struct cost first[KINDS], costs[KINDS];
	uint64_t filled = 0, size = 0;
	char what[50];
	fill(0, 100, 0); /* the first of all makes files and fills caches */
	measure(o, costs);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes && size < o->most; i++) {
		size = sizes[i] < o->most ? sizes[i] : o->most;
		fill(filled > 100 ? filled : 100, size, 0);
		filled = size;
		measure(o, costs);
		if (i == 0)
			memcpy(first, costs, sizeof first);
		snprintf(what, sizeof what, "%llu waiting", (unsigned long long)size);
		show(what, costs, first);
	}
	fill(filled, filled, o->remembered);
	measure(o, costs);
	show("and remembered", costs, first);
}

static bool
read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = { { "most", required_argument, NULL, 0 }, { "messages", required_argument, NULL, 0 },
		{ "remembered", required_argument, NULL, 0 }, { "help", no_argument, NULL, 'h' }, { 0 } };
	uint64_t *const values[] = { &o->most, &o->messages, &o->remembered };
	int option, index;
	while ((option = getopt_long(argc, argv, "h", names, &index)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (option != 0)
			return false;
		char *rest;
		*values[index] = strtoull(optarg, &rest, 10);
		if (*rest != '\0' || *values[index] == 0)
			return false;
	}
	return optind == argc;
}

int
main(int argc, char **argv)
{
	struct options o = { 300000, 1024, 1000000 };
	if (!read_options(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	random_init();
	char folder[4000];
	const char *below = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/smtorp-curve-XXXXXX", below != NULL ? below : "/tmp");
	if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
		fprintf(stderr, "curve: no folder can be made: set TMPDIR to one that may be written to\n");
		return 1;
	}
	run(&o);
	if (chdir("/") != 0 || file_remove_tree(AT_FDCWD, folder, &err) != 0)
		stop("curve");
	return 0;
}
