/* SPDX-License-Identifier: ISC
 *
 * What a stranger is told about mailboxes.
 */
#include <stdio.h>

#include "base/random.h"
#include "cli/doctor_envelope.h"
#include "cli/doctor_judge.h"

#define NAME_LETTERS 16

static int
look_at_port(struct doctor *d, struct envelope *e, struct error *err)
{
	struct reply known, unknown, postmaster;
	char name[NAME_LETTERS + 1], to[3][ADDRESS_MAX + 1];
	random_name(name, sizeof name);
	snprintf(to[0], sizeof to[0], "%s@%s", d->local_part, d->onion);
	snprintf(to[1], sizeof to[1], "%s@%s", name, d->onion);
	snprintf(to[2], sizeof to[2], "postmaster@%s", d->onion);
	if (envelope_ask(e, "", to[1], &unknown, NULL, err) != 0 || envelope_ask(e, "", to[2], &postmaster, NULL, err) != 0)
		return -1;
	if (postmaster.code / 100 != 2)
		report_add(d->report, REPORT_WARNING, "RFC 5321 wants postmaster to be reachable.", "port %u: mail for postmaster is refused: %u %.160s",
		    e->port, postmaster.code, postmaster.text);
	if (d->local_part[0] == '\0')
		return 0;
	if (envelope_ask(e, "", to[0], &known, NULL, err) != 0)
		return -1;
	struct judge_answer a = { known.code, known.enhanced, known.text, to[0] }, b = { unknown.code, unknown.enhanced, unknown.text, to[1] };
	if (known.code / 100 != 2)
		report_add(d->report, REPORT_WRONG, "Look at `smtorp status` and at the server's log.", "port %u: mail for %s is refused: %u %.160s",
		    e->port, to[0], known.code, known.text);
	else if (!judge_is_same(&a, &b))
		report_add(d->report, REPORT_WARNING, "Who knows the onion name can find out by trying. Of a SMTorP node that is so in this version: if "
		    "it matters, choose a local part that nobody guesses.", "port %u: a stranger is told whether a mailbox exists (\"%u %.80s\", else "
		    "\"%u %.80s\")", e->port, known.code, known.text, unknown.code, unknown.text);
	else
		report_add(d->report, REPORT_OK, "", "port %u: a stranger is not told whether a mailbox exists", e->port);
	return 0;
}

int
doctor_mailbox(struct doctor *d, struct error *err)
{
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct envelope e;
		if (!d->has_port[i])
			continue;
		envelope_init(&e, d, doctor_ports[i]);
		int result = look_at_port(d, &e, err);
		envelope_finish(&e);
		if (result != 0)
			return -1;
	}
	return 0;
}
