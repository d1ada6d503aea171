/* SPDX-License-Identifier: ISC
 *
 * The real content role writes the identity's cards, and reads cards.
 */
#include "daemon/test_role.h"

#include <stdio.h>

#include "card/test_card.h"
#include "openpgp/openpgp.h"

static const char *program;
static char onion[ADDRESS_ONION_LEN + 1];

struct content {
	struct test_role role;
	int mail;                /* our end */
	struct openpgp_key key;  /* the identity's */
	unsigned char result[IPC_MESSAGE_MAX];
};

static int
start(void **state)
{
	struct content *c = calloc(1, sizeof *c);
	struct ipc_message m = { .type = IPC_TYPE_OPENPGP_KEY, .fd = -1 };
	test_role_start(&c->role, program, NULL);
	strcpy(m.openpgp_key.local_part, "alice");
	strcpy(m.openpgp_key.onion, onion);
	strcpy(m.openpgp_key.created, "2026-01-31");
	test_role_send(c->role.parent, &m);
	m = test_role_next(&c->role, c->role.parent, IPC_TYPE_OPENPGP_MADE);
	assert_true(m.openpgp_made.key.len > 10);
	assert_int_equal(openpgp_look(m.openpgp_made.key, &c->key, NULL), 0);
	c->mail = test_role_give_peer(&c->role, ROLE_MAIL, "");
	*state = c;
	return 0;
}

static int
start_without_keys(void **state)
{
	struct content *c = calloc(1, sizeof *c);
	test_role_start(&c->role, program, NULL);
	c->mail = test_role_give_peer(&c->role, ROLE_MAIL, "");
	*state = c;
	return 0;
}

static int
finish(void **state)
{
	struct content *c = *state;
	test_role_kill(&c->role);
	file_close(&c->mail);
	free(c);
	return 0;
}

static struct ipc_content_result
compose(struct content *c, enum card_kind kind)
{
	struct ipc_message m = { .type = IPC_TYPE_COMPOSE_CARD, .fd = -1, .compose_card = { .request_id = 5, .kind = (uint8_t)kind,
		.day_s = 1795305600, .sequence = 7 } };
	strcpy(m.compose_card.local_part, "alice");
	strcpy(m.compose_card.onion, onion);
	memset(m.compose_card.tls, 'a', CARD_HASH_LEN);
	test_role_send(c->mail, &m);
	return test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT).content_result;
}

/* The identity's card, signed. */
static void
write_card(struct content *c, enum card_kind kind, struct buffer *out)
{
	unsigned char text[CONTEXT_TEXT_MAX], signature[ONIONKEY_SIGNATURE_BYTES];
	struct onionkey key;
	struct ipc_content_result result = compose(c, kind);
	assert_int_equal(result.code, 250);
	assert_int_equal(result.digest.len, CONTEXT_DIGEST_BYTES);
	test_card_key(&key);
	onionkey_sign(&key, slice_of(text, context_text(CONTEXT_CARD, result.digest.data, text)), signature);
	buffer_init(out, CARD_MAX_BYTES);
	assert_int_equal(buffer_append(out, result.body.data, result.body.len, NULL), 0);
	assert_int_equal(card_end(out, signature, NULL), 0);
}

static struct ipc_content_result
ask(struct content *c, struct slice text)
{
	struct ipc_message m = { .type = IPC_TYPE_CHECK_CARD, .fd = -1, .check_card = { .request_id = 6, .text = text } };
	test_role_send(c->mail, &m);
	return test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT).content_result;
}

static struct ipc_card_facts
check(struct content *c, struct slice text)
{
	struct ipc_message m;
	struct ipc_content_result result = ask(c, text);
	if (result.code != 250)
		fail_msg("%s", result.text);
	memcpy(c->result, result.body.data, result.body.len);
	assert_int_equal(ipc_decode(c->result, result.body.len, &m, NULL), 0);
	assert_int_equal(m.type, IPC_TYPE_CARD_FACTS);
	return m.card_facts;
}

static struct slice
all_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static void
a_personal_card_has_the_address_and_the_key(void **state)
{
	struct content *c = *state;
	struct openpgp_key key;
	struct buffer card;
	write_card(c, CARD_PERSONAL, &card);
	struct ipc_card_facts facts = check(c, all_of(&card));
	assert_int_equal(facts.kind, CARD_PERSONAL);
	assert_true(strncmp(facts.address, "alice@", 6) == 0 && strcmp(facts.address + 6, onion) == 0);
	assert_string_equal(facts.onion, onion);
	assert_int_equal(facts.sequence, 7);
	assert_int_equal(strspn(facts.tls, "a"), CARD_HASH_LEN);
	assert_string_equal(facts.fingerprint, c->key.fingerprint);
	assert_int_equal(openpgp_look(facts.key, &key, NULL), 0);
	assert_string_equal(key.user_id, facts.address);
	assert_true(facts.card.len == buffer_len(&card) && memcmp(facts.card.data, buffer_bytes(&card), facts.card.len) == 0);
	buffer_finish(&card);
}

/* Nothing about any mailbox, not in the key either, and no other size. */
static void
the_onions_card_names_no_mailbox(void **state)
{
	struct content *c = *state;
	struct openpgp_key key;
	struct buffer card;
	write_card(c, CARD_ONION, &card);
	assert_int_equal(buffer_len(&card), CARD_MAX_BYTES);
	struct ipc_card_facts facts = check(c, all_of(&card));
	assert_int_equal(facts.kind, CARD_ONION);
	assert_string_equal(facts.address, "");
	assert_string_equal(facts.fingerprint, c->key.fingerprint);
	assert_int_equal(openpgp_look(facts.key, &key, NULL), 0);
	assert_string_equal(key.user_id, onion);
	assert_true(key.can_encrypt);
	assert_null(memmem(facts.key.data, facts.key.len, "alice", 5));
	assert_null(memmem(buffer_bytes(&card), buffer_len(&card), "alice", 5));
	assert_null(memmem(buffer_bytes(&card), buffer_len(&card), "@", 1));
	buffer_finish(&card);
}

static void
the_same_card_is_written_again(void **state)
{
	struct content *c = *state;
	for (unsigned kind = CARD_PERSONAL; kind <= CARD_ONION; kind++) {
		struct buffer one, two;
		write_card(c, kind, &one);
		write_card(c, kind, &two);
		assert_int_equal(buffer_len(&one), buffer_len(&two));
		assert_memory_equal(buffer_bytes(&one), buffer_bytes(&two), buffer_len(&one));
		buffer_finish(&one);
		buffer_finish(&two);
	}
}

static void
a_card_is_found_in_what_was_pasted(void **state)
{
	struct content *c = *state;
	struct buffer card, text;
	write_card(c, CARD_PERSONAL, &card);
	buffer_init(&text, 3 * CARD_MAX_BYTES);
	assert_int_equal(buffer_append_string(&text, "Hello, this is me:\n\n", NULL), 0);
	assert_int_equal(buffer_append(&text, buffer_bytes(&card), buffer_len(&card), NULL), 0);
	assert_int_equal(buffer_append_string(&text, "\n-- \nAlice\n", NULL), 0);
	assert_string_equal(check(c, all_of(&text)).fingerprint, c->key.fingerprint);
	buffer_finish(&text);
	buffer_finish(&card);
}

static void
assert_refused(struct content *c, struct slice text, const char *why)
{
	struct ipc_content_result result = ask(c, text);
	assert_int_equal(result.code, 550);
	assert_int_equal(result.body.len, 0);
	if (strstr(result.text, why) == NULL)
		fail_msg("%s", result.text);
}

static void
what_is_wrong_with_a_card_is_said(void **state)
{
	struct content *c = *state;
	static const unsigned char rubbish[64] = "no key";
	struct card card = { .kind = CARD_PERSONAL, .key = { rubbish, sizeof rubbish } };
	struct buffer out, other;
	assert_refused(c, slice_of_string("alice@example.org"), "no card in this text");
	write_card(c, CARD_PERSONAL, &out);
	char *at = memmem(out.data, buffer_len(&out), "alice", 5);
	assert_non_null(at);
	memcpy(at, "malle", 5);
	assert_refused(c, all_of(&out), "was changed");
	buffer_finish(&out);
	buffer_init(&other, CARD_MAX_BYTES); /* signed by its onion, but with a key that is none */
	strcpy(card.onion, onion);
	snprintf(card.address, sizeof card.address, "alice@%s", onion);
	assert_int_equal(test_card_write(&card, &other, NULL), 0);
	assert_refused(c, all_of(&other), "OpenPGP");
	buffer_finish(&other);
}

static void
without_its_keys_there_is_no_card(void **state)
{
	struct ipc_content_result result = compose(*state, CARD_ONION);
	assert_int_equal(result.code, 451);
	assert_int_equal(result.body.len, 0);
}

int
main(int argc, char **argv)
{
	struct onionkey key;
	if (argc != 2)
		return 2;
	program = argv[1];
	test_card_key(&key);
	onionkey_name(key.public_key, onion);
	strcat(onion, ".onion");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_personal_card_has_the_address_and_the_key, start, finish),
		cmocka_unit_test_setup_teardown(the_onions_card_names_no_mailbox, start, finish),
		cmocka_unit_test_setup_teardown(the_same_card_is_written_again, start, finish),
		cmocka_unit_test_setup_teardown(a_card_is_found_in_what_was_pasted, start, finish),
		cmocka_unit_test_setup_teardown(what_is_wrong_with_a_card_is_said, start, finish),
		cmocka_unit_test_setup_teardown(without_its_keys_there_is_no_card, start_without_keys, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
