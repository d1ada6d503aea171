/* SPDX-License-Identifier: ISC */
#include "ipc/pack.h"

#include "base/encode.h"

int
pack_string(struct buffer *list, struct slice string, struct error *err)
{
	if (string.len > 0xffff)
		return error_set(err, ERROR_TOO_LARGE, "a list item of %zu bytes", string.len);
	unsigned char len[2];
	encode_number(len, string.len, sizeof len);
	if (buffer_append(list, len, sizeof len, err) != 0)
		return -1;
	return buffer_append(list, string.data, string.len, err);
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
	if (pack_string(list, slice_of(code, sizeof code), err) != 0)
		return -1;
	if (pack_string(list, result->enhanced, err) != 0)
		return -1;
	return pack_string(list, result->text, err);
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
	if (pack_string(list, recipient, err) != 0)
		return -1;
	return pack_result(list, result, err);
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
