/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tor/destination.h"

#define NAME "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define UPPER "25NJQAMCWEFLPVKL73J4SZAHHIHOC4XT3KTCGJNPAINGR5YHKENL5SID"

static void
a_destination_has_one_spelling(void **state)
{
	(void)state;
	static const char *const spellings[] = { NAME ".onion", UPPER ".onion", NAME ".ONION", UPPER ".Onion" };
	static const uint16_t ports[] = { 25, 465 };
	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
		for (size_t j = 0; j < 2; j++) {
			char host[DESTINATION_HOST_BYTES];
			memset(host, 'x', sizeof host);
			assert_int_equal(destination_check(spellings[i], ports[j], host, NULL), 0);
			assert_string_equal(host, NAME ".onion");
		}
}

static void
nothing_else_is_dialled(void **state)
{
	(void)state;
	static const struct {
		const char *onion;
		uint16_t port;
	} cases[] = {
		{ "", 25 }, { ".onion", 25 }, { "onion", 25 }, { NAME, 25 }, { "example.net", 25 }, { "127.0.0.1", 25 }, { "localhost", 465 },
		{ "duskgytldkxiuqc6.onion", 25 },              /* version 2 */
		{ "35njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion", 25 }, /* its checksum is wrong */
		{ NAME ".onion.", 25 }, { NAME ".onion.example.net", 25 }, { "www." NAME ".onion", 25 }, { NAME "\n.onion", 25 },
		{ " " NAME ".onion", 25 }, { NAME "a.onion", 25 },
		{ NAME ".onion", 0 }, { NAME ".onion", 80 }, { NAME ".onion", 587 }, { NAME ".onion", 9050 }, { NAME ".onion", 65535 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char host[DESTINATION_HOST_BYTES];
		struct error err = { 0 };
		assert_int_equal(destination_check(cases[i].onion, cases[i].port, host, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_destination_has_one_spelling),
		cmocka_unit_test(nothing_else_is_dialled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
