/* SPDX-License-Identifier: ISC
 *
 * What the queue's tests share: a queue with its database in a folder of its own, and short ways to fill it, deliver
 * from it and count what waits. For tests only.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "queue/queue.h"
#include "queue/record.h"
#include "store/schema.h"

#define FIRST_MS 30000
#define MOST_MS ((int64_t)4 * 3600 * 1000)
#define EXPIRE_MS ((int64_t)7 * 24 * 3600 * 1000)
#define NOW 1000000

static const struct schedule schedule = { FIRST_MS, MOST_MS, EXPIRE_MS };
static struct error err;

/* A queue with its database, in a folder of its own. */
struct fixture {
	struct database *db;
	struct queue *queue;
	int dir_fd;
};

static inline int
open_queue(struct fixture *f)
{
	if (database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &f->db, &err) != 0)
		return -1;
	return queue_open(f->db, f->dir_fd, &schedule, &f->queue, &err);
}

static inline void
close_queue(struct fixture *f)
{
	queue_free(f->queue);
	database_close(f->db);
}

static inline int
begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (mkdir("mail", 0700) != 0 || chdir("mail") != 0 ||
	    file_open_private_dir(AT_FDCWD, "queue", &f->dir_fd, &err) != 0 || open_queue(f) != 0)
		return -1;
	*state = f;
	return 0;
}

static inline int
end(void **state)
{
	struct fixture *f = *state;
	close_queue(f);
	file_close(&f->dir_fd);
	free(f);
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "mail", NULL);
}

static inline void
add(struct fixture *f, uint64_t id, uint64_t body, const char *onion, const char *sender, size_t recipients,
    int64_t now_ms)
{
	struct buffer list;
	buffer_init(&list, 20000);
	for (size_t i = 0; i < recipients; i++) {
		char mailbox[100];
		snprintf(mailbox, sizeof mailbox, "user%zu@%s", i, onion);
		assert_int_equal(pack_string(&list, slice_of_string(mailbox), &err), 0);
	}
	struct queue_new new = { .id = id, .body = body, .body_bytes = 5, .onion = slice_of_string(onion),
		.reverse_path = slice_of_string(sender), .recipients = slice_of(buffer_bytes(&list), buffer_len(&list)),
		.arrival_s = 1700000000 };
	assert_int_equal(database_begin(f->db, &err), 0);
	assert_int_equal(queue_add(f->queue, &new, now_ms, &err), 0);
	assert_int_equal(database_commit(f->db, &err), 0);
	buffer_finish(&list);
}

/* Delivers the next item due for onion with these codes (0 ends them). */
static inline void
deliver(struct fixture *f, const char *onion, int64_t now_ms, const unsigned *codes)
{
	struct queue_item item;
	struct buffer results;
	buffer_init(&results, 10000);
	assert_int_equal(queue_next_item(f->queue, onion, now_ms, &item, &err), 1);
	for (; *codes != 0; codes++) {
		struct pack_result r = { *codes, slice_of_string("x.y.z"), slice_of_string("said the server") };
		assert_int_equal(pack_result(&results, &r, &err), 0);
	}
	assert_int_equal(queue_result(f->queue, onion, &item, slice_of(buffer_bytes(&results), buffer_len(&results)), now_ms,
	    0, &err), 0);
	buffer_finish(&results);
	queue_item_finish(&item);
}

static inline size_t
waiting(struct fixture *f, const char *onion, int64_t now_ms)
{
	struct queue_item item;
	size_t count = 0;
	int found = queue_next_item(f->queue, onion, now_ms, &item, &err);
	assert_true(found >= 0);
	if (found == 1)
		count = item.recipient_count;
	queue_item_finish(&item);
	return count;
}

static inline uint64_t
items(struct fixture *f)
{
	uint64_t count;
	assert_int_equal(queue_count(f->queue, &count, &err), 0);
	return count;
}

static inline bool
nobody(void *context, const struct peer *peer)
{
	return context != NULL && strcmp(context, peer->onion) == 0;
}

/* When the first peer is due, INT64_MAX: none waits. busy may be NULL. */
static inline int64_t
next_due(struct fixture *f, const char *busy, char onion[IPC_ONION_MAX + 1])
{
	struct peer peer;
	int found = peers_next(queue_peers(f->queue), NOW, nobody, (void *)(uintptr_t)busy, &peer, &err);
	assert_true(found >= 0);
	if (found == 0)
		return INT64_MAX;
	strcpy(onion, peer.onion);
	return peer.due_ms;
}

#define CODES(...) ((const unsigned[]){ __VA_ARGS__, 0 })

#define WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, begin, end)
