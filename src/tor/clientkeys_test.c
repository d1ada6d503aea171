/* SPDX-License-Identifier: ISC
 *
 * Which keys tor is given, and who may use them. (With a real tor: tests/system/test_presence.py.)
 */
#include "tor/clientkeys.h"
#include "tor/test_control.h"

#define NAME "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define NAME_IN_CAPITALS "25NJQAMCWEFLPVKL73J4SZAHHIHOC4XT3KTCGJNPAINGR5YHKENL5SID"
#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "eaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ADD_A "ONION_CLIENT_AUTH_ADD " NAME " x25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
#define ADD_B "ONION_CLIENT_AUTH_ADD " NAME " x25519:IAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
#define REMOVE "ONION_CLIENT_AUTH_REMOVE " NAME "\r\n"

static struct clientkeys *keys;
static struct access_list *access_a, *access_b;

static void
on_event(void *context, const struct control_reply *event)
{
	(void)context;
	(void)event;
}

static struct access_list *
make_access(const char *text)
{
	struct access_list *list = access_new();
	assert_int_equal(access_parse(slice_of_string(text), list, NULL), 0);
	return list;
}

static int
set_up(void **state)
{
	(void)state;
	static const struct control_events events = { on_event, on_control_end };
	if (connect_control(&events) != 0)
		return -1;
	keys = clientkeys_new(control);
	access_a = make_access("key = " NAME ":descriptor:x25519:" KEY_A "\n");
	access_b = make_access("key = " NAME ":descriptor:x25519:" KEY_B "\n");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	access_free(access_a);
	access_free(access_b);
	clientkeys_free(keys);
	disconnect_control();
	return 0;
}

static void
tor_obeys(const char *command)
{
	tor_hears(command);
	tor_says("250 OK\r\n");
}

static void
only_who_has_a_key_may_dial(void **state)
{
	(void)state;
	assert_true(clientkeys_may_dial(keys, "home", NAME ".onion"));
	assert_int_equal(clientkeys_set(keys, "work", access_a, NULL), 0);
	tor_obeys(ADD_A);
	assert_true(clientkeys_may_dial(keys, "work", NAME ".onion"));
	assert_false(clientkeys_may_dial(keys, "home", NAME ".onion"));
	assert_false(clientkeys_may_dial(keys, "home", NAME_IN_CAPITALS ".onion"));
	assert_true(clientkeys_may_dial(keys, "home", KEY_A "aaaa.onion"));
}

static void
a_key_that_nobody_has_is_taken_back(void **state)
{
	(void)state;
	assert_int_equal(clientkeys_set(keys, "work", access_a, NULL), 0);
	tor_obeys(ADD_A);
	assert_int_equal(clientkeys_set(keys, "work", NULL, NULL), 0);
	tor_obeys(REMOVE);
	assert_true(clientkeys_may_dial(keys, "home", NAME));
	assert_int_equal(clientkeys_set(keys, "work", NULL, NULL), 0);
	tor_hears("");
}

static void
the_key_of_another_takes_its_place(void **state)
{
	(void)state;
	assert_int_equal(clientkeys_set(keys, "work", access_a, NULL), 0);
	tor_obeys(ADD_A);
	assert_int_equal(clientkeys_set(keys, "home", access_b, NULL), 0);
	tor_obeys(ADD_B);
	assert_int_equal(clientkeys_set(keys, "home", NULL, NULL), 0);
	tor_obeys(ADD_A);
	assert_false(clientkeys_may_dial(keys, "home", NAME));
	assert_true(clientkeys_may_dial(keys, "work", NAME));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_who_has_a_key_may_dial),
		TEST(a_key_that_nobody_has_is_taken_back),
		TEST(the_key_of_another_takes_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
