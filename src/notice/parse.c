/* SPDX-License-Identifier: ISC
 *
 * A notice's lines stand in one order, and each value is written in one way: what is read is written anew to be verified.
 */
#include <string.h>

#include "base/date.h"
#include "base/encode.h"
#include "notice/names.h"
#include "notice/notice.h"

static int
is_bad(const char *name, struct error *err)
{
	return error_set(err, ERROR_INVALID, "the notice's %s is missing or cannot be read", name);
}

/* Takes a line; false: there is none that is whole. */
static bool
next_line(struct slice *rest, struct slice *line)
{
	const unsigned char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	if (end == NULL)
		return false;
	size_t len = (size_t)(end - rest->data);
	*line = slice_of(rest->data, len > 0 && rest->data[len - 1] == '\r' ? len - 1 : len);
	*rest = slice_of(end + 1, rest->len - len - 1);
	return true;
}

/* Takes the next line if it has this name. */
static bool
next_value(struct slice *rest, const char *name, struct slice *value)
{
	struct slice after = *rest, line;
	size_t len = strlen(name);
	if (!next_line(&after, &line) || line.len < len + 2 || memcmp(line.data, name, len) != 0 || memcmp(line.data + len, ": ", 2) != 0)
		return false;
	*rest = after;
	*value = slice_of(line.data + len + 2, line.len - len - 2);
	return true;
}

/* A value that is text without NUL, so that nothing of it is lost. */
static int
take_text(struct slice *rest, const char *name, char *out, size_t room, struct error *err)
{
	struct slice value;
	if (!next_value(rest, name, &value) || value.len == 0 || value.len >= room || memchr(value.data, '\0', value.len) != NULL)
		return is_bad(name, err);
	slice_to_string(value, out, room);
	return 0;
}

static int
take_kind(struct slice *rest, struct notice *out, struct error *err)
{
	struct slice value;
	if (!next_value(rest, NOTICE_KIND, &value))
		return is_bad(NOTICE_KIND, err);
	for (enum notice_kind kind = NOTICE_MOVE; notice_kind_name(kind) != NULL; kind++)
		if (slice_is(value, notice_kind_name(kind))) {
			out->kind = kind;
			return 0;
		}
	return error_set(err, ERROR_UNSUPPORTED, "the notice is of a kind that is not known here");
}

static int
take_sequence(struct slice *rest, struct notice *out, struct error *err)
{
	struct slice value;
	if (!next_value(rest, NOTICE_SEQUENCE, &value) || value.len == 0 || value.len > 18 || value.data[0] == '0')
		return is_bad(NOTICE_SEQUENCE, err);
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return is_bad(NOTICE_SEQUENCE, err);
		out->sequence = out->sequence * 10 + (uint64_t)(value.data[i] - '0');
	}
	return 0;
}

static int
take_day(struct slice *rest, struct notice *out, struct error *err)
{
	struct slice value;
	char again[DATE_STAMP_SIZE];
	if (!next_value(rest, NOTICE_DAY, &value) || date_from_stamp(value, &out->day_s) != 0)
		return is_bad(NOTICE_DAY, err);
	date_format_stamp(out->day_s, again);
	return slice_is(value, again) ? 0 : is_bad(NOTICE_DAY, err);
}

static int
take_recovery(struct slice *rest, struct notice *out, struct error *err)
{
	struct slice value;
	size_t len = sizeof out->recovery;
	char again[ENCODE_BASE32_LEN(sizeof out->recovery) + 1];
	if (!next_value(rest, NOTICE_RECOVERY, &value))
		return 0;
	if (encode_from_base32(out->recovery, &len, (const char *)value.data, value.len, NULL) != 0 || len != sizeof out->recovery)
		return is_bad(NOTICE_RECOVERY, err);
	encode_base32(again, out->recovery, sizeof out->recovery);
	if (!slice_is(value, again))
		return is_bad(NOTICE_RECOVERY, err);
	out->has_recovery = true;
	return 0;
}

static int
take_signature(struct slice *rest, const char *name, unsigned char out[ONIONKEY_SIGNATURE_BYTES], struct error *err)
{
	struct slice value;
	size_t len = ONIONKEY_SIGNATURE_BYTES;
	if (!next_value(rest, name, &value) || encode_from_base64(out, &len, (const char *)value.data, value.len, NULL) != 0 ||
	    len != ONIONKEY_SIGNATURE_BYTES)
		return is_bad(name, err);
	return 0;
}

static int
take_all(struct slice rest, struct notice *out, struct error *err)
{
	struct slice line;
	if (!next_line(&rest, &line) || !slice_is(line, NOTICE_FIRST_LINE))
		return error_set(err, ERROR_UNSUPPORTED, "this is no notice of a version that is known here");
	if (take_kind(&rest, out, err) != 0 || take_text(&rest, NOTICE_ONION, out->onion, sizeof out->onion, err) != 0 ||
	    take_sequence(&rest, out, err) != 0 || take_day(&rest, out, err) != 0)
		return -1;
	if (out->kind == NOTICE_MOVE && take_text(&rest, NOTICE_TO, out->to, sizeof out->to, err) != 0)
		return -1;
	if (out->kind == NOTICE_REVOKE_KEY && take_text(&rest, NOTICE_KEY, out->fingerprint, sizeof out->fingerprint, err) != 0)
		return -1;
	if (take_recovery(&rest, out, err) != 0 || take_signature(&rest, NOTICE_SIGNATURE, out->signature, err) != 0 ||
	    (out->kind == NOTICE_MOVE && take_signature(&rest, NOTICE_TO_SIGNATURE, out->to_signature, err) != 0) ||
	    (out->has_recovery && take_signature(&rest, NOTICE_RECOVERY_SIGNATURE, out->recovery_signature, err) != 0))
		return -1;
	return rest.len == 0 ? 0 : error_set(err, ERROR_INVALID, "the notice goes on behind its end");
}

int
notice_parse(struct slice text, struct notice *out, struct error *err)
{
	struct notice notice = { 0 };
	*out = (struct notice){ 0 };
	if (text.len > NOTICE_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "a notice has at most %d bytes", NOTICE_MAX_BYTES);
	if (take_all(text, &notice, err) != 0 || notice_verify(&notice, err) != 0)
		return -1;
	*out = notice;
	return 0;
}
