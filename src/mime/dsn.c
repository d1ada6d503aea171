/* SPDX-License-Identifier: ISC */
#include "mime/dsn.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "mime/date.h"
#include "mime/header.h"
#include "mime/lines.h"
#include "mime/writer.h"

#define MESSAGE_ID_MAX 250
#define ADDRESS_FIELD_MAX 900 /* an address that is not one cannot make the line too long */

static bool
is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] >= 0x80)
			return false;
	return true;
}

/* RFC 6533 section 3: a UTF-8 address in a 7-bit field. */
static void
put_utf8_address(struct writer *w, struct slice address)
{
	const char *p = (const char *)address.data;
	size_t written = 0;
	for (size_t left = address.len; left > 0 && written < ADDRESS_FIELD_MAX;) {
		gunichar c = g_utf8_get_char_validated(p, (gssize)left);
		bool is_char = c != (gunichar)-1 && c != (gunichar)-2;
		size_t len = is_char ? (size_t)g_utf8_skip[(unsigned char)*p] : 1;
		char escaped[16];
		if (!is_char)
			snprintf(escaped, sizeof escaped, "?");
		else if (c > 0x20 && c < 0x7f && strchr("+=\\", (int)c) == NULL)
			snprintf(escaped, sizeof escaped, "%c", (int)c);
		else
			snprintf(escaped, sizeof escaped, "\\x{%02X}", (unsigned)c);
		writer_put(w, escaped);
		written += strlen(escaped);
		p += len;
		left -= len;
	}
}

/* RFC 3463: class "." subject "." detail. */
static bool
is_status(struct slice s)
{
	size_t at = 0;
	if (s.len < 5 || s.len > 9 || strchr("245", s.data[0]) == NULL || s.data[0] == '\0')
		return false;
	for (int part = 0; part < 3; part++) {
		size_t digits = 0;
		while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
			at++, digits++;
		if (digits < 1 || digits > 3 || (part < 2 && (at >= s.len || s.data[at++] != '.')))
			return false;
	}
	return at == s.len;
}

static struct slice
status_of(const struct dsn_failure *failure)
{
	if (is_status(failure->enhanced) && failure->enhanced.data[0] != '2')
		return failure->enhanced;
	return slice_of_string(failure->code >= 500 ? "5.0.0" : "4.0.0");
}

static const char *
advice_for(const struct dsn_failure *failure)
{
	static const struct {
		const char *status; /* the start of class and rest; "?" is any class; "!": only for words of our own */
		const char *advice;
	} table[] = {
		{ "!.1.", "Look whether the address is right: ask the person for it, or copy it again from where you have it." },
		{ "!.4.4", "Look whether the address is right. If it is, the other side has been switched off: send your message again "
		    "when it is there." },
		{ "!.5.", "The server of the other side has a fault that its owner must see to: tell the recipient in another way." },
		{ "!.7.5", "Ask the person in another way whether the key has changed, and take a new address from nobody else." },
		{ "!.7.", "The recipient lets in only those who have a key: ask the recipient for one in another way." },
		{ "!.", "The other side may have been switched off all the time. Send your message again when it is there." },
		{ "?.1.", "Look whether the address is right: ask the person for it, or copy it again from where you have it." },
		{ "?.2.2", "The mailbox of the recipient is full. Send your message again later." },
		{ "?.2.3", "Send a smaller message, or attach less to it." },
		{ "?.3.4", "Send a smaller message, or attach less to it." },
		{ "?.6.", "The other side cannot take this kind of message. Send it as plain text." },
		{ "5.7.", "The other side does not accept this message from you. Ask the recipient in another way." },
		{ "4.", "The other side may have been switched off all the time. Send your message again when it is there." },
		{ "5.", "Ask the recipient in another way, or send your message again later." },
	};
	struct slice status = status_of(failure);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *pattern = table[i].status;
		size_t len = strlen(pattern);
		bool is_class = pattern[0] == '?' || (unsigned char)pattern[0] == status.data[0] || (pattern[0] == '!' && failure->code == 0);
		if (status.len >= len && is_class &&
		    memcmp(status.data + 1, pattern + 1, len - 1) == 0)
			return table[i].advice;
	}
	return "Send your message again later.";
}

static void
put_reply(struct writer *w, const struct dsn_failure *failure, bool ascii_only)
{
	char code[8];
	snprintf(code, sizeof code, "%03u ", failure->code % 1000);
	if (failure->code != 0)
		writer_put(w, code);
	if (failure->code != 0 && is_status(failure->enhanced)) {
		writer_put_bytes(w, failure->enhanced.data, failure->enhanced.len);
		writer_put(w, " ");
	}
	writer_put_foreign(w, failure->text, ascii_only);
}

/* What happened to one recipient. Words of our own are not quoted like a stranger's. */
static void
put_outcome(struct writer *w, const struct dsn_request *request, const struct dsn_failure *failure)
{
	bool is_late = request->will_end_s != 0, is_for_good = status_of(failure).data[0] == '5';
	writer_put(w, "\r\n");
	writer_put_foreign(w, failure->recipient, false);
	writer_put(w, "\r\n  ");
	if (is_late && failure->code != 0)
		writer_put(w, "The server of the other side asks to try again later, with these words:");
	else if (!is_late && failure->code >= 500)
		writer_put(w, "It was refused with these words:");
	else if (!is_late && !is_for_good)
		writer_put(w, "It was tried again and again, for as long as it was allowed to. The last try ended so:");
	if (failure->code != 0)
		writer_put(w, "\r\n  > ");
	else if (!is_late && !is_for_good)
		writer_put(w, "\r\n  ");
	put_reply(w, failure, false);
	writer_put(w, "\r\n");
	if (!is_late)
		writer_put(w, "  ", advice_for(failure), "\r\n");
}

/* Late because the owner has to decide about a changed key. */
static bool
is_held(const struct dsn_request *request)
{
	for (size_t i = 0; i < request->failure_count; i++)
		if (request->failures[i].code == 0 && slice_is(request->failures[i].enhanced, "4.7.5"))
			return true;
	return false;
}

static void
put_explanation(struct writer *w, const struct dsn_request *request)
{
	char arrival[DATE_TEXT_SIZE], end[DATE_TEXT_SIZE];
	date_format(request->arrival_s, arrival);
	date_format(request->will_end_s, end);
	writer_put(w, "Your message of ", arrival, request->will_end_s != 0 ? " has not arrived yet at\r\n" : " could not be delivered to\r\n",
	    request->failure_count == 1 ? "this recipient:\r\n" : "these recipients:\r\n");
	for (size_t i = 0; i < request->failure_count; i++)
		put_outcome(w, request, &request->failures[i]);
	if (request->will_end_s != 0 && is_held(request))
		writer_put(w, "\r\nIt waits until you have decided about the key, or the old one is back. If neither happens by\r\n", end,
		    " it will be given up, and you will be told.\r\n");
	else if (request->will_end_s != 0)
		writer_put(w, "\r\nYou need not do anything, and need not send it again: it is tried again and again. If it has not arrived\r\n"
		    "by ", end, ", it will be given up, and you will be told. The folder Waiting shows how it stands.\r\n");
	else
		writer_put(w, "\r\nIt will not be tried any more. The header of your message is attached; the message itself is where\r\n"
		       "your mail program keeps what you sent.\r\n");
}

static void
put_status(struct writer *w, const struct dsn_request *request)
{
	char arrival[DATE_TEXT_SIZE], end[DATE_TEXT_SIZE];
	date_format(request->arrival_s, arrival);
	date_format(request->will_end_s, end);
	writer_put(w, "Reporting-MTA: dns; ", request->onion, "\r\nArrival-Date: ", arrival, "\r\n");
	for (size_t i = 0; i < request->failure_count; i++) {
		const struct dsn_failure *failure = &request->failures[i];
		struct slice status = status_of(failure);
		if (is_ascii(failure->recipient)) {
			writer_put(w, "\r\nFinal-Recipient: rfc822; ");
			writer_put_foreign(w, failure->recipient, true);
		} else {
			writer_put(w, "\r\nFinal-Recipient: utf-8; ");
			put_utf8_address(w, failure->recipient);
		}
		writer_put(w, request->will_end_s != 0 ? "\r\nAction: delayed\r\nStatus: " : "\r\nAction: failed\r\nStatus: ");
		writer_put_bytes(w, status.data, status.len);
		if (request->will_end_s != 0)
			writer_put(w, "\r\nWill-Retry-Until: ", end);
		if (failure->code != 0) { /* a reply of an SMTP server, not words of our own */
			writer_put(w, "\r\nDiagnostic-Code: smtp; ");
			put_reply(w, failure, true);
		}
		writer_put(w, "\r\n");
	}
}

/* The part of the original's header that goes along, in whole fields. */
static struct slice
original_header(const struct dsn_request *request)
{
	struct header_scan scan;
	struct header_field field;
	size_t len = 0;
	header_scan_init(&scan, request->original);
	while (header_scan_next(&scan, &field, NULL) == 1 && scan.scanned_bytes <= DSN_ORIGINAL_HEADER_MAX_BYTES)
		len = scan.scanned_bytes;
	return slice_of(request->original.data, len);
}

/* Lets mail programs show the notification below the message that it is about. */
static void
put_references(struct writer *w, struct slice header)
{
	struct header_scan scan;
	struct header_field field;
	struct buffer value;
	buffer_init(&value, MESSAGE_ID_MAX);
	header_scan_init(&scan, header);
	while (header_scan_next(&scan, &field, NULL) == 1) {
		if (!slice_is_nocase(field.name, "Message-ID") || header_unfold(field.value, &value, NULL) != 0)
			continue;
		const unsigned char *id = buffer_bytes(&value);
		size_t len = buffer_len(&value);
		bool is_plain = len > 2 && id[0] == '<' && id[len - 1] == '>';
		for (size_t i = 0; i < len; i++)
			is_plain = is_plain && id[i] > ' ' && id[i] < 0x7f;
		for (int i = 0; is_plain && i < 2; i++) {
			writer_put(w, i == 0 ? "In-Reply-To: " : "References: ");
			writer_put_bytes(w, id, len);
			writer_put(w, "\r\n");
		}
		break;
	}
	buffer_finish(&value);
}

static void
put_top(struct writer *w, const struct dsn_request *request, const char *boundary, struct slice header)
{
	char now[DATE_TEXT_SIZE];
	date_format(request->now_s, now);
	writer_put(w, "Date: ", now, "\r\nFrom: Mail Delivery System <postmaster@", request->onion, ">\r\nTo: <", request->recipient,
	    ">\r\nSubject: ", request->will_end_s != 0 ? "Your message has not arrived yet" : "Your message could not be delivered",
	    "\r\nMessage-ID: <", request->id_letters, "@", request->onion,
	    ">\r\n");
	put_references(w, header);
	writer_put(w, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
	    "report-type=delivery-status;\r\n boundary=\"", boundary, "\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
}

/* The mailbox goes into a header field, so it must not be able to begin another. */
static int
check_recipient(const char *recipient, struct error *err)
{
	if (!g_utf8_validate(recipient, -1, NULL))
		return error_set(err, ERROR_INVALID, "the mailbox to be notified is not UTF-8");
	for (const char *p = recipient; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '<' || *p == '>')
			return error_set(err, ERROR_INVALID, "the mailbox to be notified is none");
	return 0;
}

int
dsn_compose(const struct dsn_request *request, struct buffer *out, bool *needs_smtputf8, bool *has_8bit,
    struct error *err)
{
	struct writer writer = { .out = out, .err = err }, *w = &writer;
	struct slice header = original_header(request);
	bool header_is_ascii = is_ascii(header);
	struct lines_facts lines;
	char boundary[DSN_LETTERS + 3];
	size_t before = buffer_len(out);
	if (check_recipient(request->recipient, err) != 0)
		return -1;
	snprintf(boundary, sizeof boundary, "=_%s", request->boundary_letters); /* "=_" is never in quoted-printable */
	put_top(w, request, boundary, header);
	writer_put(w, "--", boundary, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	put_explanation(w, request);
	writer_put(w, "\r\n--", boundary, "\r\nContent-Type: message/delivery-status\r\n\r\n");
	put_status(w, request);
	writer_put(w, "\r\n--", boundary, "\r\nContent-Type: ", header_is_ascii ? "text/rfc822-headers\r\n\r\n" :
	    "message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	writer_put_bytes(w, header.data, header.len);
	writer_put(w, "\r\n--", boundary, "--\r\n");
	if (w->result != 0)
		return -1;
	*needs_smtputf8 = !is_ascii(slice_of_string(request->recipient)) || !header_is_ascii;
	int checked = lines_check(slice_of(buffer_bytes(out) + before, buffer_len(out) - before), &lines, err);
	*has_8bit = checked == 0 && lines.has_8bit;
	return checked;
}
