/* SPDX-License-Identifier: ISC */
#include "daemon/mail_notice.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/random.h"

#define AGAIN_MS (60 * 1000)
#define TEXT_MAX_BYTES 8192
#define ID_LETTERS 26

struct mail_notice {
	char local_part[65], onion[IPC_ONION_MAX + 1];
	struct mailstore *mailstore;
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
put_header(const struct mail_notice *n, const struct pin *pin, struct buffer *out)
{
	char line[1024], date[DATE_TEXT_SIZE], id[ID_LETTERS + 1];
	date_format(clock_wall_s(), date);
	random_name(id, sizeof id);
	snprintf(line, sizeof line, "Date: %s\r\nFrom: SMTorP <postmaster@%s>\r\nTo: <%s@%s>\r\n"
	    "Subject: Mail is held: the key of %.12s... has changed\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", date, n->onion, n->local_part, n->onion,
	    pin->onion, id, n->onion);
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

void
mail_notice_look(struct mail_notice *n)
{
	struct error err = { 0 };
	struct pin pin;
	struct buffer text;
	if (mailstore_has_bounce(n->mailstore))
		return; /* when it is processed we are asked again */
	int found = pins_next_untold(queue_pins(mailstore_queue(n->mailstore)), &pin, &err);
	if (found == 1) {
		buffer_init(&text, TEXT_MAX_BYTES);
		put_header(n, &pin, &text);
		put_text(&pin, &text);
		struct record r = { .type = RECORD_NOTICE, .arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string(""),
			.item = pin.id };
		found = mailstore_bounce(n->mailstore, &r, BODY_BORROWED(slice_of(buffer_bytes(&text), buffer_len(&text))), &err) == 0 ? 1 : -1;
		buffer_finish(&text);
		n->on_appended(n->context); /* a broken journal shows at the commit */
	}
	if (found >= 0)
		return;
	log_warn("cannot tell of a changed key now: %s", err.text);
	timer_start(n->again, AGAIN_MS);
}

struct mail_notice *
mail_notice_new(struct loop *loop, const struct ipc_mail_config *mailbox, struct mailstore *mailstore,
    void (*on_appended)(void *context), void *context)
{
	struct mail_notice *n = calloc(1, sizeof *n);
	assert(n != NULL);
	*n = (struct mail_notice){ .mailstore = mailstore, .on_appended = on_appended, .context = context };
	snprintf(n->local_part, sizeof n->local_part, "%s", mailbox->local_part);
	snprintf(n->onion, sizeof n->onion, "%s", mailbox->onion);
	n->again = timer_new(loop, on_again, n);
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
