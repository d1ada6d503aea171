/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

#include "mime/library.h"
#include "mime/note.h"

#define LETTERS "zyxwvutsrqponmlkjihgfedcba"
#define PICTURE "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"

static char *
compose(const char *message, const char *mark, const char *text, bool is_cut)
{
	struct note_request request = { .message = slice_of_string(message), .mark = slice_of_string(mark),
		.text = slice_of_string(text), .is_cut = is_cut, .boundary_letters = LETTERS };
	struct buffer out;
	buffer_init(&out, strlen(message) + NOTE_ADDED_MAX_BYTES);
	assert_int_equal(note_compose(&request, &out, NULL), 0);
	char *copy = strndup((const char *)buffer_bytes(&out), buffer_len(&out));
	assert_non_null(copy);
	buffer_finish(&out);
	return copy;
}

static void
the_content_moves_below_the_note(void **state)
{
	(void)state;
	char *copy = compose("From: alice@own.onion\r\nMIME-Version: 1.0\r\n" PICTURE "Subject: =?utf-8?q?J=C3=B6?=\r\n"
	    " and a second line\r\nMessage-ID: <1@own.onion>\r\n\r\nAAAA\r\n", "offline, again at 14:05", "It waits.\nFor J\xc3\xb6\n",
	    false);
	assert_string_equal(copy,
	    "From: alice@own.onion\r\n"
	    "Subject: [offline, again at 14:05]\r\n"
	    " =?utf-8?q?J=C3=B6?=\r\n"
	    " and a second line\r\n"
	    "Message-ID: <1@own.onion>\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=\"=_" LETTERS "\"\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"
	    "\r\n"
	    "--=_" LETTERS "\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"
	    "Content-Disposition: inline\r\n"
	    "\r\n"
	    "It waits.\r\n"
	    "For J\xc3\xb6\r\n"
	    "\r\n"
	    "--=_" LETTERS "\r\n"
	    PICTURE
	    "\r\n"
	    "AAAA\r\n"
	    "\r\n"
	    "--=_" LETTERS "--\r\n");
	free(copy);
}

static void
a_mail_library_finds_note_and_message(void **state)
{
	(void)state;
	char *copy = compose("From: alice@own.onion\r\nsubject:x\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
	    "--b\r\n\r\none\r\n--b\r\n" PICTURE "\r\nAAAA\r\n--b--\r\n", "offline", "It waits.\n", false);
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(copy, strlen(copy));
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	assert_non_null(message);
	assert_string_equal(g_mime_message_get_subject(message), "[offline] x");
	GMimeMultipart *top = GMIME_MULTIPART(g_mime_message_get_mime_part(message));
	assert_int_equal(g_mime_multipart_get_count(top), 2);
	char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(g_mime_multipart_get_part(top, 0)));
	assert_string_equal(text, "It waits.\r\n");
	g_free(text);
	assert_int_equal(g_mime_multipart_get_count(GMIME_MULTIPART(g_mime_multipart_get_part(top, 1))), 2);
	g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	free(copy);
}

static void
a_large_message_comes_without_its_content(void **state)
{
	(void)state;
	static const char message[] = "Subject: large\r\n" PICTURE "\r\nAAAA";
	char *copy = compose(message, "", "It has arrived.\n", true);
	assert_ptr_equal(strstr(copy, "Subject: large\r\nMIME-Version"), copy);
	assert_null(strstr(copy, "image/png"));
	assert_null(strstr(copy, "AAAA"));
	free(copy);
	copy = compose("Subject: x\r\nno field\r\n\r\nBBBB\r\n", "m", "It waits.\n", false); /* nor does one that is none */
	assert_null(strstr(copy, "BBBB"));
	free(copy);
	copy = compose("From: a@b\r\n\r\nBBBB\r\n", "m", "It waits.\n", false);
	assert_non_null(strstr(copy, "From: a@b\r\nSubject: [m]\r\nMIME-Version"));
	assert_non_null(strstr(copy, "\r\n\r\nBBBB\r\n"));
	free(copy);
}

static void
a_strangers_words_stay_in_their_line(void **state)
{
	(void)state;
	char *copy = compose("Subject: x\r\n\r\n", "a\r\nBcc: b\xc3\xb6", "no\r\x1b[2J\n.\n", false);
	assert_non_null(strstr(copy, "Subject: [a??Bcc: b?]\r\n x\r\n"));
	assert_non_null(strstr(copy, "\r\n\r\nno??[2J\r\n.\r\n\r\n"));
	free(copy);
}

int
main(void)
{
	library_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_content_moves_below_the_note),
		cmocka_unit_test(a_mail_library_finds_note_and_message),
		cmocka_unit_test(a_large_message_comes_without_its_content),
		cmocka_unit_test(a_strangers_words_stay_in_their_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
