/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "smtpd/spool.h"

static unsigned char zeros[200000];

static void
stays_in_memory_up_to_64_kib(void **state)
{
	(void)state;
	struct spool_budget budget = { .large_max = 100, .max_bytes = 1000000 };
	struct spool spool;
	struct slice bytes;
	int fd;
	spool_init(&spool, 1000000, &budget);
	assert_int_equal(spool_append(&spool, slice_of(zeros, SPOOL_INLINE_MAX_BYTES - 1), NULL), 0);
	assert_int_equal(spool_append(&spool, slice_of("x", 1), NULL), 0);
	assert_int_equal(spool_seal(&spool, &bytes, &fd, NULL), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(bytes.len, SPOOL_INLINE_MAX_BYTES);
	assert_int_equal(bytes.data[SPOOL_INLINE_MAX_BYTES - 1], 'x');
	assert_true(budget.used_bytes == SPOOL_INLINE_MAX_BYTES);
	spool_finish(&spool);
	spool_finish(&spool);
	assert_true(budget.used_bytes == 0);
}

static void
moves_to_a_sealed_memfd_beyond(void **state)
{
	(void)state;
	struct spool_budget budget = { .large_max = 100, .max_bytes = 1000000 };
	struct spool spool;
	struct slice bytes;
	struct buffer content;
	size_t len;
	int fd;
	spool_init(&spool, 1000000, &budget);
	assert_int_equal(spool_append(&spool, slice_of("begin", 5), NULL), 0);
	assert_int_equal(spool_append(&spool, slice_of(zeros, SPOOL_INLINE_MAX_BYTES), NULL), 0);
	assert_int_equal(spool_append(&spool, slice_of("end", 3), NULL), 0);
	assert_int_equal(spool_seal(&spool, &bytes, &fd, NULL), 0);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(file_check_sealed(fd, 1000000, &len, NULL), 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	buffer_init(&content, 1000000);
	assert_int_equal(file_read_all(fd, &content, NULL), 0);
	assert_int_equal(buffer_len(&content), 5 + SPOOL_INLINE_MAX_BYTES + 3);
	assert_memory_equal(buffer_bytes(&content), "begin\0\0", 7);
	assert_memory_equal(buffer_bytes(&content) + buffer_len(&content) - 4, "\0end", 4);
	buffer_finish(&content);
	spool_finish(&spool);
	assert_true(budget.used_bytes == 0);
}

static void
keeps_to_its_maximum_to_the_octet(void **state)
{
	(void)state;
	struct spool_budget budget = { .large_max = 100, .max_bytes = 1000000 };
	struct spool spool;
	struct error err = { 0 };
	spool_init(&spool, 100001, &budget);
	assert_int_equal(spool_append(&spool, slice_of(zeros, 100000), NULL), 0);
	assert_int_equal(spool_append(&spool, slice_of(zeros, 2), &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_int_equal(spool_append(&spool, slice_of(zeros, 1), NULL), 0);
	spool_finish(&spool);
}

static void
leaves_room_for_small_messages_beside_large_ones(void **state)
{
	(void)state;
	struct spool_budget budget = { .large_max = 100, .max_bytes = 400000 };
	struct spool large, another, small;
	struct error err = { 0 };
	spool_init(&large, 1000000, &budget);
	spool_init(&another, 1000000, &budget);
	spool_init(&small, 1000000, &budget);
	assert_int_equal(spool_append(&large, slice_of(zeros, 200000), NULL), 0);
	assert_int_equal(spool_append(&another, slice_of(zeros, 100001), &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(spool_append(&another, slice_of(zeros, 100000), NULL), 0);
	assert_int_equal(spool_append(&small, slice_of(zeros, 60000), NULL), 0);
	assert_int_equal(spool_append(&small, slice_of(zeros, 10000), NULL), -1); /* it would be large now */
	spool_finish(&large);
	assert_int_equal(spool_append(&small, slice_of(zeros, 10000), NULL), 0);
	spool_finish(&another);
	spool_finish(&small);
	assert_true(budget.used_bytes == 0);
}

static int given_file;

static int
give_file(void *context)
{
	(void)context;
	int fd = given_file;
	given_file = -1;
	return fd;
}

static void
moves_to_a_file_when_there_is_one(void **state)
{
	(void)state;
	struct spool_budget budget = { .large_max = 100, .max_bytes = 400000 };
	struct spool spool;
	struct slice bytes;
	struct buffer content;
	int fd;
	spool_init(&spool, 10000000, &budget);
	spool.open_file = give_file;
	given_file = -1;
	assert_int_equal(spool_append(&spool, slice_of("begin", 5), NULL), 0);
	assert_int_equal(spool_append(&spool, slice_of(zeros, 200000), NULL), 0);
	assert_int_equal(spool_append(&spool, slice_of(zeros, 60000), NULL), 0); /* there is none now */
	assert_true(budget.used_bytes == 260005);
	given_file = memfd_create("file", MFD_CLOEXEC);
	for (int i = 0; i < 20; i++)
		assert_int_equal(spool_append(&spool, slice_of(zeros, 200000), NULL), 0); /* ten times the budget */
	assert_int_equal(spool_append(&spool, slice_of("end", 3), NULL), 0);
	assert_true(budget.used_bytes == 0);
	assert_int_equal(spool_seal(&spool, &bytes, &fd, NULL), 0);
	assert_int_equal(bytes.len, 0);
	buffer_init(&content, 10000000);
	assert_int_equal(file_read_all(fd, &content, NULL), 0);
	assert_int_equal(buffer_len(&content), 5 + 200000 + 60000 + 20 * 200000 + 3);
	assert_memory_equal(buffer_bytes(&content), "begin\0\0", 7);
	assert_memory_equal(buffer_bytes(&content) + buffer_len(&content) - 4, "\0end", 4);
	buffer_finish(&content);
	spool_finish(&spool);
	assert_true(budget.used_bytes == 0);
}

static int
make_file(void *context)
{
	(void)context;
	return memfd_create("file", MFD_CLOEXEC);
}

static void
grow(struct spool *spool, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += sizeof zeros)
		assert_int_equal(spool_append(spool, slice_of(zeros, sizeof zeros), NULL), 0);
}

/* Else strangers could fill the disk with messages that they never end. */
static void
files_have_a_budget_too(void **state)
{
	(void)state;
	struct spool_budget budget = { .large_max = 100, .max_bytes = 4000000, .files_max_bytes = 2000000 };
	struct spool spools[3];
	struct error err = { 0 };
	for (size_t i = 0; i < 3; i++) {
		spool_init(&spools[i], 10000000, &budget);
		spools[i].open_file = make_file;
	}
	grow(&spools[0], 1000000);
	grow(&spools[1], 1000000);
	assert_true(budget.files_used_bytes == 2000000 && budget.used_bytes == 0);
	assert_int_equal(spool_append(&spools[0], slice_of("x", 1), &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
	grow(&spools[2], 1000000); /* as if there were no file now */
	assert_true(!spools[2].is_file && budget.used_bytes == 1000000);
	spool_finish(&spools[2]);
	spool_finish(&spools[0]);
	grow(&spools[1], 4000000); /* alone it has as much as it needs */
	spool_finish(&spools[1]);
	assert_true(budget.files_used_bytes == 0 && budget.used_bytes == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_in_memory_up_to_64_kib),
		cmocka_unit_test(moves_to_a_sealed_memfd_beyond),
		cmocka_unit_test(moves_to_a_file_when_there_is_one),
		cmocka_unit_test(files_have_a_budget_too),
		cmocka_unit_test(keeps_to_its_maximum_to_the_octet),
		cmocka_unit_test(leaves_room_for_small_messages_beside_large_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
