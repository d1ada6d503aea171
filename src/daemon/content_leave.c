/* SPDX-License-Identifier: ISC */
#include "daemon/content_leave.h"

#include "base/file.h"
#include "base/random.h"
#include "ipc/pack.h"
#include "mime/header.h"
#include "seal/autocrypt.h"
#include "seal/pgpmime.h"

#define MESSAGE_MAX_BYTES ((size_t)1024 * 1024 * 1024)
#define BEGINNING_BYTES (HEADER_SECTION_MAX_BYTES + HEADER_LINE_MAX_BYTES + 2)
#define STEP_BYTES 65536
#define KEYS_MAX 64

int
content_leave_init(struct content_leave *l, struct body *from, int into, const struct content_own *own, const char *local_part,
    const char *onion, const char *to, struct error *err)
{
	*l = (struct content_leave){ .from = *from, .result = { .fd = into } };
	*from = BODY_EMPTY;
	buffer_init(&l->memory, MESSAGE_MAX_BYTES + PREPARE_ADDED_MAX_BYTES);
	buffer_init(&l->autocrypt, AUTOCRYPT_MAX_BYTES);
	int result = content_own_autocrypt(own, local_part, onion, &l->autocrypt, err);
	content_sign_init(&l->signing, onion, to, slice_of(buffer_bytes(&l->autocrypt), buffer_len(&l->autocrypt)));
	return result;
}

void
content_leave_finish(struct content_leave *l)
{
	content_sign_finish(&l->signing);
	buffer_finish(&l->autocrypt);
	buffer_finish(&l->memory);
	body_finish(&l->from);
	body_finish(&l->result);
}

static int
read_from(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	const struct content_leave *l = context;
	return body_read(&l->from, offset, out, len, err);
}

static int
write_result(void *context, const void *bytes, size_t len, struct error *err)
{
	struct content_leave *l = context;
	if (content_sign_update(&l->signing, bytes, len, err) != 0)
		return -1;
	if (l->from.file_bytes == 0)
		return buffer_append(&l->memory, bytes, len, err);
	l->result.file_bytes += len;
	return file_write_all(l->result.fd, bytes, len, err);
}

static struct prepare_stream
stream_of(struct content_leave *l)
{
	return (struct prepare_stream){ body_len(&l->from), read_from, write_result, l, NULL };
}

static int
check_room(const struct content_leave *l, struct error *err)
{
	if (l->from.file_bytes > 0 && l->result.fd < 0)
		return error_set(err, ERROR_NO_SPACE, "there is no space for the message; try again later");
	return 0;
}

static int
end(struct content_leave *l, struct error *err)
{
	if (l->from.file_bytes == 0)
		body_from_buffer(&l->memory, &l->result);
	return content_sign_end(&l->signing, err);
}

static uint8_t
flags_of(bool has_8bit, bool needs_smtputf8)
{
	return (uint8_t)((has_8bit ? BODY_8BIT : 0) | (needs_smtputf8 ? BODY_SMTPUTF8 : 0));
}

int
content_leave_prepare(struct content_leave *l, struct prepare_request *request, struct error *err)
{
	struct prepare_facts facts = { 0 };
	const struct prepare_stream stream = stream_of(l);
	int result;
	if (check_room(l, err) != 0)
		return -1;
	if (l->from.file_bytes > 0) {
		result = prepare_stream(request, &stream, &facts, err);
	} else {
		request->message = l->from.bytes;
		result = prepare_message(request, &l->memory, &facts, err);
		if (result == 0)
			result = content_sign_update(&l->signing, buffer_bytes(&l->memory), buffer_len(&l->memory), err);
	}
	l->flags = flags_of(facts.has_8bit, facts.needs_smtputf8);
	return result != 0 ? -1 : end(l, err);
}

/* ---- sealing */

/* It was sealed to the own key while it waited: it becomes what it was. */
static int
reopen(struct content_leave *l, const struct content_own *own, const char *address, struct error *err)
{
	const struct slice key = content_own_key(own);
	const struct pgpmime_open how = { .pgp = own->pgp, .keys = &key, .count = 1, .restores = true, .from = address };
	struct pgpmime_facts facts;
	struct buffer opened;
	if (l->from.file_bytes > 0)
		return error_set(err, ERROR_TOO_LARGE, "the message is too large to wait for keys");
	buffer_init(&opened, 2 * PGPMIME_OPEN_MAX_BYTES);
	int result = pgpmime_open(&how, l->from.bytes, &facts, &opened, err);
	if (result == 0 && facts.encryption != PGPMIME_OPENED)
		result = error_set(err, ERROR_INVALID, "the message was encrypted to the identity's own key while it waited, and cannot be opened any more");
	if (result == 0) {
		body_finish(&l->from);
		body_from_buffer(&opened, &l->from);
	}
	buffer_finish(&opened);
	return result;
}

static int
copy(struct content_leave *l, struct error *err)
{
	static unsigned char step[STEP_BYTES];
	for (uint64_t at = 0, len = body_len(&l->from); at < len; at += sizeof step) {
		size_t n = len - at < sizeof step ? (size_t)(len - at) : sizeof step;
		if (body_read(&l->from, at, step, n, err) != 0 || write_result(l, step, n, err) != 0)
			return -1;
	}
	return 0;
}

static int
encrypt(struct content_leave *l, const struct content_own *own, struct slice keys, int64_t now_s, struct error *err)
{
	struct slice list[KEYS_MAX] = { content_own_key(own) };
	struct pgpmime_seal how = { .pgp = own->pgp, .keys = list, .count = 1, .now_s = now_s };
	const struct prepare_stream stream = stream_of(l);
	bool has_8bit_header;
	while (how.count < KEYS_MAX && pack_next(&keys, &list[how.count]))
		how.count++;
	if (keys.len != 0)
		return error_set(err, ERROR_PROTOCOL, "mail sent a malformed list of keys");
	random_name(how.boundary_letters, sizeof how.boundary_letters);
	l->is_sealed = true;
	if (pgpmime_seal(&how, &stream, &has_8bit_header, err) == 0)
		return 0;
	if (err->code == ERROR_NOT_FOUND)
		error_set(err, ERROR_DENIED, "the OpenPGP key of a recipient cannot be used any more: ask them for a new one, or see `smtorp contact`");
	return -1;
}

/* Whether it is to be encrypted here: what the mail program did is not touched. */
static int
look(const struct content_leave *l, unsigned how, bool *is_ours, struct error *err)
{
	struct buffer beginning;
	enum pgpmime_kind kind;
	size_t len = body_len(&l->from) < BEGINNING_BYTES ? (size_t)body_len(&l->from) : BEGINNING_BYTES;
	buffer_init(&beginning, BEGINNING_BYTES);
	unsigned char *room = buffer_reserve(&beginning, len, err);
	int result = room == NULL || body_read(&l->from, 0, room, len, err) != 0 ? -1 : pgpmime_look(slice_of(room, len), &kind, err);
	buffer_finish(&beginning);
	if (result == 0)
		*is_ours = (how & SEAL_ENCRYPT) != 0 && (kind == PGPMIME_PLAIN || (kind == PGPMIME_SIGNED && (how & SEAL_ALL) != 0));
	return result;
}

int
content_leave_seal(struct content_leave *l, const struct content_own *own, const char *address, unsigned how, struct slice keys, int64_t now_s,
    struct error *err)
{
	bool is_ours;
	if (check_room(l, err) != 0)
		return -1;
	if (own->pgp == NULL && how != SEAL_PLAIN)
		return error_set(err, ERROR_BUSY, "the identity's OpenPGP key is not there; try again later, and see `smtorp logs`");
	if (((how & SEAL_OPEN_FIRST) != 0 && reopen(l, own, address, err) != 0) || look(l, how, &is_ours, err) != 0 ||
	    (is_ours ? encrypt(l, own, keys, now_s, err) : copy(l, err)) != 0)
		return -1;
	l->flags = flags_of(l->signing.has_8bit || l->signing.has_8bit_header, l->signing.has_8bit_header);
	return end(l, err);
}
