/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument), once for alice and once for bob, as the parent and mail@ID would: what one encrypts
 * and signs, the other proves, opens and learns from.
 */
#include "daemon/test_role.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mime/library.h"
#include "onionkey/onionkey.h"
#include "openpgp/openpgp.h"
#include "proof/onionsig.h"
#include "notice/test_notice.h"
#include "seal/pgpmime.h"

#define NOW 1795344471
#define CREATED 1795305600 /* the beginning of that day */

static const char *program;

struct person {
	struct test_role role;
	int mail; /* our end */
	const char *local_part;
	struct onionkey key;
	char onion[ONIONKEY_NAME_LEN + 7], address[128];
	struct buffer secret;
};

struct people {
	struct person alice, bob;
};

static void
begin(struct person *p, const char *local_part, unsigned char seed_byte)
{
	struct ipc_message m = { .type = IPC_TYPE_OPENPGP_KEY, .fd = memfd_create("key", MFD_CLOEXEC) };
	unsigned char seed[32];
	memset(seed, seed_byte, sizeof seed);
	p->local_part = local_part;
	onionkey_from_seed(seed, &p->key);
	onionkey_name(p->key.public_key, p->onion);
	strcat(p->onion, ".onion");
	snprintf(p->address, sizeof p->address, "%s@%s", local_part, p->onion);
	buffer_init(&p->secret, 100000);
	assert_int_equal(openpgp_generate(p->address, CREATED, &p->secret, NULL), 0);
	test_role_start(&p->role, program, NULL);
	assert_int_equal(file_write_all(m.fd, buffer_bytes(&p->secret), buffer_len(&p->secret), NULL), 0);
	assert_true(lseek(m.fd, 0, SEEK_SET) == 0);
	strcpy(m.openpgp_key.local_part, local_part);
	strcpy(m.openpgp_key.onion, p->onion);
	test_role_send(p->role.parent, &m);
	close(m.fd);
	p->mail = test_role_give_peer(&p->role, ROLE_MAIL, "");
}

static int
start(void **state)
{
	struct people *p = calloc(1, sizeof *p);
	begin(&p->alice, "alice", 1);
	begin(&p->bob, "bob", 2);
	*state = p;
	return 0;
}

static void
end(struct person *p)
{
	test_role_kill(&p->role);
	file_close(&p->mail);
	buffer_finish(&p->secret);
}

static int
finish(void **state)
{
	struct people *p = *state;
	end(&p->alice);
	end(&p->bob);
	free(p);
	return 0;
}

/* The text of an answer, and its fields with a signature before it, if it is for an onion. */
static void
take(struct person *p, struct ipc_message *m, struct slice inline_bytes, struct buffer *out)
{
	unsigned char signature[64];
	struct body body;
	assert_int_equal(body_take_any(m, inline_bytes, SIZE_MAX, &body, NULL), 0);
	buffer_init(out, 64 * 1024 * 1024);
	if (m->type == IPC_TYPE_CONTENT_RESULT && m->content_result.digest.len > 0) {
		assert_int_equal(buffer_append(out, m->content_result.field.data, m->content_result.field.len, NULL), 0);
		onionkey_sign(&p->key, m->content_result.digest, signature);
		assert_int_equal(onionsig_end(out, signature, NULL), 0);
	}
	unsigned char *room = buffer_reserve(out, (size_t)body_len(&body), NULL);
	assert_non_null(room);
	assert_int_equal(body_read(&body, 0, room, (size_t)body_len(&body), NULL), 0);
	buffer_commit(out, (size_t)body_len(&body));
	body_finish(&body);
}

static struct slice
all(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static void
give(struct person *p, struct ipc_message *m, struct slice message, struct slice *inline_bytes)
{
	struct body body;
	assert_int_equal(body_from_bytes(message, &body, NULL), 0);
	assert_int_equal(body_attach(&body, m, inline_bytes, NULL), 0);
	test_role_send(p->mail, m);
	body_finish(&body);
}

/* keys: packed. Returns the code. in_file: as large messages are. */
static unsigned
seal(struct person *p, const char *to, unsigned how, struct slice keys, struct slice message, bool in_file, bool *is_sealed, struct buffer *out)
{
	struct ipc_message m = { .type = IPC_TYPE_SEAL, .fd = -1, .seal = { .request_id = 7, .how = (uint8_t)how, .keys = keys, .now_s = NOW } };
	struct ipc_message into = { .type = IPC_TYPE_PREPARE_INTO, .prepare_into.request_id = 7, .fd = memfd_create("out", MFD_CLOEXEC) };
	strcpy(m.seal.local_part, p->local_part);
	strcpy(m.seal.onion, p->onion);
	strcpy(m.seal.to, to);
	if (in_file) {
		m.fd = memfd_create("in", MFD_CLOEXEC);
		assert_int_equal(file_write_all(m.fd, message.data, message.len, NULL), 0);
		test_role_send(p->mail, &into);
		test_role_send(p->mail, &m);
		close(m.fd);
	} else {
		give(p, &m, message, &m.seal.body);
	}
	close(into.fd);
	m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTENT_RESULT);
	*is_sealed = m.content_result.is_sealed != 0;
	buffer_init(out, 0);
	if (m.content_result.code == 250)
		take(p, &m, m.content_result.body, out);
	return m.content_result.code;
}

static struct ipc_message
check(struct person *p, struct slice message)
{
	struct ipc_message m = { .type = IPC_TYPE_CHECK, .fd = -1, .check.request_id = 8 };
	strcpy(m.check.onion, p->onion);
	give(p, &m, message, &m.check.body);
	return test_role_next(&p->role, p->mail, IPC_TYPE_CHECKED);
}

/* What is inside, or nothing. */
static struct ipc_message
open_message(struct person *p, const char *sender, struct slice keys, struct slice message, struct buffer *out)
{
	struct ipc_message m = { .type = IPC_TYPE_OPEN, .fd = -1, .open = { .request_id = 9, .keys = keys } };
	strcpy(m.open.onion, p->onion);
	strcpy(m.open.sender, sender);
	give(p, &m, message, &m.open.body);
	m = test_role_next(&p->role, p->mail, IPC_TYPE_OPENED);
	assert_int_equal(m.opened.code, 250);
	take(p, &m, m.opened.body, out);
	return m;
}

/* The key of a person, as their first message tells it. */
static void
learn(struct person *p, struct person *by, struct buffer *packed, char fingerprint[IPC_OPENPGP_FINGERPRINT_LEN + 1])
{
	char text[300];
	bool is_sealed;
	struct buffer message;
	snprintf(text, sizeof text, "From: %s\r\nDate: Sun, 22 Nov 2026 10:47:51 +0000\r\nSubject: hello\r\n\r\nHello\r\n", p->address);
	assert_int_equal(seal(p, by->onion, SEAL_PLAIN, slice_of("", 0), slice_of_string(text), false, &is_sealed, &message), 250);
	assert_false(is_sealed);
	struct ipc_message m = check(by, all(&message));
	assert_int_equal(m.checked.verdict, ONIONSIG_PROVED);
	assert_string_equal(m.checked.sender, p->address);
	assert_int_equal(m.checked.has_more, 0);
	assert_int_equal(m.checked.signed_s, NOW);
	assert_true(m.checked.key.len > 100);
	buffer_init(packed, IPC_KEYS_MAX);
	assert_int_equal(pack_string(packed, m.checked.key, NULL), 0);
	strcpy(fingerprint, m.checked.fingerprint);
	buffer_finish(&message);
}

static void
write_secret(const struct person *p, char *text, size_t room)
{
	snprintf(text, room, "From: %s\r\nDate: Sun, 22 Nov 2026 10:47:51 +0000\r\nSubject: the secret\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\nIn the caf\xc3\xa9\r\n", p->address);
}

static bool
has(const struct buffer *b, const char *text)
{
	return buffer_len(b) > 0 && memmem(buffer_bytes(b), buffer_len(b), text, strlen(text)) != NULL;
}

static void
what_alice_seals_bob_opens_and_knows_whose_it_is(void **state)
{
	struct people *people = *state;
	struct person *alice = &people->alice, *bob = &people->bob;
	struct buffer alices, bobs, message, inside;
	char alice_is[IPC_OPENPGP_FINGERPRINT_LEN + 1], bob_is[IPC_OPENPGP_FINGERPRINT_LEN + 1], text[400];
	bool is_sealed;
	learn(alice, bob, &alices, alice_is);
	learn(bob, alice, &bobs, bob_is);
	write_secret(alice, text, sizeof text);
	for (int in_file = 0; in_file < 2; in_file++) {
		assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT, all(&bobs), slice_of_string(text), in_file, &is_sealed, &message), 250);
		assert_true(is_sealed);
		assert_false(has(&message, "secret"));
		assert_true(has(&message, "Autocrypt: addr=alice@"));
		struct ipc_message m = check(bob, all(&message));
		assert_int_equal(m.checked.verdict, ONIONSIG_PROVED);
		assert_int_equal(m.checked.has_more, 1);
		m = open_message(bob, alice->address, all(&alices), all(&message), &inside);
		assert_int_equal(m.opened.encryption, PGPMIME_OPENED);
		assert_int_equal(m.opened.signature, PGPMIME_SIGNED_GOOD);
		assert_string_equal(m.opened.fingerprint, alice_is);
		assert_true(has(&inside, "\r\nSubject: the secret\r\n"));
		assert_true(has(&inside, "\r\n\r\nIn the caf\xc3\xa9\r\n"));
		buffer_finish(&inside);
		/* by a key that she is not known to have */
		m = open_message(bob, alice->address, all(&bobs), all(&message), &inside);
		assert_int_equal(m.opened.encryption, PGPMIME_OPENED);
		assert_int_equal(m.opened.signature, PGPMIME_SIGNED_UNKNOWN);
		assert_string_equal(m.opened.fingerprint, "");
		buffer_finish(&inside);
		buffer_finish(&message);
	}
	buffer_finish(&alices);
	buffer_finish(&bobs);
}

static void
expect_end(const struct buffer *message, const char *text)
{
	assert_true(buffer_len(message) > strlen(text));
	assert_memory_equal(buffer_bytes(message) + buffer_len(message) - strlen(text), text, strlen(text));
}

/* Who has only the own key seals for that, and for the others when they have theirs. */
static void
what_waits_for_keys_is_sealed_to_the_own_one(void **state)
{
	struct people *people = *state;
	struct person *alice = &people->alice, *bob = &people->bob;
	struct buffer bobs, waits, message, inside;
	char bob_is[IPC_OPENPGP_FINGERPRINT_LEN + 1], text[400];
	bool is_sealed;
	learn(bob, alice, &bobs, bob_is);
	write_secret(alice, text, sizeof text);
	assert_int_equal(seal(alice, "", SEAL_ENCRYPT, slice_of("", 0), slice_of_string(text), false, &is_sealed, &waits), 250);
	assert_true(is_sealed);
	assert_false(has(&waits, "secret"));
	open_message(bob, alice->address, slice_of("", 0), all(&waits), &inside);
	assert_int_equal(buffer_len(&inside), 0);
	buffer_finish(&inside);
	assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT | SEAL_OPEN_FIRST, all(&bobs), all(&waits), false, &is_sealed, &message), 250);
	assert_true(is_sealed);
	assert_int_equal(check(bob, all(&message)).checked.verdict, ONIONSIG_PROVED);
	struct ipc_message m = open_message(bob, alice->address, slice_of("", 0), all(&message), &inside);
	assert_int_equal(m.opened.encryption, PGPMIME_OPENED);
	assert_true(has(&inside, "\r\nSubject: the secret\r\n"));
	assert_false(has(&inside, "hp="));
	buffer_finish(&inside);
	buffer_finish(&message);
	/* and for whom there is no key it is as it was */
	assert_int_equal(seal(alice, bob->onion, SEAL_OPEN_FIRST, slice_of("", 0), all(&waits), false, &is_sealed, &message), 250);
	assert_false(is_sealed);
	expect_end(&message, text);
	buffer_finish(&message);
	buffer_finish(&waits);
	snprintf(text, sizeof text, "From: %s\r\nMessage-ID: <x@y>\r\nSubject: bare\r\n\r\nHello\r\n", alice->address);
	assert_int_equal(seal(alice, "", SEAL_ENCRYPT, slice_of("", 0), slice_of_string(text), false, &is_sealed, &waits), 250);
	assert_int_equal(seal(alice, bob->onion, SEAL_OPEN_FIRST, slice_of("", 0), all(&waits), false, &is_sealed, &message), 250);
	expect_end(&message, text);
	buffer_finish(&message);
	/* of somebody else's, or of what was changed, nothing is sent */
	assert_int_equal(seal(bob, alice->onion, SEAL_OPEN_FIRST, slice_of("", 0), all(&waits), false, &is_sealed, &message), 550);
	buffer_finish(&message);
	buffer_finish(&waits);
	buffer_finish(&bobs);
}

static void
what_the_mail_program_did_is_not_touched(void **state)
{
	static const char *const forms[] = {
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=a\r\n\r\n--a\r\n\r\n--a--\r\n",
		"Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\n\r\n--a--\r\n",
		"\r\n-----BEGIN PGP MESSAGE-----\r\n",
	};
	struct people *people = *state;
	struct person *alice = &people->alice, *bob = &people->bob;
	struct buffer bobs, message;
	char bob_is[IPC_OPENPGP_FINGERPRINT_LEN + 1], text[600];
	bool is_sealed;
	learn(bob, alice, &bobs, bob_is);
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof text, "From: %s\r\nSubject: x\r\n%s", alice->address, forms[i]);
		assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT, all(&bobs), slice_of_string(text), false, &is_sealed, &message), 250);
		assert_false(is_sealed);
		expect_end(&message, text);
		buffer_finish(&message);
		assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT | SEAL_ALL, all(&bobs), slice_of_string(text), false, &is_sealed, &message), 250);
		assert_int_equal(is_sealed, i == 1); /* what is only signed, when encryption is required */
		buffer_finish(&message);
	}
	buffer_finish(&bobs);
}

static void
cards_and_notices_are_found_wherever_they_lie(void **state)
{
	struct people *people = *state;
	struct person *alice = &people->alice, *bob = &people->bob;
	struct buffer bobs, message, inside;
	char bob_is[IPC_OPENPGP_FINGERPRINT_LEN + 1], text[4 * NOTICE_MAX_BYTES], written[NOTICE_MAX_BYTES + 1];
	bool is_sealed;
	struct notice signed_ = test_notice(NOTICE_MOVE, 2, 3, 1);
	struct buffer notice;
	buffer_init(&notice, NOTICE_MAX_BYTES);
	assert_int_equal(notice_write(&signed_, &notice, NULL), 0);
	slice_to_string(all(&notice), written, sizeof written);
	buffer_finish(&notice);
	learn(bob, alice, &bobs, bob_is);
	snprintf(text, sizeof text, "From: %s\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a\r\n\r\nlook\r\n--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: Text/VCard; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nQkVHSU46VkNBUkQ=\r\n--b\r\nContent-Type: application/smtorp-notice\r\n\r\nforged\r\n"
	    "--b\r\nContent-Type: application/smtorp-notice\r\n\r\n%s\r\n--b--\r\n--a--\r\n",
	    alice->address, written);
	for (unsigned how = SEAL_PLAIN; how <= SEAL_ENCRYPT; how++) {
		assert_int_equal(seal(alice, bob->onion, how, how == SEAL_PLAIN ? slice_of("", 0) : all(&bobs), slice_of_string(text), false, &is_sealed,
		    &message), 250);
		assert_int_equal(check(bob, all(&message)).checked.has_more, 1);
		struct ipc_message m = open_message(bob, alice->address, slice_of("", 0), all(&message), &inside);
		struct slice rest = m.opened.findings, kind, bytes;
		assert_true(pack_next(&rest, &kind) && slice_is(kind, "1") && pack_next(&rest, &bytes) && slice_is(bytes, "BEGIN:VCARD"));
		assert_true(pack_next(&rest, &kind) && slice_is(kind, "2") && pack_next(&rest, &bytes) && slice_is(bytes, written)); /* and not the forged one */
		assert_int_equal(rest.len, 0);
		buffer_finish(&inside);
		m = open_message(bob, "", slice_of("", 0), all(&message), &inside); /* nobody is proved to have sent it */
		assert_int_equal(m.opened.findings.len, 0);
		buffer_finish(&inside);
		buffer_finish(&message);
	}
	buffer_finish(&bobs);
}

/* A bad list of keys, a key that is none, and a message that is none, cost nothing but an answer. */
static void
nonsense_is_refused(void **state)
{
	struct people *people = *state;
	struct person *alice = &people->alice, *bob = &people->bob;
	struct buffer message, inside;
	char text[400];
	bool is_sealed;
	write_secret(alice, text, sizeof text);
	assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT, slice_of("\xff\xff", 2), slice_of_string(text), false, &is_sealed, &message), 451);
	assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT, slice_of("\x03\x00key", 5), slice_of_string(text), false, &is_sealed, &message), 550);
	assert_int_equal(seal(alice, bob->onion, SEAL_ENCRYPT | SEAL_OPEN_FIRST, slice_of("", 0), slice_of_string("none"), false, &is_sealed, &message),
	    550);
	open_message(bob, "", slice_of("", 0), slice_of_string("none"), &inside);
	assert_int_equal(buffer_len(&inside), 0);
	buffer_finish(&inside);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(what_alice_seals_bob_opens_and_knows_whose_it_is),
		TEST(what_waits_for_keys_is_sealed_to_the_own_one),
		TEST(what_the_mail_program_did_is_not_touched),
		TEST(cards_and_notices_are_found_wherever_they_lie),
		TEST(nonsense_is_refused),
	};
	if (argc != 2)
		return 2;
	program = argv[1];
	onionkey_library_init();
	library_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
