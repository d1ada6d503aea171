/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config/config.h"

static struct config config; /* large */

static int
parse(const char *text, struct error *err)
{
	return config_parse(slice_of_string(text), &config, err);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "\n\n", "# a comment\n\t  # another\r\n", "   " };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(parse(texts[i], NULL), 0);
		assert_string_equal(config.submission.host, "127.0.0.1");
		assert_int_equal(config.submission.port, 1587);
		assert_int_equal(config.date_step_s, 60);
		assert_int_equal(config.message_max_bytes, 64 << 20);
		assert_int_equal(config.keep_free_bytes, 256 << 20);
		assert_int_equal(config.retry_first_s, 30);
		assert_int_equal(config.expire_s, 7 * 86400);
		assert_int_equal(config.delay_notice_s, 86400);
		assert_int_equal(config.keep_delivered_s, 30 * 86400);
		assert_int_equal(config.stagger_s, 2);
		assert_string_equal(config.tor_program, "tor");
		assert_true(config.require_starttls);
		assert_false(config.log_addresses);
		assert_int_equal(config.tor_extra.count, 0);
	}
}

static void
strangers_are_told_a_power_of_two(void **state)
{
	(void)state;
	static const struct {
		uint64_t most, shown;
	} table[] = { { 64 << 10, 64 << 10 }, { (128 << 10) - 1, 64 << 10 }, { 50 << 20, 32 << 20 }, { 64 << 20, 64 << 20 },
		{ 65 << 20, 64 << 20 }, { 1 << 30, 1 << 30 } };
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		config.message_max_bytes = table[i].most;
		assert_int_equal(config_shown_max_bytes(&config), table[i].shown);
	}
}

static void
every_key_is_taken(void **state)
{
	(void)state;
	assert_int_equal(parse(
	    "submission.listen = 127.1.2.3:25\r\n"
	    "submissions.listen=[::1]:0\n"
	    "  imap.listen\t=\t127.0.0.1:65535  \n"
	    "imaps.listen = 127.0.0.1:1\n"
	    "imap.program = /opt/a program/dovecot\n"
	    "tor.program = /usr/bin/tor\n"
	    "tor.bridge = obfs4 192.0.2.7:443 cert=a\n"
	    "tor.transport = obfs4 /opt/obfs4proxy -x\n"
	    "tor.bridge = 192.0.2.8:1\n"
	    "tor.control = unix:/run/tor/control\n"
	    "tor.socks = 127.0.0.1:9050\n"
	    "tor.cookie = /run/tor/control.authcookie\n"
	    "tor.extra = TestingTorNetwork 1\n"
	    "tor.extra = DirAuthority a = b # c\n"
	    "tor.stagger = 1m\n"
	    "log.addresses = yes\n"
	    "message.date-precision = hour\n"
	    "mailbox.keep-free = 3G\n"
	    "message.max-size = 128k\n"
	    "smtp.require-starttls = no\n"
	    "queue.delay-notice = 4h\n"
	    "queue.keep-delivered = 2d\n"
	    "queue.retry-first = 1m\n"
	    "queue.retry-most = 2h\n"
	    "queue.expire = 3d", NULL), 0);
	assert_string_equal(config.submission.host, "127.1.2.3");
	assert_int_equal(config.submission.port, 25);
	assert_string_equal(config.submissions.host, "::1");
	assert_int_equal(config.submissions.port, 0);
	assert_int_equal(config.imap.port, 65535);
	assert_int_equal(config.imaps.port, 1);
	assert_string_equal(config.dovecot_program, "/opt/a program/dovecot");
	assert_string_equal(config.tor_program, "/usr/bin/tor");
	assert_string_equal(config.tor_control, "unix:/run/tor/control");
	assert_string_equal(config.tor_socks, "127.0.0.1:9050");
	assert_string_equal(config.tor_cookie, "/run/tor/control.authcookie");
	assert_int_equal(config.tor_bridge.count, 2);
	assert_string_equal(config.tor_bridge.text[0], "obfs4 192.0.2.7:443 cert=a");
	assert_string_equal(config.tor_bridge.text[1], "192.0.2.8:1");
	assert_int_equal(config.tor_transport.count, 1);
	assert_string_equal(config.tor_transport.text[0], "obfs4 /opt/obfs4proxy -x");
	assert_int_equal(config.tor_extra.count, 2);
	assert_string_equal(config.tor_extra.text[0], "TestingTorNetwork 1");
	assert_string_equal(config.tor_extra.text[1], "DirAuthority a = b # c");
	assert_int_equal(config.stagger_s, 60);
	assert_true(config.log_addresses);
	assert_int_equal(config.date_step_s, 3600);
	assert_true(config.keep_free_bytes == (uint64_t)3 << 30);
	assert_int_equal(config.message_max_bytes, 128 << 10);
	assert_false(config.require_starttls);
	assert_int_equal(config.retry_first_s, 60);
	assert_int_equal(config.retry_most_s, 7200);
	assert_int_equal(config.delay_notice_s, 4 * 3600);
	assert_int_equal(config.keep_delivered_s, 2 * 86400);
	assert_int_equal(config.expire_s, 3 * 86400);
}

static void
a_time_may_be_never(void **state)
{
	(void)state;
	static const char *const texts[] = { "queue.delay-notice = never", "queue.delay-notice = 0" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(parse(texts[i], NULL), 0);
		assert_int_equal(config.delay_notice_s, 0);
	}
}

static const struct {
	const char *text, *says;
} refusals[] = {
	{ "\n\nsubmision.listen = 127.0.0.1:1", "line 3: there is no key 'submision.listen'; did you mean 'submission.listen'?" },
	{ "tor.porgram = tor", "line 1: there is no key 'tor.porgram'; did you mean 'tor.program'?" },
	{ "Tor.Program = tor", "did you mean 'tor.program'?" },
	{ "queue.retry = 1m", "there is no key 'queue.retry'; " },
	{ "colour = blue", "line 1: there is no key 'colour'; smtorp.conf(5) lists them" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = x", "smtorp.conf(5)" },
	{ "tor.program", "line 1: it must read 'key = value'" },
	{ "= tor", "line 1: it must read 'key = value'" },
	{ "tor.program =", "line 1: tor.program has no value" },
	{ "tor.program = a\x01", "line 1: there is a control character in it" },
	{ "tor.program = a\rb", "line 1: there is a control character in it" },
	{ "tor.program = a\n\ntor.program = b", "line 3: 'tor.program' was set in line 1 already" },
	{ "imap.listen = 192.168.1.1:143", "line 1: imap.listen must be a loopback address and a port" },
	{ "imap.listen = 0.0.0.0:143", "loopback" },
	{ "imap.listen = localhost:143", "loopback" },
	{ "imap.listen = 127.0.0.1", "loopback" },
	{ "imap.listen = 127.0.0.1:", "loopback" },
	{ "imap.listen = 127.0.0.1:65536", "loopback" },
	{ "imap.listen = 127.0.0.1:-1", "loopback" },
	{ "imap.listen = 127.0.0.1:1 2", "loopback" },
	{ "imap.listen = [127.0.0.1]:1", "loopback" },
	{ "imap.listen = ::1:143", "loopback" },
	{ "imap.listen = [::2]:143", "loopback" },
	{ "imap.listen = []:143", "loopback" },
	{ "imap.listen = :143", "loopback" },
	{ "imap.listen = 127.0.0.1:7\nimaps.listen = 127.0.0.1:7", "imap.listen and imaps.listen cannot both be 127.0.0.1:7" },
	{ "message.date-precision = minutes", "line 1: message.date-precision must be second, minute, hour or day, not 'minutes'" },
	{ "message.max-size = 50 M", "line 1: message.max-size must be a number of bytes such as 50M" },
	{ "message.max-size = 50MB", "such as 50M" },
	{ "message.max-size = M", "such as 50M" },
	{ "message.max-size = -1", "such as 50M" },
	{ "message.max-size = 99999999999999999999999", "such as 50M" },
	{ "message.max-size = 18446744073709551615G", "must be between 64K and 1G" },
	{ "message.max-size = 1025M", "must be between 64K and 1G" },
	{ "mailbox.keep-free = 99999999G", "must be between 0 and 1048576G, not '99999999G'" },
	{ "message.max-size = 65535", "must be between 64K and 1G" },
	{ "tor.control = 192.0.2.1:9051\ntor.socks = unix:/a", "must be like unix:/run/tor/control or 127.0.0.1:9051" },
	{ "tor.control = /run/tor/control\ntor.socks = unix:/a", "must be like unix:/run/tor/control" },
	{ "tor.control = unix:/aa\ntor.socks = 127.0.0.1:0", "must be like unix:" },
	{ "tor.control = unix:/run/tor/control", "tor.control and tor.socks belong together" },
	{ "tor.socks = unix:/run/tor/socks", "tor.control and tor.socks belong together" },
	{ "smtp.require-starttls = true", "must be yes or no, not 'true'" },
	{ "queue.expire = 7", "must be a time such as 30s, 15m, 4h or 7d, not '7'" },
	{ "queue.delay-notice = no", "must be a time" },
	{ "queue.expire = never", "must be a time" },
	{ "queue.expire = 7w", "must be a time" },
	{ "queue.expire = 366d", "must be between 1s and 365d" },
	{ "queue.expire = 4294967297s", "must be between 1s and 365d" },
	{ "queue.retry-first = 0s", "must be between 1s and 365d" },
	{ "queue.retry-first = 5h", "queue.retry-first must not be longer than queue.retry-most" },
	{ "queue.expire = 1h", "nor that longer than queue.expire" },
};

static void
what_is_wrong_is_refused_with_a_line_and_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct error err = { 0 };
		if (parse(refusals[i].text, &err) == 0)
			fail_msg("taken: %s", refusals[i].text);
		if (strstr(err.text, refusals[i].says) == NULL)
			fail_msg("%s\nsays: %s\nnot: %s", refusals[i].text, err.text, refusals[i].says);
	}
}

static void
the_largest_and_one_more(void **state)
{
	(void)state;
	char text[CONFIG_LINES_MAX * 16 + 64] = "";
	for (int i = 0; i < CONFIG_LINES_MAX; i++)
		strcat(text, "tor.extra = A 1\n");
	assert_int_equal(parse(text, NULL), 0);
	assert_int_equal(config.tor_extra.count, CONFIG_LINES_MAX);
	strcat(text, "tor.extra = A 1\n");
	assert_int_equal(parse(text, NULL), -1);
	char value[CONFIG_VALUE_MAX + 64] = "tor.program = ";
	size_t key_len = strlen(value);
	memset(value + key_len, 'a', CONFIG_VALUE_MAX);
	value[key_len + CONFIG_VALUE_MAX - 1] = '\0';
	assert_int_equal(parse(value, NULL), 0);
	assert_int_equal(strlen(config.tor_program), CONFIG_VALUE_MAX - 1);
	value[key_len + CONFIG_VALUE_MAX - 1] = 'a';
	assert_int_equal(parse(value, NULL), -1);
}

static void
a_nul_in_the_file_is_refused(void **state)
{
	(void)state;
	static const char text[] = "tor.program = a\0b\n";
	assert_int_equal(config_parse(slice_of(text, sizeof text - 1), &config, NULL), -1);
}

static void
keys_are_listed_once_each_in_order(void **state)
{
	(void)state;
	const char *const *keys = config_keys();
	assert_non_null(keys[0]);
	for (size_t i = 1; keys[i] != NULL; i++)
		assert_true(strcmp(keys[i - 1], keys[i]) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_are_told_a_power_of_two),
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(every_key_is_taken),
		cmocka_unit_test(a_time_may_be_never),
		cmocka_unit_test(what_is_wrong_is_refused_with_a_line_and_a_reason),
		cmocka_unit_test(the_largest_and_one_more),
		cmocka_unit_test(a_nul_in_the_file_is_refused),
		cmocka_unit_test(keys_are_listed_once_each_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
