/* SPDX-License-Identifier: ISC */
#include "smtpd/test_session.h"

#define GREETING "220 " ONION " ESMTP\r\n"
#define HELO "HELO x\r\n"
#define HELLO "250 " ONION "\r\n"
#define ME "<alice@" ONION ">"
#define OK "250 2.0.0 OK\r\n"
#define SENDER "250 2.1.0 OK\r\n"
#define RECIPIENT "250 2.1.5 OK\r\n"
#define GO "354 End with <CRLF>.<CRLF>\r\n"
#define KEPT "250 2.0.0 Kept\r\n"
#define BYE "221 2.0.0 Bye\r\n"
#define FOREIGN "550 5.7.1 Mail for other domains is not taken here\r\n"
#define MALFORMED "554 5.6.0 The message holds a CR or LF alone, or NUL: lines end with CRLF\r\n"
#define MAIL "MAIL FROM:<bob@example.net>\r\nRCPT TO:" ME "\r\n"
#define TAKEN "bob@example.net>alice@" ONION ","
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TEXT(literal) { (const unsigned char *)(literal), sizeof(literal) - 1 }

struct transcript {
	struct slice in;
	const char *out, *taken;
};

/* Whole, and cut at every byte; answered at once and later. */
static void
run_all(const struct transcript *transcripts, size_t count)
{
	struct bench b;
	bench_begin(&b, SMTPD_ONION);
	for (size_t i = 0; i < count; i++)
		for (size_t cut = 0; cut < transcripts[i].in.len; cut++) {
			b.answering = cut % 2 == 0 ? AT_ONCE : LATER;
			bench_transcript(&b, transcripts[i].in, cut, transcripts[i].out, transcripts[i].taken);
		}
	bench_end(&b);
}

static void
answers_every_verb(void **state)
{
	(void)state;
	static const struct transcript transcripts[] = {
		{ TEXT("EHLO x\r\nQUIT\r\n"), GREETING
		    "250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250-8BITMIME\r\n"
		    "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n" BYE, "" },
		{ TEXT("helo x\r\nNOOP a b\r\nrset\r\nVRFY root\r\nEXPN x\r\nHELP\r\nHELP MAIL\r\nXYZZY\r\nAUTH PLAIN\r\nQUIT\r\n"),
		    GREETING HELLO OK OK "252 2.5.2 Send mail to find out\r\n502 5.5.1 Not available\r\n"
		    "214 2.0.0 See RFC 5321\r\n214 2.0.0 See RFC 5321\r\n500 5.5.2 Unknown command\r\n"
		    "502 5.5.1 Not available\r\n" BYE, "" },
		{ TEXT("EHLO\r\nHELO a b\r\nRSET x\r\nDATA x\r\nQUIT x\r\nQUIT\r\n"), GREETING
		    "501 5.5.4 A name is missing\r\n501 5.5.4 A name is missing\r\n501 5.5.4 No argument is allowed here\r\n"
		    "503 5.5.1 Say MAIL first\r\n501 5.5.4 No argument is allowed here\r\n" BYE, "" },
	};
	run_all(transcripts, COUNT(transcripts));
}

static void
keeps_the_order_of_a_transaction(void **state)
{
	(void)state;
	static const struct transcript transcripts[] = {
		{ TEXT("MAIL FROM:<>\r\nQUIT\r\n"), GREETING "503 5.5.1 Say EHLO first\r\n" BYE, "" },
		{ TEXT(HELO "RCPT TO:" ME "\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\nQUIT\r\n"), GREETING HELLO
		    "503 5.5.1 Say MAIL first\r\n503 5.5.1 Say MAIL first\r\n" SENDER
		    "503 5.5.1 A transaction has begun already\r\n503 5.5.1 No valid recipients\r\n" BYE, "" },
		{ TEXT(HELO MAIL "RSET\r\nDATA\r\nQUIT\r\n"), GREETING HELLO SENDER RECIPIENT OK
		    "503 5.5.1 Say MAIL first\r\n" BYE, "" },
		{ TEXT(HELO MAIL HELO "DATA\r\nQUIT\r\n"), GREETING HELLO SENDER RECIPIENT HELLO
		    "503 5.5.1 Say MAIL first\r\n" BYE, "" },
		{ TEXT(HELO MAIL "DATA\r\nx\r\n.\r\nRCPT TO:" ME "\r\n" MAIL "DATA\r\n.\r\nQUIT\r\n"), GREETING HELLO SENDER RECIPIENT
		    GO KEPT "503 5.5.1 Say MAIL first\r\n" SENDER RECIPIENT GO KEPT BYE, TAKEN "\nx\r\n" TAKEN "\n" },
	};
	run_all(transcripts, COUNT(transcripts));
}

static void
decides_about_recipients(void **state)
{
	(void)state;
	static const struct transcript transcripts[] = {
		{ TEXT(HELO "MAIL FROM:<>\r\nRCPT TO:<Alice+x@ABCD2345." ONION ">\r\nRCPT TO:<postmaster>\r\nRCPT TO:<\"alice\"@" ONION
		       ">\r\nRCPT TO:<PostMaster@" ONION ">\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"),
		    GREETING HELLO SENDER RECIPIENT RECIPIENT RECIPIENT RECIPIENT GO KEPT BYE,
		    ">Alice+x@" ONION ",postmaster@" ONION ",alice@" ONION ",PostMaster@" ONION ",\nx\r\n" },
		/* Whoever the other domain belongs to: the same bytes. */
		{ TEXT(HELO "MAIL FROM:<>\r\nRCPT TO:<bob@" ONION ">\r\nRCPT TO:<alice@" OTHER_ONION ">\r\nRCPT TO:<postmaster@"
		       OTHER_ONION ">\r\nRCPT TO:<root@localhost>\r\nRCPT TO:<root@[127.0.0.1]>\r\nRCPT TO:<a@example.com>\r\nQUIT\r\n"),
		    GREETING HELLO SENDER "550 5.1.1 No such mailbox here\r\n" FOREIGN FOREIGN FOREIGN FOREIGN FOREIGN BYE, "" },
		{ TEXT(HELO "MAIL FROM:<>\r\nRCPT TO:<alice>\r\nRCPT TO:<\"\"@" ONION ">\r\nRCPT TO:<@a,@b:c@d>\r\nRCPT TO:<a@b@c>\r\n"
		       "RCPT TO:<" A64 "a@x>\r\nRCPT TO:<\xc3\xbc@x>\r\nRCPT TO:" ME " NOTIFY=NEVER\r\nRCPT TO:alice\r\nQUIT\r\n"),
		    GREETING HELLO SENDER "501 5.1.3 The recipient's address is malformed\r\n"
		    "501 5.1.3 The recipient's address is malformed\r\n501 5.1.3 Source routes are not accepted\r\n"
		    "501 5.1.3 The recipient's address is malformed\r\n"
		    "501 5.1.3 The part before the @ is longer than 64 octets\r\n"
		    "553 5.6.7 This address needs the SMTPUTF8 parameter of MAIL\r\n"
		    "555 5.5.4 A parameter is not known here\r\n501 5.5.4 Write RCPT TO:<address>\r\n" BYE, "" },
	};
	run_all(transcripts, COUNT(transcripts));
}

static void
understands_the_parameters_of_mail(void **state)
{
	(void)state;
	static const struct transcript transcripts[] = {
		{ TEXT(HELO "MAIL FROM:<;id;>\r\nMAIL FROM:<> SIZE=18446744073709551616\r\nMAIL FROM:<> SIZE=-1\r\n"
		       "MAIL FROM:<> SIZE=1000001\r\nMAIL FROM:<> AUTH=<>\r\nMAIL FROM:<> ENVID=a+00\r\nMAIL FROM:<a@b> BODY=9BIT\r\n"
		       "MAIL FROM:<a@b> SIZE=1000000 BODY=8BITMIME SMTPUTF8\r\nQUIT\r\n"),
		    GREETING HELLO "501 5.1.7 The sender's address is malformed\r\n552 5.3.4 The message is too large\r\n"
		    "501 5.5.4 A parameter is malformed\r\n552 5.3.4 The message is too large\r\n"
		    "555 5.5.4 A parameter is not known here\r\n555 5.5.4 A parameter is not known here\r\n"
		    "501 5.5.4 A parameter is malformed\r\n" SENDER BYE, "" },
	};
	run_all(transcripts, COUNT(transcripts));
}

/* Strangers are owed no notifications (RFC 3461), and prove who they are on port 465 only. */
static void
offers_strangers_neither_notifications_nor_proofs(void **state)
{
	(void)state;
#define EHLO_ANSWER \
	"250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n" \
	"250-SMTPUTF8\r\n250 CHUNKING\r\n"
#define NOT_KNOWN "555 5.5.4 A parameter is not known here\r\n"
	static const struct transcript transcripts[] = {
		{ TEXT("EHLO x\r\nMAIL FROM:<> RET=HDRS\r\nMAIL FROM:<> ENVID=a\r\nMAIL FROM:<>\r\nRCPT TO:" ME " NOTIFY=SUCCESS\r\nRCPT TO:" ME
		       " ORCPT=rfc822;a@b\r\nQUIT\r\n"),
		    GREETING EHLO_ANSWER NOT_KNOWN NOT_KNOWN SENDER NOT_KNOWN NOT_KNOWN BYE, "" },
		{ TEXT("EHLO x\r\nAUTH\r\nAUTH SMTORP-ONION AAAA\r\nAUTH SMTORP-ONION\r\n" MAIL "BDAT 1 LAST\r\nxQUIT\r\n"),
		    GREETING EHLO_ANSWER "502 5.5.1 Not available\r\n502 5.5.1 Not available\r\n502 5.5.1 Not available\r\n" SENDER RECIPIENT KEPT BYE,
		    TAKEN "\nx" },
	};
	run_all(transcripts, COUNT(transcripts));
}

/* Every way to make one message look like two. MAIL is what the attacker hopes to be obeyed. */
static void
is_not_smuggled_through_data(void **state)
{
	(void)state;
#define SMUGGLE(what) \
	{ TEXT(HELO MAIL "DATA\r\na" what "MAIL FROM:<evil@example.net>\r\n.\r\nNOOP\r\nQUIT\r\n"), \
	    GREETING HELLO SENDER RECIPIENT GO MALFORMED OK BYE, "" }
	static const struct transcript transcripts[] = {
		SMUGGLE("\n.\n"), SMUGGLE("\r\n.\n"), SMUGGLE("\n.\r\n"), SMUGGLE("\r.\r"), SMUGGLE("\r\n\0.\r\n"), SMUGGLE("\r\n.\r"),
		SMUGGLE("\r.\r\n"), SMUGGLE("\r\n.\0\r\n"),
		{ TEXT(HELO MAIL "DATA\r\n..a\r\n...\r\n.\r\nQUIT\r\n"), GREETING HELLO SENDER RECIPIENT GO KEPT BYE,
		    TAKEN "\n.a\r\n..\r\n" },
	};
#undef SMUGGLE
	run_all(transcripts, COUNT(transcripts));
}

static void
takes_chunks(void **state)
{
	(void)state;
	static const struct transcript transcripts[] = {
		{ TEXT(HELO MAIL "BDAT 5\r\nab\r\n.BDAT 0\r\nBDAT 7 LAST\r\n\r\n.\r\nX\xffQUIT\r\n"),
		    GREETING HELLO SENDER RECIPIENT OK OK KEPT BYE, TAKEN " 8 u\nab\r\n.\r\n.\r\nX\xff" },
		{ TEXT(HELO MAIL "BDAT 0 LAST\r\nQUIT\r\n"), GREETING HELLO SENDER RECIPIENT KEPT BYE, TAKEN "\n" },
		/* DATA and RCPT cannot follow a chunk, and the octets of chunks that nobody wants are not commands. */
		{ TEXT(HELO MAIL "BDAT 2\r\nabDATA\r\nRCPT TO:" ME "\r\nBDAT 1 LAST\r\ncQUIT\r\n"), GREETING HELLO SENDER RECIPIENT OK
		    "503 5.5.1 The message has begun already\r\n503 5.5.1 The message has begun already\r\n" KEPT BYE,
		    TAKEN "\nabc" },
		{ TEXT(HELO "BDAT 6\r\nNOOP\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nNOOP\r\nQUIT\r\n"), GREETING HELLO
		    "503 5.5.1 Say MAIL first\r\n" SENDER "503 5.5.1 No valid recipients\r\n" BYE, "" },
		/* A chunk that failed: nothing but RSET helps. */
		{ TEXT(HELO MAIL "BDAT 3\r\na\nbBDAT 6\r\nNOOP\r\nDATA\r\nMAIL FROM:<>\r\nRSET\r\n" MAIL "BDAT 1 LAST\r\nxQUIT\r\n"),
		    GREETING HELLO SENDER RECIPIENT MALFORMED "503 5.5.1 A chunk has failed, say RSET\r\n"
		    "503 5.5.1 A chunk has failed, say RSET\r\n503 5.5.1 A transaction has begun already\r\n" OK SENDER RECIPIENT
		    KEPT BYE, TAKEN "\nx" },
		{ TEXT(HELO MAIL "BDAT 2\r\na\rBDAT 2 LAST\r\nb\nMAIL FROM:<>\r\nQUIT\r\n"), GREETING HELLO SENDER RECIPIENT OK MALFORMED
		    SENDER BYE, "" },
		{ TEXT(HELO MAIL "BDAT 3 LAST\r\na\0bQUIT\r\n"), GREETING HELLO SENDER RECIPIENT MALFORMED BYE, "" },
		{ TEXT(HELO MAIL "BDAT 2 LAST\r\na\rQUIT\r\n"), GREETING HELLO SENDER RECIPIENT MALFORMED BYE, "" },
		/* Sizes that nobody can read past. */
		{ TEXT(HELO MAIL "BDAT 4294967297 LAST\r\nNOOP\r\n"), GREETING HELLO SENDER RECIPIENT
		    "552 5.3.4 The message is too large\r\n", "" },
		{ TEXT(HELO MAIL "BDAT 18446744073709551616 LAST\r\nNOOP\r\n"), GREETING HELLO SENDER RECIPIENT
		    "552 5.3.4 The message is too large\r\n", "" },
		{ TEXT(HELO MAIL "BDAT -1\r\nNOOP\r\n"), GREETING HELLO SENDER RECIPIENT
		    "501 5.5.4 Write BDAT size or BDAT size LAST\r\n", "" },
	};
	run_all(transcripts, COUNT(transcripts));
}

static void
ends_lines_with_crlf_only(void **state)
{
	(void)state;
#define NOT_A_LINE "500 5.5.2 A command ends with CRLF and holds no other CR, LF or NUL\r\n"
	static const struct transcript transcripts[] = {
		{ TEXT("NOOP\nNO\0OP\r\nNOOP\rRSET\r\n\r\nQUIT\r\n"), GREETING NOT_A_LINE NOT_A_LINE NOT_A_LINE
		    "500 5.5.2 Unknown command\r\n" BYE, "" },
	};
	run_all(transcripts, COUNT(transcripts));
}

static void
obeys_nothing_written_behind_starttls(void **state)
{
	(void)state;
	static const struct transcript transcripts[] = {
		{ TEXT("HELO x\r\nSTARTTLS x\r\nSTARTTLS\r\nRSET\r\n"), GREETING HELLO "501 5.5.4 No argument is allowed here\r\n"
		    "501 5.5.1 Nothing may follow STARTTLS before TLS\r\n", "" },
	};
	struct bench b;
	bench_begin(&b, SMTPD_ONION);
	for (size_t cut = 0; cut < 30; cut++)
		bench_transcript(&b, transcripts[0].in, cut, transcripts[0].out, "");
	/* In a segment of its own it is no TLS, and that is the end of it. */
	bench_transcript(&b, transcripts[0].in, 30, GREETING HELLO "501 5.5.4 No argument is allowed here\r\n"
	    "220 2.0.0 Ready to start TLS\r\n", "");
	bench_end(&b);
}

static void
sends_the_replies_of_a_flight_together(void **state)
{
	(void)state;
	struct bench b;
	int server_fd;
	bench_begin(&b, SMTPD_ONION);
	b.answering = NEVER;
	int fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(""));
	assert_buffer_is(&b.heard, "heard", GREETING);
	bench_say(&b, fd, server_fd, slice_of_string(HELO MAIL "BDAT 1 LAST\r\nxNOOP\r\n"));
	assert_buffer_is(&b.heard, "heard", GREETING); /* all of it waits for the answer to the message */
	buffer_finish(&b.heard);
	bench_answer(&b);
	bench_round(&b);
	bench_round(&b);
	char bytes[1000];
	ssize_t n = recv(fd, bytes, sizeof bytes, 0);
	assert_int_equal(n, strlen(HELLO SENDER RECIPIENT KEPT OK));
	assert_memory_equal(bytes, HELLO SENDER RECIPIENT KEPT OK, (size_t)n);
	close(fd);
	bench_end(&b);
}

static void
tells_when_the_owner_is_gone(void **state)
{
	(void)state;
	struct bench b;
	int server_fd;
	bench_begin(&b, SMTPD_ONION);
	b.answering = NEVER;
	int fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(HELO MAIL "BDAT 1 LAST\r\nxQUIT\r\n"));
	smtpd_answer_all(b.server, &b.loop); /* somebody else */
	smtpd_answer_all(b.server, &b);
	bench_wait_end(&b, fd);
	assert_buffer_is(&b.heard, "heard", GREETING HELLO SENDER RECIPIENT "451 4.3.0 Try again later\r\n" BYE);
	close(fd);
	bench_answer(&b); /* too late: nobody is there */
	bench_end(&b);
}

static void
survives_a_session_that_leaves_before_the_answer(void **state)
{
	(void)state;
	struct bench b;
	int server_fd;
	bench_begin(&b, SMTPD_ONION);
	b.answering = NEVER;
	int fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(HELO MAIL "BDAT 1 LAST\r\nx"));
	close(fd);
	while (smtpd_session_count(b.server) > 0)
		bench_round(&b);
	buffer_finish(&b.heard);
	fd = bench_connect(&b, &server_fd);
	bench_answer(&b);
	bench_say(&b, fd, server_fd, slice_of_string("QUIT\r\n"));
	bench_wait_end(&b, fd);
	assert_buffer_is(&b.heard, "heard", GREETING BYE);
	close(fd);
	bench_end(&b);
}

static void
stops_with_421(void **state)
{
	(void)state;
	struct bench b;
	int server_fd, other_fd;
	bench_begin(&b, SMTPD_ONION);
	b.answering = NEVER;
	int waiting = bench_connect(&b, &server_fd);
	bench_say(&b, waiting, server_fd, slice_of_string(HELO MAIL "BDAT 1 LAST\r\nx"));
	buffer_finish(&b.heard);
	int idle = bench_connect(&b, &other_fd);
	bench_say(&b, idle, other_fd, slice_of_string(HELO));
	smtpd_stop(b.server);
	bench_wait_end(&b, idle);
	assert_buffer_is(&b.heard, "heard", GREETING HELLO "421 4.3.2 Closing, try again later\r\n");
	close(idle);
	buffer_finish(&b.heard);
	assert_false(b.is_stopped);
	bench_answer(&b);
	bench_wait_end(&b, waiting);
	assert_buffer_is(&b.heard, "heard", HELLO SENDER RECIPIENT KEPT "421 4.3.2 Closing, try again later\r\n");
	close(waiting);
	for (int i = 0; i < 1000 && !b.is_stopped; i++)
		bench_round(&b);
	assert_true(b.is_stopped);
	bench_end(&b);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_every_verb),
		cmocka_unit_test(keeps_the_order_of_a_transaction),
		cmocka_unit_test(decides_about_recipients),
		cmocka_unit_test(understands_the_parameters_of_mail),
		cmocka_unit_test(offers_strangers_neither_notifications_nor_proofs),
		cmocka_unit_test(is_not_smuggled_through_data),
		cmocka_unit_test(takes_chunks),
		cmocka_unit_test(ends_lines_with_crlf_only),
		cmocka_unit_test(obeys_nothing_written_behind_starttls),
		cmocka_unit_test(sends_the_replies_of_a_flight_together),
		cmocka_unit_test(tells_when_the_owner_is_gone),
		cmocka_unit_test(survives_a_session_that_leaves_before_the_answer),
		cmocka_unit_test(stops_with_421),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
