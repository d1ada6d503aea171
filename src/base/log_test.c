/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What log_line() writes for these words, without the time before it. */
static const char *
logged(enum log_level level, const char *words)
{
	static char line[4096];
	int fds[2], standard_error = dup(STDERR_FILENO);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_line(level, "%s", words);
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	close(fds[1]);
	ssize_t n = read(fds[0], line, sizeof line - 1);
	close(fds[0]);
	assert_true(n >= 0);
	line[n] = '\0';
	return n > 25 ? line + 25 : line; /* 2026-11-22T10:47:51.000Z and a space */
}

static void
an_event_is_a_line(void **state)
{
	(void)state;
	static const struct {
		const char *words, *expected;
	} table[] = {
		{ "hello", "info mail@work: hello\n" },
		{ "J\xc3\xb6, \xe4\xb8\xad \xc3\x80", "info mail@work: J\xc3\xb6, \xe4\xb8\xad \xc3\x80\n" },
		{ "a\r\nb\tc", "info mail@work: a  b c\n" },
		{ "\x1b[2J\x7f", "info mail@work:  [2J \n" },
		{ "\xc2\x9b" "2J", "info mail@work:   2J\n" }, /* CSI in UTF-8 */
		{ "x\x9b" "2J", "info mail@work: x 2J\n" },     /* CSI in one byte */
		{ "", "info mail@work: \n" },
	};
	log_init("mail@work", LOG_LEVEL_INFO);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_string_equal(logged(LOG_LEVEL_INFO, table[i].words), table[i].expected);
}

static void
long_lines_are_cut_and_end(void **state)
{
	(void)state;
	char words[3000];
	for (size_t len = 900; len < sizeof words; len++) {
		memset(words, 'x', len);
		words[len] = '\0';
		const char *line = logged(LOG_LEVEL_ERROR, words);
		size_t line_len = strlen(line);
		assert_true(line_len <= 1024);
		assert_int_equal(line[line_len - 1], '\n');
		assert_ptr_equal(strchr(line, '\n'), line + line_len - 1);
	}
}

static void
levels_hold_back_what_is_less(void **state)
{
	(void)state;
	log_init("x", LOG_LEVEL_WARN);
	assert_string_equal(logged(LOG_LEVEL_INFO, "no"), "");
	assert_string_equal(logged(LOG_LEVEL_WARN, "yes"), "warn x: yes\n");
	assert_string_equal(logged(LOG_LEVEL_ERROR, "yes"), "error x: yes\n");
}

static void
a_long_name_is_cut(void **state)
{
	(void)state;
	char name[200];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	log_init(name, LOG_LEVEL_INFO);
	assert_int_equal(strspn(logged(LOG_LEVEL_INFO, "hello") + strlen("info "), "n"), 63);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_a_line),
		cmocka_unit_test(long_lines_are_cut_and_end),
		cmocka_unit_test(levels_hold_back_what_is_less),
		cmocka_unit_test(a_long_name_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
