/* SPDX-License-Identifier: ISC
 *
 * SMTP smuggling: whether something else than CRLF "." CRLF ends a message, so that what follows in it would be taken for commands.
 *
 * The message begins for the own mailbox and never ends as it should: a server that is right waits for the rest until the connection is
 * closed, and has nothing to deliver. One that is wrong has taken the message, at most one; its subject says what it is.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cli/doctor_envelope.h"

#define WAIT_MIN_MS 1000 /* for an answer that should not come; or so many times what the answer to DATA took: */
#define WAIT_TIMES 4

#define HEADER "Subject: smtorp doctor: please delete this\r\n\r\nYour mail server can be made to smuggle mail: see smtorp doctor.\r\nx"

/* Behind each of them a command, which would be answered. */
#define NOOP "NOOP\r\nx"

static const struct ending {
	const char *name;
	struct slice bytes;
} endings[] = {
#define ENDING(name, bytes) { name, { (const unsigned char *)(bytes), sizeof(bytes) - 1 } }
	ENDING("a dot between line ends of which one is LF alone", "\n.\n" NOOP "\r\n.\n" NOOP "\n.\r\n" NOOP),
	ENDING("a dot between line ends of which one is CR alone", "\r.\r" NOOP "\r\n.\r" NOOP "\r.\r\n" NOOP "\r\n.\r\r\n" NOOP),
	ENDING("a line of a dot and NUL, or of two dots", "\r\n\0.\r\n" NOOP "\r\n.\0\r\n" NOOP "\r\n..\r\n" NOOP),
#undef ENDING
};
#define ENDINGS (sizeof endings / sizeof endings[0])

struct smuggling {
	struct doctor *d;
	struct envelope envelope;
	int64_t wait_ms;
	bool in_data;
};

/* 1: the server waits for content; 0: it takes no mail for the own mailbox, which is reported; -1: broken. */
static int
begin(struct smuggling *s, struct error *err)
{
	struct reply reply;
	char to[ADDRESS_MAX + 1];
	snprintf(to, sizeof to, "%s@%s", s->d->local_part[0] != '\0' ? s->d->local_part : "postmaster", s->d->onion);
	if (envelope_ask(&s->envelope, "", to, &reply, NULL, err) != 0)
		return -1;
	int64_t start_ms = clock_monotonic_ms();
	if (reply.code / 100 == 2 && talk_ask(s->envelope.talk, &reply, err, "DATA") != 0)
		return -1;
	if (reply.code != 354) {
		report_add(s->d->report, REPORT_UNKNOWN, "Name an address that takes mail.", "port %u: it takes no message for <%s>: %u %.160s",
		    s->envelope.port, to, reply.code, reply.text);
		return 0;
	}
	int64_t took_ms = clock_monotonic_ms() - start_ms;
	s->wait_ms = took_ms * WAIT_TIMES > WAIT_MIN_MS ? took_ms * WAIT_TIMES : WAIT_MIN_MS;
	s->in_data = true;
	return talk_send(s->envelope.talk, slice_of_string(HEADER), err) == 0 ? 1 : -1;
}

static void
hang_up(struct smuggling *s)
{
	talk_free(s->envelope.talk); /* without QUIT, which would be content */
	s->envelope.talk = NULL;
	s->envelope.has_mail = s->in_data = false;
}

/* 1: the ending was taken for the end; 0: not; -1: broken. */
static int
try_ending(struct smuggling *s, const struct ending *ending, struct error *err)
{
	struct reply reply;
	if (talk_send(s->envelope.talk, ending->bytes, err) != 0)
		return -1;
	if (talk_reply(s->envelope.talk, &reply, s->wait_ms, err) != 0) {
		if (err->code == ERROR_TIMEOUT)
			return 0;
		hang_up(s); /* it would have none of it */
		return err->code == ERROR_CLOSED ? 0 : -1;
	}
	hang_up(s);
	if (reply.code / 100 != 2)
		return 0; /* refused before its end: nothing was taken */
	report_add(s->d->report, REPORT_WRONG, "Update the mail server (Postfix: smtpd_forbid_bare_newline = normalize): others could send mail "
	    "in the name of its users. It has taken one message, whose subject begins with \"smtorp doctor\": delete it.",
	    "port %u: %s ends a message (%u %.80s): mail can be smuggled", s->envelope.port, ending->name, reply.code, reply.text);
	return 1;
}

static int
look_at_port(struct smuggling *s, struct error *err)
{
	for (size_t i = 0; i < ENDINGS; i++) {
		int going = s->in_data ? 1 : begin(s, err);
		if (going <= 0)
			return going;
		going = try_ending(s, &endings[i], err);
		if (going != 0)
			return going < 0 ? -1 : 0;
	}
	report_add(s->d->report, REPORT_OK, "", "port %u: nothing but CRLF . CRLF ends a message, with ten variants tried", s->envelope.port);
	return 0;
}

int
doctor_smuggling(struct doctor *d, struct error *err)
{
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct smuggling s = { .d = d };
		if (!d->has_port[i])
			continue;
		envelope_init(&s.envelope, d, doctor_ports[i]);
		int result = look_at_port(&s, err);
		hang_up(&s);
		if (result != 0)
			return -1;
	}
	return 0;
}
