/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument) as the parent, mail and smtp roles would.
 */
#include "daemon/test_role.h"

#include <stdio.h>

#include "onionkey/onionkey.h"
#include "proof/context.h"

static const char *program;

struct sign_process {
	struct test_role role;
	int mail, smtp, other; /* our ends; other: of another identity */
	struct onionkey key, other_key;
};

static void
give_key(struct sign_process *p, const char *identity, const struct onionkey *key)
{
	struct ipc_message m = { .type = IPC_TYPE_SIGN_KEY };
	unsigned char file[ONIONKEY_FILE_BYTES];
	strcpy(m.sign_key.identity, identity);
	onionkey_to_file(key, file);
	assert_int_equal(file_sealed_memory(file, sizeof file, &m.fd, NULL), 0);
	test_role_send(p->role.parent, &m);
	file_close(&m.fd);
}

static int
start(void **state)
{
	struct sign_process *p = calloc(1, sizeof *p);
	static const unsigned char seed[32] = { 1 }, other_seed[32] = { 2 };
	onionkey_from_seed(seed, &p->key);
	onionkey_from_seed(other_seed, &p->other_key);
	test_role_start(&p->role, program, NULL);
	give_key(p, "alice", &p->key);
	give_key(p, "work", &p->other_key);
	p->mail = test_role_give_peer(&p->role, ROLE_MAIL, "alice");
	p->smtp = test_role_give_peer(&p->role, ROLE_SMTP, "alice");
	p->other = test_role_give_peer(&p->role, ROLE_MAIL, "work");
	*state = p;
	return 0;
}

static int
finish(void **state)
{
	struct sign_process *p = *state;
	const struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	file_close(&p->mail);
	file_close(&p->smtp);
	file_close(&p->other);
	test_role_send(p->role.parent, &m);
	int status = test_role_wait(&p->role);
	free(p);
	return status;
}

static const unsigned char digest[CONTEXT_DIGEST_BYTES] = { 3, 4, 5 };

/* Asks for a signature; returns its octets, none when there was none. */
static struct slice
ask(struct sign_process *p, int mail, unsigned context, size_t digest_len)
{
	static uint64_t last;
	struct ipc_message m = { .type = IPC_TYPE_SIGN, .fd = -1, .sign = { .request_id = ++last, .context = (uint8_t)context,
		.digest = slice_of(digest, digest_len) } };
	test_role_send(mail, &m);
	m = test_role_next(&p->role, mail, IPC_TYPE_SIGNED);
	assert_int_equal(m.signed_.request_id, last);
	return m.signed_.signature;
}

static void
assert_signs(const struct onionkey *key, struct slice text, struct slice signature)
{
	assert_int_equal(signature.len, ONIONKEY_SIGNATURE_BYTES);
	assert_int_equal(onionkey_verify(key->public_key, text, signature.data, NULL), 0);
}

static void
signs_each_kind_in_its_form_with_the_key_of_the_channel(void **state)
{
	struct sign_process *p = *state;
	unsigned char text[CONTEXT_TEXT_MAX];
	for (unsigned context = CONTEXT_MESSAGE; context <= CONTEXT_CARD; context++) {
		size_t len = context_text(context, digest, text);
		assert_signs(&p->key, slice_of(text, len), ask(p, p->mail, context, sizeof digest));
		assert_signs(&p->other_key, slice_of(text, len), ask(p, p->other, context, sizeof digest));
	}
}

/* Moves and revocations are the owner's to say, who has the key; nobody asks for the others at all. */
static void
signs_nothing_else(void **state)
{
	struct sign_process *p = *state;
	for (unsigned context = CONTEXT_CARD + 1; context < CONTEXT_COUNT; context++)
		assert_int_equal(ask(p, p->mail, context, sizeof digest).len, 0);
	assert_int_equal(ask(p, p->mail, CONTEXT_COUNT, sizeof digest).len, 0);
	assert_int_equal(ask(p, p->mail, 255, sizeof digest).len, 0);
	assert_int_equal(ask(p, p->mail, CONTEXT_MESSAGE, 31).len, 0);
	assert_int_equal(ask(p, p->mail, CONTEXT_CARD, 0).len, 0);
}

static struct slice
ask_session(struct sign_process *p, const char *server)
{
	struct ipc_message m = { .type = IPC_TYPE_SIGN_SESSION, .fd = -1, .sign_session = { .request_id = 7, .exporter = slice_of(digest, sizeof digest) } };
	snprintf(m.sign_session.server, sizeof m.sign_session.server, "%s", server);
	test_role_send(p->smtp, &m);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_SIGNED);
	assert_int_equal(m.signed_.request_id, 7);
	return m.signed_.signature;
}

static void
proves_a_session_to_one_server_only(void **state)
{
	struct sign_process *p = *state;
	char name[IPC_ONION_MAX + 1];
	unsigned char text[CONTEXT_TEXT_MAX];
	onionkey_name(p->other_key.public_key, name);
	strcat(name, ".onion");
	size_t len = context_session_text(p->key.public_key, p->other_key.public_key, digest, text);
	assert_signs(&p->key, slice_of(text, len), ask_session(p, name));
	assert_int_equal(ask_session(p, "example.onion").len, 0);
	assert_int_equal(ask_session(p, "").len, 0);
}

static void
a_key_that_was_taken_back_signs_no_more(void **state)
{
	struct sign_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_SIGN_KEY_REMOVE, .fd = -1, .sign_key_remove.identity = "alice" };
	test_role_send(p->role.parent, &m);
	/* the role hears its channels in any order: a second key for the other one shows that it has heard the parent */
	while (ask(p, p->mail, CONTEXT_MESSAGE, sizeof digest).len != 0)
		;
	assert_signs(&p->other_key, slice_of(digest, sizeof digest), ask(p, p->other, CONTEXT_MESSAGE, sizeof digest));
	give_key(p, "alice", &p->other_key);
	struct slice signature;
	while ((signature = ask(p, p->mail, CONTEXT_MESSAGE, sizeof digest)).len == 0)
		;
	assert_signs(&p->other_key, slice_of(digest, sizeof digest), signature);
}

static void
a_file_that_is_no_key_is_no_key(void **state)
{
	struct sign_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_SIGN_KEY, .sign_key.identity = "alice" };
	assert_int_equal(file_sealed_memory("nonsense", 8, &m.fd, NULL), 0);
	test_role_send(p->role.parent, &m);
	file_close(&m.fd);
	while (ask(p, p->mail, CONTEXT_MESSAGE, sizeof digest).len != 0)
		;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(signs_each_kind_in_its_form_with_the_key_of_the_channel),
		TEST(signs_nothing_else),
		TEST(proves_a_session_to_one_server_only),
		TEST(a_key_that_was_taken_back_signs_no_more),
		TEST(a_file_that_is_no_key_is_no_key),
	};
	if (argc < 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
