/* SPDX-License-Identifier: ISC */
#include "daemon/mail_invite.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "card/card.h"
#include "card/invitation.h"
#include "daemon/mail_introduce.h"
#include "ipc/pack.h"

#define HELLO_MAX_BYTES (4096 + 2 * CARD_MAX_BYTES)
#define BOUNDARY_LETTERS 24

_Static_assert(IPC_INVITATION_BYTES == INVITATION_SECRET_BYTES, "a secret fits its message");

static const char *const sql[] = {
	"INSERT OR REPLACE INTO invitations (secret, until_s, fingerprint) VALUES (?1, ?2, ?3)",
	"SELECT secret, fingerprint FROM invitations WHERE until_s >= ?1",
	"DELETE FROM invitations WHERE secret = ?1",
	"DELETE FROM invitations WHERE until_s < ?1 OR secret IN (SELECT secret FROM invitations ORDER BY until_s DESC LIMIT -1 OFFSET ?2)",
};
enum { SQL_ADD, SQL_LOOK, SQL_DELETE, SQL_FORGET, STATEMENTS };

struct mail_invite {
	struct mail_invite_config config;
	struct statement *statements[STATEMENTS];
};

/* A request of the owner's. */
struct order {
	struct mail_invite *invite;
	uint64_t request_id;
	bool is_guest;                      /* the owner is the invited one */
	unsigned char secret[INVITATION_SECRET_BYTES];
	/* of who has invited the owner */
	char address[ADDRESS_MAX + 1], fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
};

static void
end_order(struct order *order, const struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = order->request_id,
		.error = (uint8_t)err->code, .count = err->code == ERROR_NONE } };
	const struct mail_invite_config *config = &order->invite->config;
	memcpy(m.queue_end.text, err->text, sizeof err->text);
	config->send(config->context, &m);
	explicit_bzero(order->secret, sizeof order->secret);
	free(order);
}

static void
send_facts(const struct order *order, const struct ipc_card_facts *facts, uint64_t until_s)
{
	const struct mail_invite_config *config = &order->invite->config;
	struct ipc_message m = { .type = IPC_TYPE_CARD_FACTS, .fd = -1, .card_facts = *facts };
	m.card_facts.request_id = order->request_id;
	if (until_s != 0)
		m.card_facts.secret = slice_of(order->secret, sizeof order->secret);
	m.card_facts.until_s = until_s;
	config->send(config->context, &m);
}

/* ---- inviting */

static int
keep(struct order *order, const char *fingerprint, int64_t until_s, struct error *err)
{
	struct statement *add = order->invite->statements[SQL_ADD], *forget = order->invite->statements[SQL_FORGET];
	statement_bind_int(forget, 1, until_s - MAIL_INVITE_S);
	statement_bind_int(forget, 2, MAIL_INVITE_MOST - 1);
	if (statement_run(forget, err) != 0)
		return -1;
	random_bytes(order->secret, sizeof order->secret);
	statement_bind_blob(add, 1, slice_of(order->secret, sizeof order->secret));
	statement_bind_int(add, 2, until_s);
	statement_bind_string(add, 3, fingerprint);
	return statement_run(add, err);
}

static void
hand_out(struct order *order, const struct ipc_card_facts *own)
{
	struct error err = { 0 };
	int64_t until_s = clock_wall_s() + MAIL_INVITE_S;
	if (own->fingerprint[0] == '\0')
		error_set(&err, ERROR_BUSY, "the identity has no OpenPGP key: try again later");
	else if (keep(order, own->fingerprint, until_s, &err) == 0)
		send_facts(order, own, (uint64_t)until_s);
	end_order(order, &err);
}

/* ---- being invited */

static void
on_greeted(void *context, unsigned code, const char *text)
{
	struct order *order = context;
	struct error err = { 0 };
	if (code / 100 != 2)
		error_set(&err, ERROR_BUSY, "they are in the address book, but the greeting was not sent: %s; say it again", text);
	end_order(order, &err);
}

/* The address as address books have it. */
static void
own_address(const struct mail_invite_config *config, char out[ADDRESS_MAX + 1])
{
	snprintf(out, ADDRESS_MAX + 1, "%s@%s", config->local_part, config->onion);
	for (char *at = out; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
}

/* An ordinary message, which is encrypted and signed as all that goes to them. With the guest's card who invites learns their recovery key, and
 * can introduce them to others. Whether the invitation is still open nobody knows here. */
static int
compose(const struct order *order, const struct ipc_card_facts *own, struct buffer *out, struct error *err)
{
	char boundary[BOUNDARY_LETTERS + 1], proof[INVITATION_PROOF_LEN + 1], address[ADDRESS_MAX + 1], word[ADDRESS_WORD_MAX + 1];
	random_name(boundary, sizeof boundary);
	own_address(&order->invite->config, address);
	invitation_prove(order->secret, order->fingerprint, own->fingerprint, address, proof);
	buffer_printf(out, NULL, "From: <%s@%s>\r\nTo: <%s>\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "Hello,\r\n\r\nthank you for the invitation. My node has verified your key by it. If nobody had used it\r\n"
	    "before, yours has verified mine; this says whether it has:\r\n\r\n  smtorp contact why %s\r\n\r\n"
	    "--%s\r\nContent-Type: " INVITATION_TYPE "\r\nContent-Disposition: attachment; filename=\"invitation\"\r\n\r\n%s\r\n",
	    order->invite->config.local_part, order->invite->config.onion, order->address, boundary, boundary, address_as_word(address, word), boundary, proof);
	mail_introduce_put_card(out, boundary, own->card);
	return buffer_printf(out, err, "--%s--\r\n", boundary);
}

static void
greet(struct order *order, const struct ipc_card_facts *own)
{
	struct error err = { 0 };
	struct buffer hello, recipients;
	struct body body;
	buffer_init(&hello, HELLO_MAX_BYTES);
	buffer_init(&recipients, IPC_RECIPIENTS_MAX);
	if (own->fingerprint[0] == '\0')
		error_set(&err, ERROR_BUSY, "the identity has no OpenPGP key: try again later");
	else if (compose(order, own, &hello, &err) == 0 && pack_string(&recipients, slice_of_string(order->address), &err) == 0) {
		body_from_buffer(&hello, &body);
		mail_intake_own(order->invite->config.intake, slice_of(buffer_bytes(&recipients), buffer_len(&recipients)), &body, on_greeted, order);
		order = NULL;
	}
	if (order != NULL)
		end_order(order, &err);
	buffer_finish(&hello);
	buffer_finish(&recipients);
}

/* ---- both */

static void
on_own_checked(void *context, const struct ipc_card_facts *facts, const struct error *err)
{
	struct order *order = context;
	if (facts == NULL)
		end_order(order, err);
	else if (order->is_guest)
		greet(order, facts);
	else
		hand_out(order, facts);
}

static void
on_own(void *context, struct slice card, const struct error *err)
{
	struct order *order = context;
	if (card.len > 0)
		mail_card_check(order->invite->config.cards, card, on_own_checked, order);
	else
		end_order(order, err);
}

static void
on_checked(void *context, const struct ipc_card_facts *facts, const struct error *failed)
{
	struct order *order = context;
	struct error err = *failed;
	if (facts != NULL && facts->fingerprint[0] == '\0')
		error_set(&err, ERROR_INVALID, "the card of this invitation has no OpenPGP key");
	else if (facts != NULL && mail_card_add_person(order->invite->config.cards, facts, MAIL_CARD_INVITATION, &err) == 0) {
		memcpy(order->address, facts->address, sizeof order->address);
		memcpy(order->fingerprint, facts->fingerprint, sizeof order->fingerprint);
		send_facts(order, facts, 0);
		mail_card_own(order->invite->config.cards, CARD_PERSONAL, on_own, order);
		return;
	}
	end_order(order, &err);
}

void
mail_invite_answer(struct mail_invite *invite, const struct ipc_card_request *request)
{
	struct order *order = calloc(1, sizeof *order);
	struct error err = { 0 };
	assert(order != NULL);
	*order = (struct order){ .invite = invite, .request_id = request->request_id, .is_guest = request->verb == CARD_VERB_ADD_INVITED };
	if (!order->is_guest) {
		mail_card_own(invite->config.cards, CARD_PERSONAL, on_own, order);
	} else if (request->secret.len != sizeof order->secret) {
		error_set(&err, ERROR_INVALID, "an invitation has a secret of %zu bytes", sizeof order->secret);
		end_order(order, &err);
	} else {
		memcpy(order->secret, request->secret.data, sizeof order->secret);
		mail_card_check(invite->config.cards, request->text, on_checked, order);
	}
}

/* ---- somebody comes who was invited */

static bool
is_same(struct slice said, const char proof[INVITATION_PROOF_LEN + 1])
{
	unsigned difference = 0;
	while (said.len > 0 && (said.data[said.len - 1] == '\n' || said.data[said.len - 1] == '\r'))
		said.len--;
	for (size_t i = 0; said.len == INVITATION_PROOF_LEN && i < said.len; i++) /* in the same time, whatever is in it */
		difference |= (unsigned)(said.data[i] ^ (unsigned char)proof[i]);
	return said.len == INVITATION_PROOF_LEN && difference == 0;
}

/* The open invitation that this proof is of: 1, with its secret; 0; -1. */
static int
find(struct mail_invite *invite, const struct contact *guest, struct slice said, int64_t now_s, unsigned char secret[INVITATION_SECRET_BYTES],
    struct error *err)
{
	struct statement *look = invite->statements[SQL_LOOK];
	char proof[INVITATION_PROOF_LEN + 1], inviting[OPENPGP_FINGERPRINT_LEN + 1];
	int got;
	bool is_found = false;
	statement_bind_int(look, 1, now_s);
	while (!is_found && (got = statement_step(look, err)) == 1) {
		struct slice kept = statement_bytes(look, 0);
		if (kept.len != INVITATION_SECRET_BYTES)
			continue;
		memcpy(secret, kept.data, kept.len);
		slice_to_string(statement_bytes(look, 1), inviting, sizeof inviting);
		invitation_prove(secret, inviting, guest->fingerprint, guest->address, proof);
		is_found = is_same(said, proof);
	}
	statement_reset(look);
	return is_found ? 1 : got < 0 ? -1 : 0;
}

/* Once: the invitation is used up by it. */
static int
let_in(struct mail_invite *invite, const struct contact *guest, const unsigned char secret[INVITATION_SECRET_BYTES], int64_t now_s, struct error *err)
{
	struct slice address = slice_of_string(guest->address);
	struct error why = { 0 };
	if (contacts_add(invite->config.contacts, address, slice_of_string(guest->name), CONTACTS_SCANNED, now_s, &why) != 0 && why.code != ERROR_EXISTS)
		return error_set(err, why.code, "%s", why.text);
	if (contacts_accept(invite->config.contacts, address, guest->fingerprint, true, now_s, err) != 0)
		return -1;
	statement_bind_blob(invite->statements[SQL_DELETE], 1, slice_of(secret, INVITATION_SECRET_BYTES));
	return statement_run(invite->statements[SQL_DELETE], err);
}

static void
take_proof(struct mail_invite *invite, const char *sender, struct slice said)
{
	unsigned char secret[INVITATION_SECRET_BYTES];
	struct contact guest;
	struct error err = { 0 };
	int64_t now_s = clock_wall_s();
	int result = contacts_find(invite->config.contacts, slice_of_string(sender), &guest, &err);
	if (result == 1)
		result = guest.fingerprint[0] == '\0' ? 0 : find(invite, &guest, said, now_s, secret, &err);
	if (result == 0)
		log_info("somebody sent an invitation that is none, or not open any more");
	if (result == 1 && database_begin(invite->config.database, &err) == 0) {
		if (let_in(invite, &guest, secret, now_s, &err) != 0 || database_commit(invite->config.database, &err) != 0)
			database_rollback(invite->config.database);
	}
	if (err.code != ERROR_NONE)
		log_warn("an invitation was not taken: %s", err.text);
	explicit_bzero(secret, sizeof secret);
}

void
mail_invite_take(struct mail_invite *invite, const char *sender, struct slice findings)
{
	struct slice kind, bytes;
	while (pack_next(&findings, &kind) && pack_next(&findings, &bytes))
		if (kind.len == 1 && kind.data[0] == '0' + FINDING_INVITATION)
			take_proof(invite, sender, bytes);
}

/* ---- beginning and end */

int
mail_invite_new(const struct mail_invite_config *config, struct mail_invite **out, struct error *err)
{
	struct mail_invite *invite = calloc(1, sizeof *invite);
	assert(invite != NULL);
	invite->config = *config;
	for (size_t i = 0; i < STATEMENTS; i++)
		if (statement_new(config->database, sql[i], &invite->statements[i], err) != 0) {
			mail_invite_free(invite);
			return -1;
		}
	*out = invite;
	return 0;
}

void
mail_invite_free(struct mail_invite *invite)
{
	if (invite == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		statement_free(invite->statements[i]);
	free(invite);
}
