/* SPDX-License-Identifier: ISC */
#include "daemon/mail_introduce.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/encode.h"
#include "base/random.h"
#include "ipc/pack.h"

#define LINE_OCTETS 57 /* 76 letters of base64 */
#define MESSAGE_MAX_BYTES 65536
#define BOUNDARY_LETTERS 26

static void
put_base64(struct buffer *out, struct slice bytes)
{
	char line[ENCODE_BASE64_LEN(LINE_OCTETS) + 1];
	for (size_t at = 0; at < bytes.len; at += LINE_OCTETS) {
		encode_base64(line, bytes.data + at, bytes.len - at < LINE_OCTETS ? bytes.len - at : LINE_OCTETS);
		buffer_printf(out, NULL, "%s\r\n", line);
	}
}

/* The words: nothing of what the owner calls anybody, which is nobody else's affair. */
static void
put_words(const char *address, struct slice note, struct buffer *out)
{
	char word[ADDRESS_WORD_MAX + 1];
	if (note.len > 0) {
		for (size_t i = 0; i < note.len; i++)
			if (note.data[i] != '\r')
				buffer_append(out, note.data[i] == '\n' ? "\r\n" : (const char *)&note.data[i], note.data[i] == '\n' ? 2 : 1, NULL);
		buffer_append_string(out, "\r\n\r\n", NULL);
	}
	buffer_printf(out, NULL, "This introduces you to\r\n\r\n  %s\r\n\r\nwhose card is attached, signed by the key of their onion.\r\n"
	    "To take them into your address book:\r\n\r\n  smtorp contact accept %s\r\n", address, address_as_word(address, word));
}

void
mail_introduce_put_card(struct buffer *out, const char *boundary, struct slice card)
{
	buffer_printf(out, NULL, "--%s\r\nContent-Type: text/vcard; charset=utf-8\r\nContent-Disposition: attachment; filename=card.vcf\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n", boundary);
	put_base64(out, card);
}

static int
compose(const struct mail_introduce *in, const char *address, const char *to, struct slice note, struct slice card,
    struct buffer *out, struct error *err)
{
	char boundary[BOUNDARY_LETTERS + 1], date[DATE_TEXT_SIZE];
	struct buffer words;
	random_name(boundary, sizeof boundary);
	date_format(clock_wall_s(), date);
	buffer_init(&words, 4 * IPC_NOTE_MAX);
	put_words(address, note, &words);
	buffer_printf(out, NULL, "Date: %s\r\nFrom: <%s@%s>\r\nTo: <%s>\r\nSubject: An introduction\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n", date, in->local_part, in->onion, to, boundary, boundary);
	put_base64(out, slice_of(buffer_bytes(&words), buffer_len(&words)));
	mail_introduce_put_card(out, boundary, card);
	buffer_finish(&words);
	return buffer_printf(out, err, "--%s--\r\n", boundary);
}

struct sending {
	const struct mail_introduce *introduce;
	uint64_t request_id;
};

static void
end(const struct mail_introduce *in, uint64_t request_id, const struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = request_id, .error = (uint8_t)err->code,
		.count = err->code == ERROR_NONE } };
	snprintf(m.queue_end.text, sizeof m.queue_end.text, "%s", err->text);
	in->send(in->context, &m);
}

static void
on_sent(void *context, unsigned code, const char *text)
{
	struct sending *s = context;
	struct error err = { 0 };
	if (code != 250)
		error_set(&err, code < 500 ? ERROR_BUSY : ERROR_INVALID, "%s", text);
	end(s->introduce, s->request_id, &err);
	free(s);
}

static int
prepare(const struct mail_introduce *in, const char *address, const char *to, struct slice note, struct buffer *message,
    struct buffer *recipients, struct error *err)
{
	struct buffer card;
	struct address about, receiver;
	if (address_parse(slice_of_string(address), &about, err) != 0 || address_parse(slice_of_string(to), &receiver, err) != 0)
		return -1;
	if (strcmp(about.onion, receiver.onion) == 0 || strcmp(about.onion, in->onion) == 0)
		return error_set(err, ERROR_DENIED, "nobody needs to be introduced to themselves, or by themselves");
	buffer_init(&card, CONTACTS_CARD_MAX_BYTES);
	int found = contacts_card_of(in->contacts, slice_of_string(address), &card, err);
	if (found == 0)
		error_set(err, ERROR_NOT_FOUND, "there is no card of theirs that names the key which counts: ask them for theirs (`smtorp card`), and add it");
	int result = found != 1 ? -1 : compose(in, address, to, note, slice_of(buffer_bytes(&card), buffer_len(&card)), message, err);
	buffer_finish(&card);
	return result == 0 ? pack_string(recipients, slice_of_string(to), err) : -1;
}

void
mail_introduce_answer(const struct mail_introduce *in, const struct ipc_contact_request *r)
{
	struct buffer message, recipients;
	struct body body = BODY_EMPTY;
	struct error err = { 0 };
	buffer_init(&message, MESSAGE_MAX_BYTES);
	buffer_init(&recipients, 2 * IPC_MAILBOX_MAX);
	if (prepare(in, r->address, r->to, r->note, &message, &recipients, &err) != 0 ||
	    body_from_bytes(slice_of(buffer_bytes(&message), buffer_len(&message)), &body, &err) != 0) {
		end(in, r->request_id, &err);
	} else {
		struct sending *s = calloc(1, sizeof *s);
		assert(s != NULL);
		*s = (struct sending){ in, r->request_id };
		mail_intake_own(in->intake, slice_of(buffer_bytes(&recipients), buffer_len(&recipients)), &body, on_sent, s);
	}
	buffer_finish(&recipients);
	buffer_finish(&message);
}
