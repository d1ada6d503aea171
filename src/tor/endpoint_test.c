/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "tor/endpoint.h"

static struct endpoint endpoint;

static void
places_are_read(void **state)
{
	(void)state;
	assert_int_equal(endpoint_parse("unix:/run/tor/control", &endpoint, NULL), 0);
	assert_string_equal(((struct sockaddr_un *)&endpoint.address)->sun_path, "/run/tor/control");
	assert_int_equal(endpoint_parse("/run/a b", &endpoint, NULL), 0);
	assert_int_equal(endpoint.address.ss_family, AF_UNIX);
	assert_int_equal(endpoint_parse("127.0.0.1:9051", &endpoint, NULL), 0);
	assert_int_equal(ntohs(((struct sockaddr_in *)&endpoint.address)->sin_port), 9051);
	assert_int_equal(endpoint_parse("[::1]:9051", &endpoint, NULL), 0);
	assert_int_equal(endpoint.address.ss_family, AF_INET6);
}

static void
other_words_are_refused(void **state)
{
	(void)state;
	char path[200] = "/";
	memset(path + 1, 'x', sizeof path - 2);
	static const char *const table[] = { "", "unix:", "unix:run/tor", "localhost:9051", "127.0.0.1", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:9051x", "127.0.0.1: 9051", "::1:9051", "[::1:9051", "[]:1", "[x]:1", ":1" };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_int_equal(endpoint_parse(table[i], &endpoint, NULL), -1);
	assert_int_equal(endpoint_parse(path, &endpoint, NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_read),
		cmocka_unit_test(other_words_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
