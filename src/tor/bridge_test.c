/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tor/bridge.h"

#define FP "0123456789ABCDEF0123456789abcdef01234567"

static const struct {
	const char *line, *transport, *torrc;
} good[] = {
	{ "192.0.2.7:443", "", "Bridge 192.0.2.7:443\n" },
	{ "Bridge 192.0.2.7:443 " FP, "", "Bridge 192.0.2.7:443 " FP "\n" },
	{ "  bridge  [2001:db8::7]:9001  ", "", "Bridge [2001:db8::7]:9001\n" },
	{ "obfs4 192.0.2.7:443 " FP " cert=a+/b iat-mode=0", "obfs4",
	    "Bridge obfs4 192.0.2.7:443 " FP " cert=a+/b iat-mode=0\n" },
	{ "Bridge meek_lite 192.0.2.7:2 url=https://x.example/ front=y.example", "meek_lite",
	    "Bridge meek_lite 192.0.2.7:2 url=https://x.example/ front=y.example\n" },
	{ "webtunnel [2001:db8::7]:443 " FP, "webtunnel", "Bridge webtunnel [2001:db8::7]:443 " FP "\n" },
};

static void
bridge_lines_are_written_as_tor_wants_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct bridge bridge;
		struct buffer out;
		struct error err = { 0 };
		buffer_init(&out, 1000);
		if (bridge_parse(good[i].line, &bridge, &err) != 0)
			fail_msg("%s: %s", good[i].line, err.text);
		assert_true(slice_is(bridge.transport, good[i].transport));
		assert_int_equal(bridge_write(&bridge, &out, NULL), 0);
		assert_true(slice_is(slice_of(buffer_bytes(&out), buffer_len(&out)), good[i].torrc));
		buffer_finish(&out);
	}
}

static const struct {
	const char *line, *says;
} bad[] = {
	{ "", "must read" },
	{ "Bridge", "must read" },
	{ "obfs4", "must read" },
	{ "bridge.example:443", "must read" },
	{ "192.0.2.7", "must read" },
	{ "192.0.2.7:", "must read" },
	{ "192.0.2.7:0", "must read" },
	{ "192.0.2.7:65536", "must read" },
	{ "2001:db8::7:443", "must read" },
	{ "[192.0.2.7]:443", "must read" },
	{ "192.0.2:443", "must read" },
	{ "4obfs 192.0.2.7:443", "must read" },
	{ "192.0.2.7:443 " FP "0", "where a fingerprint" },
	{ "192.0.2.7:443 " FP " " FP, "where a fingerprint" },
	{ "obfs4 192.0.2.7:443 cert", "'cert' where a fingerprint" },
	{ "192.0.2.7:443 cert=x", "no transport in front" },
	{ "192.0.2.7:443\nSocksPort 9050", "a letter that" },
	{ "192.0.2.7:443 # x", "a letter that" },
	{ "192.0.2.7:443 \\", "a letter that" },
	{ "obfs4 192.0.2.7:443 cert=\xc3\xa4", "a letter that" },
};

static void
what_is_no_bridge_line_is_refused_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct bridge bridge;
		struct error err = { 0 };
		if (bridge_parse(bad[i].line, &bridge, &err) == 0)
			fail_msg("taken: %s", bad[i].line);
		if (strstr(err.text, bad[i].says) == NULL)
			fail_msg("%s\nsays: %s\nnot: %s", bad[i].line, err.text, bad[i].says);
	}
}

static void
a_transport_has_a_program_and_arguments(void **state)
{
	(void)state;
	struct buffer out;
	struct error err = { 0 };
	buffer_init(&out, 1000);
	assert_int_equal(bridge_write_transport(slice_of_string("obfs4"), "/usr/bin/obfs4proxy", "", &out, &err), 0);
	assert_int_equal(bridge_write_transport(slice_of_string("snow"), "/opt/snow", "-ice a:1", &out, &err), 0);
	assert_true(slice_is(slice_of(buffer_bytes(&out), buffer_len(&out)),
	    "ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy\nClientTransportPlugin snow exec /opt/snow -ice a:1\n"));
	assert_int_equal(bridge_write_transport(slice_of_string("obfs4"), "/opt/my proxy", "", &out, &err), -1);
	assert_non_null(strstr(err.text, "no space"));
	assert_int_equal(bridge_write_transport(slice_of_string("obfs4"), "/opt/proxy", "a\nSocksPort 1", &out, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	buffer_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridge_lines_are_written_as_tor_wants_them),
		cmocka_unit_test(what_is_no_bridge_line_is_refused_with_a_reason),
		cmocka_unit_test(a_transport_has_a_program_and_arguments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
