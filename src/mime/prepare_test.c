/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/test_vectors.h"
#include "mime/library.h"
#include "mime/prepare.h"

#define NOW "Date: Sun, 22 Nov 2026 10:47:51 +0000\r\n"
#define ID "Message-ID: <abcdefghijklmnopqrstuvwxyz@own.onion>\r\n"
#define FROM "From: alice@own.onion\r\n"
#define IDS "<1@host> <one@own.onion>\n<one@own.onion> <one@own.onion>\n<2@bob.onion> <2@bob.onion>\n"

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
	const struct prepare_stream stream = { m.in.len, read_memory, write_memory, &m, NULL };
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

static int64_t date_step_s = 1;

static int
prepare(struct slice message, struct buffer *out, struct prepare_facts *facts, struct error *err)
{
	const struct prepare_request request = { .message = message, .local_part = "alice", .onion = "own.onion",
		.now_s = 1795344471, .date_step_s = date_step_s, .id_letters = "abcdefghijklmnopqrstuvwxyz",
		.ids = slice_of_string(IDS) };
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
		/* what names the machine or hidden recipients goes, whatever its case and folding, and what nobody knows */
		{ "Received: from host (host [10.0.0.1])\r\n\tby x; Sun, 1 Nov 2026 00:00:00 +0100\r\n" FROM
		  "bcc: carol@x.onion,\r\n dave@x.onion\r\nBcc : eve@x.onion\r\nRESENT-BCC: f@x.onion\r\n" NOW ID
		  "User-Agent: Mutt/2.2.9\r\nX-Mailer: swaks\r\nX-Mailer-Plugin: y\r\nX-Originating-IP: [192.0.2.1]\r\n"
		  "Return-Path: <a@b>\r\nDelivered-To: alice@host\r\nX-X-Sender: alice@host\r\n"
		  "Subject:  two  spaces\t\r\n \r\nX-Other: goes\r\n\r\nBcc: in the text\r\n",
		  FROM "Subject: two  spaces\r\n" NOW ID "\r\nBcc: in the text\r\n" },
		/* a script that writes no From means its own */
		{ NOW ID "Subject: disk\r\n\r\nfull\r\n", FROM "Subject: disk\r\n" NOW ID "\r\nfull\r\n" },
		/* dates tell no time zone */
		{ FROM ID "Date: Sun, 22 Nov 2026 12:47:51 +0200 (EET)\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM ID "Date:\r\n Sun, 22 Nov 2026\r\n 02:47:51 PST\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM ID "Date: today\r\nResent-Date: Sun, 22 Nov 2026 12:47:51 +0200\r\n\r\n", "Resent-" NOW FROM NOW ID "\r\n" },
		/* ids: the program's own does not leave, nor what it refers to and is not in the map, nor what stands beside */
		{ FROM NOW "Message-ID: <1@host>\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW "MESSAGE-ID : <1@host> (on host)\r\nResent-Message-ID: <3@host>\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW ID "in-reply-to: Your message <1@host>\r\nREFERENCES:<3@host>\r\n\t<2@bob.onion> (host),<1@host>\r\n\r\n",
		  FROM NOW ID "In-Reply-To: <one@own.onion>\r\nReferences: <2@bob.onion>\r\n <one@own.onion>\r\n\r\n" },
		{ FROM NOW ID "References: <1@host>\r\nReferences: <2@bob.onion>\r\n\r\n",
		  FROM NOW ID "References: <one@own.onion>\r\n <2@bob.onion>\r\n\r\n" },
		{ FROM NOW ID "In-Reply-To: alice@host\r\nReferences: <3@host>\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW "Message-ID:\r\n\r\n", FROM NOW ID "\r\n" },
		/* Sender */
		{ FROM NOW ID "Sender: alice@host\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW ID "Sender: junk: ( \xff\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW ID "Sender: Alice <alice+x@own.onion>\r\n\r\n", FROM "Sender: Alice <alice+x@own.onion>\r\n" NOW ID "\r\n" },
		{ "FROM :\r\n =?UTF-8?Q?J=C3=B6?=\r\n <Alice@OWN.onion>\r\n" NOW ID "\r\n",
		  "From: =?UTF-8?Q?J=C3=B6?= <Alice@OWN.onion>\r\n" NOW ID "\r\n" },
		/* flags */
		{ FROM NOW ID "\r\nJ\xc3\xb6\r\n", FROM NOW ID "\r\nJ\xc3\xb6\r\n", true, false },
		{ FROM NOW ID "\r\n\xff\xfe\r\n", FROM NOW ID "\r\n\xff\xfe\r\n", true, false },
		{ FROM NOW ID "Subject: J\xc3\xb6\r\n\r\n", FROM "Subject: J\xc3\xb6\r\n" NOW ID "\r\n", true, true },
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
		/* another address would be tied to this one */
		ROW(FROM "Reply-To: bob@other.onion\r\n\r\n", ERROR_DENIED, "Reply-To: names another address"),
		ROW(FROM "Reply-To: alice@own.onion, bob@other.onion\r\n\r\n", ERROR_DENIED, "tie the two together"),
		ROW(FROM "Reply-To: group:alice@own.onion;\r\n\r\n", ERROR_INVALID, "Reply-To: must hold your own"),
		/* a structure that two readers could see differently, or of which nothing could be read */
		ROW(FROM "Content-Type: multipart/mixed\r\n\r\n", ERROR_INVALID, "has no boundary"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=\"A\r\n\r\n", ERROR_INVALID, "one way only"),
		ROW(FROM "Content-Type: multipart/mixed; boundary==A\r\n\r\n", ERROR_INVALID, "one way only"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A; boundary=B\r\n\r\n", ERROR_INVALID, "one way only"),
		ROW(FROM "Content-Type: multipart/mixed; boundary*=us-ascii''A\r\n\r\n", ERROR_INVALID, "one way only"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=\"A \"\r\n\r\n", ERROR_INVALID, "one way only"),
		ROW(FROM "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n", ERROR_INVALID, "more than one Content-Type"),
		ROW(FROM "Content-Type: text\r\n\r\n", ERROR_INVALID, "no type like text/plain"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--B\r\n\r\nx\r\n--B--\r\n", ERROR_INVALID, "no such line follows"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A--\r\n", ERROR_INVALID, "no such line follows"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n",
		    ERROR_INVALID, "same boundary"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Type: multipart/mixed; boundary=A--\r\n\r\n--A\r\n",
		    ERROR_INVALID, "same boundary"),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nnonsense\r\n\r\n--A--\r\n", ERROR_INVALID, "part 1: "),
		ROW(FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Description: \xff\r\n\r\n--A--\r\n", ERROR_INVALID,
		    "not in UTF-8"),
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

/* Of what the seed of zeros makes. */
#define B1 "=_rii7erw75rgaxowizjwcc45exh"
#define B2 "=_vo6dy7cd2re6veu5ayhjghzpt7"
#define B3 "=_rvmninvwgqomds57loktqu7sp6"
#define TOP FROM NOW ID "MIME-Version: 1.0\r\n"
#define MULTI(subtype, boundary) "Content-Type: multipart/" subtype ";\r\n boundary=\"" boundary "\"\r\n"

static void
parts_get_new_boundaries_and_headers(void **state)
{
	(void)state;
	static const struct {
		const char *message, *expected;
	} table[] = {
		/* what no mail program shows goes, and what programs write beside the type */
		{ TOP "Content-Type: Multipart/Mixed;\r\n\tx=y; BOUNDARY=\"a b\" (so)\r\n\r\npreamble\r\n--a b \t\r\n"
		  "X-Part: 1\r\ncontent-type:TEXT/plain; Charset=UTF-8; x-unix-mode=0644\r\nContent-Language: de\r\n\r\nhi\r\n--a b--\r\nepilogue\r\n",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi\r\n--" B1 "--\r\n" },
		/* a boundary is the whole line; one inside another; an empty part; a part without a header */
		{ TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Type: multipart/alternative; boundary=AA\r\n\r\n"
		  "--AA\r\n\r\n--AB\r\n --A\r\n--A-\r\n--AA\r\n--A\r\n\r\n--A--\r\n",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\n" MULTI("alternative", B2) "\r\n--" B2 "\r\n\r\n--AB\r\n --A\r\n--A-\r\n--" B2
		  "\r\n\r\n--" B2 "--\r\n--" B1 "\r\n\r\n--" B1 "--\r\n" },
		/* no end: nothing of the content is lost */
		{ TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n\r\nhi\r\n",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\n\r\nhi\r\n\r\n--" B1 "--\r\n" },
		{ TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n\r\nhi",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\n\r\nhi\r\n--" B1 "--\r\n" },
		{ TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n\r\nhi\r\n--A",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\n\r\nhi\r\n--" B1 "\r\n\r\n--" B1 "--\r\n" },
		/* what was signed keeps every byte; what stands beside it does not */
		{ TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Type: multipart/signed; micalg=PGP-SHA512;\r\n"
		  " protocol=\"application/pgp-signature\"; boundary=S\r\n\r\nThis is signed\r\n--S\r\nContent-TYPE: multipart/mixed;\r\n"
		  "\tboundary=I; x=y\r\nX-Inner: kept\r\n\r\npre\r\n--I\r\nX-Y: z\r\n\r\n\r\n--I--\r\npost \r\n--S\r\n"
		  "Content-Description: made by a program\r\nContent-Type: application/pgp-signature; name=\"signature.asc\"\r\nX-Y: z\r\n\r\nsig\r\n\r\n--S--\r\n\r\n--A--\r\n",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\";\r\n"
		  " micalg=pgp-sha512;\r\n boundary=\"" B2 "\"\r\n\r\n--" B2 "\r\nContent-TYPE: multipart/mixed;\r\n"
		  "\tboundary=I; x=y\r\nX-Inner: kept\r\n\r\npre\r\n--I\r\nX-Y: z\r\n\r\n\r\n--I--\r\npost \r\n--" B2 "\r\n"
		  "Content-Type: application/pgp-signature; name=signature.asc\r\n\r\nsig\r\n\r\n--" B2 "--\r\n--" B1 "--\r\n" },
		/* an attached message is content */
		{ TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Type: message/rfc822\r\n\r\nReceived: x\r\nX-Y: z\r\n"
		  "Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nX-Y: z\r\n\r\n--B--\r\n--A--\r\n",
		  TOP MULTI("mixed", B1) "\r\n--" B1 "\r\nContent-Type: message/rfc822\r\n\r\nReceived: x\r\nX-Y: z\r\n"
		  "Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nX-Y: z\r\n\r\n--B--\r\n--" B1 "--\r\n" },
		/* a receipt does not say which program wrote it */
		{ TOP "Content-Type: multipart/report; report-type=disposition-notification; boundary=A\r\n\r\n--A\r\n\r\nread\r\n--A\r\n"
		  "Content-Type: message/disposition-notification\r\n\r\nreporting-ua: laptop;\r\n\tMail 1.0\r\nFinal-Recipient: rfc822;alice@own.onion\r\n"
		  "Reporting-UA: x\r\nDisposition: manual-action/MDN-sent-manually;\r\n displayed\r\n\r\n--A--\r\n",
		  TOP "Content-Type: multipart/report; report-type=disposition-notification;\r\n boundary=\"" B1 "\"\r\n\r\n--" B1 "\r\n\r\nread\r\n--"
		  B1 "\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822;alice@own.onion\r\n"
		  "Disposition: manual-action/MDN-sent-manually;\r\n displayed\r\n\r\n--" B1 "--\r\n" },
		/* file names stay, paths and languages go */
		{ TOP "Content-Type: text/plain; name=/home/alice/my list.txt\r\nContent-Disposition: ATTACHMENT;\r\n"
		  " filename*0*=UTF-8'de'%2Fhome%2Falice%2FJ%C3%B6;\r\n filename*1*=%20x;\r\n filename*2=\".txt\"; size=9;\r\n"
		  " creation-date=\"Sun, 22 Nov 2026 12:47:51 +0200\"\r\n\r\n",
		  TOP "Content-Type: text/plain; name=\"my list.txt\"\r\nContent-Disposition: attachment; filename*=utf-8''J%C3%B6%20x.txt\r\n\r\n" },
		/* percent signs are no way to lines of one's own */
		{ TOP "Content-Disposition: attachment; filename*0=\"a\"; filename*1*=%0D%0AX-Y:z%0D%0A%0D%0A.%0A%00;\r\n"
		  " filename*2=b\r\nContent-Type: text/plain; name*0=\"a\"; name*1*=%0AX%FF\r\n\r\n",
		  TOP "Content-Type: text/plain; name*=utf-8''a%0AX%FF\r\nContent-Disposition: attachment;\r\n"
		  " filename*=utf-8''a%0D%0AX-Y%3Az%0D%0A%0D%0A.%0A%00b\r\n\r\n" },
		{ TOP "Content-Disposition: attachment; filename=\"C:\\Users\\alice\\a \\\"b\\\".txt\"; filename=x\r\n\r\n",
		  FROM NOW ID "MIME-Version: 1.0\r\nContent-Disposition: attachment; filename=\"a \\\"b\\\".txt\"\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_prepares(table[i].message, table[i].expected, false, false);
}

/* Only what is on the list leaves, in one order, spelling and folding. */
static void
fields_leave_in_one_form(void **state)
{
	(void)state;
	static const struct {
		const char *message, *expected;
	} table[] = {
		{ "X-Priority: 1 (Highest)\r\nIMPORTANCE: high\r\nmime-version: 1.0 (Mail 16 \\(3\\))\r\nMessage-id: <1@x>\r\n"
		  "X-Unknown: canary\r\nOrganization: canary\r\nMail-Followup-To: <eve@canary.onion>\r\nreferences: <1@host>\r\n\t<2@bob.onion>\r\n"
		  "cc: Bob <bob@x.onion>,\r\n   carol@x.onion\r\nSUBJECT:  a  b\r\n\tc \r\n" NOW FROM "\r\n",
		  FROM "Cc: Bob <bob@x.onion>, carol@x.onion\r\nSubject: a  b c\r\n" NOW ID "References: <one@own.onion>\r\n <2@bob.onion>\r\n"
		  "X-Priority: 1\r\nImportance: high\r\nMIME-Version: 1.0\r\n\r\n" },
		/* addresses that are not the sender's own */
		{ FROM NOW ID "Disposition-Notification-To: <alice@own.onion>\r\nReply-To: alice+x@own.onion\r\n\r\n",
		  FROM "Reply-To: alice+x@own.onion\r\n" NOW ID "Disposition-Notification-To: <alice@own.onion>\r\n\r\n" },
		{ FROM NOW ID "Disposition-Notification-To: <alice@canary.onion>\r\nReply-To:\r\nAutocrypt: addr=a@canary.onion; keydata=AA==\r\n"
		  "Resent-From: a@canary.onion\r\nResent-Sender: alice@host\r\nResent-Message-ID: <1@host>\r\n\r\n", FROM NOW ID "\r\n" },
		{ FROM NOW ID "Autocrypt: prefer-encrypt=mutual; addr=alice@own.onion; keydata=AAAA\r\n BBBB\r\n\r\n",
		  FROM NOW ID "Autocrypt: prefer-encrypt=mutual; addr=alice@own.onion; keydata=AAAA BBBB\r\n\r\n" },
		/* folded where there are single spaces */
		{ FROM "Subject: 0123456789 0123456789 0123456789 0123456789  0123456789 0123456789 0123456789\r\n" NOW ID "\r\n",
		  FROM "Subject: 0123456789 0123456789 0123456789 0123456789  0123456789 0123456789\r\n 0123456789\r\n" NOW ID "\r\n" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_prepares(table[i].message, table[i].expected, false, false);
}

static void
dates_are_cut(void **state)
{
	(void)state;
	static const struct {
		int64_t step_s;
		const char *expected;
	} table[] = {
		{ 60, FROM "Date: Sun, 22 Nov 2026 10:47:00 +0000\r\n" ID "\r\n" },
		{ 3600, FROM "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n" ID "\r\n" },
		{ 86400, FROM "Date: Sun, 22 Nov 2026 00:00:00 +0000\r\n" ID "\r\n" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		date_step_s = table[i].step_s;
		assert_prepares(FROM "Date: Sun, 22 Nov 2026 12:47:51 +0200\r\n\r\n", table[i].expected, false, false);
		assert_prepares(FROM "\r\n", table[i].expected, false, false);
	}
	date_step_s = 1;
}

/* A message is read in steps of 64 KiB: a boundary may stand anywhere in them. */
static void
boundaries_are_found_wherever_they_stand(void **state)
{
	(void)state;
	static const char start[] = TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n\r\n";
	static const char end[] = "\r\n--A\r\n\r\nlast\r\n--A--\r\nepilogue\r\n";
	static const char new_end[] = "\r\n--" B1 "\r\n\r\nlast\r\n--" B1 "--\r\n";
	for (size_t pad = 65536 - 60; pad < 65536 + 10; pad++) {
		char *message = malloc(sizeof start + pad + sizeof end);
		struct buffer out;
		struct prepare_facts facts;
		assert_non_null(message);
		memcpy(message, start, sizeof start - 1);
		for (size_t i = 0; i < pad; i++)
			message[sizeof start - 1 + i] = "0123456789012345678901234567890123456789\r\n"[(i + 42 - pad % 42) % 42];
		message[sizeof start - 1] = message[sizeof start + pad - 2] = '.';
		if (message[sizeof start] == '\n')
			message[sizeof start] = '.';
		memcpy(message + sizeof start - 1 + pad, end, sizeof end);
		if (message[sizeof start + pad - 3] == '\r')
			message[sizeof start + pad - 3] = '.';
		assert_int_equal(prepare(slice_of_string(message), &out, &facts, NULL), 0);
		assert_memory_equal(buffer_bytes(&out) + buffer_len(&out) - sizeof new_end + 1, new_end, sizeof new_end - 1);
		assert_non_null(memmem(buffer_bytes(&out), buffer_len(&out), message + sizeof start - 1, pad));
		buffer_finish(&out);
		free(message);
	}
}

/* Too much of a message's structure is refused, and in time that grows with its length only. */
static void
structure_is_bounded(void **state)
{
	(void)state;
	static const struct {
		const char *piece;
		size_t times;
		const char *words;
	} table[] = {
		{ "--A\r\n\r\nx\r\n", 10000, NULL },
		{ "--A\r\n\r\nx\r\n", 100000, "more than 10000 parts" },
		{ NULL, 29, NULL }, /* one inside the other */
		{ NULL, 100, "more than 30 levels" },
		{ "x-y: z\r\n", 200000, "no such line follows" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct buffer message, out;
		struct prepare_facts facts;
		struct error err = { 0 };
		bool is_nested = table[i].piece == NULL;
		buffer_init(&message, 64 << 20);
		assert_int_equal(buffer_append_string(&message, TOP "Content-Type: multipart/mixed; boundary=A\r\n\r\n", NULL), 0);
		for (size_t n = 0; n < table[i].times; n++)
			if (is_nested)
				assert_int_equal(buffer_printf(&message, NULL, "%sContent-Type: multipart/mixed; boundary=b%zu\r\n\r\n--b%zu\r\n",
				    n == 0 ? "--A\r\n" : "", n, n), 0);
			else
				assert_int_equal(buffer_append_string(&message, table[i].piece, NULL), 0);
		int result = prepare(slice_of(buffer_bytes(&message), buffer_len(&message)), &out, &facts, &err);
		if (table[i].words != NULL)
			assert_non_null(strstr(err.text, table[i].words));
		assert_int_equal(result, table[i].words == NULL ? 0 : -1);
		buffer_finish(&message);
		buffer_finish(&out);
	}
}

/* One message of the specification's: what is submitted, and what leaves or why it is refused. */
static void
check_vector(const char *name, const struct buffer *submitted, const struct buffer *leaves, const char *refused)
{
	struct buffer out;
	struct prepare_facts facts;
	struct error err = { 0 };
	int result = prepare(slice_of(buffer_bytes(submitted), buffer_len(submitted)), &out, &facts, &err);
	if (refused[0] != '\0' ? result == 0 || strstr(err.text, refused) == NULL :
	    result != 0 || buffer_len(&out) != buffer_len(leaves) ||
	    memcmp(buffer_bytes(&out), buffer_bytes(leaves), buffer_len(leaves)) != 0)
		fail_msg("%s: %s%.*s", name, err.text, (int)buffer_len(&out), buffer_bytes(&out));
	buffer_finish(&out);
}

static void
messages_of_the_specification_leave_as_it_says(void **state)
{
	(void)state;
	FILE *file = test_vectors_open("messages.txt");
	char line[1100], name[200] = "", refused[200] = "";
	struct buffer submitted, leaves;
	size_t count = 0;
	bool has_line;
	date_step_s = 60;
	buffer_init(&submitted, 1 << 20);
	buffer_init(&leaves, 1 << 20);
	for (;;) {
		has_line = test_vectors_next(file, line, sizeof line);
		if ((!has_line || strncmp(line, "message ", 8) == 0) && name[0] != '\0') {
			check_vector(name, &submitted, &leaves, refused);
			buffer_finish(&submitted);
			buffer_finish(&leaves);
			refused[0] = '\0';
			count++;
		}
		if (!has_line)
			break;
		if (line[0] == '>' || line[0] == '<')
			assert_int_equal(buffer_printf(line[0] == '>' ? &submitted : &leaves, NULL, "%s\r\n", line + 1), 0);
		else
			snprintf(line[0] == 'm' ? name : refused, sizeof name, "%.199s", line + 8);
	}
	assert_int_equal(count, 15);
	date_step_s = 1;
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
		cmocka_unit_test(parts_get_new_boundaries_and_headers),
		cmocka_unit_test(fields_leave_in_one_form),
		cmocka_unit_test(dates_are_cut),
		cmocka_unit_test(boundaries_are_found_wherever_they_stand),
		cmocka_unit_test(structure_is_bounded),
		cmocka_unit_test(messages_of_the_specification_leave_as_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
