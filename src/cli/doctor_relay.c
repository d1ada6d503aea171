/* SPDX-License-Identifier: ISC
 *
 * Whether the server takes mail for anybody but its own onion: every trick that has opened a relay somewhere. No message is
 * sent: that a recipient is accepted tells enough.
 */
#include <stdio.h>

#include "base/random.h"
#include "cli/doctor_envelope.h"

#define TO_MAX 400
#define FOREIGN "example.org"

/* What it means that a recipient is accepted. */
enum meaning {
	AWAY,    /* mail goes somewhere else: an open relay */
	MACHINE, /* mail goes to accounts of the machine, under a name that is not the onion's */
	LOCAL,   /* mail goes somewhere else, unless it is for a mailbox that happens to have this odd name */
};

/* In to: %o the onion, %l a local part of it, %h the machine's host name, %f with its domain, %s a sibling's onion. Tricks with a name
 * that is not known are left out. */
static const struct trick {
	enum meaning meaning;
	const char *what, *to;
} tricks[] = {
	{ AWAY, "a foreign domain", "someone@" FOREIGN },
	{ AWAY, "the postmaster of a foreign domain", "postmaster@" FOREIGN },
	{ AWAY, "upper case", "SOMEONE@EXAMPLE.ORG" },
	{ AWAY, "a dot behind the domain", "someone@" FOREIGN "." },
	{ AWAY, "a quoted local part", "\"some one\"@" FOREIGN },
	{ AWAY, "the onion as a part of a foreign domain", "%l@%o." FOREIGN },
	{ AWAY, "a foreign domain as a part of the onion", "%l@" FOREIGN ".%o" },
	{ AWAY, "another onion", "%l@p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion" },
	{ AWAY, "a source route by the onion", "@%o:someone@" FOREIGN },
	{ AWAY, "a source route by another host", "@%o,@example.net:someone@" FOREIGN },
	{ AWAY, "the onion's address as a local part", "%l@%o@" FOREIGN },
	{ AWAY, "the onion's address as a quoted local part", "\"%l@%o\"@" FOREIGN },
	{ AWAY, "a bang path that begins with the onion", "%o!someone@" FOREIGN },
	{ AWAY, "an IP address", "someone@[192.0.2.1]" },
	{ AWAY, "an IPv6 address", "someone@[IPv6:2001:db8::1]" },
	{ AWAY, "an IP address without brackets", "someone@192.0.2.1" },
	{ LOCAL, "the %-hack", "someone%%" FOREIGN "@%o" },
	{ LOCAL, "the %-hack, twice", "someone%%" FOREIGN "%%example.net@%o" },
	{ LOCAL, "the %-hack, quoted", "\"someone%%" FOREIGN "\"@%o" },
	{ LOCAL, "an address as a quoted local part", "\"someone@" FOREIGN "\"@%o" },
	{ LOCAL, "an address as a local part", "someone@" FOREIGN "@%o" },
	{ LOCAL, "a bang path before the onion", FOREIGN "!someone@%o" },
	{ LOCAL, "a quoted bang path before the onion", "\"" FOREIGN "!someone\"@%o" },
	{ LOCAL, "a DECnet address", "\"" FOREIGN "::someone\"@%o" },
	{ LOCAL, "a command", "\"|/bin/true\"@%o" },
	{ LOCAL, "a file", "\"/tmp/someone\"@%o" },
	{ MACHINE, "a bang path", FOREIGN "!someone" },
	{ MACHINE, "the %-hack without a domain", "someone%%" FOREIGN },
	{ MACHINE, "an address without a domain", "someone" },
	{ MACHINE, "a quoted address without a domain", "\"someone@" FOREIGN "\"" },
	{ MACHINE, "localhost", "root@localhost" },
	{ MACHINE, "localhost with a domain", "root@localhost.localdomain" },
	{ MACHINE, "127.0.0.1", "%l@[127.0.0.1]" },
	{ MACHINE, "the loopback address of IPv6", "%l@[IPv6:::1]" },
	{ MACHINE, "the machine's host name", "root@%h" },
	{ MACHINE, "the machine's full name", "root@%f" },
	{ MACHINE, "the postmaster of the machine", "postmaster@%h" },
	{ AWAY, "another identity of this node", "%l@%s" },
	{ AWAY, "the postmaster of another identity", "postmaster@%s" },
};
#define TRICKS (sizeof tricks / sizeof tricks[0])

/* Whom the mail says to be from. With the first all tricks are tried, with the others those that a sender could open. */
static const char *const senders[] = { "", "%l@%o", "postmaster@%o", "someone@example.net", "root@localhost", "%l@%s", "root@%h" };
#define SENDERS (sizeof senders / sizeof senders[0])

static bool
fill(const struct doctor *d, const char *pattern, char out[TO_MAX])
{
	size_t len = 0;
	for (; *pattern != '\0'; pattern++) {
		char one[2] = { *pattern, '\0' };
		const char *put = one;
		if (*pattern == '%' && pattern[1] != '\0') {
			pattern++;
			put = *pattern == 'o' ? d->onion : *pattern == 'l' ? (d->local_part[0] != '\0' ? d->local_part : "postmaster") :
			    *pattern == 'h' ? d->host : *pattern == 'f' ? d->full_host : *pattern == 's' ? d->sibling : "%";
		}
		if (put[0] == '\0' || len + strlen(put) >= TO_MAX)
			return false;
		strcpy(out + len, put);
		len += strlen(put);
	}
	out[len] = '\0';
	return true;
}

struct relaying {
	struct doctor *d;
	struct envelope envelope;
	unsigned tried, accepted, unclear;
	bool takes_all; /* every local part of its own domain */
};

static void
report_accepted(struct relaying *r, const struct trick *trick, const char *from, const char *to)
{
	static const char todo_away[] = "Anybody can send mail to anybody through it. Let it take mail for the onion name alone (Postfix: "
	    "smtpd_relay_restrictions = reject_unauth_destination, and mynetworks empty: what comes through tor comes from 127.0.0.1).";
	static const char todo_machine[] = "Let it take mail for the onion name alone (Postfix: mydestination empty): this ties the onion "
	    "to the machine.";
	static const char todo_local[] = "It accepts every local part, so this cannot be told from outside. Look where such mail goes.";
	bool is_unclear = trick->meaning == LOCAL && r->takes_all;
	const char *todo = is_unclear ? todo_local : trick->meaning == MACHINE ? todo_machine : todo_away;
	report_add(r->d->report, is_unclear ? REPORT_WARNING : REPORT_WRONG, todo,
	    "port %u: %s (%s): RCPT TO:<%s> after MAIL FROM:<%s> is accepted", r->envelope.port, is_unclear ? "this may be an open relay" :
	    trick->meaning == MACHINE ? "it takes mail under another name" : "OPEN RELAY", trick->what, to, from);
}

/* -1: the conversation broke for good. */
static int
try_one(struct relaying *r, const struct trick *trick, const char *sender, struct error *err)
{
	struct reply reply;
	char from[TO_MAX], to[TO_MAX];
	if (!fill(r->d, sender, from) || !fill(r->d, trick->to, to))
		return 0;
	if (envelope_ask(&r->envelope, from, to, &reply, NULL, err) != 0)
		return -1;
	r->tried++;
	if (reply.code / 100 == 2) {
		r->accepted++;
		report_accepted(r, trick, from, to);
	} else if (reply.code / 100 == 4 && r->unclear++ == 0)
		report_add(r->d->report, REPORT_UNKNOWN, "Try again in a quarter of an hour.", "port %u: it wants to be asked later: %u %.160s",
		    r->envelope.port, reply.code, reply.text);
	return 0;
}

static int
try_all(struct relaying *r, struct error *err)
{
	struct reply reply;
	char unlikely[TO_MAX], name[17];
	random_name(name, sizeof name);
	snprintf(unlikely, sizeof unlikely, "%s@%s", name, r->d->onion);
	if (envelope_ask(&r->envelope, "", unlikely, &reply, NULL, err) != 0)
		return -1;
	r->takes_all = reply.code / 100 == 2;
	for (size_t i = 0; i < TRICKS; i++)
		if (try_one(r, &tricks[i], "", err) != 0)
			return -1;
	for (size_t i = 1; i < SENDERS; i++)
		if (try_one(r, &tricks[0], senders[i], err) != 0)
			return -1;
	return 0;
}

int
doctor_relay(struct doctor *d, struct error *err)
{
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct relaying r = { .d = d };
		if (!d->has_port[i])
			continue;
		envelope_init(&r.envelope, d, doctor_ports[i]);
		int result = try_all(&r, err);
		envelope_finish(&r.envelope);
		if (result != 0)
			return -1;
		if (r.accepted == 0 && r.unclear == 0)
			report_add(d->report, REPORT_OK, "", "port %u: mail for others is refused, with each of %u tricks", doctor_ports[i], r.tried);
	}
	return 0;
}
