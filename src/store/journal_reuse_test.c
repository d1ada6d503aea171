/* SPDX-License-Identifier: ISC
 *
 * Segments of the journal that are filled again: of what stood in them before, nothing is to come back.
 */
#include "store/test_journal.h"

#include <stdio.h>

/* Fills segments with one record each, and consumes it: so many uses of one file, or of a few. */
static void
use_segments(struct journal *j, size_t uses, const char *text)
{
	struct error err = { 0 };
	const size_t large = JOURNAL_SEGMENT_BYTES / 2 + 1;
	char *bytes = malloc(large);
	uint64_t sequence;
	memset(bytes, 'x', large);
	memcpy(bytes, text, strlen(text));
	struct slice part = slice_of(bytes, large);
	for (size_t i = 0; i < uses; i++) {
		assert_int_equal(journal_append(j, 3, 1, &part, 1, &sequence, &err), 0);
		assert_int_equal(journal_commit(j, &err), 0);
		journal_consume(j, sequence + 1);
	}
	free(bytes);
}

static void
a_file_is_filled_again_and_again(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct stat first, last;
	struct journal *j = open_at(1);
	use_segments(j, 2, "old");
	assert_int_equal(files(), 2); /* one is made before the other is done with */
	assert_int_equal(fstatat(dir, "0000000000000001", &first, 0), 0);
	use_segments(j, 9, "old");
	assert_int_equal(files(), 2);
	assert_int_equal(fstatat(dir, "000000000000000b", &last, 0), 0);
	assert_int_equal(last.st_ino, first.st_ino);
	assert_int_equal(last.st_blocks, first.st_blocks);
	journal_free(j);

	j = open_at(12);
	assert_null(journal_first(j));
	assert_int_equal(journal_next_sequence(j), 12);
	assert_int_equal(append(j, "new"), 12); /* before the old bytes */
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	assert_int_equal(files(), 2);
	j = open_at(12);
	expect(j, journal_first(j), "new");
	assert_null(journal_next(j, journal_first(j)));
	journal_free(j);
}

/* Even with the same sequence numbers in the same places. */
static void
what_was_read_of_a_former_use_is_not_read_again(void **state)
{
	(void)state;
	static const char *const texts[] = { "one", "two", "six", "ten" };
	struct error err = { 0 };
	char got[4] = { 0 };
	struct journal *j = open_at(1);
	for (size_t i = 0; i < 4; i++) {
		uint64_t sequence = append(j, texts[i]);
		assert_int_equal(journal_commit(j, &err), 0);
		assert_int_equal(journal_read(j, journal_first(j), 0, got, 3, &err), 0);
		assert_string_equal(got, texts[i]);
		journal_consume(j, sequence + 1);
		use_segments(j, 2, "between"); /* so that it is at the same place of the same file again */
	}
	journal_free(j);
}

static void
records_of_a_former_use_are_none(void **state)
{
	(void)state;
	struct error err = { 0 };
	static unsigned char old[5 * 72];
	write_three();
	int fd = open_only_segment(&(off_t){ 0 });
	assert_int_equal(pread(fd, old, sizeof old, 64), sizeof old);
	struct journal *j = open_at(4); /* consumed: a spare */
	journal_free(j);
	j = open_at(1);                 /* and not */
	assert_int_equal(append(j, "one"), 1);
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	assert_int_equal(files(), 1); /* the same file */
	unsigned char now[72];
	assert_int_equal(pread(fd, now, sizeof now, 64), sizeof now);
	assert_int_not_equal(memcmp(now, old, sizeof now), 0);
	/* The zeros behind "one" did not reach the disk: "two" stands where it would be looked for. */
	assert_int_equal(pwrite(fd, old + 72, sizeof old - 72, 64 + 72), sizeof old - 72);
	close(fd);
	j = open_at(1);
	expect(j, journal_first(j), "one");
	assert_null(journal_next(j, journal_first(j)));
	assert_int_equal(journal_next_sequence(j), 2);
	journal_free(j);
}

/* What was done to a spare need not reach the disk, nor its new name. */
static void
a_lost_renaming_changes_nothing(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct journal *j = open_at(1);
	use_segments(j, 1, "old");
	journal_free(j);
	j = open_at(2);
	append(j, "new");
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	assert_int_equal(renameat(dir, "0000000000000002", dir, "0000000000000001"), 0);
	j = open_at(2);
	expect(j, journal_first(j), "new");
	assert_int_equal(append(j, "newer"), 3);
	assert_int_equal(faccessat(dir, "0000000000000003", F_OK, 0), 0);
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	/* The parts go by their numbers, not by their names. */
	assert_int_equal(renameat(dir, "0000000000000003", dir, "0000000000000000"), 0);
	j = open_at(2);
	expect(j, journal_first(j), "new");
	expect(j, journal_next(j, journal_first(j)), "newer");
	journal_consume(j, 3);
	journal_free(j);
}

/* In the bytes of one that began anew, the header of its former use. */
static void
a_lost_beginning_brings_nothing_back(void **state)
{
	(void)state;
	struct error err = { 0 };
	unsigned char header[64];
	off_t used;
	write_three();
	int fd = open_only_segment(&used);
	assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
	struct journal *j = open_at(4);
	assert_int_equal(append(j, "four"), 4);
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
	close(fd);
	j = open_at(4);
	assert_null(journal_first(j));
	assert_int_equal(journal_next_sequence(j), 4);
	journal_free(j);
	assert_int_equal(files(), 1);
}

static int folder_syncs;

/* Before the C library's. */
int
fsync(int fd)
{
	struct stat st, folder_st;
	folder_syncs += fstat(fd, &st) == 0 && fstat(dir, &folder_st) == 0 && st.st_ino == folder_st.st_ino;
	return fdatasync(fd);
}

/* The process before may have been killed when it had made a file, and one that it removed may come back with a number that is given again. */
static void
names_are_durable_before_files_are_filled_again(void **state)
{
	(void)state;
	struct error err = { 0 };
	write_three();
	journal_free(open_at(4));
	folder_syncs = 0;
	struct journal *j = open_at(4);
	assert_int_equal(folder_syncs, 1);
	append(j, "again");
	assert_int_equal(journal_commit(j, &err), 0);
	assert_int_equal(folder_syncs, 1); /* and none for that */
	journal_free(j);
}

static void
a_copy_of_a_part_is_set_aside(void **state)
{
	(void)state;
	struct stat st;
	write_three();
	static unsigned char bytes[4096];
	int fd = openat(dir, "0000000000000001", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, bytes, sizeof bytes), sizeof bytes);
	close(fd);
	fd = openat(dir, "0000000000000005", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
	close(fd);
	struct journal *j = open_at(1);
	assert_int_equal(journal_backlog_records(j), 3);
	assert_int_equal(files(), 2);
	journal_free(j);
	assert_true(fstatat(dir, "0000000000000005.damaged", &st, 0) == 0 || fstatat(dir, "0000000000000001.damaged", &st, 0) == 0);
}

static void
only_a_few_spares_are_kept(void **state)
{
	(void)state;
	struct error err = { 0 };
	const size_t large = JOURNAL_SEGMENT_BYTES / 2 + 1, larger = JOURNAL_SEGMENT_BYTES * 2;
	char *bytes = calloc(1, larger);
	struct slice part = slice_of(bytes, large), all = slice_of(bytes, larger);
	uint64_t sequence;
	struct journal *j = open_at(1);
	for (size_t i = 0; i < JOURNAL_SPARES_MOST + 3; i++)
		assert_int_equal(journal_append(j, 3, 1, &part, 1, &sequence, &err), 0);
	assert_int_equal(journal_append(j, 3, 1, &all, 1, &sequence, &err), 0); /* too large to be one */
	assert_int_equal(append(j, "last"), sequence + 1);
	assert_int_equal(journal_commit(j, &err), 0);
	assert_int_equal(files(), JOURNAL_SPARES_MOST + 5);
	journal_consume(j, sequence + 2);
	assert_int_equal(files(), JOURNAL_SPARES_MOST + 1);
	journal_rest(j);
	assert_int_equal(files(), 2);
	assert_int_equal(journal_append(j, 3, 1, &all, 1, &sequence, &err), 0); /* in none of these */
	assert_int_equal(files(), 3);
	journal_free(j);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_file_is_filled_again_and_again),
		IN_FOLDER(what_was_read_of_a_former_use_is_not_read_again),
		IN_FOLDER(records_of_a_former_use_are_none),
		IN_FOLDER(a_lost_renaming_changes_nothing),
		IN_FOLDER(a_lost_beginning_brings_nothing_back),
		IN_FOLDER(names_are_durable_before_files_are_filled_again),
		IN_FOLDER(a_copy_of_a_part_is_set_aside),
		IN_FOLDER(only_a_few_spares_are_kept),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
