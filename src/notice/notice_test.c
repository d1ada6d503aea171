/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "notice/test_notice.h"

static char vector[NOTICE_MAX_BYTES + 1];

static struct slice
read_vector(const char *name)
{
	FILE *file = test_vectors_open(name);
	size_t len = fread(vector, 1, sizeof vector, file);
	fclose(file);
	assert_true(len > 0 && len <= NOTICE_MAX_BYTES);
	return slice_of(vector, len);
}

static void
assert_refused(struct slice text, enum error_code code)
{
	static const struct notice zeros;
	struct notice n;
	struct error err = { 0 };
	assert_int_equal(notice_parse(text, &n, &err), -1);
	assert_int_equal(err.code, code);
	assert_true(err.text[0] != '\0');
	assert_memory_equal(&n, &zeros, sizeof n);
}

static const struct {
	const char *name;
	enum notice_kind kind;
	unsigned char to, recovery;
	unsigned sequence;
} vectors[] = {
	{ "notice-move.txt", NOTICE_MOVE, 2, 0, 1 },
	{ "notice-move-recovery.txt", NOTICE_MOVE, 2, 3, 1 },
	{ "notice-revoke-onion.txt", NOTICE_REVOKE_ONION, 0, 0, 2 },
	{ "notice-revoke-key.txt", NOTICE_REVOKE_KEY, 7, 3, 3 },
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static void
notices_are_those_of_the_specification(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct notice expected = test_notice(vectors[i].kind, vectors[i].to, vectors[i].recovery, vectors[i].sequence), got;
		struct slice text = read_vector(vectors[i].name);
		struct buffer out;
		struct error err = { 0 };
		buffer_init(&out, NOTICE_MAX_BYTES);
		assert_int_equal(notice_write(&expected, &out, &err), 0);
		assert_int_equal(buffer_len(&out), text.len);
		assert_memory_equal(buffer_bytes(&out), text.data, text.len);
		assert_int_equal(notice_parse(text, &got, &err), 0);
		assert_memory_equal(&got, &expected, sizeof got);
		buffer_finish(&out);
	}
}

static void
no_bit_can_be_changed(void **state)
{
	(void)state;
	for (size_t k = 0; k < VECTORS; k++) {
		struct slice text = read_vector(vectors[k].name);
		struct notice n;
		for (size_t i = 0; i < text.len; i++)
			for (unsigned bit = 0; bit < 8; bit++) {
				vector[i] ^= (char)(1U << bit);
				assert_int_equal(notice_parse(text, &n, NULL), -1);
				vector[i] ^= (char)(1U << bit);
			}
	}
}

static void
what_is_cut_or_longer_is_refused(void **state)
{
	(void)state;
	static char large[NOTICE_MAX_BYTES + 1];
	struct notice n;
	struct slice text = read_vector("notice-move-recovery.txt");
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(notice_parse(slice_of(text.data, len), &n, NULL), -1);
	vector[text.len] = '\n';
	assert_refused(slice_of(text.data, text.len + 1), ERROR_INVALID);
	assert_refused(slice_of(large, sizeof large), ERROR_TOO_LARGE);
	assert_refused(slice_of("", 0), ERROR_UNSUPPORTED);
	assert_refused(slice_of_string("SMTorP notice 2\r\n"), ERROR_UNSUPPORTED);
	assert_refused(slice_of_string("SMTorP notice 1\r\nKind: party\r\n"), ERROR_UNSUPPORTED);
	assert_refused(slice_of_string("SMTorP notice 1\r\nKind: move\r\nKind: move\r\n"), ERROR_INVALID);
}

static void
lines_may_end_in_lf(void **state)
{
	(void)state;
	struct slice text = read_vector("notice-move-recovery.txt");
	char other[NOTICE_MAX_BYTES];
	size_t len = 0;
	struct notice n;
	for (size_t i = 0; i < text.len; i++)
		if (vector[i] != '\r')
			other[len++] = vector[i];
	assert_int_equal(notice_parse(slice_of(other, len), &n, NULL), 0);
}

/* Each of the keys has to have signed, and the recovery key cannot be taken off a notice, or put on one. */
static void
every_key_must_have_signed(void **state)
{
	(void)state;
	struct notice good = test_notice(NOTICE_MOVE, 2, 3, 1), other = test_notice(NOTICE_MOVE, 4, 3, 1), n;
	struct error err = { 0 };
	assert_int_equal(notice_verify(&good, &err), 0);
	n = good;
	memcpy(n.signature, other.signature, sizeof n.signature);
	assert_int_equal(notice_verify(&n, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	n = good;
	memcpy(n.to_signature, n.signature, sizeof n.signature); /* the old onion speaks for nobody else */
	assert_int_equal(notice_verify(&n, &err), -1);
	n = good;
	memcpy(n.recovery_signature, other.recovery_signature, sizeof n.signature);
	assert_int_equal(notice_verify(&n, &err), -1);
	n = good;
	memcpy(n.recovery_signature, n.signature, sizeof n.signature);
	assert_int_equal(notice_verify(&n, &err), -1);
	n = good;
	n.has_recovery = false;
	assert_int_equal(notice_verify(&n, &err), -1);
	n = good;
	n.sequence++;
	assert_int_equal(notice_verify(&n, &err), -1);
}

static void
assert_cannot_be_signed(struct notice n, enum error_code code)
{
	struct onionkey one, two;
	struct error err = { 0 };
	test_notice_key(1, &one);
	test_notice_key(2, &two);
	assert_int_equal(notice_sign(&n, &one, &two, NULL, &err), -1);
	assert_int_equal(err.code, code);
}

static void
a_notice_says_what_its_kind_is_about_and_no_more(void **state)
{
	(void)state;
	const struct notice move = test_notice(NOTICE_MOVE, 2, 0, 1), key = test_notice(NOTICE_REVOKE_KEY, 7, 0, 1);
	struct notice n = move;
	n.to[0] = '\0';
	assert_cannot_be_signed(n, ERROR_INVALID);
	n = move;
	strcpy(n.fingerprint, key.fingerprint);
	assert_cannot_be_signed(n, ERROR_INVALID);
	n = move;
	n.kind = NOTICE_REVOKE_ONION;
	assert_cannot_be_signed(n, ERROR_INVALID);
	n = move;
	n.kind = (enum notice_kind)9;
	assert_cannot_be_signed(n, ERROR_UNSUPPORTED);
	n = move;
	test_notice_address(1, n.to);
	assert_cannot_be_signed(n, ERROR_INVALID); /* to itself */
	n = move;
	test_notice_address(3, n.to);
	assert_cannot_be_signed(n, ERROR_DENIED); /* whose key is not there */
	n = move;
	n.to[6] = 'A';
	assert_cannot_be_signed(n, ERROR_INVALID);
	n = move;
	n.sequence = 0;
	assert_cannot_be_signed(n, ERROR_INVALID);
	n = move;
	n.day_s++;
	assert_cannot_be_signed(n, ERROR_INVALID);
	n = key;
	n.fingerprint[3] = 'a';
	assert_cannot_be_signed(n, ERROR_INVALID);
}

static void
a_recovery_key_has_one_hash(void **state)
{
	(void)state;
	struct onionkey key;
	char hash[NOTICE_HASH_LEN + 1], vectors_hash[512] = "";
	test_notice_key(3, &key);
	notice_recovery_hash(key.public_key, hash);
	FILE *file = test_vectors_open("recovery-hash.txt");
	assert_true(test_vectors_next(file, vectors_hash, sizeof vectors_hash));
	assert_string_equal(hash, vectors_hash);
	assert_false(test_vectors_next(file, vectors_hash, sizeof vectors_hash));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notices_are_those_of_the_specification),
		cmocka_unit_test(no_bit_can_be_changed),
		cmocka_unit_test(what_is_cut_or_longer_is_refused),
		cmocka_unit_test(lines_may_end_in_lf),
		cmocka_unit_test(every_key_must_have_signed),
		cmocka_unit_test(a_notice_says_what_its_kind_is_about_and_no_more),
		cmocka_unit_test(a_recovery_key_has_one_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
