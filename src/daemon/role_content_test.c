/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument) as the parent and mail@ID would.
 */
#include "daemon/test_role.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/secret.h"
#include "identity/openpgpkey.h"
#include "mime/library.h"
#include "onionkey/onionkey.h"
#include "proof/onionsig.h"

#define FROM "From: alice@own.onion\r\nDate: Sun, 22 Nov 2026 10:47:51 +0000\r\nMessage-ID: <" LETTERS "@own.onion>\r\n"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static const char *program;

struct content {
	struct test_role role;
	int mail; /* our end */
};

static int
start(void **state)
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

static struct ipc_message
ask(struct content *c, struct slice message)
{
	struct ipc_message m = { .type = IPC_TYPE_PREPARE, .fd = -1 };
	struct body body;
	assert_int_equal(body_from_bytes(message, &body, NULL), 0);
	m.prepare.request_id = 42;
	strcpy(m.prepare.local_part, "alice");
	strcpy(m.prepare.onion, "own.onion");
	strcpy(m.prepare.id_letters, LETTERS);
	m.prepare.ids = slice_of_string("<1@host> <one@own.onion>\n<2@bob.onion> <2@bob.onion>\n");
	m.prepare.now_s = 1795344471;
	assert_int_equal(body_attach(&body, &m, &m.prepare.body, NULL), 0);
	test_role_send(c->mail, &m);
	body_finish(&body);
	struct ipc_message result = test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT);
	assert_true(result.content_result.request_id == 42);
	return result;
}

static void
prepares_a_message(void **state)
{
	struct ipc_message m = ask(*state, slice_of_string(FROM "Bcc: x@y\r\n\r\nJ\xc3\xb6\r\n"));
	assert_int_equal(m.content_result.code, 250);
	assert_int_equal(m.content_result.flags, BODY_8BIT);
	assert_true(slice_is(m.content_result.body, FROM "\r\nJ\xc3\xb6\r\n"));
	assert_int_equal(m.fd, -1);
	m = ask(*state, slice_of_string("From: alice@own.onion\r\n\r\n"));
	assert_int_equal(m.content_result.code, 250);
	const char *id = memmem(m.content_result.body.data, m.content_result.body.len, "Message-ID: <", 13);
	assert_non_null(id);
	assert_int_equal(strspn(id + 13, "abcdefghijklmnopqrstuvwxyz234567"), 26);
	assert_memory_equal(id + 13 + 26, "@own.onion>\r\n", 13);
}

/* Boundaries and names of parts are made of a seed that no other message has: the same message twice tells it. */
static void
no_two_messages_have_a_boundary_in_common(void **state)
{
	static const char message[] = FROM "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-ID: <1@host>\r\n\r\nx\r\n--A--\r\n";
	static const char *const marks[] = { "boundary=\"=_", "Content-ID: <" };
	char letters[2][2][27] = { 0 };
	for (int i = 0; i < 2; i++) {
		struct ipc_message m = ask(*state, slice_of_string(message));
		assert_int_equal(m.content_result.code, 250);
		for (int j = 0; j < 2; j++) {
			const char *found = memmem(m.content_result.body.data, m.content_result.body.len, marks[j], strlen(marks[j]));
			assert_non_null(found);
			memcpy(letters[i][j], found + strlen(marks[j]), 26);
			assert_int_equal(strspn(letters[i][j], "abcdefghijklmnopqrstuvwxyz234567"), 26);
		}
	}
	assert_string_not_equal(letters[0][0], letters[1][0]);
	assert_string_not_equal(letters[0][1], letters[1][1]);
}

static void
refuses_in_words_for_the_sender(void **state)
{
	struct ipc_message m = ask(*state, slice_of_string("From: J\xc3\xb6 <j\xc3\xb6@other.onion>\r\n\r\n"));
	assert_int_equal(m.content_result.code, 550);
	assert_string_equal(m.content_result.enhanced, "5.7.1");
	assert_string_equal(m.content_result.text, "From: says j??@other.onion but this login is alice@own.onion: set this "
	    "account's sender address to it");
	m = ask(*state, slice_of_string(FROM "\r\n\n.\n"));
	assert_int_equal(m.content_result.code, 550);
	assert_string_equal(m.content_result.enhanced, "5.6.0");
	assert_int_equal(m.content_result.body.len, 0);
}

static void
large_messages_travel_sealed(void **state)
{
	const size_t lines = 200000, header = strlen(FROM "\r\n"), len = header + lines * 8;
	struct error err = { 0 };
	struct body body;
	char *message = malloc(len);
	assert_non_null(message);
	memcpy(message, FROM "\r\n", header);
	for (size_t i = 0; i < lines; i++)
		memcpy(message + header + i * 8, "line..\r\n", 8);
	struct ipc_message m = ask(*state, slice_of(message, len));
	assert_int_equal(m.content_result.code, 250);
	assert_true(m.fd >= 0);
	assert_int_equal(body_take(&m, m.content_result.body, len, &body, &err), 0); /* checks the seals */
	assert_int_equal(body.bytes.len, len);
	assert_memory_equal(body.bytes.data, message, len);
	body_finish(&body);
	free(message);
}

/* 40 MiB from a file into a file. Where there is none to write to, the sender is to try again. */
static void
what_comes_in_a_file_goes_into_a_file(void **state)
{
	struct content *c = *state;
	enum { LINES = 5 * 1024 * 1024 };
	const size_t header = strlen(FROM "\r\n");
	struct ipc_message into = { .type = IPC_TYPE_PREPARE_INTO, .prepare_into.request_id = 42 }, m;
	struct buffer text;
	struct body body;
	buffer_init(&text, header + LINES * 8);
	assert_int_equal(buffer_append_string(&text, FROM "\r\n", NULL), 0);
	for (size_t i = 0; i < LINES; i++)
		assert_int_equal(buffer_append(&text, "line..\r\n", 8, NULL), 0);
	for (int has_into = 1; has_into >= 0; has_into--) {
		struct ipc_message ask = { .type = IPC_TYPE_PREPARE, .prepare = { .request_id = 42, .local_part = "alice",
			.onion = "own.onion", .id_letters = LETTERS, .now_s = 1795344471 } };
		ask.fd = memfd_create("in", MFD_CLOEXEC);
		into.fd = memfd_create("out", MFD_CLOEXEC);
		assert_int_equal(file_write_all(ask.fd, buffer_bytes(&text), buffer_len(&text), NULL), 0);
		if (has_into)
			test_role_send(c->mail, &into);
		test_role_send(c->mail, &ask);
		m = test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT);
		assert_int_equal(m.content_result.code, has_into ? 250 : 451);
		close(ask.fd);
		close(into.fd);
		if (!has_into)
			break;
		unsigned char *back = malloc(buffer_len(&text));
		assert_int_equal(body_take_any(&m, m.content_result.body, SIZE_MAX, &body, NULL), 0);
		assert_int_equal(body.file_bytes, buffer_len(&text));
		assert_int_equal(body_read(&body, 0, back, buffer_len(&text), NULL), 0);
		assert_memory_equal(back, buffer_bytes(&text), buffer_len(&text));
		free(back);
		body_finish(&body);
	}
	buffer_finish(&text);
}

/* Completes the field as mail@ID does, and judges the message as its receiver will. */
static enum onionsig_verdict
judge(const struct ipc_message *m, const struct onionkey *key, const char *to, const char *change)
{
	struct error err = { 0 }, why;
	struct address sender;
	struct header_scan scan;
	struct header_field field;
	struct dkim_body text;
	struct body body;
	struct buffer all;
	unsigned char signature[64], digest[32];
	enum onionsig_verdict verdict;
	struct ipc_message copy = *m;
	assert_int_equal(m->content_result.code, 250);
	assert_int_equal(m->content_result.digest.len, 32);
	buffer_init(&all, 8 * 1024 * 1024);
	assert_int_equal(buffer_append(&all, m->content_result.field.data, m->content_result.field.len, NULL), 0);
	onionkey_sign(key, m->content_result.digest, signature);
	assert_int_equal(onionsig_end(&all, signature, NULL), 0);
	assert_int_equal(buffer_append_string(&all, change, NULL), 0);
	copy.fd = copy.fd < 0 ? -1 : dup(copy.fd);
	assert_int_equal(body_take_any(&copy, m->content_result.body, 8 * 1024 * 1024, &body, &err), 0);
	unsigned char *bytes = malloc((size_t)body_len(&body));
	assert_non_null(bytes);
	if (body.file_bytes > 0)
		assert_int_equal(body_read(&body, 0, bytes, (size_t)body.file_bytes, NULL), 0);
	else
		memcpy(bytes, body.bytes.data, body.bytes.len);
	assert_int_equal(buffer_append(&all, bytes, (size_t)body_len(&body), NULL), 0);
	free(bytes);
	body_finish(&body);
	struct slice message = slice_of(buffer_bytes(&all), buffer_len(&all));
	header_scan_init(&scan, message);
	while (header_scan_next(&scan, &field, NULL) == 1)
		;
	dkim_body_init(&text);
	dkim_body_update(&text, scan.rest.data, scan.rest.len);
	dkim_body_final(&text, digest);
	assert_int_equal(onionsig_check(message, digest, to, &verdict, &sender, &why, &err), 0);
	buffer_finish(&all);
	return verdict;
}

static void
make_onion(unsigned char seed_byte, struct onionkey *key, char onion[ONIONKEY_NAME_LEN + 7])
{
	unsigned char seed[32];
	memset(seed, seed_byte, sizeof seed);
	onionkey_from_seed(seed, key);
	onionkey_name(key->public_key, onion);
	strcat(onion, ".onion");
}

/* In memory and in a file, of one byte and of megabytes; with no body at all. */
static void
makes_the_signature_field_for_one_onion(void **state)
{
	static const size_t sizes[] = { 0, 1, 70000, 3 * 1024 * 1024 };
	struct content *c = *state;
	struct onionkey alice, bob;
	char own[ONIONKEY_NAME_LEN + 7], to[ONIONKEY_NAME_LEN + 7], from[128];
	make_onion(1, &alice, own);
	make_onion(2, &bob, to);
	int header = snprintf(from, sizeof from, "From: alice@%s\r\nSubject: x\r\n\r\n", own);
	for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
		const size_t len = (size_t)header + sizes[i / 2];
		char *text = malloc(len + 1);
		struct ipc_message into = { .type = IPC_TYPE_PREPARE_INTO, .prepare_into.request_id = 42, .fd = memfd_create("out", MFD_CLOEXEC) };
		struct ipc_message m = { .type = IPC_TYPE_PREPARE, .fd = -1, .prepare = { .request_id = 42, .local_part = "alice",
			.id_letters = LETTERS, .now_s = 1795344471 } };
		struct body body;
		memset(text, 'x', len);
		memcpy(text, from, (size_t)header);
		for (size_t at = (size_t)header + 70; at + 2 < len; at += 72)
			memcpy(text + at, "\r\n", 2);
		strcpy(m.prepare.onion, own);
		strcpy(m.prepare.to, to);
		assert_int_equal(body_from_bytes(slice_of(text, len), &body, NULL), 0);
		if (i % 2 == 0) {
			assert_int_equal(body_attach(&body, &m, &m.prepare.body, NULL), 0);
			test_role_send(c->mail, &m);
		} else {
			m.fd = memfd_create("in", MFD_CLOEXEC);
			assert_int_equal(file_write_all(m.fd, text, len, NULL), 0);
			test_role_send(c->mail, &into);
			test_role_send(c->mail, &m);
			close(m.fd);
		}
		m = test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT);
		assert_int_equal(judge(&m, &alice, to, ""), ONIONSIG_PROVED);
		assert_int_equal(judge(&m, &alice, own, ""), ONIONSIG_WRONG);               /* sent on to somebody else */
		assert_int_equal(judge(&m, &bob, to, ""), ONIONSIG_WRONG);                  /* by another key */
		assert_int_equal(judge(&m, &alice, to, "Reply-To: a@b\r\n"), ONIONSIG_WRONG); /* changed on the way */
		close(into.fd);
		body_finish(&body);
		free(text);
	}
}

/* Of what came in a file mail@ID is told which octets were judged, and opened: others may still write to it. */
static void
says_which_octets_of_a_file_it_has_read(void **state)
{
	static const char header[] = "From: alice@example.org\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=x\r\n\r\n";
	struct content *c = *state;
	struct ipc_message check = { .type = IPC_TYPE_CHECK, .check.request_id = 7 }, open = { .type = IPC_TYPE_OPEN, .open.request_id = 8 };
	unsigned char digest[HASH_SHA256_BYTES];
	struct hash_sha256 hash;
	enum { LEN = 200000 };
	char *text = malloc(LEN);
	memset(text, 'x', LEN);
	memcpy(text, header, sizeof header - 1);
	strcpy(check.check.onion, "own.onion");
	strcpy(open.open.onion, "own.onion");
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, text, LEN);
	hash_sha256_final(&hash, digest);
	int fd = memfd_create("in", MFD_CLOEXEC);
	assert_int_equal(file_write_all(fd, text, LEN, NULL), 0);
	check.fd = open.fd = fd;
	test_role_send(c->mail, &check);
	struct ipc_message m = test_role_next(&c->role, c->mail, IPC_TYPE_CHECKED);
	assert_int_equal(m.checked.code, 250);
	assert_int_equal(m.checked.digest.len, sizeof digest);
	assert_memory_equal(m.checked.digest.data, digest, sizeof digest);
	test_role_send(c->mail, &open);
	m = test_role_next(&c->role, c->mail, IPC_TYPE_OPENED);
	assert_int_equal(m.opened.code, 250);
	assert_int_equal(m.opened.digest.len, sizeof digest);
	assert_memory_equal(m.opened.digest.data, digest, sizeof digest);
	check.fd = -1; /* nobody can change what is in a message between the roles */
	check.check.body = slice_of_string(header);
	test_role_send(c->mail, &check);
	m = test_role_next(&c->role, c->mail, IPC_TYPE_CHECKED);
	assert_int_equal(m.checked.digest.len, 0);
	close(fd);
	free(text);
}

static void
composes_a_notification(void **state)
{
	struct content *c = *state;
	struct ipc_message m = { .type = IPC_TYPE_COMPOSE_DSN, .fd = -1 };
	const struct pack_result result = { 550, slice_of_string("5.1.1"), slice_of_string("no such mailbox") };
	struct buffer failures;
	buffer_init(&failures, 1000);
	assert_int_equal(pack_failure(&failures, slice_of_string("bob@other.onion"), &result, NULL), 0);
	m.compose_dsn.request_id = 43;
	strcpy(m.compose_dsn.onion, "own.onion");
	strcpy(m.compose_dsn.recipient, "alice@own.onion");
	m.compose_dsn.failures = slice_of(buffer_bytes(&failures), buffer_len(&failures));
	m.compose_dsn.body = slice_of_string(FROM "\r\nhello\r\n");
	test_role_send(c->mail, &m);
	struct ipc_message got = test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT);
	assert_int_equal(got.content_result.code, 250);
	static const char status[] = "Final-Recipient: rfc822; bob@other.onion\r\nAction: failed\r\nStatus: 5.1.1\r\n";
	assert_non_null(memmem(got.content_result.body.data, got.content_result.body.len, status, sizeof status - 1));
	m.compose_dsn.failures.len--; /* cut off */
	test_role_send(c->mail, &m);
	got = test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT);
	assert_int_equal(got.content_result.code, 451);
	buffer_finish(&failures);
}

static void
composes_a_copy_with_a_note(void **state)
{
	struct content *c = *state;
	struct ipc_message m = { .type = IPC_TYPE_COMPOSE_NOTE, .fd = -1 };
	m.compose_note.request_id = 44;
	strcpy(m.compose_note.mark, "offline");
	m.compose_note.text = slice_of_string("It waits.\n");
	m.compose_note.body = slice_of_string(FROM "Subject: hello\r\n\r\nthe words\r\n");
	test_role_send(c->mail, &m);
	struct ipc_message got = test_role_next(&c->role, c->mail, IPC_TYPE_CONTENT_RESULT);
	assert_true(got.content_result.request_id == 44);
	assert_int_equal(got.content_result.code, 250);
	static const char *const words[] = { "Subject: [offline]\r\n hello\r\n", "It waits.\r\n", "the words\r\n" };
	for (size_t i = 0; i < 3; i++)
		assert_non_null(memmem(got.content_result.body.data, got.content_result.body.len, words[i], strlen(words[i])));
}

static void
takes_no_more_memory_than_it_may(void **state)
{
	struct content *c = *state;
	struct rlimit limit;
	ask(c, slice_of_string(FROM "\r\nx\r\n"));
	assert_int_equal(prlimit(c->role.pid, RLIMIT_DATA, NULL, &limit), 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_int_equal(limit.rlim_max, 512 * 1024 * 1024);
#endif
}

static void
ends_with_its_mail_role(void **state)
{
	struct content *c = *state;
	file_close(&c->mail);
	assert_int_equal(test_role_wait(&c->role), 0);
}

static void
ends_when_told_to(void **state)
{
	struct content *c = *state;
	const struct ipc_message stop = { .type = IPC_TYPE_STOP, .fd = -1 };
	test_role_send(c->role.parent, &stop);
	assert_int_equal(test_role_wait(&c->role), 0);
}

static void
ends_when_mail_breaks_the_rules(void **state)
{
	struct content *c = *state;
	const struct ipc_message dial = { .type = IPC_TYPE_DIAL, .fd = -1 };
	test_role_send(c->mail, &dial);
	assert_int_equal(test_role_wait(&c->role), 1);
}

/* ---- OpenPGP keys */

static struct ipc_message
key_message(int fd)
{
	struct ipc_message m = { .type = IPC_TYPE_OPENPGP_KEY, .fd = fd };
	strcpy(m.openpgp_key.local_part, "alice");
	strcpy(m.openpgp_key.onion, "own.onion");
	strcpy(m.openpgp_key.created, "2026-01-31");
	return m;
}

static void
an_identity_of_before_gets_an_openpgp_key_once(void **state)
{
	struct content *c = *state;
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	struct openpgp_key seen;
	size_t count;
	struct ipc_message m = key_message(-1);
	test_role_send(c->role.parent, &m);
	m = test_role_next(&c->role, c->role.parent, IPC_TYPE_OPENPGP_MADE);
	assert_int_equal(openpgpkey_list(m.openpgp_made.key, keys, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(openpgp_look(keys[0], &seen, NULL), 0);
	assert_string_equal(seen.user_id, "alice@own.onion");
	assert_true(seen.has_secret);
	int fd = secret_pipe(m.openpgp_made.key.data, m.openpgp_made.key.len);
	assert_true(fd >= 0);
	m = key_message(fd);
	test_role_send(c->role.parent, &m);
	close(fd);
	m = (struct ipc_message){ .type = IPC_TYPE_PING, .fd = -1 };
	test_role_send(c->role.parent, &m);
	test_role_next(&c->role, c->role.parent, IPC_TYPE_PONG); /* and no other key */
}

static void
rubbish_instead_of_keys_keeps_no_message_from_leaving(void **state)
{
	struct content *c = *state;
	int fd = secret_pipe("no key", 6);
	struct ipc_message m = key_message(fd);
	test_role_send(c->role.parent, &m);
	close(fd);
	m = ask(c, slice_of_string(FROM "\r\nHello\r\n"));
	assert_int_equal(m.content_result.code, 250);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	program = argv[1];
	library_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_identity_of_before_gets_an_openpgp_key_once, start, finish),
		cmocka_unit_test_setup_teardown(rubbish_instead_of_keys_keeps_no_message_from_leaving, start, finish),
		cmocka_unit_test_setup_teardown(prepares_a_message, start, finish),
		cmocka_unit_test_setup_teardown(no_two_messages_have_a_boundary_in_common, start, finish),
		cmocka_unit_test_setup_teardown(refuses_in_words_for_the_sender, start, finish),
		cmocka_unit_test_setup_teardown(what_comes_in_a_file_goes_into_a_file, start, finish),
		cmocka_unit_test_setup_teardown(says_which_octets_of_a_file_it_has_read, start, finish),
		cmocka_unit_test_setup_teardown(large_messages_travel_sealed, start, finish),
		cmocka_unit_test_setup_teardown(makes_the_signature_field_for_one_onion, start, finish),
		cmocka_unit_test_setup_teardown(composes_a_notification, start, finish),
		cmocka_unit_test_setup_teardown(composes_a_copy_with_a_note, start, finish),
		cmocka_unit_test_setup_teardown(takes_no_more_memory_than_it_may, start, finish),
		cmocka_unit_test_setup_teardown(ends_with_its_mail_role, start, finish),
		cmocka_unit_test_setup_teardown(ends_when_told_to, start, finish),
		cmocka_unit_test_setup_teardown(ends_when_mail_breaks_the_rules, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
