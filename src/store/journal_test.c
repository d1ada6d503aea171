/* SPDX-License-Identifier: ISC */
#include "store/test_journal.h"

#include "base/hash.h"

#include <sys/mman.h>

static void
gives_back_what_was_committed(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct journal *j = open_at(1);
	assert_int_equal(append(j, "one"), 1);
	assert_int_equal(append(j, "two"), 2);
	assert_null(journal_first(j)); /* not durable yet */
	assert_int_equal(journal_commit(j, &err), 0);
	append(j, "three");
	expect(j, journal_first(j), "one");
	expect(j, journal_next(j, journal_first(j)), "two");
	assert_null(journal_next(j, journal_next(j, journal_first(j))));
	journal_consume(j, 2);
	expect(j, journal_first(j), "two");
	char byte;
	assert_int_equal(journal_read(j, journal_first(j), 4, &byte, 1, &err), -1);
	assert_int_equal(journal_read(j, journal_first(j), UINT64_MAX, &byte, 1, &err), -1);
	journal_free(j);

	j = open_at(2); /* "three" was written by this process's life, so it is there */
	expect(j, journal_first(j), "two");
	expect(j, journal_next(j, journal_first(j)), "three");
	assert_int_equal(append(j, "four"), 4);
	assert_int_equal(files(), 2); /* never the old segment continued */
	assert_int_equal(journal_commit(j, &err), 0);
	journal_consume(j, 4);
	assert_int_equal(files(), 2); /* one is a spare */
	assert_int_equal(journal_backlog_records(j), 1);
	journal_free(j);
	j = open_at(5);
	assert_null(journal_first(j));
	assert_int_equal(append(j, "five"), 5);
	journal_free(j);
}

static void
identifiers_are_not_given_twice(void **state)
{
	(void)state;
	struct journal *j = open_at(1);
	struct slice part = slice_of_string("x!");
	uint64_t sequence;
	assert_int_equal(journal_append(j, 1, 10, &part, 1, &sequence, NULL), 0);
	assert_int_equal(sequence, 1);
	assert_int_equal(append(j, "next"), 11);
	journal_free(j);
	j = open_at(1);
	assert_int_equal(journal_first(j)->identifiers, 10);
	assert_int_equal(journal_next_sequence(j), 12);
	journal_free(j);
}

/* After a torn write the tail has zeros, or the right bytes only up to somewhere. */
static void
a_tail_torn_anywhere_ends_the_log(void **state)
{
	(void)state;
	unsigned char tail[72];
	off_t used;
	write_three();
	int fd = open_only_segment(&used);
	assert_int_equal(used, 64 + 3 * 72);
	assert_int_equal(pread(fd, tail, sizeof tail, used - 72), 72);
	for (size_t kept = 0; kept < sizeof tail - 2; kept++) { /* the last two are padding */
		unsigned char torn[72] = { 0 };
		memcpy(torn, tail, kept);
		assert_int_equal(pwrite(fd, torn, sizeof torn, used - 72), 72);
		struct journal *j = open_at(1);
		expect(j, journal_next(j, journal_first(j)), "two");
		assert_null(journal_next(j, journal_next(j, journal_first(j))));
		assert_int_equal(journal_next_sequence(j), 3);
		journal_free(j);
	}
	/* the other way round: the end of the record arrived, its beginning did not */
	for (size_t lost = 1; lost <= sizeof tail - 2; lost++) {
		unsigned char torn[72];
		memcpy(torn, tail, sizeof torn);
		memset(torn, 0, lost);
		assert_int_equal(pwrite(fd, torn, sizeof torn, used - 72), 72);
		struct journal *j = open_at(1);
		assert_int_equal(journal_next_sequence(j), 3);
		journal_free(j);
	}
	assert_int_equal(pwrite(fd, tail, sizeof tail, used - 72), 72);
	struct journal *j = open_at(1);
	assert_int_equal(journal_next_sequence(j), 4); /* whole again */
	journal_free(j);
	close(fd);
}

static void
no_flipped_bit_passes(void **state)
{
	(void)state;
	off_t used;
	write_three();
	int fd = open_only_segment(&used);
	for (off_t at = 64 + 72; at < 64 + 2 * 72 - 4; at++) /* the second record, without its padding */
		for (int bit = 0; bit < 8; bit++) {
			unsigned char byte, flipped;
			assert_int_equal(pread(fd, &byte, 1, at), 1);
			flipped = byte ^ (unsigned char)(1 << bit);
			assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
			struct journal *j = open_at(1);
			expect(j, journal_first(j), "one");
			assert_null(journal_next(j, journal_first(j)));
			journal_free(j);
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
	close(fd);
}

/* A whole record of the right sequence, but from another journal: as a stale block or inside a message. */
static void
a_copied_record_does_not_pass(void **state)
{
	struct error err = { 0 };
	unsigned char record[72];
	off_t used;
	write_three();
	int fd = open_only_segment(&used);
	assert_int_equal(pread(fd, record, sizeof record, 64 + 72), 72);
	close(fd);
	assert_int_equal(end(state), 0);
	assert_int_equal(begin(state), 0);
	struct journal *j = open_at(1);
	append(j, "one");
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	fd = open_only_segment(&used);
	assert_int_equal(used, 64 + 72);
	assert_int_equal(pwrite(fd, record, sizeof record, used), 72);
	close(fd);
	j = open_at(1);
	expect(j, journal_first(j), "one");
	assert_int_equal(journal_next_sequence(j), 2);
	journal_free(j);
}

static void
damage_is_set_aside(void **state)
{
	(void)state;
	struct error err = { 0 };
	off_t used;
	struct stat st;
	write_three();
	struct journal *j = open_at(1);
	append(j, "four");
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	int fd = open_only_segment(&used);
	assert_int_equal(pwrite(fd, "x", 1, 64 + 72), 1); /* an acknowledged record in the middle */
	j = open_at(1);
	expect(j, journal_first(j), "one");
	expect(j, journal_next(j, journal_first(j)), "four");
	journal_consume(j, 4);
	journal_free(j);
	assert_int_equal(fstatat(dir, "0000000000000001.damaged", &st, 0), 0);
	close(fd);
	fd = openat(dir, "0000000000000002", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 8), 1); /* a header */
	close(fd);
	journal_free(open_at(1));
	assert_int_equal(fstatat(dir, "0000000000000002.damaged", &st, 0), 0);
	fd = openat(dir, "0000000000000003", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 4096), 0); /* never used: its maker died */
	close(fd);
	journal_free(open_at(1));
	assert_int_equal(files(), 2);
}

/* Of three records the second. */
static void
damage_two(bool is_acknowledged)
{
	struct error err = { 0 };
	struct journal *j = open_at(1);
	append(j, "one");
	append(j, "two");
	if (is_acknowledged)
		assert_int_equal(journal_commit(j, &err), 0);
	append(j, "three");
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	int fd = openat(dir, "0000000000000001", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "xxxxxxxx", 8, 64 + 72), 8);
	close(fd);
}

/* The tail of a power cut looks the same, but for what the records behind it say. */
static void
damage_in_the_last_segment_is_no_torn_tail(void **state)
{
	struct stat st;
	for (int acknowledged = 0; acknowledged < 2; acknowledged++) {
		damage_two(acknowledged);
		struct journal *j = open_at(4); /* what is consumed is not missed */
		assert_int_equal(files(), 1);
		assert_int_equal(fstatat(dir, "0000000000000001.damaged", &st, 0), -1);
		journal_free(j);
		assert_int_equal(end(state), 0);
		assert_int_equal(begin(state), 0);

		damage_two(acknowledged);
		j = open_at(1);
		expect(j, journal_first(j), "one");
		assert_null(journal_next(j, journal_first(j)));
		journal_consume(j, 2);
		assert_int_equal(fstatat(dir, "0000000000000001.damaged", &st, 0), acknowledged ? 0 : -1);
		journal_free(j);
		assert_int_equal(end(state), 0);
		assert_int_equal(begin(state), 0);
	}
}

static void
goes_on_in_a_new_segment_when_one_is_full(void **state)
{
	(void)state;
	struct error err = { 0 };
	const size_t large = JOURNAL_SEGMENT_BYTES / 3;
	unsigned char *bytes = malloc(large), *back = malloc(large);
	random_bytes(bytes, large);
	struct journal *j = open_at(1);
	struct slice part = slice_of(bytes, large);
	uint64_t sequence;
	for (int i = 0; i < 5; i++)
		assert_int_equal(journal_append(j, 1, 1, &part, 1, &sequence, &err), 0);
	assert_int_equal(files(), 3);
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	j = open_at(1);
	int count = 0;
	for (const struct journal_entry *e = journal_first(j); e != NULL; e = journal_next(j, e), count++) {
		assert_int_equal(journal_read(j, e, 0, back, large, &err), 0);
		assert_memory_equal(bytes, back, large);
	}
	assert_int_equal(count, 5);
	assert_int_equal(journal_backlog_bytes(j), 5 * large);
	journal_consume(j, 4);
	assert_int_equal(files(), 3); /* one is a spare */
	assert_int_equal(append(j, "x"), 6);
	assert_int_equal(files(), 3);
	journal_free(j);
	free(bytes);
	free(back);
}

static void
a_large_record_has_a_segment_of_its_own(void **state)
{
	(void)state;
	struct error err = { 0 };
	const size_t large = JOURNAL_SEGMENT_BYTES * 2 + 5;
	unsigned char *bytes = malloc(large), *back = malloc(large);
	random_bytes(bytes, large);
	struct journal *j = open_at(1);
	append(j, "before");
	struct slice part = slice_of(bytes, large);
	uint64_t sequence;
	assert_int_equal(journal_append(j, 9, 1, &part, 1, &sequence, &err), 0);
	append(j, "after");
	assert_int_equal(journal_commit(j, &err), 0);
	assert_int_equal(files(), 3);
	journal_free(j);
	j = open_at(1);
	const struct journal_entry *e = journal_next(j, journal_first(j));
	assert_int_equal(e->length, large);
	assert_int_equal(journal_read(j, e, 0, back, large, &err), 0);
	assert_memory_equal(bytes, back, large);
	expect(j, journal_next(j, e), "after");
	journal_free(j);
	free(bytes);
	free(back);
}

static int
no_space(int fd, off_t offset, off_t len)
{
	(void)fd;
	(void)offset;
	(void)len;
	return ENOSPC;
}

static void
no_space_is_a_clean_refusal(void **state)
{
	(void)state;
	struct error err = { 0 };
	const struct journal_calls real = journal_calls;
	struct slice part = slice_of_string("x");
	uint64_t sequence;
	struct journal *j = open_at(1);
	journal_calls.allocate = no_space;
	assert_int_equal(journal_append(j, 1, 1, &part, 1, &sequence, &err), -1);
	assert_int_equal(err.code, ERROR_NO_SPACE);
	assert_int_equal(files(), 0);
	assert_false(journal_is_broken(j));
	journal_calls = real;
	assert_int_equal(append(j, "one"), 1);
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	j = open_at(1);
	expect(j, journal_first(j), "one");
	journal_free(j);
}

static size_t bytes_until_full;

static ssize_t
write_until_full(int fd, const struct iovec *iov, int count, off_t offset)
{
	(void)count;
	if (bytes_until_full == 0) {
		errno = ENOSPC;
		return -1;
	}
	size_t n = iov->iov_len < bytes_until_full ? iov->iov_len : bytes_until_full;
	bytes_until_full -= n;
	return pwrite(fd, iov->iov_base, n, offset);
}

/* Copying file systems may find no room in spite of preallocation, in the middle of a record. */
static void
half_a_record_is_no_record(void **state)
{
	(void)state;
	struct error err = { 0 };
	const struct journal_calls real = journal_calls;
	struct slice part = slice_of_string("something longer than the record after it");
	uint64_t sequence;
	struct journal *j = open_at(1);
	append(j, "one");
	for (size_t room = 0; room < 64 + part.len; room++) {
		bytes_until_full = room;
		journal_calls.write = write_until_full;
		assert_int_equal(journal_append(j, 1, 1, &part, 1, &sequence, &err), -1);
		assert_int_equal(err.code, ERROR_NO_SPACE);
		journal_calls = real;
		struct journal *other = open_at(1); /* what a crash now would leave */
		assert_int_equal(journal_next_sequence(other), 2);
		journal_free(other);
	}
	assert_int_equal(append(j, "two"), 2);
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
	j = open_at(1);
	expect(j, journal_next(j, journal_first(j)), "two");
	assert_int_equal(journal_next_sequence(j), 3);
	journal_free(j);
}

static int
failing_sync(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static void
a_failed_sync_is_final(void **state)
{
	(void)state;
	struct error err = { 0 };
	const struct journal_calls real = journal_calls;
	struct slice part = slice_of_string("x");
	uint64_t sequence;
	struct journal *j = open_at(1);
	append(j, "one");
	journal_calls.sync = failing_sync;
	assert_int_equal(journal_commit(j, &err), -1);
	journal_calls = real;
	assert_int_equal(journal_commit(j, &err), -1);
	assert_int_equal(err.code, ERROR_IO);
	assert_int_equal(journal_append(j, 1, 1, &part, 1, &sequence, &err), -1);
	assert_true(journal_is_broken(j));
	assert_null(journal_first(j));
	journal_free(j);
}

/* A large message comes as a file: the record is the same as one of slices, also after the next start. */
static void
a_file_is_appended_like_bytes(void **state)
{
	(void)state;
	enum { LEN = 200001 };
	struct journal *j;
	struct slice head = slice_of_string("head");
	static unsigned char bytes[LEN], back[LEN + 4];
	unsigned char digest[HASH_SHA256_BYTES] = { 0 };
	struct hash_sha256 hash;
	struct journal_file file = { memfd_create("x", MFD_CLOEXEC), LEN, NULL };
	uint64_t sequence;
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 251);
	assert_int_equal(write(file.fd, bytes, LEN), LEN);
	struct error err = { 0 };
	assert_int_equal(journal_open(dir, 1, &j, &err), 0);
	assert_int_equal(journal_append(j, 1, 1, &head, 1, &sequence, &err), 0);
	file.bytes = LEN + 1; /* it was cut meanwhile */
	assert_int_equal(journal_append_file(j, 1, 1, &head, 1, &file, &sequence, &err), -1);
	assert_int_equal(err.code, ERROR_PROTOCOL);
	assert_false(journal_is_broken(j));
	file.bytes = LEN;
	file.digest = digest; /* it was something else when it was looked at */
	assert_int_equal(journal_append_file(j, 1, 1, &head, 1, &file, &sequence, &err), -1);
	assert_int_equal(err.code, ERROR_PROTOCOL);
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, bytes, LEN);
	hash_sha256_final(&hash, digest);
	assert_int_equal(journal_append_file(j, 1, 1, &head, 1, &file, &sequence, &err), 0);
	assert_int_equal(journal_append(j, 1, 1, &head, 1, &sequence, &err), 0);
	assert_int_equal(journal_commit(j, &err), 0);
	for (int round = 0; round < 2; round++) {
		const struct journal_entry *e = journal_next(j, journal_first(j));
		assert_int_equal(e->length, LEN + 4);
		assert_int_equal(journal_read(j, e, 0, back, sizeof back, &err), 0);
		assert_memory_equal(back, "head", 4);
		assert_memory_equal(back + 4, bytes, LEN);
		assert_int_equal(journal_next(j, e)->length, 4);
		journal_free(j);
		assert_int_equal(journal_open(dir, 1, &j, &err), 0);
		assert_int_equal(journal_backlog_records(j), 3);
	}
	journal_free(j);
	close(file.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_file_is_appended_like_bytes),
		IN_FOLDER(gives_back_what_was_committed),
		IN_FOLDER(identifiers_are_not_given_twice),
		IN_FOLDER(a_tail_torn_anywhere_ends_the_log),
		IN_FOLDER(no_flipped_bit_passes),
		IN_FOLDER(a_copied_record_does_not_pass),
		IN_FOLDER(damage_is_set_aside),
		IN_FOLDER(damage_in_the_last_segment_is_no_torn_tail),
		IN_FOLDER(goes_on_in_a_new_segment_when_one_is_full),
		IN_FOLDER(a_large_record_has_a_segment_of_its_own),
		IN_FOLDER(no_space_is_a_clean_refusal),
		IN_FOLDER(half_a_record_is_no_record),
		IN_FOLDER(a_failed_sync_is_final),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
