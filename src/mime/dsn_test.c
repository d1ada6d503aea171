/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

#include "mime/dsn.h"
#include "mime/fields.h"
#include "mime/header.h"
#include "mime/library.h"

#define ORIGINAL "From: alice@own.onion\r\nSubject: hello\r\nMessage-ID: <1@own.onion>\r\n"

static const struct dsn_request plain = {
	.onion = "own.onion", .recipient = "alice@own.onion", .now_s = 1795344471, .arrival_s = 1795300000,
	.id_letters = "abcdefghijklmnopqrstuvwxyz", .boundary_letters = "zyxwvutsrqponmlkjihgfedcba",
};

static char *
compose(const struct dsn_request *request, bool *needs_smtputf8, bool *has_8bit)
{
	struct buffer out;
	struct error err = { 0 };
	buffer_init(&out, DSN_MAX_BYTES);
	int result = dsn_compose(request, &out, needs_smtputf8, has_8bit, &err);
	if (result != 0)
		print_error("%s\n", err.text);
	assert_int_equal(result, 0);
	char *text = strndup((const char *)buffer_bytes(&out), buffer_len(&out));
	assert_non_null(text);
	assert_int_equal(strlen(text), buffer_len(&out)); /* no NUL */
	buffer_finish(&out);
	return text;
}

static void
a_refusal_reads_like_this(void **state)
{
	(void)state;
	const struct dsn_failure failure = { slice_of_string("bob@other.onion"), 550, slice_of_string("5.1.1"),
		slice_of_string("no such mailbox") };
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	request.failures = &failure;
	request.failure_count = 1;
	request.original = slice_of_string(ORIGINAL "\r\nthe text\r\n");
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	assert_string_equal(text,
	    "Date: Sun, 22 Nov 2026 10:47:51 +0000\r\n"
	    "From: Mail Delivery System <postmaster@own.onion>\r\n"
	    "To: <alice@own.onion>\r\n"
	    "Subject: Your message could not be delivered\r\n"
	    "Message-ID: <abcdefghijklmnopqrstuvwxyz@own.onion>\r\n"
	    "In-Reply-To: <1@own.onion>\r\n"
	    "References: <1@own.onion>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    " boundary=\"=_zyxwvutsrqponmlkjihgfedcba\"\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"
	    "\r\n"
	    "--=_zyxwvutsrqponmlkjihgfedcba\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"
	    "\r\n"
	    "Your message of Sat, 21 Nov 2026 22:26:40 +0000 could not be delivered to\r\n"
	    "this recipient:\r\n"
	    "\r\n"
	    "bob@other.onion\r\n"
	    "  It was refused with these words:\r\n"
	    "  > 550 5.1.1 no such mailbox\r\n"
	    "  Look whether the address is right: ask the person for it, or copy it again from where you have it.\r\n"
	    "\r\n"
	    "It will not be tried any more. The header of your message is attached; the message itself is where\r\n"
	    "your mail program keeps what you sent.\r\n"
	    "\r\n"
	    "--=_zyxwvutsrqponmlkjihgfedcba\r\n"
	    "Content-Type: message/delivery-status\r\n"
	    "\r\n"
	    "Reporting-MTA: dns; own.onion\r\n"
	    "Arrival-Date: Sat, 21 Nov 2026 22:26:40 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; bob@other.onion\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such mailbox\r\n"
	    "\r\n"
	    "--=_zyxwvutsrqponmlkjihgfedcba\r\n"
	    "Content-Type: text/rfc822-headers\r\n"
	    "\r\n"
	    ORIGINAL
	    "\r\n"
	    "--=_zyxwvutsrqponmlkjihgfedcba--\r\n");
	assert_false(needs_smtputf8);
	assert_false(has_8bit);
	free(text);
}

static void
a_delay_reads_like_this(void **state)
{
	(void)state;
	const struct dsn_failure waiting[] = {
		{ slice_of_string("bob@other.onion"), 0, slice_of_string("4.4.7"), slice_of_string("the node is off") },
		{ slice_of_string("carol@other.onion"), 450, slice_of_string("4.2.0"), slice_of_string("mailbox busy") },
	};
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	request.failures = waiting;
	request.failure_count = 2;
	request.will_end_s = request.arrival_s + 7 * 86400;
	request.original = slice_of_string(ORIGINAL "\r\nthe text\r\n");
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	assert_non_null(strstr(text, "Subject: Your message has not arrived yet\r\n"));
	assert_non_null(strstr(text, "\r\nIn-Reply-To: <1@own.onion>\r\n"));
	assert_non_null(strstr(text,
	    "\r\n\r\nYour message of Sat, 21 Nov 2026 22:26:40 +0000 has not arrived yet at\r\n"
	    "these recipients:\r\n"
	    "\r\n"
	    "bob@other.onion\r\n"
	    "  the node is off\r\n"
	    "\r\n"
	    "carol@other.onion\r\n"
	    "  The server of the other side asks to try again later, with these words:\r\n"
	    "  > 450 4.2.0 mailbox busy\r\n"
	    "\r\n"
	    "You need not do anything, and need not send it again: it is tried again and again. If it has not arrived\r\n"
	    "by Sat, 28 Nov 2026 22:26:40 +0000, it will be given up, and you will be told. The folder Waiting shows how it stands.\r\n"));
	assert_non_null(strstr(text,
	    "Final-Recipient: rfc822; bob@other.onion\r\n"
	    "Action: delayed\r\n"
	    "Status: 4.4.7\r\n"
	    "Will-Retry-Until: Sat, 28 Nov 2026 22:26:40 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; carol@other.onion\r\n"
	    "Action: delayed\r\n"
	    "Status: 4.2.0\r\n"
	    "Will-Retry-Until: Sat, 28 Nov 2026 22:26:40 +0000\r\n"
	    "Diagnostic-Code: smtp; 450 4.2.0 mailbox busy\r\n"));
	assert_null(strstr(text, "given up on")); /* nothing failed */
	assert_null(strstr(text, "could not be delivered"));
	free(text);
}

static void
a_held_message_waits_for_its_owner(void **state)
{
	(void)state;
	const struct dsn_failure held = { slice_of_string("bob@other.onion"), 0, slice_of_string("4.7.5"), slice_of_string("another key") };
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	request.failures = &held;
	request.failure_count = 1;
	request.will_end_s = request.arrival_s + 7 * 86400;
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	assert_non_null(strstr(text, "  another key\r\n\r\nIt waits until you have decided about the key, or the old one is back."));
	assert_null(strstr(text, "need not do anything"));
	free(text);
}

/* What the queue says when it gives up, and what a person reads then. */
static void
each_cause_has_its_words(void **state)
{
	(void)state;
	static const char tried[] = "  It was tried again and again, for as long as it was allowed to. The last try ended so:\r\n";
	static const struct {
		unsigned code;
		const char *enhanced, *text, *before, *advice;
	} table[] = {
		{ 0, "5.7.5", "Nothing was sent", "\r\n", "whether the key has changed" },
		{ 0, "4.4.1", "it went offline", tried, "switched off all the time. Send your message again" }, /* offline */
		{ 0, "4.4.4", "it is not published", tried, "address is right. If it is, the other side" }, /* never existed */
		{ 0, "5.1.2", "no valid onion address", "\r\n", "address is right: ask the person" },
		{ 0, "4.7.0", "open to authorised clients only", tried, "lets in only those who have a key" },
		{ 0, "4.4.2", "the connection broke", tried, "switched off all the time" },
		{ 0, "4.5.0", "TLS: wrong version", tried, "fault that its owner must see to" },
		{ 554, "5.3.2", "go away", "  It was refused with these words:\r\n", "another way, or send your message again later" },
		{ 550, "5.7.1", "not from you", "  It was refused with these words:\r\n", "not accept this message from you" },
		{ 450, "4.7.0", "greylisted", tried, "switched off" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct dsn_failure failure = { slice_of_string("bob@other.onion"), table[i].code,
			slice_of_string(table[i].enhanced), slice_of_string(table[i].text) };
		struct dsn_request request = plain;
		bool needs_smtputf8, has_8bit;
		char expected[400], quote[64] = "";
		if (table[i].code != 0)
			snprintf(quote, sizeof quote, "> %u %s ", table[i].code, table[i].enhanced);
		snprintf(expected, sizeof expected, "%s  %s%s\r\n  ", table[i].before, quote, table[i].text);
		request.failures = &failure;
		request.failure_count = 1;
		char *text = compose(&request, &needs_smtputf8, &has_8bit);
		assert_non_null(strstr(text, expected));
		assert_non_null(strstr(text, table[i].advice));
		assert_int_equal(strstr(text, "Diagnostic-Code") != NULL, table[i].code != 0); /* what no server said is no reply */
		free(text);
	}
}

static void
a_mail_library_reads_its_parts(void **state)
{
	(void)state;
	const struct dsn_failure failures[] = {
		{ slice_of_string("bob@other.onion"), 550, slice_of_string("5.1.1"), slice_of_string("no such mailbox") },
		{ slice_of_string("j\xc3\xb6+x@other.onion"), 0, slice_of_string("4.4.7"), slice_of_string("not reached in 7 days") },
	};
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	request.failures = failures;
	request.failure_count = 2;
	request.original = slice_of_string("Subject: J\xc3\xb6\r\n\r\n");
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	assert_true(needs_smtputf8);
	assert_true(has_8bit);
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(text, strlen(text));
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	assert_non_null(message);
	GMimeMultipart *report = GMIME_MULTIPART(g_mime_message_get_mime_part(message));
	assert_int_equal(g_mime_multipart_get_count(report), 3);
	static const char *const types[] = { "text/plain", "message/delivery-status", "message/global-headers" };
	for (int i = 0; i < 3; i++) {
		char *type = g_mime_content_type_get_mime_type(g_mime_object_get_content_type(g_mime_multipart_get_part(report, i)));
		assert_string_equal(type, types[i]);
		g_free(type);
	}
	assert_non_null(strstr(text, "Final-Recipient: utf-8; j\\x{F6}\\x{2B}x@other.onion\r\nAction: failed\r\nStatus: 4.4.7\r\n\r\n"));
	g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	free(text);
}

static void
a_strangers_words_stay_in_their_line(void **state)
{
	(void)state;
	/* NOLINTNEXTLINE(misc-misleading-bidirectional): misleads on purpose */
	static const char words[] = "no\r\nSubject: x\r\n\r\n--=_zyx\n.\n\x1b[2J\0 J\xc3\xb6 \xff \xe2\x80\xae" "evil";
	const struct dsn_failure failure = { slice_of_string("bob@other.onion\r\nX: y"), 554, slice_of_string("5.1.1\r\n"),
		slice_of(words, sizeof words - 1) };
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	request.failures = &failure;
	request.failure_count = 1;
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	assert_non_null(strstr(text, "  > 554 no??Subject: x?\?\?\?--=_zyx?.??[2J? J\xc3\xb6 ? ?evil\r\n"));
	assert_non_null(strstr(text, "Diagnostic-Code: smtp; 554 no??Subject: x?\?\?\?--=_zyx?.??[2J? J? ? ?evil\r\n"));
	assert_non_null(strstr(text, "Final-Recipient: rfc822; bob@other.onion??X: y\r\nAction: failed\r\nStatus: 5.0.0\r\n"));
	free(text);
}

static void
advice_follows_the_status(void **state)
{
	(void)state;
	static const struct {
		unsigned code;
		const char *enhanced, *words;
	} table[] = {
		{ 550, "5.1.1", "address is right" }, { 552, "5.2.2", "full" }, { 552, "5.3.4", "smaller" },
		{ 550, "5.7.1", "does not accept" }, { 451, "4.3.0", "switched off" }, { 0, "4.4.7", "switched off" },
		{ 0, "", "switched off" }, { 550, "", "another way" }, { 550, "2.0.0", "another way" }, { 554, "5.6.0", "plain text" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct dsn_failure failure = { slice_of_string("bob@other.onion"), table[i].code,
			slice_of_string(table[i].enhanced), slice_of_string("words") };
		struct dsn_request request = plain;
		bool needs_smtputf8, has_8bit;
		request.failures = &failure;
		request.failure_count = 1;
		char *text = compose(&request, &needs_smtputf8, &has_8bit);
		assert_non_null(strstr(text, table[i].words));
		free(text);
	}
}

static void
a_large_header_is_cut_between_fields(void **state)
{
	(void)state;
	enum { count = 900 };
	static char original[count * 80 + 1];
	char *at = original;
	for (size_t i = 0; i < count; i++) {
		memset(at, 'x', 78);
		memcpy(at, "A: ", 3);
		memcpy(at + 78, "\r\n", 3);
		at += 80;
	}
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	request.original = slice_of_string(original);
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	assert_in_range(strlen(text), DSN_ORIGINAL_HEADER_MAX_BYTES, DSN_ORIGINAL_HEADER_MAX_BYTES + 2000);
	assert_non_null(strstr(text, "xx\r\n\r\n--=_zyxwvutsrqponmlkjihgfedcba--\r\n"));
	free(text);
}

static void
a_mailbox_cannot_begin_another_field(void **state)
{
	(void)state;
	static const char *const bad[] = { "a@b\r\nBcc: c@d", "a@b\n", "a@b> <c@d", "a b@c", "a@\xff" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct dsn_request request = plain;
		struct buffer out;
		struct error err = { 0 };
		bool needs_smtputf8, has_8bit;
		request.recipient = bad[i];
		buffer_init(&out, DSN_MAX_BYTES);
		assert_int_equal(dsn_compose(&request, &out, &needs_smtputf8, &has_8bit, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		buffer_finish(&out);
	}
}

/* Notifications stay in the own mailbox. They hold nothing all the same that would not be let out. */
static void
a_notification_holds_only_what_may_leave(void **state)
{
	(void)state;
	const struct dsn_failure failure = { slice_of_string("bob@other.onion"), 550, slice_of_string("5.1.1"),
		slice_of_string("no such mailbox") };
	struct dsn_request request = plain;
	bool needs_smtputf8, has_8bit;
	struct header_scan scan;
	struct header_field field;
	request.failures = &failure;
	request.failure_count = 1;
	request.original = slice_of_string(ORIGINAL "\r\nthe text\r\n");
	char *text = compose(&request, &needs_smtputf8, &has_8bit);
	size_t parts = 0;
	for (const char *at = text; at != NULL; parts++) {
		header_scan_init(&scan, slice_of_string(at));
		while (header_scan_next(&scan, &field, NULL) == 1)
			if (!fields_may_leave(field.name, parts > 0))
				fail_msg("%.*s", (int)field.name.len, (const char *)field.name.data);
		at = strstr((const char *)scan.rest.data, "--=_zyxwvutsrqponmlkjihgfedcba\r\n");
		if (at != NULL)
			at = strstr(at, "\r\n") + 2;
	}
	assert_int_equal(parts, 4);
	free(text);
}

int
main(void)
{
	library_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_reads_like_this),
		cmocka_unit_test(a_delay_reads_like_this),
		cmocka_unit_test(a_held_message_waits_for_its_owner),
		cmocka_unit_test(each_cause_has_its_words),
		cmocka_unit_test(a_mail_library_reads_its_parts),
		cmocka_unit_test(a_strangers_words_stay_in_their_line),
		cmocka_unit_test(advice_follows_the_status),
		cmocka_unit_test(a_large_header_is_cut_between_fields),
		cmocka_unit_test(a_mailbox_cannot_begin_another_field),
		cmocka_unit_test(a_notification_holds_only_what_may_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
