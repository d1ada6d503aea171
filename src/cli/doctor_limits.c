/* SPDX-License-Identifier: ISC
 *
 * Numbers that wrap, lines that do not end, commands in pieces, and DATA and BDAT mixed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/doctor.h"

#define WAIT_MS 3000 /* for an answer that should not come */
#define LONG_LINE_BYTES 65536

/* What is found is told; a server that hangs up instead of answering does well, too. */
struct limits {
	struct doctor *d;
	uint16_t port;
	struct talk *talk;
	struct reply_extensions extensions;
	bool is_fine;
};

__attribute__((format(printf, 4, 5)))
static void
tell(struct limits *l, enum report_level level, const char *todo, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report_add(l->d->report, level, todo, "port %u: %s", l->port, text);
	l->is_fine = false;
}

/* A new conversation when the last one has ended. */
static int
begin(struct limits *l, struct error *err)
{
	if (l->talk != NULL)
		return 0;
	return doctor_begin(l->d, l->port, &l->talk, &l->extensions, err);
}

static void
drop(struct limits *l)
{
	talk_free(l->talk);
	l->talk = NULL;
}

/* The reply to a line; 0 when the server hung up. -1: it could not be asked. */
static int
ask(struct limits *l, const char *line, unsigned *code, struct error *err)
{
	struct reply reply;
	*code = 0;
	if (begin(l, err) != 0)
		return -1;
	if (talk_ask(l->talk, &reply, err, "%s", line) == 0) {
		*code = reply.code;
		return 0;
	}
	drop(l);
	return err->code == ERROR_CLOSED ? 0 : -1;
}

static int
look_at_sizes(struct limits *l, struct error *err)
{
	static const char *const sizes[] = { "18446744073709551616", "18446744073709551615", "4294967296000000000", "-1", "1x", NULL };
	unsigned code;
	if (begin(l, err) != 0)
		return -1;
	for (size_t i = 0; sizes[i] != NULL; i++) {
		char line[80];
		snprintf(line, sizeof line, "MAIL FROM:<> SIZE=%s", sizes[i]);
		if (ask(l, line, &code, err) != 0)
			return -1;
		if (code / 100 == 2) {
			tell(l, REPORT_WRONG, "Set a limit for the size of messages, and update the mail server: a number that wraps makes holes.",
			    "a message of SIZE=%s is welcome (%u)", sizes[i], code);
			if (ask(l, "RSET", &code, err) != 0)
				return -1;
		}
	}
	return 0;
}

static int
look_at_long_line(struct limits *l, struct error *err)
{
	static char line[LONG_LINE_BYTES];
	struct reply reply;
	if (begin(l, err) != 0)
		return -1;
	memset(line, 'A', sizeof line);
	memcpy(line, "NOOP ", 5);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	int result = talk_send(l->talk, slice_of(line, sizeof line), err);
	if (result == 0)
		result = talk_reply(l->talk, &reply, TALK_REPLY_MS, err);
	if (result == 0 && reply.code / 100 == 2)
		tell(l, l->d->identity != NULL ? REPORT_WRONG : REPORT_WARNING, "Postfix does so, and bounds what it keeps of it; if yours does not, "
		    "update the mail server.", "a command of 64 KiB is obeyed (%u)", reply.code);
	drop(l);
	return result == 0 || err->code == ERROR_CLOSED || err->code == ERROR_IO ? 0 : -1;
}

/* Commands in one segment and in pieces: one answer to each. */
static int
look_at_pieces(struct limits *l, struct error *err)
{
	static const char *const pieces[] = { "NO", "OP\r", "\nNOOP\r\nNO", "OP\r\n" };
	struct reply reply;
	if (begin(l, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		if (talk_send(l->talk, slice_of_string(pieces[i]), err) != 0)
			return -1;
	for (unsigned i = 0; i < 3; i++) {
		if (talk_reply(l->talk, &reply, TALK_REPLY_MS, err) != 0)
			return -1;
		if (reply.code != 250)
			tell(l, REPORT_WRONG, "Update the mail server.", "commands that come in pieces are mixed up (%u %.100s)", reply.code, reply.text);
	}
	return 0;
}

/* Opens a transaction for the own mailbox, in which nothing is ever finished. 1: it is open. */
static int
open_transaction(struct limits *l, struct error *err)
{
	char line[ADDRESS_MAX + 32];
	unsigned code;
	snprintf(line, sizeof line, "RCPT TO:<%s@%s>", l->d->local_part[0] != '\0' ? l->d->local_part : "postmaster", l->d->onion);
	if (ask(l, "RSET", &code, err) != 0 || ask(l, "MAIL FROM:<>", &code, err) != 0 || (code == 250 && ask(l, line, &code, err) != 0))
		return -1;
	return code / 100 == 2;
}

static int
look_at_chunks(struct limits *l, struct error *err)
{
	struct reply reply;
	unsigned code;
	if (begin(l, err) != 0)
		return -1;
	if (!l->extensions.chunking)
		return 0;
	int open = open_transaction(l, err);
	if (open <= 0)
		return open;
	if (talk_send(l->talk, slice_of_string("BDAT 5\r\nx\r\n.\r"), err) != 0 || talk_reply(l->talk, &reply, TALK_REPLY_MS, err) != 0 ||
	    ask(l, "DATA", &code, err) != 0)
		return -1;
	if (code == 354) {
		tell(l, REPORT_WRONG, "Update the mail server.", "DATA goes on with a message that BDAT has begun");
		drop(l); /* without an end to it */
	}
	/* A number that wraps to 1 would make a chunk of "x", and a command of what follows. */
	if (begin(l, err) != 0 || ask(l, "RSET", &code, err) != 0 || begin(l, err) != 0 ||
	    talk_send(l->talk, slice_of_string("BDAT 4294967297 LAST\r\nxNOOP\r\n"), err) != 0)
		return -1;
	while (talk_reply(l->talk, &reply, WAIT_MS, err) == 0)
		if (reply.code == 250)
			tell(l, REPORT_WRONG, "Update the mail server: the number of octets wraps.", "behind BDAT 4294967297 a command is obeyed");
	drop(l);
	return 0;
}

int
doctor_limits(struct doctor *d, struct error *err)
{
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct limits l = { .d = d, .port = doctor_ports[i], .is_fine = true };
		if (!d->has_port[i])
			continue;
		int result = look_at_pieces(&l, err);
		if (result == 0)
			result = look_at_sizes(&l, err);
		if (result == 0)
			result = look_at_chunks(&l, err);
		if (result == 0)
			result = look_at_long_line(&l, err);
		drop(&l);
		if (result != 0)
			return -1;
		if (l.is_fine)
			report_add(d->report, REPORT_OK, "", "port %u: sizes do not wrap, long lines end, BDAT and DATA do not mix", doctor_ports[i]);
	}
	return 0;
}
