/* SPDX-License-Identifier: ISC */
#include "tor/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tor/control_reply.h"

/* "0.4.9.11 (git-...)" and "0.5.0.1-alpha" as four numbers. */
static bool
read_version(const char *text, unsigned long numbers[4])
{
	for (int i = 0; i < 4; i++) {
		char *end;
		if (*text < '0' || *text > '9')
			return false;
		numbers[i] = strtoul(text, &end, 10);
		if (i < 3 && *end != '.')
			return false;
		text = end + 1;
	}
	return true;
}

static void
copy_printable(char *out, size_t out_size, struct slice text)
{
	size_t len = text.len < out_size - 1 ? text.len : out_size - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = text.data[i] < ' ' || text.data[i] == 0x7f ? ' ' : (char)text.data[i];
	out[len] = '\0';
}

int
status_set_version(struct status *status, struct slice version, struct error *err)
{
	unsigned long have[4], least[4];
	copy_printable(status->version, sizeof status->version, version);
	read_version(STATUS_VERSION_LEAST, least);
	if (!read_version(status->version, have))
		return error_set(err, ERROR_UNSUPPORTED, "tor tells no version that can be read; is tor.program really tor?");
	for (int i = 0; i < 4; i++) {
		if (have[i] > least[i])
			return 0;
		if (have[i] < least[i])
			return error_set(err, ERROR_UNSUPPORTED, "tor %.32s is too old; install " STATUS_VERSION_LEAST
			    " or newer, from Debian's security updates or deb.torproject.org: strangers can crash older ones, and can "
			    "take the place of a peer", status->version);
	}
	return 0;
}

static bool
set_phase(struct status *status, const char *phase)
{
	char cut[sizeof status->phase];
	snprintf(cut, sizeof cut, "%.*s", STATUS_PHASE_MAX, phase);
	if (strcmp(cut, status->phase) == 0)
		return false;
	memcpy(status->phase, cut, sizeof cut);
	return true;
}

static bool
take_bootstrap(struct status *status, struct slice words)
{
	char progress[8], summary[96], warning[96], phase[256];
	if (!control_reply_keyword(words, "PROGRESS", progress, sizeof progress))
		return false;
	unsigned long percent = strtoul(progress, NULL, 10);
	if (percent > 100)
		percent = 100;
	if (!control_reply_keyword(words, "SUMMARY", summary, sizeof summary))
		summary[0] = '\0';
	if (control_reply_keyword(words, "WARNING", warning, sizeof warning))
		snprintf(phase, sizeof phase, "%s: %s", summary, warning);
	else
		snprintf(phase, sizeof phase, "%s", summary);
	bool changed = status->bootstrap_percent != (unsigned)percent;
	status->bootstrap_percent = (unsigned)percent;
	if (percent == 100)
		status->hint[0] = '\0';
	return set_phase(status, phase) || changed;
}

/* "3 days" */
static void
say_span(unsigned long long seconds, char *out, size_t size)
{
	static const struct {
		unsigned long long seconds;
		const char *name;
	} units[] = { { 365ULL * 86400, "year" }, { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;
	while (i < 4 && seconds < 2 * units[i].seconds)
		i++;
	unsigned long long n = (seconds + units[i].seconds / 2) / units[i].seconds;
	snprintf(out, size, "%llu %s%s", n, units[i].name, n == 1 ? "" : "s");
}

static bool
take_clock_skew(struct status *status, struct slice words)
{
	char skew[24], hint[sizeof status->hint], span[48];
	if (!control_reply_keyword(words, "SKEW", skew, sizeof skew))
		return false;
	long long seconds = strtoll(skew, NULL, 10);
	unsigned long long off = seconds > 0 ? (unsigned long long)seconds : 0 - (unsigned long long)seconds;
	if (status->bootstrap_percent == 100 || off == 0)
		return false; /* one relay's opinion: tor works */
	say_span(off, span, sizeof span);
	snprintf(hint, sizeof hint, "this machine's clock is %s %s: set it right (or its time zone), and the node goes on by itself", span,
	    seconds > 0 ? "ahead" : "behind");
	if (strcmp(hint, status->hint) == 0)
		return false;
	memcpy(status->hint, hint, sizeof hint);
	return true;
}

bool
status_take(struct status *status, struct slice words)
{
	struct slice severity, what;
	if (!control_reply_next_word(&words, &severity) || !control_reply_next_word(&words, &what))
		return false;
	if (slice_is(what, "BOOTSTRAP"))
		return take_bootstrap(status, words);
	if (slice_is(what, "CLOCK_SKEW"))
		return take_clock_skew(status, words);
	return false;
}
