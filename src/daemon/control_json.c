/* SPDX-License-Identifier: ISC */
#include "daemon/control_json.h"

#include <inttypes.h>
#include <string.h>

#include "smtp/reply.h"

int
control_json_put(struct buffer *out, struct slice text, struct error *err)
{
	char copy[CONTROL_JSON_TEXT_MAX];
	reply_make_printable(copy, sizeof copy, text);
	if (buffer_append_string(out, "\"", err) != 0)
		return -1;
	for (const char *at = copy; *at != '\0';) {
		size_t plain = strcspn(at, "\"\\");
		if (buffer_append(out, at, plain, err) != 0)
			return -1;
		at += plain;
		if (*at != '\0' && (buffer_append_string(out, "\\", err) != 0 || buffer_append(out, at++, 1, err) != 0))
			return -1;
	}
	return buffer_append_string(out, "\"", err);
}

int
control_json_member(struct buffer *out, const char *name, const char *text, struct error *err)
{
	return buffer_append_string(out, name, err) != 0 ? -1 : control_json_put(out, slice_of_string(text), err);
}

int
control_json_member_or_null(struct buffer *out, const char *name, const char *text, struct error *err)
{
	return text[0] == '\0' ? buffer_printf(out, err, "%snull", name) : control_json_member(out, name, text, err);
}

int
control_json_number_or_null(struct buffer *out, const char *name, uint64_t number, struct error *err)
{
	return number == 0 ? buffer_printf(out, err, "%snull", name) : buffer_printf(out, err, "%s%" PRIu64, name, number);
}
