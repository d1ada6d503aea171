/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mime/library.h"
#include "mime/prepare.h"

#define NOW "Date: Sun, 22 Nov 2026 10:47:51 +0000\r\n"
#define ID "Message-ID: <abcdefghijklmnopqrstuvwxyz@own.onion>\r\n"
#define FROM "From: alice@own.onion\r\n"

struct memory_stream {
	struct slice in;
	struct buffer out;
};

static int
read_memory(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	const struct memory_stream *m = context;
	(void)err;
	assert_true(offset <= m->in.len && len <= m->in.len - offset);
	memcpy(out, m->in.data + offset, len);
	return 0;
}

static int
write_memory(void *context, const void *bytes, size_t len, struct error *err)
{
	struct memory_stream *m = context;
	return buffer_append(&m->out, bytes, len, err);
}

/* Whatever becomes of a message in memory becomes of one in a file. */
static void
check_stream(const struct prepare_request *request, int result, const struct buffer *out,
    const struct prepare_facts *facts, const struct error *err)
{
	struct memory_stream m = { .in = request->message };
	const struct prepare_stream stream = { m.in.len, read_memory, write_memory, &m };
	struct prepare_facts own_facts;
	struct error own = { 0 };
	buffer_init(&m.out, m.in.len + PREPARE_ADDED_MAX_BYTES);
	assert_int_equal(prepare_stream(request, &stream, &own_facts, &own), result);
	if (result == 0) {
		assert_int_equal(buffer_len(&m.out), buffer_len(out));
		assert_memory_equal(buffer_bytes(&m.out), buffer_bytes(out), buffer_len(out));
		assert_int_equal(own_facts.has_8bit, facts->has_8bit);
		assert_int_equal(own_facts.needs_smtputf8, facts->needs_smtputf8);
	} else {
		assert_string_equal(own.text, err->text);
	}
	buffer_finish(&m.out);
}

static int
prepare(struct slice message, struct buffer *out, struct prepare_facts *facts, struct error *err)
{
	const struct prepare_request request = { .message = message, .local_part = "alice", .onion = "own.onion",
		.now_s = 1795344471, .id_letters = "abcdefghijklmnopqrstuvwxyz" };
	buffer_init(out, message.len + PREPARE_ADDED_MAX_BYTES);
	struct error own = { 0 };
	int result = prepare_message(&request, out, facts, &own);
	check_stream(&request, result, out, facts, &own);
	if (err != NULL)
		*err = own;
	return result;
}

static void
assert_prepares(const char *message, const char *expected, bool has_8bit, bool needs_smtputf8)
{
	struct buffer out, again;
	struct prepare_facts facts;
	struct error err = { 0 };
	assert_int_equal(prepare(slice_of_string(message), &out, &facts, &err), 0);
	assert_int_equal(buffer_append(&out, "", 1, NULL), 0);
	assert_string_equal(buffer_bytes(&out), expected);
	assert_int_equal(facts.has_8bit, has_8bit);
	assert_int_equal(facts.needs_smtputf8, needs_smtputf8);
	/* preparing again changes nothing */
	size_t len = buffer_len(&out) - 1;
	assert_int_equal(prepare(slice_of(buffer_bytes(&out), len), &again, &facts, &err), 0);
	assert_int_equal(buffer_len(&again), len);
	assert_memory_equal(buffer_bytes(&again), buffer_bytes(&out), len);
	buffer_finish(&out);
	buffer_finish(&again);
}

static void
messages_are_made_fit_to_leave(void **state)
{
	(void)state;
	static const struct {
		const char *message, *expected;
		bool has_8bit, needs_smtputf8;
	} table[] = {
		{ FROM "\r\nhello\r\n", FROM NOW ID "\r\nhello\r\n" },
		{ FROM NOW ID "\r\nhello\r\n", FROM NOW ID "\r\nhello\r\n" },
		{ FROM, FROM NOW ID "\r\n" }, /* no empty line, no text */
		{ FROM NOW ID "\r\nhello", FROM NOW ID "\r\nhello\r\n" },
		{ FROM NOW ID "\r\n.\r\n..\r\n", FROM NOW ID "\r\n.\r\n..\r\n" },
		/* what names the machine or hidden recipients goes, whatever its case and folding; the rest stays byte for byte */
		{ "Received: from host (host [10.0.0.1])\r\n\tby x; Sun, 1 Nov 2026 00:00:00 +0100\r\n" FROM
		  "bcc: carol@x.onion,\r\n dave@x.onion\r\nBcc : eve@x.onion\r\nRESENT-BCC: f@x.onion\r\n" NOW ID
		  "User-Agent: Mutt/2.2.9\r\nX-Mailer: swaks\r\nX-Mailer-Plugin: y\r\nX-Originating-IP: [192.0.2.1]\r\n"
		  "Return-Path: <a@b>\r\nDelivered-To: alice@host\r\nX-X-Sender: alice@host\r\n"
		  "Subject:  two  spaces\t\r\n \r\nX-Other: stays\r\n\r\nBcc: in the text\r\n",
		  FROM NOW ID "Subject:  two  spaces\t\r\n \r\nX-Other: stays\r\n\r\nBcc: in the text\r\n" },
		/* a script that writes no From means its own */
		{ NOW ID "Subject: disk\r\n\r\nfull\r\n", NOW ID "Subject: disk\r\n" FROM "\r\nfull\r\n" },
		/* dates tell no time zone */
		{ FROM ID "Date: Sun, 22 Nov 2026 12:47:51 +0200 (EET)\r\n\r\n", FROM ID NOW "\r\n" },
		{ FROM ID "Date:\r\n Sun, 22 Nov 2026\r\n 02:47:51 PST\r\n\r\n", FROM ID NOW "\r\n" },
		{ FROM ID "Date: today\r\nResent-Date: Sun, 22 Nov 2026 12:47:51 +0200\r\n\r\n", FROM ID NOW "Resent-" NOW "\r\n" },
		/* Message-ID: the program's own stays */
		{ FROM NOW "Message-ID: <1@host>\r\n\r\n", FROM NOW "Message-ID: <1@host>\r\n\r\n" },
		{ FROM NOW "Message-ID:\r\n\r\n", FROM NOW ID "\r\n" },
		/* Sender */
		{ FROM NOW ID "Sender: alice@host\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW ID "Sender: junk: ( \xff\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW ID "Sender: Alice <alice+x@own.onion>\r\n\r\n", FROM NOW ID "Sender: Alice <alice+x@own.onion>\r\n\r\n" },
		{ "FROM :\r\n =?UTF-8?Q?J=C3=B6?=\r\n <Alice@OWN.onion>\r\n" NOW ID "\r\n",
		  "FROM :\r\n =?UTF-8?Q?J=C3=B6?=\r\n <Alice@OWN.onion>\r\n" NOW ID "\r\n" },
		/* flags */
		{ FROM NOW ID "\r\nJ\xc3\xb6\r\n", FROM NOW ID "\r\nJ\xc3\xb6\r\n", true, false },
		{ FROM NOW ID "\r\n\xff\xfe\r\n", FROM NOW ID "\r\n\xff\xfe\r\n", true, false },
		{ FROM NOW ID "Subject: J\xc3\xb6\r\n\r\n", FROM NOW ID "Subject: J\xc3\xb6\r\n\r\n", true, true },
		{ FROM NOW ID "X-Mailer: J\xc3\xb6\r\n\r\n", FROM NOW ID "\r\n", false, false },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_prepares(table[i].message, table[i].expected, table[i].has_8bit, table[i].needs_smtputf8);
}

static void
what_may_not_leave_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		size_t len;
		enum error_code code;
		const char *words;
	} table[] = {
#define ROW(text, code, words) { text, sizeof(text) - 1, code, words }
		ROW("From: bob@other.onion\r\n\r\n", ERROR_DENIED, "alice@own.onion"),
		ROW(FROM FROM "\r\n", ERROR_INVALID, "more than one From:"),
		ROW(FROM NOW NOW "\r\n", ERROR_INVALID, "more than one Date:"),
		ROW(FROM ID ID "\r\n", ERROR_INVALID, "more than one Message-ID:"),
		ROW(FROM "nonsense\r\n\r\n", ERROR_INVALID, "empty line"),
		ROW(FROM "Subject: J\xf6\r\n\r\n", ERROR_INVALID, "Subject is not in UTF-8"),
		ROW("From: \xff <alice@own.onion>\r\n\r\n", ERROR_INVALID, "UTF-8"),
		/* every way to smuggle a second message inside the first */
		ROW(FROM "\r\nx\n.\nMAIL FROM:<eve@x>\r\n", ERROR_INVALID, "line 1 of the text ends in a bare LF"),
		ROW(FROM "\r\nx\r\n.\nMAIL\r\n", ERROR_INVALID, "line 2"),
		ROW(FROM "\r\nx\n.\r\nMAIL\r\n", ERROR_INVALID, "bare LF"),
		ROW(FROM "\r\nx\r.\rMAIL\r\n", ERROR_INVALID, "bare CR"),
		ROW(FROM "\r\nx\r\r\n", ERROR_INVALID, "bare CR"),
		ROW(FROM "\r\nx\r", ERROR_INVALID, "bare CR"),
		ROW(FROM "\r\nx\r\n\0.\r\nMAIL\r\n", ERROR_INVALID, "NUL"),
		ROW(FROM "Subject: x\n.\r\n\r\n", ERROR_INVALID, "CRLF"),
#undef ROW
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct buffer out;
		struct prepare_facts facts;
		struct error err = { 0 };
		assert_int_equal(prepare(slice_of(table[i].message, table[i].len), &out, &facts, &err), -1);
		if (err.code != table[i].code || strstr(err.text, table[i].words) == NULL)
			print_error("row %zu: %d %s\n", i, (int)err.code, err.text);
		assert_int_equal(err.code, table[i].code);
		assert_non_null(strstr(err.text, table[i].words));
		buffer_finish(&out);
	}
}

static void
lines_may_have_998_bytes(void **state)
{
	(void)state;
	for (size_t len = 998; len <= 999; len++) {
		char message[2000] = FROM "\r\n";
		size_t at = strlen(message);
		struct buffer out;
		struct prepare_facts facts;
		memset(message + at, 'x', len);
		memcpy(message + at + len, "\r\n", 2);
		assert_int_equal(prepare(slice_of(message, at + len + 2), &out, &facts, NULL), len == 998 ? 0 : -1);
		buffer_finish(&out);
	}
}

static void
large_bodies_are_copied_whole(void **state)
{
	(void)state;
	static const char line[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n";
	const size_t each = sizeof line - 1, lines = 100000, header = strlen(FROM "\r\n");
	char *message = malloc(header + each * lines);
	assert_non_null(message);
	memcpy(message, FROM "\r\n", header);
	for (size_t i = 0; i < lines; i++)
		memcpy(message + header + i * each, line, each);
	struct buffer out;
	struct prepare_facts facts;
	assert_int_equal(prepare(slice_of(message, header + each * lines), &out, &facts, NULL), 0);
	assert_int_equal(buffer_len(&out), strlen(FROM NOW ID "\r\n") + each * lines);
	assert_memory_equal(buffer_bytes(&out) + strlen(FROM NOW ID "\r\n"), message + header, each * lines);
	buffer_finish(&out);
	free(message);
}

int
main(void)
{
	library_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_made_fit_to_leave),
		cmocka_unit_test(what_may_not_leave_is_refused),
		cmocka_unit_test(lines_may_have_998_bytes),
		cmocka_unit_test(large_bodies_are_copied_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
