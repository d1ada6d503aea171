/* SPDX-License-Identifier: ISC
 *
 * Whether a stranger can find out which other names the machine has: what is asked about them must be answered as about any name, and
 * no later.
 */
#include <stdio.h>

#include "base/random.h"
#include "cli/doctor_envelope.h"
#include "cli/doctor_judge.h"

#define TO_MAX 400

static const char foreign_domain[] = "example.org";

/* Compares the answers about local@domain and local@foreign_domain; both are heard on the same session. */
static int
compare(struct doctor *d, struct envelope *e, const char *what, const char *local, const char *domain, bool *is_fine, struct error *err)
{
	struct reply one, other;
	char ours[TO_MAX], foreign[TO_MAX];
	if (domain[0] == '\0' || local[0] == '\0')
		return 0;
	snprintf(ours, sizeof ours, "%s@%s", local, domain);
	snprintf(foreign, sizeof foreign, "%s@%s", local, foreign_domain);
	if (envelope_ask(e, "", foreign, &other, NULL, err) != 0 || envelope_ask(e, "", ours, &one, NULL, err) != 0)
		return -1;
	struct judge_answer a = { one.code, one.enhanced, one.text, ours }, b = { other.code, other.enhanced, other.text, foreign };
	if (judge_is_same(&a, &b))
		return 0;
	*is_fine = false;
	report_add(d->report, REPORT_WRONG, "Answer for every name that is not the onion's with the same bytes; of a SMTorP node, "
	    "this is a fault: please report it.", "port %u: %s is told from a foreign domain: \"%u %s%s%.120s\" to <%s>, \"%u %s%s%.120s\" to <%s>",
	    e->port, what, one.code, one.enhanced, one.enhanced[0] != '\0' ? " " : "", one.text, ours, other.code, other.enhanced,
	    other.enhanced[0] != '\0' ? " " : "", other.text, foreign);
	return 0;
}

/* Asks about both in turns, so that what the network does meets both alike. */
static int
compare_delays(struct doctor *d, struct envelope *e, bool *is_fine, struct error *err)
{
	int64_t sibling_ms[JUDGE_DELAY_SAMPLES], foreign_ms[JUDGE_DELAY_SAMPLES], apart_ms;
	struct reply reply;
	char sibling[TO_MAX], foreign[TO_MAX];
	snprintf(sibling, sizeof sibling, "%s@%s", d->sibling_local_part, d->sibling);
	snprintf(foreign, sizeof foreign, "%s@%s", d->sibling_local_part, foreign_domain);
	for (size_t i = 0; i < JUDGE_DELAY_SAMPLES; i++) {
		bool foreign_first = random_below(2) == 0;
		if ((foreign_first && envelope_ask(e, "", foreign, &reply, &foreign_ms[i], err) != 0) ||
		    envelope_ask(e, "", sibling, &reply, &sibling_ms[i], err) != 0 ||
		    (!foreign_first && envelope_ask(e, "", foreign, &reply, &foreign_ms[i], err) != 0))
			return -1;
	}
	if (!judge_is_slower(sibling_ms, foreign_ms, JUDGE_DELAY_SAMPLES, &apart_ms))
		return 0;
	*is_fine = false;
	report_add(d->report, REPORT_WRONG, "Run it again: if it stays, please report it.",
	    "port %u: answers about another identity of this node take %lld ms more or less than those about a foreign domain", e->port,
	    (long long)apart_ms);
	return 0;
}

static int
look_at_port(struct doctor *d, struct envelope *e, bool *is_fine, struct error *err)
{
	const char *local = d->local_part[0] != '\0' ? d->local_part : "postmaster";
	const struct {
		const char *what, *local, *domain;
	} names[] = {
		{ "another identity of this node", d->sibling_local_part, d->sibling },
		{ "the postmaster of another identity", "postmaster", d->sibling },
		{ "a mailbox nobody has at another identity", "someone", d->sibling },
		{ "the machine's host name", local, d->host },
		{ "the machine's full name", local, d->full_host },
		{ "the postmaster of the machine", "postmaster", d->full_host[0] != '\0' ? d->full_host : d->host },
		{ "localhost", local, "localhost" },
		{ "127.0.0.1", local, "[127.0.0.1]" },
		{ "another onion", local, "p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion" },
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (compare(d, e, names[i].what, names[i].local, names[i].domain, is_fine, err) != 0)
			return -1;
	return d->sibling[0] != '\0' ? compare_delays(d, e, is_fine, err) : 0;
}

int
doctor_siblings(struct doctor *d, struct error *err)
{
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct envelope e;
		bool is_fine = true;
		if (!d->has_port[i])
			continue;
		envelope_init(&e, d, doctor_ports[i]);
		int result = look_at_port(d, &e, &is_fine, err);
		envelope_finish(&e);
		if (result != 0)
			return -1;
		if (is_fine)
			report_add(d->report, REPORT_OK, "", "port %u: %s are answered like any foreign domain%s", doctor_ports[i],
			    d->identity == NULL ? "localhost and other onions" : d->sibling[0] == '\0' ? "this machine's names" :
			    "another identity and this machine's names", d->sibling[0] != '\0' ? ", and no later" : "");
	}
	return 0;
}
