/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "base/random.h"
#include "mime/library.h"
#include "onionkey/onionkey.h"
#include "proof/onionsig.h"

struct person {
	struct onionkey key;
	char onion[ADDRESS_ONION_LEN + 1];
};
static struct person alice, bob, carol;

static void
make(struct person *p, unsigned char byte)
{
	unsigned char seed[32];
	char name[ONIONKEY_NAME_LEN + 1];
	memset(seed, byte, sizeof seed);
	onionkey_from_seed(seed, &p->key);
	onionkey_name(p->key.public_key, name);
	snprintf(p->onion, sizeof p->onion, "%s.onion", name);
}

static void
body_digest(const char *text, unsigned char out[32])
{
	struct dkim_body body;
	dkim_body_init(&body);
	dkim_body_update(&body, text, strlen(text));
	dkim_body_final(&body, out);
}

#define BODY "Dinner at eight?\r\n"
#define ROOM 16384

/* Copies text with alice's onion wherever "alice.onion" stands. */
static void
fill(char out[ROOM], const char *text)
{
	size_t len = 0;
	while (*text != '\0') {
		bool is_place = strncmp(text, "alice.onion", 11) == 0;
		size_t step = is_place ? strlen(alice.onion) : 1;
		assert_true(len + step < ROOM);
		memcpy(out + len, is_place ? alice.onion : text, step);
		len += step;
		text += is_place ? 11 : 1;
	}
	out[len] = '\0';
}

static void
join(char out[ROOM], const char *first, const char *second)
{
	assert_true(strlen(first) + strlen(second) < ROOM);
	strcpy(out, first);
	strcat(out, second);
}

/* Writes the header with the signature of `by` before it, for `to`. */
static void
sign(const char *header, const struct person *by, const struct person *to, char out[ROOM])
{
	char section[ROOM], line[ONIONSIG_MAX_BYTES + 1];
	unsigned char digest[32], body[32], signature[64];
	struct buffer field;
	struct error err = { 0 };
	fill(section, header);
	buffer_init(&field, ONIONSIG_MAX_BYTES);
	body_digest(BODY, body);
	assert_int_equal(onionsig_begin(slice_of_string(section), body, by->onion, to->onion, &field, digest, &err), 0);
	onionkey_sign(&by->key, slice_of(digest, sizeof digest), signature);
	assert_int_equal(onionsig_end(&field, signature, &err), 0);
	slice_to_string(slice_of(buffer_bytes(&field), buffer_len(&field)), line, sizeof line);
	join(out, line, section);
	buffer_finish(&field);
}

static enum onionsig_verdict
judge(const char *section, const char *body, const struct person *to, struct error *why)
{
	unsigned char digest[32];
	enum onionsig_verdict verdict;
	struct address sender;
	struct error err = { 0 };
	*why = (struct error){ 0 };
	body_digest(body, digest);
	assert_int_equal(onionsig_check(slice_of_string(section), digest, to->onion, &verdict, &sender, why, &err), 0);
	if (verdict == ONIONSIG_PROVED)
		assert_string_equal(sender.onion, alice.onion);
	return verdict;
}

static const char plain[] = "From: Alice <alice@alice.onion>\r\nTo: bob\r\nSubject: dinner\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
    "Message-ID: <1@alice.onion>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nX-Other: a\r\n";

static void
a_message_is_proved_by_its_senders_key(void **state)
{
	(void)state;
	char section[ROOM];
	struct error why;
	sign(plain, &alice, &bob, section);
	assert_int_equal(judge(section, BODY, &bob, &why), ONIONSIG_PROVED);
	assert_int_equal(judge(section, BODY "\r\n", &bob, &why), ONIONSIG_PROVED);
	for (const char *line = section, *end; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		assert_true(end - line <= 90);
}

static void
expect_wrong(const char *section, const char *body, const struct person *to, const char *word)
{
	struct error why;
	if (judge(section, body, to, &why) != ONIONSIG_WRONG || strstr(why.text, word) == NULL)
		fail_msg("not refused for \"%s\": \"%s\"\n%s", word, why.text, section);
}

static void
it_is_not_proved_when_anything_that_is_shown_was_changed(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "Subject: dinner", "Subject: supper" }, { "To: bob", "To: eve" }, { "1 Jan", "2 Jan" }, { "Message-ID: <1", "Message-ID: <2" },
		{ "text/plain", "text/html " }, { "X-Other: a", "Cc: carol!" }, { "X-Other: a", "Reply-To:e" }, { "X-Other: a", "Sender: ab" },
		{ "X-Other: a", "Subject: a" }, { "From: Alice", "From: Carol" }, { "X-Other: a", "Autocrypt:" },
		{ "X-Other: a", "Date: 2025" }, { "X-Other: a", "References" }, { "MIME-Version: 1.0\r\n", "X-ME-Version: 1.0\r\n" },
	};
	char section[ROOM], changed[ROOM];
	sign(plain, &alice, &bob, section);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		strcpy(changed, section);
		char *at = strstr(changed, changes[i].from);
		assert_non_null(at);
		size_t len = strlen(changes[i].to);
		assert_int_equal(len, strlen(changes[i].from));
		memcpy(at, changes[i].to, len);
		if (strcmp(changes[i].to, "References") == 0)
			memcpy(at, "Cc:\t: ab c", 10);
		expect_wrong(changed, BODY, &bob, "does not belong");
	}
	expect_wrong(section, "Dinner at nine?\r\n", &bob, "body");
	join(changed, section, "X-Trace: more\r\n");
	struct error why;
	assert_int_equal(judge(changed, BODY, &bob, &why), ONIONSIG_PROVED);
}

/* Fields that need not be there, and on which mail programs act when they are. */
static void
nothing_that_programs_act_on_can_be_added(void **state)
{
	(void)state;
	static const char *const names[] = { "Content-ID", "Resent-From", "List-Post", "Mail-Followup-To", "Disposition-Notification-To", "return-receipt-to",
		"Secure-Join", "Chat-Group-ID", "Autocrypt-Gossip" };
	char section[ROOM], with[ROOM], field[100], word[100];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct error why;
		snprintf(field, sizeof field, "%s: <eve@eve.onion>\r\n", names[i]);
		snprintf(word, sizeof word, "leaves %s open", names[i]);
		sign(plain, &alice, &bob, section);
		join(with, section, field);
		expect_wrong(with, BODY, &bob, word);
		join(with, field, plain);
		sign(with, &alice, &bob, section);
		assert_int_equal(judge(section, BODY, &bob, &why), ONIONSIG_PROVED);
		join(with, section, field); /* a second one */
		expect_wrong(with, BODY, &bob, "does not belong");
	}
}

static void
it_is_proved_to_its_recipient_alone(void **state)
{
	(void)state;
	char section[ROOM];
	sign(plain, &alice, &bob, section);
	expect_wrong(section, BODY, &carol, "another recipient");
}

static void
nobody_else_can_sign_for_a_name(void **state)
{
	(void)state;
	char section[ROOM];
	sign(plain, &bob, &bob, section); /* d= is bob's */
	expect_wrong(section, BODY, &bob, "another onion");
	struct person mallory = bob;
	strcpy(mallory.onion, alice.onion); /* d= is alice's, the key is not */
	sign(plain, &mallory, &bob, section);
	expect_wrong(section, BODY, &bob, "does not belong");
}

static void
a_message_without_a_signature_is_told_apart_from_one_without_a_claim(void **state)
{
	(void)state;
	char section[ROOM];
	struct error why;
	fill(section, plain);
	assert_int_equal(judge(section, BODY, &bob, &why), ONIONSIG_MISSING);
	assert_int_equal(judge("From: joe@example.com\r\nSubject: x\r\n", BODY, &bob, &why), ONIONSIG_UNCLAIMED);
	assert_int_equal(judge("Subject: x\r\n", BODY, &bob, &why), ONIONSIG_UNCLAIMED);
	assert_int_equal(judge("", BODY, &bob, &why), ONIONSIG_UNCLAIMED);
}

static void
an_unclear_sender_proves_nothing(void **state)
{
	(void)state;
	char section[ROOM];
	static const char *const froms[] = {
		"From: alice@alice.onion, eve@example.com\r\n", "From: alice@alice.onion eve@example.com\r\n", "From: alice@alice.onion\r\nFrom: eve@example.com\r\n",
		"From: eve@example.com\r\nFROM: alice@alice.onion\r\n", "From: friends: alice@alice.onion;\r\n", "From: alice@xalice.onion\r\n",
		"From: \"a b\"@alice.onion\r\n",
	};
	for (size_t i = 0; i < sizeof froms / sizeof froms[0]; i++) {
		fill(section, froms[i]);
		expect_wrong(section, BODY, &bob, "");
	}
}

static void
it_does_not_help_to_add_signatures(void **state)
{
	(void)state;
	char good[ROOM], section[ROOM];
	struct error why;
	sign(plain, &alice, &bob, good);
	join(section, ONIONSIG_FIELD ": nonsense\r\n", good);
	assert_int_equal(judge(section, BODY, &bob, &why), ONIONSIG_PROVED);
	section[0] = '\0';
	for (unsigned i = 0; i < ONIONSIG_TRIED_MAX; i++)
		strcat(section, ONIONSIG_FIELD ": nonsense\r\n");
	strcat(section, good);
	expect_wrong(section, BODY, &bob, "more than");
}

static void
a_signature_that_leaves_something_open_proves_nothing(void **state)
{
	(void)state;
	char section[ROOM], text[ONIONSIG_MAX_BYTES + 1], all[ROOM];
	unsigned char digest[32], body[32], signature[64];
	struct buffer field;
	fill(section, "From: alice@alice.onion\r\n");
	body_digest(BODY, body);
	buffer_init(&field, ONIONSIG_MAX_BYTES);
	assert_int_equal(onionsig_begin(slice_of_string(section), body, alice.onion, bob.onion, &field, digest, NULL), 0);
	slice_to_string(slice_of(buffer_bytes(&field), buffer_len(&field)), text, sizeof text);
	buffer_finish(&field);
	/* the same without one of the names, and signed again */
	char *name = strstr(text, ":Reply-To");
	assert_non_null(name);
	memmove(name, name + 9, strlen(name + 9) + 1);
	size_t name_len = strlen(ONIONSIG_FIELD);
	struct header_field f = { .name = slice_of(text, name_len), .value = slice_of_string(text + name_len + 1) };
	struct dkim_tags tags = { .signature_place = slice_of(text + strlen(text), 0) };
	const char *names = strstr(text, " h=") + 3;
	tags.names = slice_of(names, strcspn(names, ";"));
	assert_int_equal(dkim_digest(slice_of_string(section), &f, &tags, digest, NULL), 0);
	onionkey_sign(&alice.key, slice_of(digest, sizeof digest), signature);
	assert_int_equal(buffer_append_string(&field, text, NULL), 0);
	assert_int_equal(onionsig_end(&field, signature, NULL), 0);
	slice_to_string(slice_of(buffer_bytes(&field), buffer_len(&field)), text, sizeof text);
	buffer_finish(&field);
	join(all, text, section);
	expect_wrong(all, BODY, &bob, "leaves Reply-To open");
}

/* Everything in it follows from the seeds and the message: whoever signs the same gets the same field. */
static void
the_vector_is_made_and_proved(void **state)
{
	(void)state;
	char made[ROOM], vector[ROOM];
	struct error why;
	FILE *file = test_vectors_open("signed-message.eml");
	size_t len = fread(vector, 1, sizeof vector - 1, file);
	fclose(file);
	vector[len] = '\0';
	char *body = strstr(vector, "\r\n\r\n");
	assert_non_null(body);
	assert_string_equal(body + 4, BODY);
	body[2] = '\0';
	sign(plain, &alice, &bob, made);
	assert_string_equal(vector, made);
	assert_int_equal(judge(vector, BODY, &bob, &why), ONIONSIG_PROVED);
}

static void
only_what_has_one_sender_is_signed(void **state)
{
	(void)state;
	static const char *const sections[] = { "Subject: x\r\n", "From: a\r\nFrom: b\r\n" };
	unsigned char digest[32], body[32] = { 0 };
	for (size_t i = 0; i < 2; i++) {
		struct buffer field;
		struct error err = { 0 };
		buffer_init(&field, ONIONSIG_MAX_BYTES);
		assert_int_equal(onionsig_begin(slice_of_string(sections[i]), body, alice.onion, bob.onion, &field, digest, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		buffer_finish(&field);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_proved_by_its_senders_key),
		cmocka_unit_test(it_is_not_proved_when_anything_that_is_shown_was_changed),
		cmocka_unit_test(nothing_that_programs_act_on_can_be_added),
		cmocka_unit_test(it_is_proved_to_its_recipient_alone),
		cmocka_unit_test(nobody_else_can_sign_for_a_name),
		cmocka_unit_test(a_message_without_a_signature_is_told_apart_from_one_without_a_claim),
		cmocka_unit_test(an_unclear_sender_proves_nothing),
		cmocka_unit_test(it_does_not_help_to_add_signatures),
		cmocka_unit_test(a_signature_that_leaves_something_open_proves_nothing),
		cmocka_unit_test(the_vector_is_made_and_proved),
		cmocka_unit_test(only_what_has_one_sender_is_signed),
	};
	random_init();
	onionkey_library_init();
	library_init();
	make(&alice, 1);
	make(&bob, 2);
	make(&carol, 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
