/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "address/address.h"

#define NAME "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"

/* What the text must say for each reason in the vectors. */
static const struct {
	const char *reason, *says;
} reasons[] = {
	{ "no-at", "no @" }, { "two-at", "more than one @" }, { "local-part-empty", "nothing before the @" },
	{ "local-part-length", "at most 64" }, { "local-part-alphabet", "not allowed before the @" },
	{ "quoted", "may not be quoted" }, { "dots", "begin or end with a dot" }, { "not-utf8", "not UTF-8" }, { "not-shown", "not shown" },
	{ "not-onion", "does not end in .onion" }, { "no-name", "no name before .onion" },
	{ "version-2", "version 2" }, { "name-length", "56 letters" }, { "name-alphabet", "onion name is wrong" },
	{ "name-checksum", "checksum" }, { "fingerprint-length", "fingerprint of 8 to 52 letters" },
	{ "fingerprint-alphabet", "fingerprint is wrong: only" }, { "fingerprint-end", "ends in a or q" },
	{ "two-labels", "only one label" },
};

static const char *
says_of_reason(const char *reason)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return reasons[i].says;
	fail_msg("unknown reason '%s'", reason);
	return NULL;
}

/* Undoes \xNN in place. */
static struct slice
unescape(char *text)
{
	char *out = text;
	for (const char *in = text; *in != '\0';) {
		unsigned octet;
		if (in[0] == '\\' && sscanf(in, "\\x%2x", &octet) == 1) {
			*out++ = (char)octet;
			in += 4;
		} else
			*out++ = *in++;
	}
	return slice_of(text, (size_t)(out - text));
}

static void
check_vector(char *fields[5], size_t count)
{
	struct address address;
	struct error err = { 0 };
	char written[ADDRESS_MAX + 1], expected[2 * ADDRESS_MAX];
	struct slice text = unescape(fields[1]);
	int result = address_parse(text, &address, &err);
	if (strcmp(fields[0], "invalid") == 0) {
		if (count != 3 || result != -1 || err.code != ERROR_INVALID ||
		    strstr(err.text, says_of_reason(fields[2])) == NULL)
			fail_msg("%s is to be refused for %s, not: %s", fields[1], fields[2], err.text);
		return;
	}
	if (count != 5 || result != 0)
		fail_msg("%s is valid, not: %s", fields[1], err.text);
	const char *fingerprint = strcmp(fields[3], "-") == 0 ? "" : fields[3];
	assert_true(slice_is(unescape(fields[2]), address.local_part));
	assert_string_equal(address.fingerprint, fingerprint);
	assert_string_equal(address.onion, fields[4]);
	address_format(&address, written);
	snprintf(expected, sizeof expected, "%s@%s%s%s", address.local_part, fingerprint,
	    fingerprint[0] != '\0' ? "." : "", fields[4]);
	assert_string_equal(written, expected);
}

static void
addresses_are_read_as_the_specification_says(void **state)
{
	(void)state;
	char line[1024];
	unsigned count = 0;
	FILE *file = test_vectors_open("addresses.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		char *fields[5], *rest = line;
		size_t n = 0;
		while (n < 5 && (fields[n] = strsep(&rest, "\t")) != NULL)
			n++;
		assert_true(n >= 3);
		check_vector(fields, n);
		count++;
	}
	assert_true(count >= 60);
}

static void
onion_domains_are_recognised_by_their_last_label(void **state)
{
	(void)state;
	static const struct {
		const char *domain;
		bool is_onion;
	} table[] = {
		{ NAME ".onion", true }, { NAME ".OnIoN", true }, { NAME ".onion.", true }, { "x.onion", true },
		{ "onion", true }, { ".onion", true }, { "a.b.c.onion", true }, { "onion.", true }, { "\xff.onion", true },
		{ "", false }, { ".", false }, { "example.com", false }, { "onion.com", false }, { "x.onions", false },
		{ "xonion", false }, { "x.onion..", true }, { "x.onion ", false }, { "x-onion", false },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (address_is_onion(slice_of_string(table[i].domain)) != table[i].is_onion)
			fail_msg("'%s' is taken for the other kind", table[i].domain);
}

static void
local_parts_of_identities_are_ascii_dot_atoms(void **state)
{
	(void)state;
	static const char *const good[] = { "alice", "a", "a.b", "Alice-2", "x_y", "o'neil", "a+b" };
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "a b", "\"a\"", "a@b", "a\"b", "zo\xc3\xab",
		"a\nb", "a,b", "<a>", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_int_equal(address_check_local_part(slice_of_string(good[i]), NULL), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error err = { 0 };
		assert_int_equal(address_check_local_part(slice_of_string(bad[i]), &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
}

static void
a_mailbox_takes_its_extensions_and_no_other(void **state)
{
	(void)state;
	static const struct {
		const char *local_part;
		bool is_alice;
	} table[] = {
		{ "alice", true }, { "ALICE", true }, { "alice+", true }, { "Alice+shop", true }, { "alice+a+b", true },
		{ "alic", false }, { "alicex", false }, { "alice-x", false }, { "", false }, { "+alice", false },
		{ "bob", false }, { "bob+alice", false },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (address_is_mailbox(slice_of_string(table[i].local_part), "alice") != table[i].is_alice)
			fail_msg("'%s' is decided wrongly", table[i].local_part);
}

static void
a_label_is_the_beginning_of_a_fingerprint(void **state)
{
	(void)state;
	char line[8192];
	unsigned count = 0;
	FILE *file = test_vectors_open("fingerprints.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		char *rest = line, *kind, *label, *fingerprint, *fits;
		kind = strsep(&rest, "\t");
		if (strcmp(kind, "label") != 0)
			continue;
		label = strsep(&rest, "\t");
		fingerprint = strsep(&rest, "\t");
		fits = strsep(&rest, "\t");
		assert_non_null(fits);
		if (address_label_fits(slice_of_string(label), fingerprint) != (strcmp(fits, "yes") == 0))
			fail_msg("'%s' is decided wrongly", label);
		count++;
	}
	assert_true(count >= 15);
	assert_false(address_label_fits(slice_of_string("abcdefgh"), "")); /* no key was shown */
}

static void
the_label_of_an_address_is_what_stands_before_its_onion(void **state)
{
	(void)state;
	static const struct {
		const char *mailbox, *label;
	} table[] = {
		{ "alice@" NAME ".onion", "" }, { "alice@abcdefgh." NAME ".onion", "abcdefgh" },
		{ "abcdefgh." NAME ".onion@" NAME ".onion", "" }, { "", "" }, { "@", "" }, { "alice", "" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_true(slice_is(address_label_of(slice_of_string(table[i].mailbox), NAME ".onion"), table[i].label));
}

static void
an_address_in_a_command_is_one_word(void **state)
{
	(void)state;
	static const struct { const char *address, *word; } table[] = { { "alice+x-y_z.1@" NAME ".onion", "alice+x-y_z.1@" NAME ".onion" },
		{ "`id`@x.onion", "'`id`@x.onion'" }, { "a$HOME@x.onion", "'a$HOME@x.onion'" }, { "{a,b}|sh@x", "'{a,b}|sh@x'" },
		{ "o'neill@x", "'o'\\''neill@x'" }, { "-x@x", "'-x@x'" }, { "zo\xc3\xab@x", "'zo\xc3\xab@x'" }, { "", "''" } };
	char word[ADDRESS_WORD_MAX + 1], most[2 * ADDRESS_MAX + 1];
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_string_equal(address_as_word(table[i].address, word), table[i].word);
	memset(most, '\'', sizeof most - 1);
	most[sizeof most - 1] = '\0';
	assert_int_equal(strlen(address_as_word(most, word)), ADDRESS_WORD_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_in_a_command_is_one_word),
		cmocka_unit_test(addresses_are_read_as_the_specification_says),
		cmocka_unit_test(onion_domains_are_recognised_by_their_last_label),
		cmocka_unit_test(local_parts_of_identities_are_ascii_dot_atoms),
		cmocka_unit_test(a_label_is_the_beginning_of_a_fingerprint),
		cmocka_unit_test(the_label_of_an_address_is_what_stands_before_its_onion),
		cmocka_unit_test(a_mailbox_takes_its_extensions_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
