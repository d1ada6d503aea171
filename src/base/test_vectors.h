/* SPDX-License-Identifier: ISC
 *
 * For tests that read the specification's vectors, doc/spec/vectors/.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline FILE *
test_vectors_open(const char *name)
{
	char path[4096];
	const char *source = getenv("SMTORP_SOURCE");
	assert_non_null(source);
	snprintf(path, sizeof path, "%s/doc/spec/vectors/%s", source, name);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	return file;
}

/* The next line that is neither empty nor a comment, without its end. false: that was the last, and the file is closed. */
static inline bool
test_vectors_next(FILE *file, char *line, size_t size)
{
	while (fgets(line, (int)size, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#' && line[0] != '\0')
			return true;
	}
	fclose(file);
	return false;
}
