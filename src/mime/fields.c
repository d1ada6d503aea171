/* SPDX-License-Identifier: ISC */
#include "mime/fields.h"

#include <assert.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mime/date.h"
#include "mime/fold.h"
#include "mime/header.h"
#include "mime/mailboxes.h"
#include "mime/params.h"
#include "mime/threads.h"

struct rule;

struct work {
	const struct fields_place *place;
	const struct prepare_request *request;
	struct buffer *out;   /* the field that is being written */
	struct buffer value;  /* of the field that is being read: flat */
	struct content *content;
	struct threads threads; /* the ids of the whole header */
	bool has_replies, has_references;
	bool is_cryptographic; /* the part is a signature, or belongs to what is encrypted */
};

/* Appends what leaves of the field in w->value: the whole of it, or nothing. */
typedef int field_action(struct work *w, const struct rule *rule, struct error *err);

static field_action text, own_or_none, from, reply_to, date, message_id, in_reply_to, references, word, mime_version, autocrypt,
    content_type, content_encoding, content_disposition, content_id, description;

/* Fields leave in this order; those of one name (and Resent- fields among themselves) keep theirs. */
enum rank {
	RANK_RESENT, RANK_FROM, RANK_SENDER, RANK_REPLY_TO, RANK_TO, RANK_CC, RANK_SUBJECT, RANK_DATE, RANK_MESSAGE_ID,
	RANK_IN_REPLY_TO, RANK_REFERENCES, RANK_OTHER, RANK_MIME_VERSION, RANK_TYPE, RANK_DISPOSITION, RANK_ENCODING, RANK_ID,
	RANK_DESCRIPTION, RANKS
};

enum place { MESSAGE = 1, PART = 2, BOTH = MESSAGE | PART };

/* What may leave. A field is here because people or their programs need it at the other end; what only tells of the
 * sender's program, machine or way stays at home, and so does what nobody has thought about. */
static const struct rule {
	const char *name;
	enum rank rank;
	field_action *action;
	unsigned places;
	bool is_single;
	const char *why; /* what may have been changed in it */
} rules[] = {
	/* Who sent the message once more. The time is made UTC; an address that is not the sender's own goes, and so does
	 * Resent-Message-ID, by which nothing is threaded. */
	{ "Resent-From", RANK_RESENT, own_or_none, MESSAGE, false, "names an address that is not yours" },
	{ "Resent-Sender", RANK_RESENT, own_or_none, MESSAGE, false, "names an address that is not yours" },
	{ "Resent-To", RANK_RESENT, text, MESSAGE, false, NULL },
	{ "Resent-Cc", RANK_RESENT, text, MESSAGE, false, NULL },
	{ "Resent-Date", RANK_RESENT, date, MESSAGE, false, "would tell your time zone" },
	{ "From", RANK_FROM, from, MESSAGE, true, NULL },
	/* Programs write it by themselves, often user@machine, and their users can seldom change it: dropped, not refused. */
	{ "Sender", RANK_SENDER, own_or_none, MESSAGE, false, "names an address that is not yours" },
	/* A foreign one is refused: dropping it would lead the answers elsewhere than the sender wants. */
	{ "Reply-To", RANK_REPLY_TO, reply_to, MESSAGE, true, NULL },
	{ "To", RANK_TO, text, MESSAGE, false, NULL },
	{ "Cc", RANK_CC, text, MESSAGE, false, NULL },
	{ "Subject", RANK_SUBJECT, text, MESSAGE, false, NULL },
	{ "Date", RANK_DATE, date, MESSAGE, true, "would tell your time zone, or the second" },
	{ "Message-ID", RANK_MESSAGE_ID, message_id, MESSAGE, true, "your mail program's own does not leave" },
	{ "In-Reply-To", RANK_IN_REPLY_TO, in_reply_to, MESSAGE, false, "only ids leave, and of your own only their names outside" },
	{ "References", RANK_REFERENCES, references, MESSAGE, false, "only ids leave, and of your own only their names outside" },
	/* What a person writes, or asks for. */
	{ "Comments", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "Keywords", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "Importance", RANK_OTHER, word, MESSAGE, true, "only its first word leaves" },
	{ "Priority", RANK_OTHER, word, MESSAGE, true, "only its first word leaves" },
	{ "X-Priority", RANK_OTHER, word, MESSAGE, true, "only its first word leaves" },
	{ "Sensitivity", RANK_OTHER, word, MESSAGE, true, "only its first word leaves" },
	{ "Disposition-Notification-To", RANK_OTHER, own_or_none, MESSAGE, true, "names an address that is not yours" },
	/* Programs that answer by themselves leave a message alone that says so: no loops. */
	{ "Auto-Submitted", RANK_OTHER, word, MESSAGE, true, "only its first word leaves" },
	{ "Precedence", RANK_OTHER, word, MESSAGE, true, "only its first word leaves" },
	/* Mailing lists' programs need these (RFC 2369, RFC 2919, RFC 8058), and no person's program writes them. */
	{ "List-Id", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Help", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Unsubscribe", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Unsubscribe-Post", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Subscribe", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Post", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Owner", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "List-Archive", RANK_OTHER, text, MESSAGE, false, NULL },
	/* Keys and the handshake of programs that encrypt by themselves; they do not work without. */
	{ "Autocrypt", RANK_OTHER, autocrypt, MESSAGE, false, "is for an address that is not yours" },
	{ "Chat-Version", RANK_OTHER, text, MESSAGE, false, NULL },
	{ "Secure-Join", RANK_OTHER, text, BOTH, false, NULL },
	{ "Secure-Join-Invitenumber", RANK_OTHER, text, BOTH, false, NULL },
	{ "Secure-Join-Auth", RANK_OTHER, text, BOTH, false, NULL },
	{ "Secure-Join-Fingerprint", RANK_OTHER, text, BOTH, false, NULL },
	{ "Secure-Join-Group", RANK_OTHER, text, BOTH, false, NULL },
	/* What the content is. */
	{ "MIME-Version", RANK_MIME_VERSION, mime_version, MESSAGE, false, "programs name themselves in it" },
	{ "Content-Type", RANK_TYPE, content_type, BOTH, true, "only known parameters leave, with a new boundary and no paths" },
	{ "Content-Disposition", RANK_DISPOSITION, content_disposition, BOTH, true, "only the file's name leaves" },
	{ "Content-Transfer-Encoding", RANK_ENCODING, content_encoding, BOTH, true, "written in one way" },
	/* Nothing can refer to the message as a part of itself. */
	{ "Content-ID", RANK_ID, content_id, PART, true, "names of parts are made anew, and with them what refers to them in HTML" },
	{ "Content-Description", RANK_DESCRIPTION, description, BOTH, false, "was written by your mail program" },
};

/* Why some of the others are gone, for the sender. A '*' at the end stands for any rest. */
static const struct {
	const char *name, *why;
} reasons[] = {
	{ "Bcc", "names hidden recipients" },
	{ "Resent-Bcc", "names hidden recipients" },
	{ "Received", "tells which way the message went" },
	{ "Return-Path", "tells which way the message went" },
	{ "Delivered-To", "tells which way the message went" },
	{ "X-Original-To", "tells which way the message went" },
	{ "User-Agent", "names your mail program" },
	{ "X-User-Agent", "names your mail program" },
	{ "X-Mailer*", "names your mail program" },
	{ "X-MimeOLE", "names your mail program" },
	{ "X-Newsreader", "names your mail program" },
	{ "X-Originating-*", "names your machine" },
	{ "X-Sender*", "names your account" },
	{ "X-X-Sender", "names your account and machine" },
	{ "X-Authenticat*", "names your account and machine" },
	{ "X-Source*", "names your machine" },
	{ "Content-Language", "tells your language" },
	{ "Accept-Language", "tells your language" },
	{ "Content-Location", "tells a path" },
	{ "Content-ID", "may name your machine" },
	{ "Resent-Message-ID", "names your machine" },
	{ "Organization", "tells where you work" },
	{ "Mail-Followup-To", "may name other addresses of yours" },
	{ "Mail-Reply-To", "may name other addresses of yours" },
};

#define UNKNOWN "not among the fields that leave: it may tell of your mail program or machine"
#define NORMALISED "written in one way"

static struct slice
value_of(const struct work *w)
{
	return slice_of(buffer_bytes(&w->value), buffer_len(&w->value));
}

/* ---- actions */

static int
text(struct work *w, const struct rule *rule, struct error *err)
{
	struct slice value = value_of(w);
	if (!g_utf8_validate_len((const char *)value.data, value.len, NULL))
		return error_set(err, ERROR_INVALID, "the header field %s is not in UTF-8: have the mail program send "
		    "UTF-8 or encoded-words", rule->name);
	return fold_write(rule->name, value, w->out, err);
}

/* 0: own mailboxes only. */
static int
check_own(const struct work *w, struct error *err)
{
	struct slice value = value_of(w);
	if (!g_utf8_validate_len((const char *)value.data, value.len, NULL))
		return error_set(err, ERROR_INVALID, "From: is not in UTF-8");
	return mailboxes_are_own(value, w->request->local_part, w->request->onion, err);
}

static int
from(struct work *w, const struct rule *rule, struct error *err)
{
	if (check_own(w, err) != 0)
		return -1;
	return text(w, rule, err);
}

static int
own_or_none(struct work *w, const struct rule *rule, struct error *err)
{
	struct error why = { 0 };
	if (check_own(w, &why) == 0)
		return text(w, rule, err);
	return why.code == ERROR_NO_MEMORY ? error_set(err, why.code, "%s", why.text) : 0;
}

static int
reply_to(struct work *w, const struct rule *rule, struct error *err)
{
	struct error why = { 0 };
	if (buffer_len(&w->value) == 0)
		return 0;
	if (check_own(w, &why) == 0)
		return text(w, rule, err);
	if (why.code != ERROR_DENIED)
		return error_set(err, why.code, "Reply-To: must hold your own address, in a simple form, or not be there");
	return error_set(err, ERROR_DENIED, "Reply-To: names another address than %s@%.12s...onion, and would tie the two together: "
	    "remove it from this account's settings", w->request->local_part, w->request->onion);
}

static int
put_date(struct work *w, const char *name, int64_t time_s, struct error *err)
{
	char date_text[DATE_TEXT_SIZE];
	int64_t step = w->request->date_step_s > 0 ? w->request->date_step_s : 1;
	date_format(time_s - time_s % step, date_text);
	return buffer_printf(w->out, err, "%s: %s\r\n", name, date_text);
}

static int
date(struct work *w, const struct rule *rule, struct error *err)
{
	int64_t time_s;
	if (date_parse(value_of(w), &time_s, NULL) != 0)
		time_s = w->request->now_s;
	return put_date(w, rule->name, time_s, err);
}

static int
put_message_id(struct work *w, struct error *err)
{
	return buffer_printf(w->out, err, "Message-ID: <%s@%s>\r\n", w->request->id_letters, w->request->onion);
}

static int
message_id(struct work *w, const struct rule *rule, struct error *err)
{
	(void)rule;
	return put_message_id(w, err);
}

/* The first such field gets the ids of all. */
static int
in_reply_to(struct work *w, const struct rule *rule, struct error *err)
{
	bool is_first = !w->has_replies;
	w->has_replies = true;
	return !is_first ? 0 :
	    threads_put_field(w->out, rule->name, w->threads.replies, w->threads.reply_count, w->request->ids, err);
}

static int
references(struct work *w, const struct rule *rule, struct error *err)
{
	bool is_first = !w->has_references;
	w->has_references = true;
	return !is_first ? 0 :
	    threads_put_field(w->out, rule->name, w->threads.references, w->threads.reference_count, w->request->ids, err);
}

/* The first word; programs write more behind it, each in its own way ("1 (Highest)"). */
static int
word(struct work *w, const struct rule *rule, struct error *err)
{
	struct slice value = value_of(w);
	size_t len = 0;
	while (len < value.len && len < 40 && (g_ascii_isalnum(value.data[len]) || value.data[len] == '-'))
		len++;
	return len == 0 ? 0 : buffer_printf(w->out, err, "%s: %.*s\r\n", rule->name, (int)len, value.data);
}

static int
mime_version(struct work *w, const struct rule *rule, struct error *err)
{
	return buffer_printf(w->out, err, "%s: 1.0\r\n", rule->name);
}

/* Only with addr=OWN. */
static int
autocrypt(struct work *w, const struct rule *rule, struct error *err)
{
	struct slice value = value_of(w);
	for (size_t at = 0; at < value.len;) {
		while (at < value.len && value.data[at] == ' ')
			at++;
		const unsigned char *end = memchr(value.data + at, ';', value.len - at);
		size_t len = end == NULL ? value.len - at : (size_t)(end - value.data) - at;
		if (len > 5 && strncasecmp((const char *)value.data + at, "addr=", 5) == 0) {
			struct slice address = slice_of(value.data + at + 5, len - 5);
			bool is_own = g_utf8_validate_len((const char *)address.data, address.len, NULL) &&
			    mailboxes_are_own(address, w->request->local_part, w->request->onion, NULL) == 0;
			return is_own ? text(w, rule, err) : 0;
		}
		at += len + 1;
	}
	return 0;
}

static int
content_type(struct work *w, const struct rule *rule, struct error *err)
{
	(void)rule;
	return content_write_type(value_of(w), w->place->new_boundary, w->request->seed, w->content, w->out, err);
}

static int
content_disposition(struct work *w, const struct rule *rule, struct error *err)
{
	(void)rule;
	return content_write_disposition(value_of(w), w->out, err);
}

static int
content_encoding(struct work *w, const struct rule *rule, struct error *err)
{
	(void)rule;
	return content_write_encoding(value_of(w), w->content, w->out, err);
}

static int
content_id(struct work *w, const struct rule *rule, struct error *err)
{
	(void)rule;
	return content_write_id(value_of(w), w->request->seed, w->out, err);
}

/* What a person wrote about a part; programs do so about signatures, each in its own words. */
static int
description(struct work *w, const struct rule *rule, struct error *err)
{
	return w->is_cryptographic ? 0 : text(w, rule, err);
}

/* Whether the part is a signature, or says that what follows is encrypted: to be known before its description comes. */
static int
find_cryptographic(struct work *w, struct slice header, struct error *err)
{
	static const char *const types[] = { "application/pgp-", "application/pkcs7-", "application/x-pkcs7-" };
	struct header_scan scan;
	struct header_field field = { 0 };
	header_scan_init(&scan, header);
	while (header_scan_next(&scan, &field, NULL) == 1 && !slice_is_nocase(field.name, "Content-Type"))
		;
	if (!slice_is_nocase(field.name, "Content-Type"))
		return 0;
	buffer_consume(&w->value, buffer_len(&w->value));
	if (fold_flatten(field.value, &w->value, err) != 0)
		return -1;
	struct slice type = params_head(value_of(w));
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		w->is_cryptographic = w->is_cryptographic || (type.len > strlen(types[i]) &&
		    strncasecmp((const char *)type.data, types[i], strlen(types[i])) == 0);
	return 0;
}

/* ---- the header */

/* The fields that leave, in the order in which they came. */
struct kept {
	enum rank rank;
	size_t start, len; /* in the buffer */
};

struct section {
	struct work work;
	struct buffer written;
	struct kept kept[HEADER_FIELDS_MAX + 8];
	size_t count;
	unsigned seen[sizeof rules / sizeof rules[0]];
};

static const struct rule *
rule_for(struct slice name, bool is_part)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if ((rules[i].places & (is_part ? PART : MESSAGE)) != 0 && slice_is_nocase(name, rules[i].name))
			return &rules[i];
	return NULL;
}

bool
fields_may_leave(struct slice name, bool is_part)
{
	return rule_for(name, is_part) != NULL;
}

static const char *
reason_for(struct slice name)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		size_t len = strlen(reasons[i].name);
		if (reasons[i].name[len - 1] == '*' ? name.len >= len - 1 &&
		    strncasecmp((const char *)name.data, reasons[i].name, len - 1) == 0 : slice_is_nocase(name, reasons[i].name))
			return reasons[i].why;
	}
	return UNKNOWN;
}

static void
report(const struct section *s, struct slice before, struct slice after, const char *why)
{
	const struct prepare_report *r = s->work.place->report;
	bool is_same = before.len == after.len && memcmp(before.data, after.data, after.len) == 0;
	if (r != NULL)
		r->on_lines(r->context, s->work.place->part, before, after, is_same ? NULL : why);
}

/* What was written since `start` is a field to be kept. */
static struct slice
keep(struct section *s, enum rank rank, size_t start)
{
	size_t len = buffer_len(&s->written) - start;
	if (len > 0) {
		assert(s->count < sizeof s->kept / sizeof s->kept[0]);
		s->kept[s->count++] = (struct kept){ rank, start, len };
	}
	return slice_of(buffer_bytes(&s->written) + start, len);
}

static int
take_field(struct section *s, const struct header_field *field, struct error *err)
{
	const struct rule *rule = rule_for(field->name, s->work.place->part != 0);
	size_t start = buffer_len(&s->written);
	if (rule == NULL) {
		report(s, field->raw, slice_of("", 0), reason_for(field->name));
		return 0;
	}
	if (s->seen[rule - rules]++ > 0 && rule->is_single)
		return error_set(err, ERROR_INVALID, "there is more than one %s: field", rule->name);
	if (rule->action == mime_version && s->seen[rule - rules] > 1)
		return 0;
	buffer_consume(&s->work.value, buffer_len(&s->work.value));
	if (fold_flatten(field->value, &s->work.value, err) != 0 || rule->action(&s->work, rule, err) != 0)
		return -1;
	struct slice after = keep(s, rule->rank, start);
	report(s, field->raw, after, rule->why != NULL ? rule->why : NORMALISED);
	return 0;
}

static bool
has(const struct section *s, enum rank rank)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->kept[i].rank == rank)
			return true;
	return false;
}

static int
put_missing(struct section *s, struct error *err)
{
	struct work *w = &s->work;
	const struct prepare_request *r = w->request;
	static const enum rank ranks[] = { RANK_FROM, RANK_DATE, RANK_MESSAGE_ID, RANK_MIME_VERSION };
	bool has_content = has(s, RANK_TYPE) || has(s, RANK_ENCODING);
	for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
		size_t start = buffer_len(&s->written);
		int result = 0;
		if (has(s, ranks[i]))
			continue;
		if (ranks[i] == RANK_FROM)
			result = buffer_printf(w->out, err, "From: %s@%s\r\n", r->local_part, r->onion);
		else if (ranks[i] == RANK_DATE)
			result = put_date(w, "Date", r->now_s, err);
		else if (ranks[i] == RANK_MESSAGE_ID)
			result = put_message_id(w, err);
		else if (has_content)
			result = buffer_append_string(w->out, "MIME-Version: 1.0\r\n", err);
		if (result != 0)
			return -1;
		struct slice added = keep(s, ranks[i], start);
		if (added.len > 0)
			report(s, slice_of("", 0), added, "was missing");
	}
	return 0;
}

static int
put_in_order(const struct section *s, struct buffer *out, struct error *err)
{
	for (enum rank rank = 0; rank < RANKS; rank++)
		for (size_t i = 0; i < s->count; i++)
			if (s->kept[i].rank == rank &&
			    buffer_append(out, buffer_bytes(&s->written) + s->kept[i].start, s->kept[i].len, err) != 0)
				return -1;
	return 0;
}

int
fields_write(const struct fields_place *place, struct slice message, struct buffer *out, struct content *content, size_t *rest,
    struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	struct section *s = calloc(1, sizeof *s);
	int got = -1, result = -1;
	*content = (struct content){ 0 };
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	buffer_init(&s->written, 2 * HEADER_SECTION_MAX_BYTES);
	s->work = (struct work){ .place = place, .request = place->request, .out = &s->written, .content = content };
	buffer_init(&s->work.value, HEADER_SECTION_MAX_BYTES);
	threads_find(message, &s->work.threads);
	if (find_cryptographic(&s->work, message, err) != 0)
		goto out;
	header_scan_init(&scan, message);
	while ((got = header_scan_next(&scan, &field, err)) == 1)
		if (take_field(s, &field, err) != 0)
			goto out;
	if (got != 0 || (place->part == 0 && put_missing(s, err) != 0))
		goto out;
	*rest = scan.scanned_bytes;
	result = put_in_order(s, out, err);
out:
	buffer_finish(&s->written);
	buffer_finish(&s->work.value);
	free(s);
	return result;
}
