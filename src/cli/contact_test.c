/* SPDX-License-Identifier: ISC
 *
 * What the address book looks like: its sentences and its picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/contact_book.h"
#include "cli/contact_graph.h"
#include "cli/contact_why.h"
#include "cli/wrap.h"

#define KEY_A "A000000000000000000000000000000000000000"
#define KEY_B "B000000000000000000000000000000000000000"
#define KEY_C "C000000000000000000000000000000000000000"
#define DAY(n) ((json_int_t)1700000000 + (n) * 86400) /* 2023-11-14 and so on */

static json_t *
person(const char *address, const char *name, const char *how, const char *trust)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:n, s:n, s:n, s:i, s:i, s:[], s:[]}", "address", address, "name", name, "how", how,
	    "trust", trust, "stranger", strcmp(trust, "stranger") == 0, "since", DAY(0), "heard", "verified", "fingerprint", "vouching", 0,
	    "held", 0, "keys", "introductions");
}

static json_t *
add_key(json_t *contact, const char *fingerprint, const char *state, const char *how, int day)
{
	json_t *key = json_pack("{s:s, s:s, s:s, s:n, s:I, s:I, s:n, s:n}", "fingerprint", fingerprint, "state", state, "how", how, "by", "since",
	    DAY(day), "changed", DAY(day + 1), "signed", "compared");
	json_array_append_new(json_object_get(contact, "keys"), key);
	if (strcmp(state, "counts") == 0)
		json_object_set_new(contact, "fingerprint", json_string(fingerprint));
	return key;
}

static void
add_introduction(json_t *contact, const char *by, const char *fingerprint, int day)
{
	json_array_append_new(json_object_get(contact, "introductions"), json_pack("{s:s, s:s, s:I}", "by", by, "fingerprint", fingerprint,
	    "since", DAY(day)));
}

static char *
sentences_of(json_t *contact, json_t *people)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	contact_why_say(out, contact, people, WRAP_NEVER);
	fclose(out);
	return text;
}

static void
expect(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void
why_says_how_a_key_came_and_what_makes_it_sure(void **state)
{
	(void)state;
	json_t *bob = person("bob@b.onion", "Bob", "typed", "known");
	json_object_set_new(add_key(bob, KEY_A, "counts", "signed", 1), "signed", json_integer(DAY(3)));
	char *text = sentences_of(bob, NULL);
	expect(text, "Bob is in your address book since 2023-11-14: you added the address, or wrote to it. The address is bob@b.onion.");
	expect(text, "is encrypted to the key\n  A000 0000 0000 0000 0000 0000 0000 0000 0000 0000\nIt came on 2023-11-15 with a message that their onion "
	             "has signed, and was last seen under their signature of 2023-11-17. Nobody has verified it.");
	expect(text, "smtorp contact verify bob@b.onion");
	free(text);

	json_object_set_new(json_array_get(json_object_get(bob, "keys"), 0), "compared", json_integer(DAY(4)));
	json_object_set_new(bob, "verified", json_integer(DAY(4)));
	json_object_set_new(bob, "how", json_string("wrote-first"));
	text = sentences_of(bob, NULL);
	expect(text, "Bob wrote to you first, on 2023-11-14, and you have added them or answered since.");
	expect(text, "You compared it with them on 2023-11-18, or an invitation did: it is verified. A key of theirs was verified on 2023-11-18, so no other one");
	assert_null(strstr(text, "Nobody has verified"));
	assert_null(strstr(text, "Other keys"));
	free(text);
	json_decref(bob);
}

static void
why_names_introducers_by_their_names(void **state)
{
	(void)state;
	json_t *carol = person("carol@c.onion", "", "introduced", "introduced"), *people = json_array();
	json_object_set_new(add_key(carol, KEY_A, "counts", "introduced", 2), "by", json_string("bob@b.onion"));
	json_array_append_new(people, person("bob@b.onion", "Bob", "typed", "known"));
	add_introduction(carol, "bob@b.onion", KEY_A, 2);
	char *text = sentences_of(carol, people);
	expect(text, "carol@c.onion is in your address book since 2023-11-14: introduced by Bob (bob@b.onion), and you accepted. It is");
	expect(text, "It came on 2023-11-16 from Bob (bob@b.onion), who introduced them. Bob (bob@b.onion) says since 2023-11-16 that it is theirs. "
	             "One introducer may be deceived");
	free(text);
	add_introduction(carol, "dave@d.onion", KEY_A, 5);
	text = sentences_of(carol, people);
	expect(text, "dave@d.onion says since 2023-11-19 that it is theirs. Introducers of different onions agree: it counts as verified.");
	free(text);
	json_decref(people);
	json_decref(carol);
}

static void
why_tells_what_became_of_other_keys(void **state)
{
	(void)state;
	json_t *bob = person("bob@b.onion", "Bob", "scanned", "known");
	add_key(bob, KEY_A, "former", "card", 1);
	add_key(bob, KEY_B, "held", "signed", 2);
	add_key(bob, KEY_C, "refused", "signed", 3);
	char *text = sentences_of(bob, NULL);
	expect(text, "you took in their card");
	expect(text, "No OpenPGP key of theirs is known.");
	expect(text, "Nothing is sent to them in clear until you have decided about their keys");
	expect(text, "Other keys of theirs, in the order in which they came:\n  A000");
	expect(text, "It came on 2023-11-15 on a card that their onion has signed, and counted until 2023-11-16, when another took its place.");
	expect(text, "HELD. It came on 2023-11-16 with a message that their onion has signed. Nothing is encrypted to it. Ask them in another way "
	             "than by mail, then: smtorp contact accept bob@b.onion " KEY_B);
	expect(text, "You refused it on 2023-11-18");
	free(text);
	json_object_set_new(bob, "address", json_string("`id`|sh@b.onion"));
	text = sentences_of(bob, NULL);
	expect(text, "smtorp contact accept '`id`|sh@b.onion' " KEY_B);
	free(text);
	json_object_set_new(bob, "address", json_string("bob@b.onion"));
	json_object_set_new(json_array_get(json_object_get(bob, "keys"), 2), "state", json_string("revoked"));
	text = sentences_of(bob, NULL);
	expect(text, "Their OpenPGP key is revoked, and there is no other");
	expect(text, "It was revoked on 2023-11-18: it never counts again.");
	free(text);
	json_decref(bob);
}

/* ---- the picture */

static json_t *
people_of_a_story(void)
{
	json_t *people = json_array(), *bob = person("bob@b.onion", "Bob \"the\" <b>\\", "typed", "verified"),
	       *carol = person("carol@c.onion", "", "introduced", "introduced"), *eve = person("eve@e.onion", "", "wrote-first", "stranger");
	json_t *dave = person("dave@d.onion", "", "typed", "known");
	add_key(bob, KEY_A, "counts", "in-person", 0);
	add_key(carol, KEY_A, "counts", "introduced", 0);
	add_key(carol, KEY_B, "held", "introduced", 0);
	json_object_set_new(carol, "held", json_integer(1));
	add_introduction(carol, "bob@b.onion", KEY_A, 1);
	add_introduction(carol, "dave@d.onion", KEY_B, 2);
	add_introduction(carol, "gone@g.onion", KEY_A, 2);
	add_introduction(carol, "dave@d.onion", KEY_A, 3);
	json_object_set_new(dave, "move", json_pack("{s:s}", "state", "revoked"));
	json_array_append_new(people, bob);
	json_array_append_new(people, carol);
	json_array_append_new(people, eve);
	json_array_append_new(people, dave);
	return people;
}

static char *
picture_of(json_t *people, void (*draw)(FILE *, json_t *, const char *))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	draw(out, people, "alice");
	fclose(out);
	json_decref(people);
	return text;
}

static size_t
count(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		n++;
	return n;
}

static void
the_graph_shows_who_introduced_whom_and_what_conflicts(void **state)
{
	(void)state;
	char *text = picture_of(people_of_a_story(), contact_graph_dot);
	expect(text, "me [label=\"alice\\n(you)\"");
	expect(text, "n0 [label=\"Bob \\\"the\\\" <b>\\\\\\nbob@b.onion...\\nverified\"");
	expect(text, "me -> n0 [color=\"#2e7d32\", label=\"verified\"");
	expect(text, "n0 -> n1 [color=\"#1565c0\", label=\"2023-11-15\"];");
	expect(text, "n2 -> n1 [color=\"#c62828\", label=\"2023-11-16\\nconflicting\", style=dashed");
	expect(text, "a key is held");
	expect(text, "...\\nrevoked\"");
	assert_null(strstr(text, "eve"));
	assert_int_equal(count(text, " -> "), 6);
	free(text);
}

/* Two labels, by their ends: where they stand is said before. */
static void
assert_are_apart(const char *a, const char *b)
{
	int at[2][2];
	const char *labels[] = { a, b };
	for (int i = 0; i < 2; i++) {
		assert_non_null(labels[i]);
		while (strncmp(labels[i], "<text ", 6) != 0)
			labels[i]--;
		assert_int_equal(sscanf(labels[i], "<text x=\"%d\" y=\"%d\"", &at[i][0], &at[i][1]), 2);
	}
	assert_true(abs(at[0][0] - at[1][0]) + abs(at[0][1] - at[1][1]) >= 12);
}

static void
the_picture_is_well_formed_whatever_names_are(void **state)
{
	(void)state;
	char *text = picture_of(people_of_a_story(), contact_graph_svg);
	expect(text, "Bob &quot;the&quot; &lt;b&gt;\\");
	expect(text, "<title>carol@c.onion</title>");
	expect(text, "2023-11-16 conflicting");
	assert_int_equal(count(text, "<line "), 6);
	assert_are_apart(strstr(text, ">2023-11-16 conflicting<"), strstr(text, ">2023-11-17<"));
	assert_int_equal(count(text, "<title>"), 4);
	assert_int_equal(count(text, "<g>"), count(text, "</g>"));
	assert_null(strstr(text, "nan"));
	free(text);
	text = picture_of(json_array(), contact_graph_svg); /* nobody is there */
	expect(text, "</svg>");
	free(text);
}

static void
fingerprints_are_taken_as_people_write_them(void **state)
{
	(void)state;
	char out[OPENPGP_FINGERPRINT_LEN + 1];
	assert_int_equal(contact_book_read_fingerprint("a000 0000 0000 0000 0000  0000 0000 0000 0000 000b", out), 0);
	assert_string_equal(out, "A00000000000000000000000000000000000000B");
	assert_int_equal(contact_book_read_fingerprint("A000", out), -1);
	assert_int_equal(contact_book_read_fingerprint(KEY_A "0", out), -1);
	assert_int_equal(contact_book_read_fingerprint("G000000000000000000000000000000000000000", out), -1);
}

int
main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why_says_how_a_key_came_and_what_makes_it_sure),
		cmocka_unit_test(why_names_introducers_by_their_names),
		cmocka_unit_test(why_tells_what_became_of_other_keys),
		cmocka_unit_test(the_graph_shows_who_introduced_whom_and_what_conflicts),
		cmocka_unit_test(the_picture_is_well_formed_whatever_names_are),
		cmocka_unit_test(fingerprints_are_taken_as_people_write_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
