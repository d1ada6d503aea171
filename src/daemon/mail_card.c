/* SPDX-License-Identifier: ISC */
#include "daemon/mail_card.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "contacts/moves.h"
#include "ipc/codec.h"
#include "proof/context.h"

#define DAY_S (24 * 3600)
#define CHANGES_A_DAY_MAX 1000 /* sequences are above so many for each day: also those of a database that was made anew */
#define WAITING_MAX 256

struct waiter {
	struct waiter *next;
	mail_card_done *done;
	void *context;
};

/* One of the identity's own cards. */
struct own {
	struct mail_card *cards;
	enum card_kind kind;
	struct buffer text;         /* empty: there is none yet */
	uint64_t sequence;
	int64_t day_s;
	bool is_fresh;              /* content has looked at it */
	bool is_outdated;           /* the one under way says what holds no more */
	/* the one under way, when somebody waits */
	struct buffer next;
	uint64_t next_sequence;
	int64_t next_day_s;
	struct waiter *first;
	size_t waiting;
};

struct mail_card {
	struct mail_card_config config;
	struct statement *load, *save;
	struct own own[2];
};

/* A check under way. */
struct checking {
	struct mail_card *cards;
	mail_card_checked *done;
	void *context;
};

/* ---- the database */

static int
load(struct own *o, struct error *err)
{
	struct statement *s = o->cards->load;
	statement_bind_int(s, 1, o->kind);
	int got = statement_step(s, err);
	if (got == 1) {
		struct slice text = statement_bytes(s, 2);
		o->sequence = (uint64_t)statement_int(s, 0);
		o->day_s = statement_int(s, 1);
		got = buffer_append(&o->text, text.data, text.len, err);
	}
	statement_reset(s);
	return got < 0 ? -1 : 0;
}

static int
save(const struct own *o, struct error *err)
{
	struct statement *s = o->cards->save;
	statement_bind_int(s, 1, o->kind);
	statement_bind_int(s, 2, (int64_t)o->next_sequence);
	statement_bind_int(s, 3, o->next_day_s);
	statement_bind_blob(s, 4, slice_of(buffer_bytes(&o->next), buffer_len(&o->next)));
	return statement_run(s, err);
}

/* ---- the identity's own */

/* Tells all who wait: of the card, or of what went wrong. */
static void
settle(struct own *o, const struct error *err)
{
	struct waiter *first = o->first;
	struct slice text = slice_of("", 0);
	o->first = NULL;
	o->waiting = 0;
	if (err->code == ERROR_NONE)
		text = slice_of(buffer_bytes(&o->text), buffer_len(&o->text));
	while (first != NULL) {
		struct waiter *w = first;
		first = w->next;
		w->done(w->context, text, err);
		free(w);
	}
}

static void
fail(struct own *o, enum error_code code, const char *text)
{
	struct error err = { 0 };
	error_set(&err, code, "%s", text);
	buffer_finish(&o->next);
	settle(o, &err);
}

static void
on_signed(void *context, const unsigned char *signature)
{
	struct own *o = context;
	struct error err = { 0 };
	if (signature == NULL) {
		fail(o, ERROR_BUSY, "nobody signs the card now: try again in a moment");
		return;
	}
	if (card_end(&o->next, signature, &err) != 0 || save(o, &err) != 0) {
		fail(o, err.code, err.text);
		return;
	}
	buffer_finish(&o->text);
	o->text = o->next;
	buffer_init(&o->next, CARD_MAX_BYTES);
	o->sequence = o->next_sequence;
	o->day_s = o->next_day_s;
	o->is_fresh = !o->is_outdated;
	settle(o, &err);
}

static void compose(struct own *o, uint64_t sequence, int64_t day_s);

static void
compose_anew(struct own *o)
{
	int64_t day_s = clock_wall_s() / DAY_S * DAY_S;
	uint64_t sequence = (uint64_t)(day_s / DAY_S) * CHANGES_A_DAY_MAX;
	compose(o, sequence > o->sequence ? sequence : o->sequence + 1, day_s);
}

static void
on_composed(void *context, const struct ipc_message *answer, struct body *body)
{
	struct own *o = context;
	const struct ipc_content_result *result = answer == NULL ? NULL : &answer->content_result;
	struct error err = { 0 };
	if (result == NULL || result->code != 250 || result->digest.len != CONTEXT_DIGEST_BYTES || body->bytes.len == 0) {
		fail(o, ERROR_BUSY, result != NULL && result->text[0] != '\0' ? result->text : "the card cannot be written now: try again in a moment");
		return;
	}
	if (o->next_sequence == o->sequence) {
		/* the one that there is already begins like this, or is out of date */
		o->is_fresh = !o->is_outdated && buffer_len(&o->text) > body->bytes.len && memcmp(buffer_bytes(&o->text), body->bytes.data, body->bytes.len) == 0;
		if (o->is_fresh)
			settle(o, &err);
		else
			compose_anew(o);
		return;
	}
	buffer_finish(&o->next);
	if (buffer_append(&o->next, body->bytes.data, body->bytes.len, &err) != 0)
		fail(o, err.code, err.text);
	else
		mail_sign_ask(o->cards->config.sign, CONTEXT_CARD, result->digest.data, on_signed, o);
}

static void
compose(struct own *o, uint64_t sequence, int64_t day_s)
{
	const struct mail_card_config *config = &o->cards->config;
	struct ipc_compose_card card = { .kind = (uint8_t)o->kind, .day_s = (uint64_t)day_s, .sequence = sequence };
	memcpy(card.local_part, config->local_part, sizeof card.local_part);
	memcpy(card.onion, config->onion, sizeof card.onion);
	memcpy(card.tls, config->tls, sizeof card.tls);
	memcpy(card.recovery, config->recovery, sizeof card.recovery);
	o->next_sequence = sequence;
	o->next_day_s = day_s;
	o->is_outdated = false;
	mail_content_compose_card(config->content, &card, on_composed, o);
}

void
mail_card_own(struct mail_card *cards, enum card_kind kind, mail_card_done *done, void *context)
{
	struct own *o = &cards->own[kind];
	struct error err = { 0 };
	if (o->is_fresh && buffer_len(&o->text) > 0) {
		done(context, slice_of(buffer_bytes(&o->text), buffer_len(&o->text)), &err);
		return;
	}
	struct waiter *w = o->waiting < WAITING_MAX ? calloc(1, sizeof *w) : NULL;
	if (w == NULL) {
		error_set(&err, ERROR_BUSY, "too many wait for the card");
		done(context, slice_of("", 0), &err);
		return;
	}
	*w = (struct waiter){ .next = o->first, .done = done, .context = context };
	o->first = w;
	if (o->waiting++ > 0)
		return;
	if (buffer_len(&o->text) > 0)
		compose(o, o->sequence, o->day_s);
	else
		compose_anew(o);
}

void
mail_card_content_began(struct mail_card *cards)
{
	cards->own[CARD_PERSONAL].is_fresh = cards->own[CARD_ONION].is_fresh = false;
}

void
mail_card_set_recovery(struct mail_card *cards, const char *recovery)
{
	if (strcmp(cards->config.recovery, recovery) == 0)
		return;
	snprintf(cards->config.recovery, sizeof cards->config.recovery, "%s", recovery);
	for (size_t i = 0; i < sizeof cards->own / sizeof cards->own[0]; i++) {
		cards->own[i].is_fresh = false;
		cards->own[i].is_outdated = true;
	}
}

/* ---- others' */

static void
on_checked(void *context, const struct ipc_message *answer, struct body *body)
{
	struct checking *c = context;
	const struct ipc_content_result *result = answer == NULL ? NULL : &answer->content_result;
	struct ipc_message m;
	struct error err = { 0 };
	if (result == NULL)
		error_set(&err, ERROR_BUSY, "the card cannot be read now: try again in a moment");
	else if (result->code != 250)
		error_set(&err, result->code < 500 ? ERROR_BUSY : ERROR_INVALID, "%s", result->text);
	else if (ipc_decode(body->bytes.data, body->bytes.len, &m, &err) == 0 && m.type != IPC_TYPE_CARD_FACTS)
		error_set(&err, ERROR_PROTOCOL, "content says something else about a card than it was asked");
	c->done(c->context, err.code == ERROR_NONE ? &m.card_facts : NULL, &err);
	free(c);
}

void
mail_card_check(struct mail_card *cards, struct slice text, mail_card_checked *done, void *context)
{
	struct checking *c = calloc(1, sizeof *c);
	assert(c != NULL);
	*c = (struct checking){ cards, done, context };
	mail_content_check_card(cards->config.content, text, on_checked, c);
}

/* ---- the owner's requests */

struct order {
	struct mail_card *cards;
	uint64_t request_id;
	enum ipc_card_verb verb;
};

static void
end_order(struct order *order, uint64_t count, const struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = order->request_id,
		.error = (uint8_t)err->code, .count = count } };
	const struct mail_card_config *config = &order->cards->config;
	memcpy(m.queue_end.text, err->text, sizeof err->text);
	config->send(config->context, &m);
	free(order);
}

int
mail_card_pin(struct pins *pins, const struct ipc_card_facts *facts, enum ipc_pin_trust trust, struct error *err)
{
	int expected = pins_expect(pins, facts->onion, facts->tls, trust, clock_wall_s(), err);
	if (expected == 1)
		log_warn("a card names another TLS key than the one that mail to its onion is held to: that one stays");
	return expected < 0 ? -1 : 0;
}

/* Whoever has stolen the key of an onion can sign a card with a key of theirs, and have it come in a file: in the place of a verified key it counts only from
 * the person's own hand. */
static int
check_verified(const struct mail_card_config *config, const struct ipc_card_facts *facts, struct error *err)
{
	struct contact before;
	int found = contacts_find(config->contacts, slice_of_string(facts->address), &before, err);
	if (found != 1 || before.verified_s == 0 || facts->key.len == 0 || strcmp(before.fingerprint, facts->fingerprint) == 0)
		return found < 0 ? -1 : 0;
	return error_set(err, ERROR_DENIED, "this card names another key than the one of theirs that was verified. Ask them in another way than by mail; "
	    "if it is theirs, add the card with --in-person");
}

/* Who the card is about comes into the book, with their key: the owner says so. */
static int
take_person(const struct mail_card_config *config, const struct ipc_card_facts *facts, enum mail_card_way way, struct error *err)
{
	struct slice address = slice_of_string(facts->address);
	enum contacts_learned learned;
	struct error why = { 0 };
	int64_t now_s = clock_wall_s();
	const struct contacts_offer offer = { .address = address, .fingerprint = facts->fingerprint, .key = facts->key,
		.how = way == MAIL_CARD_SOMEHOW ? CONTACTS_KEY_OWNER : CONTACTS_KEY_IN_PERSON, .signed_s = now_s, .now_s = now_s };
	int age = contacts_card_age(config->contacts, address, facts->sequence, facts->fingerprint, err);
	if (age < 0 || (way != MAIL_CARD_IN_PERSON && check_verified(config, facts, err) != 0))
		return -1;
	if (age == CONTACTS_CARD_OUTDATED)
		return error_set(err, ERROR_DENIED, "a newer card of theirs, which names another key, is known: ask them for the one that they have now");
	if (contacts_add(config->contacts, address, slice_of_string(facts->name), CONTACTS_SCANNED, now_s, &why) != 0 && why.code != ERROR_EXISTS)
		return error_set(err, why.code, "%s", why.text);
	if (facts->key.len > 0 && contacts_learn(config->contacts, &offer, &learned, err) != 0)
		return -1;
	if (facts->key.len > 0 && learned == CONTACTS_LEARNED_BARRED)
		return error_set(err, ERROR_DENIED, "the key on this card was revoked: ask them for a new card");
	if (facts->recovery[0] != '\0' && contacts_moves_learn_recovery(config->contacts, facts->onion, facts->recovery, err) != 0)
		return -1;
	if (age == CONTACTS_CARD_NEWEST && mail_card_pin(config->pins, facts, PIN_LABEL, err) != 0)
		return -1;
	return contacts_keep_card(config->contacts, address, facts->sequence, facts->fingerprint, facts->card, err);
}

int
mail_card_add_person(struct mail_card *cards, const struct ipc_card_facts *facts, enum mail_card_way way, struct error *err)
{
	const struct mail_card_config *config = &cards->config;
	if (facts->kind != CARD_PERSONAL)
		return error_set(err, ERROR_INVALID, "this is the card of an onion, which names no address; ask its owner for `smtorp card`");
	if (strcmp(facts->onion, config->onion) == 0)
		return error_set(err, ERROR_INVALID, "this is the identity's own card");
	if (database_begin(config->database, err) != 0)
		return -1;
	if (take_person(config, facts, way, err) == 0)
		return database_commit(config->database, err);
	database_rollback(config->database);
	return -1;
}

static void
on_order_checked(void *context, const struct ipc_card_facts *facts, const struct error *failed)
{
	struct order *order = context;
	const struct mail_card_config *config = &order->cards->config;
	struct error err = *failed;
	bool adds = order->verb == CARD_VERB_ADD || order->verb == CARD_VERB_ADD_IN_PERSON;
	if (facts != NULL && (!adds || mail_card_add_person(order->cards, facts,
	    order->verb == CARD_VERB_ADD_IN_PERSON ? MAIL_CARD_IN_PERSON : MAIL_CARD_SOMEHOW, &err) == 0)) {
		struct ipc_message m = { .type = IPC_TYPE_CARD_FACTS, .fd = -1, .card_facts = *facts };
		m.card_facts.request_id = order->request_id;
		config->send(config->context, &m);
	}
	end_order(order, err.code == ERROR_NONE, &err);
}

static void
on_order_own(void *context, struct slice card, const struct error *err)
{
	struct order *order = context;
	if (card.len > 0)
		mail_card_check(order->cards, card, on_order_checked, order);
	else
		end_order(order, 0, err);
}

void
mail_card_answer(struct mail_card *cards, const struct ipc_card_request *request)
{
	struct order *order = calloc(1, sizeof *order);
	struct error err = { 0 };
	assert(order != NULL);
	*order = (struct order){ cards, request->request_id, request->verb };
	switch (order->verb) {
	case CARD_VERB_SHOW: /* the owner sees what is so now */
		cards->own[CARD_PERSONAL].is_fresh = false;
		mail_card_own(cards, CARD_PERSONAL, on_order_own, order);
		return;
	case CARD_VERB_SHOW_ONION:
		cards->own[CARD_ONION].is_fresh = false;
		mail_card_own(cards, CARD_ONION, on_order_own, order);
		return;
	case CARD_VERB_CHECK:
	case CARD_VERB_ADD:
	case CARD_VERB_ADD_IN_PERSON:
		mail_card_check(cards, request->text, on_order_checked, order);
		return;
	case CARD_VERB_INVITE: /* mail_invite.c */
	case CARD_VERB_ADD_INVITED:
		break;
	}
	error_set(&err, ERROR_UNSUPPORTED, "there is no such order about cards");
	end_order(order, 0, &err);
}

/* ---- whoever asks the onion */

struct wanted {
	struct mail_card *cards;
	uint64_t transaction_id;
	unsigned generation;
};

static void
on_wanted(void *context, struct slice card, const struct error *err)
{
	struct wanted *w = context;
	const struct mail_card_config *config = &w->cards->config;
	const struct ipc_message m = { .type = IPC_TYPE_CARD_GIVEN, .fd = -1, .card_given = { w->transaction_id, card } };
	if (card.len == 0)
		log_info("a peer gets no card: %s", err->text);
	config->reply(config->context, ROLE_SMTP, w->generation, &m);
	free(w);
}

void
mail_card_give(struct mail_card *cards, uint64_t transaction_id, unsigned generation)
{
	struct wanted *w = calloc(1, sizeof *w);
	assert(w != NULL);
	*w = (struct wanted){ cards, transaction_id, generation };
	mail_card_own(cards, CARD_ONION, on_wanted, w);
}

/* ---- beginning and end */

int
mail_card_new(const struct mail_card_config *config, struct mail_card **out, struct error *err)
{
	struct mail_card *cards = calloc(1, sizeof *cards);
	assert(cards != NULL);
	cards->config = *config;
	int result = statement_new(config->database, "SELECT sequence, day_s, card FROM own_cards WHERE kind = ?1", &cards->load, err);
	if (result == 0)
		result = statement_new(config->database, "INSERT OR REPLACE INTO own_cards VALUES (?1, ?2, ?3, ?4)", &cards->save, err);
	for (unsigned kind = CARD_PERSONAL; kind <= CARD_ONION; kind++) {
		struct own *o = &cards->own[kind];
		*o = (struct own){ .cards = cards, .kind = kind };
		buffer_init(&o->text, CARD_MAX_BYTES);
		buffer_init(&o->next, CARD_MAX_BYTES);
		if (result == 0)
			result = load(o, err);
	}
	if (result != 0)
		mail_card_free(cards);
	else
		*out = cards;
	return result;
}

void
mail_card_free(struct mail_card *cards)
{
	if (cards == NULL)
		return;
	statement_free(cards->load);
	statement_free(cards->save);
	for (unsigned kind = CARD_PERSONAL; kind <= CARD_ONION; kind++) {
		struct own *o = &cards->own[kind];
		buffer_finish(&o->text);
		buffer_finish(&o->next);
		while (o->first != NULL) {
			struct waiter *w = o->first;
			o->first = w->next;
			free(w);
		}
	}
	free(cards);
}
