/* SPDX-License-Identifier: ISC */
#include "base/test_folder.h"

#include <stdio.h>
#include <sys/stat.h>

#include "archive/seal.h"
#include "base/encode.h"

#define CHEAP ((struct seal_cost){ 1, SEAL_MEMORY_KIB_MIN })
#define PASSPHRASE slice_of_string("correct horse")
#define CHECK_END (SEAL_HEADER_BYTES + SEAL_OVERHEAD_BYTES)

static unsigned char plain[3 * SEAL_CHUNK_BYTES], got[3 * SEAL_CHUNK_BYTES];

static void
write_file(const char *name, size_t len)
{
	struct error err;
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct seal_writer *w = seal_writer_new(fd, PASSPHRASE, CHEAP, &err);
	assert_non_null(w);
	for (size_t at = 0, step = 1; at < len; at += step, step = step * 3 + 1) {
		if (step > len - at)
			step = len - at;
		assert_int_equal(seal_write(w, plain + at, step, &err), 0);
	}
	assert_int_equal(seal_finish(w, &err), 0);
	seal_writer_free(w);
	close(fd);
}

/* How far it came: 0, or -1 with err. */
static int
read_file(const char *name, struct slice passphrase, size_t *out_len, struct error *err)
{
	int fd = open(name, O_RDONLY), result = -1;
	struct seal_reader *r = seal_reader_new(fd, passphrase, err);
	bool is_last = false;
	*out_len = 0;
	if (r != NULL)
		result = 0;
	while (result == 0 && !is_last) {
		struct slice piece;
		result = seal_read(r, &piece, &is_last, err);
		if (result == 0) {
			assert_true(*out_len + piece.len <= sizeof got);
			memcpy(got + *out_len, piece.data, piece.len);
			*out_len += piece.len;
		}
	}
	seal_reader_free(r);
	close(fd);
	return result;
}

static void
what_was_sealed_is_opened(void **state)
{
	static const size_t lengths[] = { 0, 1, SEAL_CHUNK_BYTES - 1, SEAL_CHUNK_BYTES, SEAL_CHUNK_BYTES + 1, 2 * SEAL_CHUNK_BYTES,
		3 * SEAL_CHUNK_BYTES };
	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct error err;
		struct stat st;
		size_t len, chunks = lengths[i] == 0 ? 1 : (lengths[i] + SEAL_CHUNK_BYTES - 1) / SEAL_CHUNK_BYTES;
		write_file("a", lengths[i]);
		assert_int_equal(read_file("a", PASSPHRASE, &len, &err), 0);
		assert_int_equal(len, lengths[i]);
		assert_memory_equal(plain, got, len);
		assert_int_equal(stat("a", &st), 0);
		assert_int_equal(st.st_size, CHECK_END + lengths[i] + chunks * SEAL_OVERHEAD_BYTES);
	}
}

static void
a_wrong_passphrase_is_told_from_damage(void **state)
{
	struct error err;
	size_t len;
	(void)state;
	write_file("a", 1000);
	assert_int_equal(read_file("a", slice_of_string("correct house"), &len, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_non_null(strstr(err.text, "passphrase is wrong"));
	assert_int_equal(read_file("a", slice_of("", 0), &len, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

static void
a_file_that_is_cut_off_or_longer_is_refused(void **state)
{
	static const off_t lengths[] = { 0, 15, 16, 17, SEAL_HEADER_BYTES, CHECK_END - 1, CHECK_END, CHECK_END + 1,
		CHECK_END + SEAL_CHUNK_BYTES, CHECK_END + SEAL_CHUNK_BYTES + SEAL_OVERHEAD_BYTES,
		CHECK_END + SEAL_CHUNK_BYTES + SEAL_OVERHEAD_BYTES + 100 };
	struct error err;
	size_t len;
	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		write_file("a", SEAL_CHUNK_BYTES + 1000);
		assert_int_equal(truncate("a", lengths[i]), 0);
		assert_int_equal(read_file("a", PASSPHRASE, &len, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_non_null(strstr(err.text, lengths[i] < 16 ? "no file" : "cut off"));
	}
	write_file("a", 2 * SEAL_CHUNK_BYTES);
	FILE *f = fopen("a", "ae");
	fputc(0, f);
	fclose(f);
	assert_int_equal(read_file("a", PASSPHRASE, &len, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

static void
every_changed_byte_is_noticed(void **state)
{
	struct error err;
	size_t len;
	(void)state;
	for (off_t at = 0; at < CHECK_END + 40; at++) {
		unsigned char byte;
		if (at >= SEAL_HEADER_BYTES - 48 && at < SEAL_HEADER_BYTES - 40)
			continue; /* the cost has a test of its own */
		write_file("a", 23);
		int fd = open("a", O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		assert_int_equal(read_file("a", PASSPHRASE, &len, &err), -1);
		assert_int_equal(len, 0);
	}
}

static void
a_file_cannot_ask_for_more_memory_than_the_maximum(void **state)
{
	static const uint32_t bad[][2] = { { 0, 8 }, { SEAL_PASSES_MAX + 1, 8 }, { UINT32_MAX, 8 }, { 1, 0 }, { 1, 7 },
		{ 1, SEAL_MEMORY_KIB_MAX + 1 }, { 1, UINT32_MAX } };
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		unsigned char cost[8];
		struct error err;
		size_t len;
		write_file("a", 10);
		encode_number(cost, bad[i][0], 4);
		encode_number(cost + 4, bad[i][1], 4);
		int fd = open("a", O_WRONLY);
		assert_int_equal(pwrite(fd, cost, sizeof cost, 17), sizeof cost);
		close(fd);
		assert_int_equal(read_file("a", PASSPHRASE, &len, &err), -1);
		assert_int_equal(err.code, ERROR_TOO_LARGE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_is_opened),
		cmocka_unit_test(a_wrong_passphrase_is_told_from_damage),
		cmocka_unit_test(a_file_that_is_cut_off_or_longer_is_refused),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(a_file_cannot_ask_for_more_memory_than_the_maximum),
	};
	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (unsigned char)(i * 31 + i / 251);
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
