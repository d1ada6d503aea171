/* SPDX-License-Identifier: ISC
 *
 * The journal while a thread waits for the disk. The test's sync stops at a gate, so that it knows what is under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "store/journal.h"
#include "store/syncer.h"

static int gate[2];
static int dir = -1;
static struct syncer *syncer;
static struct journal_calls real;

/* Ends as the gate says: 0 well, else with this errno. */
static int
sync_at_the_gate(int fd)
{
	char byte;
	if (read(gate[0], &byte, 1) != 1)
		abort();
	errno = byte;
	return byte == 0 ? fdatasync(fd) : -1;
}

static void
let_through(char errnum)
{
	assert_int_equal(write(gate[1], &errnum, 1), 1);
}

static void
wait_for_the_end(void)
{
	struct pollfd p = { syncer_fd(syncer), POLLIN, 0 };
	assert_int_equal(poll(&p, 1, -1), 1);
}

static struct journal *
begin(void)
{
	struct error err = { 0 };
	struct journal *j;
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(file_open_private_dir(AT_FDCWD, "journal", &dir, &err), 0);
	assert_int_equal(journal_open(dir, 1, &j, &err), 0);
	assert_int_equal(syncer_new(&syncer, &err), 0);
	real = journal_calls;
	journal_calls.sync = sync_at_the_gate;
	journal_set_syncer(j, syncer);
	return j;
}

static void
end(struct journal *j)
{
	journal_free(j);
	syncer_free(syncer);
	journal_calls = real;
	file_close(&gate[0]);
	file_close(&gate[1]);
	file_close(&dir);
	assert_int_equal(file_remove_tree(AT_FDCWD, "journal", NULL), 0);
}

static void
append(struct journal *j, size_t bytes)
{
	struct error err = { 0 };
	uint64_t sequence;
	char *text = calloc(1, bytes);
	struct slice part = slice_of(text, bytes);
	if (journal_append(j, 3, 1, &part, 1, &sequence, &err) != 0)
		fail_msg("%s", err.text);
	free(text);
}

static size_t
durable(const struct journal *j)
{
	size_t count = 0;
	for (const struct journal_entry *e = journal_first(j); e != NULL; e = journal_next(j, e))
		count++;
	return count;
}

static void
what_comes_during_a_sync_waits_for_the_next(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct journal *j = begin();
	assert_int_equal(journal_sync(j, &err), 0); /* nothing to do */
	append(j, 10);
	append(j, 10);
	assert_int_equal(journal_sync(j, &err), 1);
	append(j, 10); /* the sync may have begun, and need not see it */
	assert_int_equal(journal_sync(j, &err), 1);
	assert_int_equal(durable(j), 0);
	let_through(0);
	wait_for_the_end();
	assert_int_equal(journal_sync(j, &err), 1); /* goes on with the third */
	assert_int_equal(durable(j), 2);
	assert_int_equal(journal_durable_below(j), 3);
	let_through(0);
	wait_for_the_end();
	assert_int_equal(journal_sync(j, &err), 0);
	assert_int_equal(durable(j), 3);
	end(j);
}

static void
a_new_part_waits_for_the_sync_of_the_old_one(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct journal *j = begin();
	append(j, JOURNAL_SEGMENT_BYTES - 4096);
	assert_int_equal(journal_sync(j, &err), 1);
	append(j, 10);
	let_through(0); /* what is under way */
	let_through(0); /* and what came behind it in the same part */
	append(j, 8192); /* in the new part */
	assert_int_equal(durable(j), 2);
	journal_consume(j, 3); /* the old part can go */
	assert_int_equal(durable(j), 0);
	assert_int_equal(journal_sync(j, &err), 1);
	let_through(0);
	assert_int_equal(journal_commit(j, &err), 0); /* waits */
	assert_int_equal(durable(j), 1);
	end(j);
}

static void
a_part_stays_while_it_is_synced(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct journal *j = begin();
	append(j, 10);
	let_through(0);
	assert_int_equal(journal_commit(j, &err), 0);
	append(j, 10);
	assert_int_equal(journal_sync(j, &err), 1);
	journal_consume(j, 2);
	let_through(0);
	end(j); /* waits, and closes it then */
}

static void
a_failed_sync_makes_nothing_durable(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct journal *j = begin();
	append(j, 10);
	let_through(0);
	assert_int_equal(journal_commit(j, &err), 0);
	append(j, 10);
	assert_int_equal(journal_sync(j, &err), 1);
	append(j, 10);
	let_through(EIO);
	wait_for_the_end();
	assert_int_equal(journal_sync(j, &err), -1);
	assert_int_equal(err.code, ERROR_IO);
	assert_true(journal_is_broken(j));
	assert_int_equal(durable(j), 1);
	assert_int_equal(journal_sync(j, &err), -1); /* for good */
	assert_int_equal(journal_commit(j, &err), -1);
	end(j);
}

/* The kernel tells of a failed write once, and the thread may be the one that hears it. */
static void
a_failed_sync_is_heard_before_a_new_part(void **state)
{
	(void)state;
	struct error err = { 0 };
	uint64_t sequence;
	static char text[8192];
	struct slice part = slice_of(text, sizeof text);
	struct journal *j = begin();
	append(j, JOURNAL_SEGMENT_BYTES - 4096);
	assert_int_equal(journal_sync(j, &err), 1);
	let_through(EIO);
	assert_int_equal(journal_append(j, 3, 1, &part, 1, &sequence, &err), -1);
	assert_true(journal_is_broken(j));
	assert_int_equal(durable(j), 0);
	end(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_during_a_sync_waits_for_the_next),
		cmocka_unit_test(a_new_part_waits_for_the_sync_of_the_old_one),
		cmocka_unit_test(a_part_stays_while_it_is_synced),
		cmocka_unit_test(a_failed_sync_makes_nothing_durable),
		cmocka_unit_test(a_failed_sync_is_heard_before_a_new_part),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
