/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "archive/archive.h"
#include "base/encode.h"

/* What came out of a stream, as text. */
struct seen {
	char text[4096];
	int fail_at_entry; /* 1 is the first */
	int entries;
};

static int
on_entry(void *context, const struct archive_entry *e, struct error *err)
{
	struct seen *s = context;
	if (++s->entries == s->fail_at_entry)
		return error_set(err, ERROR_NO_SPACE, "full");
	snprintf(s->text + strlen(s->text), sizeof s->text - strlen(s->text), "%d %s %llu %llu;", (int)e->type, e->path,
	    (unsigned long long)e->modified_s, (unsigned long long)e->size);
	return 0;
}

static int
on_bytes(void *context, struct slice bytes, struct error *err)
{
	struct seen *s = context;
	(void)err;
	snprintf(s->text + strlen(s->text), sizeof s->text - strlen(s->text), "%.*s", (int)bytes.len, (const char *)bytes.data);
	return 0;
}

static int
on_file_end(void *context, const struct archive_entry *e, struct error *err)
{
	struct seen *s = context;
	(void)e;
	(void)err;
	strcat(s->text, "|");
	return 0;
}

/* An entry without any check, as somebody else would write it. */
static size_t
put(unsigned char *out, int type, const char *path, uint64_t size, const char *bytes)
{
	out[0] = (unsigned char)type;
	encode_number(out + 1, strlen(path), 2);
	encode_number(out + 3, 0, 8);
	encode_number(out + 11, size, 8);
	memcpy(out + ARCHIVE_FIXED_BYTES, path, strlen(path));
	memcpy(out + ARCHIVE_FIXED_BYTES + strlen(path), bytes, strlen(bytes));
	return ARCHIVE_FIXED_BYTES + strlen(path) + strlen(bytes);
}

static int
read_in_pieces(const unsigned char *bytes, size_t len, size_t piece, struct seen *seen, struct error *err)
{
	struct archive_handler handler = { on_entry, on_bytes, on_file_end, seen };
	struct archive_reader r;
	archive_reader_init(&r, &handler);
	for (size_t at = 0; at < len; at += piece)
		if (archive_reader_take(&r, slice_of(bytes + at, piece < len - at ? piece : len - at), err) != 0)
			return -1;
	return archive_reader_finish(&r, err);
}

static void
what_was_written_is_read_in_any_pieces(void **state)
{
	static const struct archive_entry entries[] = { { ARCHIVE_NAME, "alice", 0, 0 }, { ARCHIVE_FOLDER, "mail", 7, 0 },
		{ ARCHIVE_FILE, "mail/a b\xc3\xab", UINT64_C(1) << 40, 5 }, { ARCHIVE_FILE, "empty", 0, 0 }, { ARCHIVE_END, "", 0, 0 } };
	unsigned char stream[8192];
	size_t len = 0, n;
	struct error err;
	(void)state;
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		assert_int_equal(archive_encode(&entries[i], stream + len, &n, &err), 0);
		len += n;
		memcpy(stream + len, "hello", entries[i].size);
		len += entries[i].size;
	}
	for (size_t piece = 1; piece <= len; piece++) {
		struct seen seen = { 0 };
		assert_int_equal(read_in_pieces(stream, len, piece, &seen, &err), 0);
		assert_string_equal(seen.text, "1 alice 0 0;2 mail 7 0;3 mail/a b\xc3\xab 1099511627776 5;hello|3 empty 0 0;|");
	}
	for (size_t cut = 0; cut < len; cut++) {
		struct seen seen = { 0 };
		assert_int_equal(read_in_pieces(stream, cut, cut > 0 ? cut : 1, &seen, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	stream[len] = 0;
	struct seen seen = { 0 };
	assert_int_equal(read_in_pieces(stream, len + 1, len + 1, &seen, &err), -1);
}

static void
no_path_leaves_the_folder(void **state)
{
	static const char *const bad[] = { "", "/", "/etc/passwd", "..", ".", "a/..", "../a", "a/../b", "a/./b", "a//b", "a/", "a\nb",
		"a\x7f", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17" };
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (int type = ARCHIVE_FOLDER; type <= ARCHIVE_FILE; type++) {
			unsigned char stream[512], encoded[ARCHIVE_FIXED_BYTES + ARCHIVE_PATH_MAX];
			struct archive_entry entry = { .type = (enum archive_type)type };
			struct seen seen = { 0 };
			struct error err;
			size_t len = put(stream, ARCHIVE_NAME, "alice", 0, ""), n;
			len += put(stream + len, type, bad[i], 0, "");
			assert_int_equal(read_in_pieces(stream, len, len, &seen, &err), -1);
			assert_int_equal(err.code, ERROR_INVALID);
			assert_int_equal(seen.entries, 1);
			strcpy(entry.path, bad[i]);
			assert_int_equal(archive_encode(&entry, encoded, &n, &err), -1);
		}
}

static void
what_no_writer_writes_is_refused(void **state)
{
	static const struct {
		int type;
		const char *path;
		uint64_t size;
	} bad[] = { { ARCHIVE_NAME, "again", 0 }, { 4, "link", 0 }, { 255, "x", 0 }, { ARCHIVE_FOLDER, "a", 1 }, { ARCHIVE_END, "a", 0 },
		{ ARCHIVE_END, "", 1 }, { ARCHIVE_FILE, "a", ARCHIVE_FILE_MAX_BYTES + 1 }, { ARCHIVE_FILE, "a", UINT64_MAX } };
	unsigned char stream[4096];
	struct error err;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct seen seen = { 0 };
		size_t len = put(stream, ARCHIVE_NAME, "alice", 0, "");
		len += put(stream + len, bad[i].type, bad[i].path, bad[i].size, "");
		assert_int_equal(read_in_pieces(stream, len, len, &seen, &err), -1);
		assert_int_equal(seen.entries, 1);
	}
	for (int type = ARCHIVE_END; type <= ARCHIVE_FILE; type++) { /* the name comes first, and is one part */
		struct seen seen = { 0 };
		size_t len = put(stream, type, type == ARCHIVE_END ? "" : "a/b", 0, "");
		assert_int_equal(read_in_pieces(stream, len, len, &seen, &err), -1);
		assert_int_equal(seen.entries, 0);
	}
	char path[ARCHIVE_PATH_MAX + 2];
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	for (size_t i = 200; i < sizeof path - 1; i += 200)
		path[i] = '/';
	struct seen seen = { 0 };
	size_t len = put(stream, ARCHIVE_NAME, "alice", 0, "");
	len += put(stream + len, ARCHIVE_FILE, path, 0, "");
	assert_int_equal(read_in_pieces(stream, len, len, &seen, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void
what_the_handler_says_ends_the_reading(void **state)
{
	unsigned char stream[512];
	struct seen seen = { .fail_at_entry = 2 };
	struct error err;
	(void)state;
	size_t len = put(stream, ARCHIVE_NAME, "alice", 0, "");
	len += put(stream + len, ARCHIVE_FOLDER, "a", 0, "");
	len += put(stream + len, ARCHIVE_FOLDER, "b", 0, "");
	assert_int_equal(read_in_pieces(stream, len, len, &seen, &err), -1);
	assert_int_equal(err.code, ERROR_NO_SPACE);
	assert_int_equal(seen.entries, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_in_any_pieces),
		cmocka_unit_test(no_path_leaves_the_folder),
		cmocka_unit_test(what_no_writer_writes_is_refused),
		cmocka_unit_test(what_the_handler_says_ends_the_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
