/* SPDX-License-Identifier: ISC
 *
 * JSON that is read without building it: what comes out is of the input, in order, and it ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rawjson.h"

#define DEPTH_MAX 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_within(struct slice outer, struct slice inner)
{
	if (inner.len > outer.len || (inner.len > 0 && (inner.data < outer.data || inner.data + inner.len > outer.data + outer.len)))
		abort();
}

static void
walk(struct slice value, unsigned depth)
{
	struct slice rest = value, name, inner;
	char text[16];
	size_t steps = 0;
	rawjson_text(value, text, sizeof text);
	if (strlen(text) >= sizeof text)
		abort();
	rawjson_number(value, -1);
	rawjson_member(value, "a");
	if (depth == DEPTH_MAX)
		return;
	while (rawjson_next_member(&rest, &name, &inner)) {
		check_within(value, name);
		check_within(value, inner);
		walk(inner, depth + 1);
		if (steps++ > value.len)
			abort();
	}
	for (rest = value, steps = 0; rawjson_next_element(&rest, &inner); steps++) {
		check_within(value, inner);
		walk(inner, depth + 1);
		if (steps > value.len)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4096)
		walk(slice_of(data, size), 0);
	return 0;
}
