/* SPDX-License-Identifier: ISC
 *
 * Whether both ports answer, and what they tell of the machine behind them.
 */
#include "cli/doctor.h"
#include "cli/doctor_judge.h"
#include "cli/view.h"
#include "loop/stream.h"

#define SIBLINGS_MAX 64

int
doctor_reach(struct doctor *d, struct error *err)
{
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct talk *talk = NULL;
		struct reply greeting;
		d->has_port[i] = doctor_connect(d, doctor_ports[i], &talk, &greeting, err) == 0;
		if (d->has_port[i])
			report_add(d->report, REPORT_OK, "", "port %u answers through tor%s", doctor_ports[i],
			    doctor_ports[i] != 465 ? "" : stream_alpn(talk_stream(talk)) != NULL ? ", and speaks smtorp/1" : ", without smtorp/1");
		else if (err->code == ERROR_NOT_FOUND && d->identity == NULL)
			report_add(d->report, REPORT_OK, "", "there is no port %u", doctor_ports[i]);
		else
			report_add(d->report, REPORT_UNKNOWN, "Look at `smtorp status` and `smtorp logs`, and try again.",
			    "port %u cannot be reached: %s", doctor_ports[i], err->text);
		doctor_end(talk);
	}
	if (!d->has_port[0] && !d->has_port[1])
		return error_set(err, ERROR_UNREACHABLE, "nothing else can be tested");
	return 0;
}

static void
report_leak(struct doctor *d, uint16_t port, enum judge_leak leak, const char *word)
{
	static const struct {
		enum report_level level;
		const char *what, *todo;
	} texts[] = {
		[JUDGE_MACHINE] = { REPORT_WRONG, "it tells a stranger whose machine this is", "Take it out of greeting and replies "
		    "(Postfix: myhostname, smtpd_banner); until then the onion hides nothing." },
		[JUDGE_HOST] = { REPORT_WRONG, "it tells a stranger another name of this server",
		    "Let it greet with the onion name (Postfix: myhostname, smtpd_banner)." },
		[JUDGE_ADDRESS] = { REPORT_WRONG, "it tells a stranger an IP address", "Let it greet with the onion name." },
		[JUDGE_SOFTWARE] = { REPORT_WARNING, "it tells a stranger which program runs",
		    "Take the name out of the greeting (Postfix: smtpd_banner): it helps to find what to attack." },
		[JUDGE_VERSION] = { REPORT_WARNING, "it tells a stranger a version",
		    "Take it out of the greeting: it helps to find what to attack." },
		[JUDGE_DATE] = { REPORT_WARNING, "it tells a stranger its time", "Take it out of the greeting: clocks tell machines apart." },
	};
	report_add(d->report, texts[leak].level, texts[leak].todo, "port %u: %s: \"%s\"", port, texts[leak].what, word);
}

/* Asks everything that a server may be talkative about. What was refused is as good as what was answered. DATA comes last: should it
 * be obeyed, no command follows. */
static int
ask_everything(struct talk *talk, const char *local_part, struct error *err)
{
	static const char *const questions[] = { "HELP", "HELP MAIL", "NOOP", "VRFY root", "VRFY postmaster", "EXPN root", "EXPN staff",
		"TURN", "XYZZY", "MAIL FROM:", "MAIL FROM:<a b@c>", "RCPT TO:<x@example.org>" };
	struct reply reply;
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
		if (talk_ask(talk, &reply, err, "%s", questions[i]) != 0)
			return -1;
	if (local_part[0] != '\0' && talk_ask(talk, &reply, err, "VRFY %s", local_part) != 0)
		return -1;
	return talk_ask(talk, &reply, err, "DATA");
}

static void
report_directory(struct doctor *d, uint16_t port, struct talk *talk, const char *verb)
{
	struct reply reply;
	const char *name = d->local_part[0] != '\0' ? d->local_part : "postmaster";
	if (talk_ask(talk, &reply, NULL, "%s %s", verb, name) == 0 && (reply.code == 250 || reply.code == 251))
		report_add(d->report, REPORT_WRONG, "Switch it off (Postfix: disable_vrfy_command = yes).",
		    "port %u: %s tells a stranger who has a mailbox: %.120s", port, verb, reply.text);
}

/* What must not be said: the machine's names, and the other identities' onions. */
static size_t
collect_words(struct doctor *d, const char *words[MACHINE_WORDS_MAX + SIBLINGS_MAX])
{
	size_t i, count = 0;
	json_t *row;
	for (; count < d->machine->count; count++)
		words[count] = d->machine->list[count];
	json_array_foreach(json_object_get(d->status, "identities"), i, row)
		if (strcmp(view_text(row, "onion"), d->onion) != 0 && count < MACHINE_WORDS_MAX + SIBLINGS_MAX)
			words[count++] = view_text(row, "onion");
	return count;
}

/* Who speaks smtorp/1 has said so already: the mechanism by which onions prove themselves there is no news. */
static void
copy_heard(struct talk *talk, struct buffer *out)
{
	static const char mechanism[] = "SMTORP-ONION";
	struct slice heard = talk_heard(talk);
	const unsigned char *at = heard.data, *end = at + heard.len, *found;
	while (stream_alpn(talk_stream(talk)) != NULL && (found = memmem(at, (size_t)(end - at), mechanism, sizeof mechanism - 1)) != NULL) {
		buffer_append(out, at, (size_t)(found - at), NULL);
		at = found + sizeof mechanism - 1;
	}
	buffer_append(out, at, (size_t)(end - at), NULL);
}

int
doctor_banner(struct doctor *d, struct error *err)
{
	const char *words[MACHINE_WORDS_MAX + SIBLINGS_MAX];
	size_t count = collect_words(d, words);
	bool is_fine = true;
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct talk *talk;
		struct judge_leaks leaks;
		if (!d->has_port[i])
			continue;
		if (doctor_begin(d, doctor_ports[i], &talk, NULL, err) != 0)
			return -1;
		report_directory(d, doctor_ports[i], talk, "VRFY");
		report_directory(d, doctor_ports[i], talk, "EXPN");
		int asked = ask_everything(talk, d->local_part, err);
		struct buffer heard;
		buffer_init(&heard, talk_heard(talk).len);
		copy_heard(talk, &heard);
		is_fine &= !judge_text(slice_of(buffer_bytes(&heard), buffer_len(&heard)), d->onion, words, count, &leaks);
		buffer_finish(&heard);
		for (size_t leak = 0; leak < JUDGE_LEAKS; leak++)
			if (leaks.word[leak][0] != '\0')
				report_leak(d, doctor_ports[i], (enum judge_leak)leak, leaks.word[leak]);
		if (asked != 0 && err->code != ERROR_CLOSED)
			is_fine = false;
		talk_free(talk);
		if (asked != 0 && err->code != ERROR_CLOSED)
			return -1;
	}
	if (is_fine)
		report_add(d->report, REPORT_OK, "", "greeting, EHLO, HELP, VRFY, EXPN and errors name no machine, person, program or time");
	return 0;
}
