/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define KEYS_MAX 100

/* What smtorp.conf(5) says. */
struct page {
	char keys[KEYS_MAX][64];
	char defaults[KEYS_MAX][64];
	size_t count;
};

static void
read_page(struct page *page)
{
	char path[4096], line[512];
	bool is_default_next = false;
	const char *source = getenv("SMTORP_SOURCE");
	assert_non_null(source);
	memset(page, 0, sizeof *page);
	snprintf(path, sizeof path, "%s/doc/man/smtorp.conf.5", source);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		assert_true(page->count < KEYS_MAX);
		if (sscanf(line, ".It Ic %63s", page->keys[page->count]) == 1)
			page->count++;
		else if (page->count > 0 && is_default_next)
			sscanf(line, ".Li %63s", page->defaults[page->count - 1]);
		else if (page->count > 0 && strcmp(line, "Default: none.\n") == 0)
			strcpy(page->defaults[page->count - 1], "none");
		is_default_next = strcmp(line, "Default:\n") == 0;
	}
	fclose(file);
}

static void
every_key_is_in_the_manual_and_no_other(void **state)
{
	(void)state;
	static struct page page;
	size_t count = 0;
	read_page(&page);
	for (const char *const *key = config_keys(); *key != NULL; key++, count++) {
		size_t i = 0;
		while (i < page.count && strcmp(page.keys[i], *key) != 0)
			i++;
		if (i == page.count)
			fail_msg("%s is not in smtorp.conf(5)", *key);
	}
	assert_int_equal(count, page.count);
}

static void
the_defaults_in_the_manual_are_those_of_the_code(void **state)
{
	(void)state;
	static struct page page;
	static struct config defaults, parsed;
	char text[KEYS_MAX * 130] = "";
	struct error err;
	read_page(&page);
	for (size_t i = 0; i < page.count; i++) {
		if (page.defaults[i][0] == '\0')
			fail_msg("smtorp.conf(5) tells no default of %s", page.keys[i]);
		if (strcmp(page.defaults[i], "none") != 0)
			sprintf(text + strlen(text), "%s = %s\n", page.keys[i], page.defaults[i]);
	}
	config_defaults(&defaults);
	if (config_parse(slice_of_string(text), &parsed, &err) != 0)
		fail_msg("%s", err.text);
	assert_memory_equal(&defaults, &parsed, sizeof defaults);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_in_the_manual_and_no_other),
		cmocka_unit_test(the_defaults_in_the_manual_are_those_of_the_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
