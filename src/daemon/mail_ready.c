/* SPDX-License-Identifier: ISC */
#include "daemon/mail_ready.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/mail_keys.h"
#include "daemon/mail_wishes.h"
#include "ipc/pack.h"
#include "proof/context.h"
#include "proof/onionsig.h"

static const char no_card_now[] = "the recipient's node cannot show its card now: the message waits, rather than leave unencrypted";
static const char no_key[] = "the recipient's node gave no OpenPGP key";

/* One message. */
struct one {
	struct mail_ready *ready;
	struct one *next, **at;
	uint64_t item, body, body_bytes;
	char onion[IPC_ONION_MAX + 1];
	struct buffer recipients;
	uint8_t flags;      /* of what is sent */
	struct buffer field;
	struct body sealed;
	bool is_later;      /* the peer has a card, and cannot show it now */
	bool is_appended;   /* the record is in the journal, and has not been processed */
	/* to be said soon */
	bool has_ended;
	enum dispatch_readied readied;
	char text[MAIL_WISH_TEXT_SIZE];
};

struct mail_ready {
	struct mail_ready_config config;
	struct one *first;
	struct timer *say;
};

static void
free_one(struct one *o)
{
	*o->at = o->next;
	if (o->next != NULL)
		o->next->at = o->at;
	buffer_finish(&o->recipients);
	buffer_finish(&o->field);
	body_finish(&o->sealed);
	free(o);
}

static void
end(struct one *o, enum dispatch_readied readied, const char *text)
{
	o->has_ended = true;
	o->readied = readied;
	snprintf(o->text, sizeof o->text, "%s", text);
	timer_start(o->ready->say, 0);
}

static void
fail(struct one *o, const char *why)
{
	log_warn("a message that waits for keys cannot be made ready now: %s", why);
	end(o, DISPATCH_NOT_NOW, "");
}

static void
on_say(void *context)
{
	struct mail_ready *r = context;
	for (struct one *o = r->first, *next; o != NULL; o = next) {
		next = o->next;
		if (!o->has_ended)
			continue;
		r->config.on_readied(r->config.context, o->item, o->readied, o->text);
		free_one(o);
	}
}

static struct slice
all(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

/* ---- sealing and signing */

static void
on_signed(void *context, const unsigned char *signature)
{
	struct one *o = context;
	struct error err = { 0 };
	if (signature == NULL) {
		fail(o, "it could not be signed");
		return;
	}
	int result = onionsig_end(&o->field, signature, &err);
	const struct record r = { .type = RECORD_READY, .flags = o->flags, .arrival_ms = clock_wall_ms(), .item = o->item, .front = all(&o->field) };
	if (result == 0)
		result = mailstore_ready(o->ready->config.mailstore, &r, &o->sealed, &err);
	if (result != 0) {
		fail(o, err.text);
		return;
	}
	o->is_appended = true;
	o->ready->config.on_appended(o->ready->config.context);
}

static void
on_sealed(void *context, const struct ipc_message *answer, struct body *body)
{
	struct one *o = context;
	const struct ipc_content_result *result = answer == NULL ? NULL : &answer->content_result;
	struct error err = { 0 };
	if (result == NULL || result->code != 250 || result->digest.len != IPC_DIGEST_BYTES) {
		fail(o, result == NULL ? "content is not there" : result->text);
		return;
	}
	o->sealed = *body;
	*body = BODY_EMPTY;
	o->flags = result->flags;
	if (buffer_append(&o->field, result->field.data, result->field.len, &err) != 0)
		fail(o, err.text);
	else
		mail_sign_ask(o->ready->config.sign, CONTEXT_MESSAGE, result->digest.data, on_signed, o);
}

/* With the keys that are known now. */
static void
seal(struct one *o)
{
	const struct mail_ready_config *c = &o->ready->config;
	const struct mail_keys book = { c->contacts, mailstore_database(c->mailstore) };
	struct mail_wish wish = { 0 };
	struct error err = { 0 };
	struct buffer keys;
	struct body body = BODY_EMPTY;
	char why[MAIL_WISH_TEXT_SIZE];
	buffer_init(&keys, IPC_KEYS_MAX);
	int got = mail_wishes_find(c->contacts, all(&o->recipients), c->encryption, &wish, &err) != 0 ? -1 :
	                                                                      mail_keys_of_recipients(&book, all(&o->recipients), &keys, &err);
	bool is_required = wish.how == ENCRYPTION_REQUIRED;
	if (got == 0 && o->is_later) {
		end(o, DISPATCH_NOT_NOW, no_card_now);
		buffer_finish(&keys);
		return;
	}
	if (got == 0 && peers_note_cardless(queue_peers(mailstore_queue(c->mailstore)), o->onion, mailstore_now_ms(c->mailstore), &err) != 0)
		got = -1;
	if (got == 0 && is_required) {
		mail_wishes_say(&wish, no_key, why);
		end(o, DISPATCH_REFUSED, why);
	} else if (got < 0 || queue_load_body(mailstore_queue(c->mailstore), o->body, o->body_bytes, &body, &err) != 0)
		fail(o, err.text);
	else {
		unsigned how = SEAL_OPEN_FIRST | (got == 1 ? SEAL_ENCRYPT : 0) | (is_required ? SEAL_ALL : 0);
		const struct mail_content_seal request = { c->local_part, c->onion, o->onion, how, got == 1 ? all(&keys) : slice_of("", 0),
			c->date_step_s };
		mail_content_seal(c->content, &request, &body, on_sealed, o);
	}
	body_finish(&body);
	buffer_finish(&keys);
}

/* ---- the card */

/* What the onion's card says is the key of all mailboxes there that have none. */
static int
learn(struct one *o, const struct ipc_card_facts *facts, struct error *err)
{
	const struct mail_ready_config *c = &o->ready->config;
	const struct mail_keys book = { c->contacts, mailstore_database(c->mailstore) };
	struct slice list = all(&o->recipients), recipient;
	if (mail_card_pin(queue_pins(mailstore_queue(c->mailstore)), facts, PIN_FIRST_USE, err) != 0)
		return -1;
	while (facts->key.len > 0 && pack_next(&list, &recipient))
		if (mail_keys_of_card(&book, recipient, facts, clock_wall_s(), err) != 0)
			return -1;
	return 0;
}

static void
on_checked(void *context, const struct ipc_card_facts *facts, const struct error *why)
{
	struct one *o = context;
	struct error err = { 0 };
	if (facts == NULL && error_is_temporary(why)) {
		fail(o, why->text); /* there is a card: the message is not to leave in clear because it cannot be read now */
		return;
	}
	if (facts == NULL)
		log_info("a peer's card is not taken: %s", why->text);
	else if (strcmp(facts->onion, o->onion) == 0 && learn(o, facts, &err) != 0) {
		fail(o, err.text);
		return;
	}
	seal(o);
}

void
mail_ready_begin(struct mail_ready *r, const char *onion, const struct queue_item *item, struct slice card, bool is_later)
{
	struct error err = { 0 };
	struct one *o = calloc(1, sizeof *o);
	assert(o != NULL);
	*o = (struct one){ .ready = r, .next = r->first, .at = &r->first, .item = item->id, .body = item->body, .body_bytes = item->body_bytes,
		.is_later = is_later, .sealed = BODY_EMPTY };
	if (o->next != NULL)
		o->next->at = &o->next;
	r->first = o;
	snprintf(o->onion, sizeof o->onion, "%s", onion);
	buffer_init(&o->recipients, IPC_RECIPIENTS_MAX);
	buffer_init(&o->field, 2 * IPC_FIELD_MAX);
	if (buffer_append(&o->recipients, buffer_bytes(&item->recipients), buffer_len(&item->recipients), &err) != 0)
		fail(o, err.text);
	else if (card.len > 0)
		mail_card_check(r->config.cards, card, on_checked, o);
	else
		seal(o);
}

void
mail_ready_look(struct mail_ready *r)
{
	struct queue *queue = mailstore_queue(r->config.mailstore);
	for (struct one *o = r->first; o != NULL; o = o->next) {
		struct error err = { 0 };
		bool waits = false;
		if (!o->is_appended || o->has_ended)
			continue;
		if (queue_item_waits(queue, o->item, &waits, &err) != 0)
			fail(o, err.text);
		else if (!waits)
			end(o, DISPATCH_READY, "");
	}
}

struct mail_ready *
mail_ready_new(struct loop *loop, const struct mail_ready_config *config)
{
	struct mail_ready *r = calloc(1, sizeof *r);
	assert(r != NULL);
	r->config = *config;
	r->say = timer_new(loop, on_say, r);
	return r;
}

void
mail_ready_free(struct mail_ready *r)
{
	if (r == NULL)
		return;
	for (struct one *o = r->first, *next; o != NULL; o = next) {
		next = o->next;
		free_one(o);
	}
	timer_free(r->say);
	free(r);
}
