/* SPDX-License-Identifier: ISC */
#include "base/logline.h"

#include <ctype.h>
#include <stddef.h>

/* In a form, 0 stands for a digit, A for a letter, ? for a digit or a space; a form ends where it ends. */
static bool
has_form(struct slice s, const char *form)
{
	if (s.len < strlen(form))
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		unsigned char c = s.data[i];
		bool fits = form[i] == '0' ? isdigit(c) != 0 : form[i] == 'A' ? isalpha(c) != 0
		    : form[i] == '?' ? isdigit(c) || c == ' ' : c == (unsigned char)form[i];
		if (!fits)
			return false;
	}
	return true;
}

/* Takes the bytes up to end from the front, and end. */
static bool
take_until(struct slice *rest, const char *end, size_t max, struct slice *out)
{
	size_t end_len = strlen(end);
	for (size_t i = 0; i <= max && i + end_len <= rest->len; i++) {
		if (memcmp(rest->data + i, end, end_len) != 0)
			continue;
		*out = slice_of(rest->data, i);
		*rest = slice_of(rest->data + i + end_len, rest->len - i - end_len);
		return true;
	}
	return false;
}

static bool
is_word(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!islower(s.data[i]) && s.data[i] != '-')
			return false;
	return s.len > 0;
}

bool
logline_parse(struct slice line, struct logline *out)
{
	if (!has_form(line, "0000-00-00T00:00:00.000Z "))
		return false;
	out->time = slice_of(line.data, LOGLINE_TIME_LEN);
	struct slice rest = slice_of(line.data + LOGLINE_TIME_LEN + 1, line.len - LOGLINE_TIME_LEN - 1);
	if (!take_until(&rest, " ", 5, &out->level) ||
	    (!slice_is(out->level, "error") && !slice_is(out->level, "warn") && !slice_is(out->level, "info")))
		return false;
	if (!take_until(&rest, ": ", LOGLINE_WHO_MAX, &out->who) || !is_word(out->who))
		return false;
	out->text = rest;
	return true;
}

static bool
contains(struct slice s, const char *what)
{
	return s.len > 0 && memmem(s.data, s.len, what, strlen(what)) != NULL;
}

void
logline_parse_foreign(struct slice line, struct logline *out)
{
	static const char tor_time[] = "AAA ?0 00:00:00.000 [", dovecot[] = "dovecot: ";
	*out = (struct logline){ .level = slice_of_string("warn"), .who = slice_of_string("program"), .text = line };
	if (has_form(line, tor_time)) {
		struct slice level, rest = slice_of(line.data + strlen(tor_time), line.len - strlen(tor_time));
		if (!take_until(&rest, "] ", 8, &level))
			return;
		out->who = slice_of_string("tor-program");
		out->text = rest;
		out->level = slice_of_string(slice_is(level, "err") ? "error" : slice_is(level, "warn") ? "warn" : "info");
	} else if (line.len > strlen(dovecot) && memcmp(line.data, dovecot, strlen(dovecot)) == 0) {
		out->who = slice_of_string("dovecot");
		out->text = slice_of(line.data + strlen(dovecot), line.len - strlen(dovecot));
		if (contains(out->text, "Error: ") || contains(out->text, "Fatal: ") || contains(out->text, "Panic: "))
			out->level = slice_of_string("error");
		else if (contains(out->text, "Info: "))
			out->level = slice_of_string("info");
	}
}
