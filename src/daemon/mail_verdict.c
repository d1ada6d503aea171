/* SPDX-License-Identifier: ISC */
#include "daemon/mail_verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "address/address.h"
#include "mime/verdict.h"

struct line {
	char *out;
	size_t len;
};

/* One tag. It stays in its line, also if content@ID says what it never should. */
static void __attribute__((format(printf, 2, 3)))
tag(struct line *line, const char *format, ...)
{
	va_list values;
	line->len += (size_t)snprintf(line->out + line->len, RECORD_VERDICT_MAX - line->len, ";\r\n ");
	char *begin = line->out + line->len;
	va_start(values, format);
	line->len += (size_t)vsnprintf(line->out + line->len, RECORD_VERDICT_MAX - line->len, format, values);
	va_end(values);
	for (char *at = begin; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

/* A tag with words that may have something in them which others wrote: none of it begins another tag. Cut, so that all tags fit. */
static void
tag_words(struct line *line, const char *name, const char *words, int most)
{
	size_t start = line->len;
	tag(line, "%s=%.*s", name, most, words);
	for (char *at = strchr(line->out + start + 1, '=') + 1; (at = strchr(at, ';')) != NULL;)
		*at = ',';
}

static void
say_acquaintance(struct line *line, const struct mail_verdict *v)
{
	static const char *const keys[] = {
		[CONTACTS_LEARNED_FIRST] = "first", [CONTACTS_LEARNED_CHANGED] = "changed", [CONTACTS_LEARNED_HELD] = "held",
	};
	char day[sizeof "2026-11-23"];
	struct tm tm;
	time_t since = (time_t)v->since_s;
	if (v->since_s == 0)
		tag(line, "first-contact=yes");
	else if (gmtime_r(&since, &tm) != NULL && strftime(day, sizeof day, "%Y-%m-%d", &tm) > 0)
		tag(line, "known-since=%s", day);
	if (v->key < sizeof keys / sizeof keys[0] && keys[v->key] != NULL)
		tag(line, "key=%s", keys[v->key]);
}

static void
say_opened(struct line *line, const struct mail_verdict *v)
{
	static const char *const encryptions[] = {
		[PGPMIME_CLEAR] = "no", [PGPMIME_OPENED] = "yes", [PGPMIME_OTHER_KEYS] = "other-keys", [PGPMIME_CHANGED] = "changed",
		[PGPMIME_UNREADABLE] = "unreadable",
	};
	static const char *const signatures[] = {
		[PGPMIME_UNSIGNED] = "no", [PGPMIME_SIGNED_UNKNOWN] = "unknown", [PGPMIME_SIGNED_WRONG] = "wrong", [PGPMIME_SIGNED_OTHER] = "other-sender",
	};
	tag(line, "encrypted=%s", v->encryption <= PGPMIME_UNREADABLE ? encryptions[v->encryption] : "unreadable");
	if (v->signature == PGPMIME_SIGNED_GOOD)
		tag(line, "signed=%s", v->fingerprint);
	else if (v->signature <= PGPMIME_SIGNED_OTHER)
		tag(line, "signed=%s", signatures[v->signature]);
	if (v->trouble[0] != '\0')
		tag_words(line, "trouble", v->trouble, 200);
}

bool
mail_verdict_is_false(const struct mail_verdict *v)
{
	return v->proof == ONIONSIG_MISSING || v->proof == ONIONSIG_WRONG;
}

void
mail_verdict_note_peer(struct mail_verdict *v, const char *reverse_path, const char *proved)
{
	struct address peer, claimed;
	const char *at = strrchr(reverse_path, '@');
	v->peer[0] = '\0';
	v->has_other_path = false;
	if (address_parse_domain(slice_of_string(proved), &peer, NULL) != 0)
		return;
	snprintf(v->peer, sizeof v->peer, "%s", peer.onion);
	if (at != NULL && address_is_onion(slice_of_string(at + 1)))
		v->has_other_path = address_parse_domain(slice_of_string(at + 1), &claimed, NULL) != 0 || strcmp(claimed.onion, peer.onion) != 0;
}

/* Only of a proved sender can be said that the message came from there directly. */
static void
say_way(struct line *line, const struct mail_verdict *v)
{
	struct address sender;
	bool is_direct = v->proof == ONIONSIG_PROVED && v->peer[0] != '\0' && address_parse(slice_of_string(v->sender), &sender, NULL) == 0 &&
	    strcmp(sender.onion, v->peer) == 0;
	tag(line, "came=%s", is_direct ? "directly" : v->peer[0] != '\0' ? v->peer : "unknown");
	if (v->has_other_path)
		tag(line, "reverse-path=other");
}

void
mail_verdict_write(const struct mail_verdict *v, char out[RECORD_VERDICT_MAX])
{
	bool is_proved = v->proof == ONIONSIG_PROVED;
	struct line line = { .out = out };
	line.len = (size_t)snprintf(out, RECORD_VERDICT_MAX, VERDICT_FIELD ": %s",
	    is_proved ? "proved" : mail_verdict_is_false(v) ? "false" : "unproved");
	if (is_proved) {
		tag(&line, "sender=%s", v->sender);
		say_acquaintance(&line, v);
	} else if (mail_verdict_is_false(v)) {
		tag_words(&line, "reason", v->why, 400);
	}
	say_way(&line, v);
	if (v->is_opened)
		say_opened(&line, v);
	snprintf(out + line.len, RECORD_VERDICT_MAX - line.len, "\r\n");
}
