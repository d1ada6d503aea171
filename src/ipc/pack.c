/* SPDX-License-Identifier: ISC */
#include "ipc/pack.h"

#include <string.h>

#include "base/encode.h"

/* All of them or, with an error, none. */
static int
append(struct buffer *list, const struct slice *strings, size_t count, struct error *err)
{
	size_t total = 0;
	for (size_t i = 0; i < count; i++) {
		if (strings[i].len > 0xffff)
			return error_set(err, ERROR_TOO_LARGE, "a list item of %zu bytes", strings[i].len);
		total += 2 + strings[i].len;
	}
	unsigned char *p = buffer_reserve(list, total, err);
	if (p == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		encode_number(p, strings[i].len, 2);
		if (strings[i].len > 0)
			memcpy(p + 2, strings[i].data, strings[i].len);
		p += 2 + strings[i].len;
	}
	buffer_commit(list, total);
	return 0;
}

int
pack_string(struct buffer *list, struct slice string, struct error *err)
{
	return append(list, &string, 1, err);
}

bool
pack_next(struct slice *list, struct slice *string)
{
	if (list->len < 2)
		return false;
	size_t len = (size_t)encode_from_number(list->data, 2);
	if (list->len - 2 < len)
		return false;
	*string = slice_of(list->data + 2, len);
	*list = slice_of(list->data + 2 + len, list->len - 2 - len);
	return true;
}

int
pack_result(struct buffer *list, const struct pack_result *result, struct error *err)
{
	unsigned char code[2];
	encode_number(code, result->code, sizeof code);
	const struct slice strings[] = { slice_of(code, sizeof code), result->enhanced, result->text };
	return append(list, strings, 3, err);
}

bool
pack_next_result(struct slice *list, struct pack_result *result)
{
	struct slice rest = *list, code;
	if (!pack_next(&rest, &code) || code.len != 2)
		return false;
	result->code = (unsigned)encode_from_number(code.data, 2);
	if (!pack_next(&rest, &result->enhanced) || !pack_next(&rest, &result->text))
		return false;
	*list = rest;
	return true;
}

int
pack_failure(struct buffer *list, struct slice recipient, const struct pack_result *result, struct error *err)
{
	unsigned char code[2];
	encode_number(code, result->code, sizeof code);
	const struct slice strings[] = { recipient, slice_of(code, sizeof code), result->enhanced, result->text };
	return append(list, strings, 4, err);
}

bool
pack_next_failure(struct slice *list, struct slice *recipient, struct pack_result *result)
{
	struct slice rest = *list;
	if (!pack_next(&rest, recipient) || !pack_next_result(&rest, result))
		return false;
	*list = rest;
	return true;
}
