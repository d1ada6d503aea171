/* SPDX-License-Identifier: ISC */
#include "smtpd/test_session.h"

#include "base/encode.h"
#include "smtpd/session.h"

#define GREETING "220 " ONION " ESMTP\r\n"
#define HELLO "250 " ONION "\r\n"
#define BYE "221 2.0.0 Bye\r\n"
#define ME "alice@" ONION
#define TOO_MANY "421 4.7.0 Too many errors\r\n"

/* Base64 of a literal with NULs in it; ten may be in use at a time. */
#define B64(literal) b64(literal, sizeof(literal) - 1)
static const char *
b64(const char *bytes, size_t len)
{
	static char texts[10][400];
	static int next;
	char *text = texts[next++ % 10];
	encode_base64(text, bytes, len);
	return text;
}

static void
run(enum smtpd_kind kind, const char *in, const char *heard, const char *taken)
{
	struct bench b;
	bench_begin(&b, kind);
	for (size_t cut = 0; cut < strlen(in); cut++)
		bench_transcript(&b, slice_of_string(in), cut, heard, taken);
	bench_end(&b);
}

static void
takes_plain_and_login(void **state)
{
	(void)state;
	const char *plain = B64("\0" ME "\0secret"), *login = B64(ME), *password = B64("secret");
	static const char *const heard_in[] = { "", "334 \r\n", "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n",
		"334 UGFzc3dvcmQ6\r\n" };
	char said[4][600];
	snprintf(said[0], sizeof said[0], "AUTH PLAIN %s\r\n", plain);
	snprintf(said[1], sizeof said[1], "auth plain\r\n%s\r\n", plain);
	snprintf(said[2], sizeof said[2], "AUTH LOGIN\r\n%s\r\n%s\r\n", login, password);
	snprintf(said[3], sizeof said[3], "AUTH LOGIN %s\r\n%s\r\n", login, password);
	for (size_t i = 0; i < COUNT(said); i++) {
		char in[4000], heard[600];
		snprintf(in, sizeof in, "HELO x\r\n%sAUTH PLAIN\r\nMAIL FROM:<" ME "> AUTH=<>\r\nRCPT TO:<bob@" OTHER_ONION
		    ">\r\nBDAT 1 LAST\r\nxQUIT\r\n", said[i]);
		snprintf(heard, sizeof heard, GREETING HELLO "%s235 2.7.0 Authenticated\r\n503 5.5.1 Authenticated already\r\n"
		    "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n" BYE, heard_in[i]);
		run(SMTPD_SUBMISSION, in, heard, ME ">bob@" OTHER_ONION ",\nx");
	}
}

static void
offers_auth_and_wants_it(void **state)
{
	(void)state;
	run(SMTPD_SUBMISSION, "AUTH PLAIN\r\nEHLO x\r\nMAIL FROM:<" ME ">\r\nRCPT TO:<x@example.com>\r\nQUIT\r\n", GREETING
	    "503 5.5.1 Say EHLO first\r\n"
	    "250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n530 5.7.0 Authentication is required\r\n"
	    "503 5.5.1 Say MAIL first\r\n" BYE, "");
}

static void
refuses_wrong_passwords_five_times(void **state)
{
	(void)state;
#define WRONG "535 5.7.8 Login or password is wrong\r\n"
#define ODD "501 5.5.2 The answer is malformed\r\n"
	char in[2000];
	snprintf(in, sizeof in, "HELO x\r\nAUTH CRAM-MD5\r\nAUTH PLAIN %s\r\nAUTH PLAIN %s\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN !\r\n"
	    "AUTH LOGIN\r\n%s\r\n%s\r\nAUTH PLAIN %s\r\n", B64("\0" ME "\0Secret"), B64("\0bob@" ONION "\0secret"), B64(ME),
	    B64("secreT"), B64("\0" ME "\0secret"));
	run(SMTPD_SUBMISSION, in, GREETING HELLO "504 5.5.4 Only PLAIN and LOGIN are available\r\n" WRONG WRONG
	    "334 \r\n501 5.7.0 Authentication was cancelled\r\n" ODD "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" WRONG TOO_MANY, "");
}

static void
says_what_to_do_about_senders_and_recipients(void **state)
{
	(void)state;
	char in[1200];
	snprintf(in, sizeof in, "HELO x\r\nAUTH PLAIN %s\r\nMAIL FROM:<bob@" ONION ">\r\nMAIL FROM:<Alice+shop@" ONION ">\r\n"
	    "RCPT TO:<carol@example.com>\r\nRCPT TO:<carol@a%.55s.onion>\r\nRCPT TO:<bob@expyuzz4wqqyqhjn.onion>\r\n"
	    "RCPT TO:<root@[127.0.0.1]>\r\nRCPT TO:<Bob@aaaaaaaa." OTHER_ONION ">\r\nDATA\r\n.\r\nQUIT\r\n",
	    B64("\0" ME "\0secret"), ONION);
	struct bench b;
	bench_begin(&b, SMTPD_SUBMISSION);
	int server_fd, fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(in));
	bench_wait_end(&b, fd);
	assert_int_equal(buffer_append(&b.heard, "", 1, NULL), 0);
	const char *heard = (const char *)buffer_bytes(&b.heard);
	static const char *const lines[] = {
		"550 5.7.1 Send as <" ME ">: that is the address of this login\r\n250 2.1.0 OK\r\n",
		"550 5.7.1 <carol@example.com>: only .onion addresses can be reached from here; send this recipient's copy with "
		"your ordinary mail account\r\n",
		"501 5.1.3 Address literals are not accepted\r\n250 2.1.5 OK\r\n354 End with <CRLF>.<CRLF>\r\n250 2.0.0 Kept\r\n",
		"checksum", "version 2",
	};
	for (size_t i = 0; i < COUNT(lines); i++)
		assert_non_null(strstr(heard, lines[i]));
	assert_buffer_is(&b.taken, "taken", "Alice+shop@" ONION ">Bob@aaaaaaaa." OTHER_ONION ",\n");
	close(fd);
	bench_end(&b);
}

static void
needs_no_login_on_the_owners_socket(void **state)
{
	(void)state;
	run(SMTPD_SENDMAIL, "EHLO x\r\nAUTH PLAIN\r\nSTARTTLS\r\nMAIL FROM:<" ME ">\r\nRCPT TO:<bob@" OTHER_ONION
	    ">\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", GREETING "250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n502 5.5.1 Not available\r\n502 5.5.1 Not available\r\n"
	    "250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 End with <CRLF>.<CRLF>\r\n250 2.0.0 Kept\r\n" BYE,
	    ME ">bob@" OTHER_ONION ",\nx\r\n");
}

static int64_t pause_ms;

static int64_t
tell_pause(void *context, const char *login)
{
	(void)context;
	assert_string_equal(login, ME);
	return pause_ms;
}

/* What was said behind it waits, too; whoever waits may be told to go meanwhile. */
static void
waits_before_a_password_is_looked_at_when_it_is_told_to(void **state)
{
	(void)state;
	char right[1000], wrong[200], heard[600];
	snprintf(right, sizeof right, "HELO x\r\nAUTH LOGIN\r\n%s\r\n%s\r\nMAIL FROM:<" ME ">\r\nRCPT TO:<bob@" OTHER_ONION
	    ">\r\nBDAT 1 LAST\r\nxQUIT\r\n", B64(ME), B64("secret"));
	snprintf(heard, sizeof heard, GREETING HELLO "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 Authenticated\r\n"
	    "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n" BYE);
	snprintf(wrong, sizeof wrong, "HELO x\r\nAUTH PLAIN %s\r\n", B64("\0" ME "\0wrong"));
	struct bench b;
	bench_begin(&b, SMTPD_SUBMISSION);
	struct smtpd_events events = *b.server->events;
	events.login_pause_ms = tell_pause;
	b.server->events = &events;
	pause_ms = 30;
	int64_t begun_ms = clock_monotonic_ms();
	bench_transcript(&b, slice_of_string(right), strlen(right) / 2, heard, ME ">bob@" OTHER_ONION ",\nx");
	assert_true(clock_monotonic_ms() - begun_ms >= pause_ms);
	pause_ms = 3600 * 1000;
	int server_fd, fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(wrong));
	assert_buffer_is(&b.heard, "heard", GREETING HELLO);
	buffer_finish(&b.heard);
	int other_fd = bench_connect(&b, &server_fd); /* he who is gone meanwhile is no trouble */
	bench_say(&b, other_fd, server_fd, slice_of_string(wrong));
	close(other_fd);
	while (smtpd_session_count(b.server) > 1)
		bench_round(&b);
	buffer_finish(&b.heard);
	smtpd_stop(b.server);
	bench_wait_end(&b, fd);
	assert_buffer_is(&b.heard, "heard", "421 4.3.2 Closing, try again later\r\n");
	close(fd);
	bench_end(&b);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_plain_and_login),
		cmocka_unit_test(offers_auth_and_wants_it),
		cmocka_unit_test(refuses_wrong_passwords_five_times),
		cmocka_unit_test(says_what_to_do_about_senders_and_recipients),
		cmocka_unit_test(waits_before_a_password_is_looked_at_when_it_is_told_to),
		cmocka_unit_test(needs_no_login_on_the_owners_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
