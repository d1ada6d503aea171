/* SPDX-License-Identifier: ISC */
#include "daemon/mail_notice.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/mail_news.h"

#define AGAIN_MS (60 * 1000)
#define TEXT_MAX_BYTES 8192
#define ID_LETTERS 26

struct mail_notice {
	char local_part[65], onion[IPC_ONION_MAX + 1];
	struct mailstore *mailstore;
	struct contacts *contacts;
	void (*on_appended)(void *context);
	void *context;
	struct timer *again;
};

static void
on_again(void *context)
{
	mail_notice_look(context);
}

static void
put_header(const struct mail_notice *n, const char *subject, struct buffer *out)
{
	char line[1024], date[DATE_TEXT_SIZE], id[ID_LETTERS + 1];
	date_format(clock_wall_s(), date);
	random_name(id, sizeof id);
	snprintf(line, sizeof line, "Date: %s\r\nFrom: SMTorP <postmaster@%s>\r\nTo: <%s@%s>\r\n"
	    "Subject: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", date, n->onion,
	    n->local_part, n->onion, subject, id, n->onion);
	buffer_append_string(out, line, NULL);
}

static void
put_text(const struct pin *pin, struct buffer *out)
{
	char lines[4096];
	bool has_key = pin->shown[0] != '\0';
	snprintf(lines, sizeof lines,
	    "Mail to\r\n\r\n  %s\r\n\r\nis held in your queue. Until now the node there had the TLS key\r\n\r\n  %s\r\n\r\n"
	    "and now it shows %s\r\n\r\n%s%s%s"
	    "Perhaps the person has set the node up anew. But perhaps somebody has stolen the onion's key, or sits in\r\n"
	    "between, and answers in the place of the person: then your mail would be read by somebody else.\r\n\r\n"
	    "Nothing was sent. Ask the person in another way than by mail: by telephone, or face to face. Whoever sits in\r\n"
	    "between could answer a mail.\r\n\r\n", pin->onion, pin->fingerprint, has_key ? "the key" : "no key at all.",
	    has_key ? "  " : "", pin->shown, has_key ? "\r\n\r\n" : "");
	buffer_append_string(out, lines, NULL);
	if (has_key)
		snprintf(lines, sizeof lines, "If the person says that the new key is the right one:\r\n\r\n  smtorp peer accept %s.%s\r\n\r\n"
		    "and what waits is sent at once.", pin->shown, pin->onion);
	else
		snprintf(lines, sizeof lines, "If the person says that this is right:\r\n\r\n  smtorp peer forget %s\r\n\r\n"
		    "and what waits is sent at once.", pin->onion);
	buffer_append_string(out, lines, NULL);
	buffer_append_string(out, " Otherwise `smtorp queue list` shows what waits, and `smtorp queue cancel`\r\n"
	    "gives it up. The node goes on looking: when the old key is back, the mail goes by itself.\r\n", NULL);
}

/* Appends it to the journal. 1, -1. */
static int
tell(struct mail_notice *n, const char *subject, const struct buffer *text, uint64_t item, const char *word, struct error *err)
{
	struct buffer message;
	struct record r = { .type = RECORD_NOTICE, .arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string(""), .item = item,
		.positions = slice_of_string(word) };
	buffer_init(&message, 2 * TEXT_MAX_BYTES);
	put_header(n, subject, &message);
	int result = buffer_append(&message, buffer_bytes(text), buffer_len(text), err);
	if (result == 0)
		result = mailstore_bounce(n->mailstore, &r, BODY_BORROWED(slice_of(buffer_bytes(&message), buffer_len(&message))), err);
	buffer_finish(&message);
	n->on_appended(n->context); /* a broken journal shows at the commit */
	return result == 0 ? 1 : -1;
}

static int
tell_next(struct mail_notice *n, struct buffer *text, struct error *err)
{
	char subject[MAIL_NEWS_SUBJECT_MAX];
	struct pin pin;
	struct mail_news news;
	int found = pins_next_untold(queue_pins(mailstore_queue(n->mailstore)), &pin, err);
	if (found == 1) {
		snprintf(subject, sizeof subject, "Mail is held: the key of %.12s... has changed", pin.onion);
		put_text(&pin, text);
		return tell(n, subject, text, pin.id, "", err);
	}
	if (found == 0)
		found = mail_news_next(n->contacts, &news, text, err);
	return found == 1 ? tell(n, news.subject, text, news.item, news.word, err) : found;
}

void
mail_notice_look(struct mail_notice *n)
{
	struct error err = { 0 };
	struct buffer text;
	if (mailstore_has_bounce(n->mailstore))
		return; /* when it is processed we are asked again */
	buffer_init(&text, TEXT_MAX_BYTES);
	int found = tell_next(n, &text, &err);
	buffer_finish(&text);
	if (found >= 0)
		return;
	log_warn("cannot tell of a changed key now: %s", err.text);
	timer_start(n->again, AGAIN_MS);
}

struct mail_notice *
mail_notice_new(struct loop *loop, const struct ipc_mail_config *mailbox, struct mailstore *mailstore, struct contacts *contacts,
    void (*on_appended)(void *context), void *context)
{
	struct mail_notice *n = calloc(1, sizeof *n);
	assert(n != NULL);
	*n = (struct mail_notice){ .mailstore = mailstore, .contacts = contacts, .on_appended = on_appended, .context = context };
	snprintf(n->local_part, sizeof n->local_part, "%s", mailbox->local_part);
	snprintf(n->onion, sizeof n->onion, "%s", mailbox->onion);
	n->again = timer_new(loop, on_again, n);
	mailstore_set_tell(mailstore, mail_news_tell, contacts);
	return n;
}

void
mail_notice_free(struct mail_notice *n)
{
	if (n == NULL)
		return;
	timer_free(n->again);
	free(n);
}
