/* SPDX-License-Identifier: ISC */
#include "daemon/content_open.h"

#include <stdio.h>

#include "daemon/content_findings.h"
#include "ipc/pack.h"

#define KEYS_MAX 64

void
content_opened_finish(struct content_opened *opened)
{
	buffer_finish(&opened->findings);
	body_finish(&opened->body);
}

/* It is opened in memory: from a file it is copied, so that nobody changes it meanwhile. */
static int
load(struct body *message, struct content_opened *out, struct error *err)
{
	struct buffer copy;
	size_t len = (size_t)body_len(message);
	if (message->file_bytes == 0 || message->file_bytes > PGPMIME_OPEN_MAX_BYTES)
		return 0;
	buffer_init(&copy, len);
	unsigned char *room = buffer_reserve(&copy, len, err);
	int result = room == NULL ? -1 : body_read(message, 0, room, len, err);
	if (result == 0) {
		struct hash_sha256 hash;
		buffer_commit(&copy, len);
		hash_sha256_init(&hash);
		hash_sha256_update(&hash, room, len);
		hash_sha256_final(&hash, out->digest);
		out->is_of_file = true;
		body_finish(message);
		body_from_buffer(&copy, message);
	}
	buffer_finish(&copy);
	return result;
}

static int
find(const struct content_opened *opened, const struct body *message, struct buffer *findings, struct error *err)
{
	struct slice content = opened->facts.encryption == PGPMIME_OPENED ? opened->body.bytes : message->bytes;
	return content_findings(content, findings, err);
}

int
content_open(const struct content_own *own, struct body *message, const char *sender, struct slice keys, struct content_opened *out,
    struct error *err)
{
	struct slice list[KEYS_MAX];
	struct pgpmime_open how = { .pgp = own->pgp, .keys = list, .from = sender[0] == '\0' ? NULL : sender };
	struct buffer opened;
	*out = (struct content_opened){ .body = BODY_EMPTY };
	buffer_init(&out->findings, IPC_FINDINGS_MAX);
	while (how.count < KEYS_MAX && pack_next(&keys, &list[how.count]))
		how.count++;
	if (keys.len != 0)
		return error_set(err, ERROR_PROTOCOL, "mail sent a malformed list of keys");
	if (load(message, out, err) != 0)
		return -1;
	if (message->file_bytes > 0 || own->pgp == NULL) {
		out->facts.encryption = PGPMIME_UNREADABLE;
		snprintf(out->facts.why, sizeof out->facts.why, "%s", own->pgp == NULL ? "the identity has no OpenPGP key" : "it is too large to be opened");
		return 0;
	}
	buffer_init(&opened, 2 * PGPMIME_OPEN_MAX_BYTES);
	int result = pgpmime_open(&how, message->bytes, &out->facts, &opened, err);
	if (result == 0 && out->facts.encryption == PGPMIME_OPENED)
		body_from_buffer(&opened, &out->body);
	buffer_finish(&opened);
	if (result == 0 && sender[0] != '\0')
		result = find(out, message, &out->findings, err);
	return result;
}

void
content_reveal(const struct content_own *own, struct body *message, const char *address)
{
	const struct slice key = content_own_key(own);
	const struct pgpmime_open how = { .pgp = own->pgp, .keys = &key, .count = 1, .from = address };
	struct pgpmime_facts facts;
	struct buffer opened;
	enum pgpmime_kind kind;
	if (own->pgp == NULL || message->file_bytes > 0 || pgpmime_look(message->bytes, &kind, NULL) != 0 || kind != PGPMIME_ENCRYPTED)
		return;
	buffer_init(&opened, 2 * PGPMIME_OPEN_MAX_BYTES);
	if (pgpmime_open(&how, message->bytes, &facts, &opened, NULL) == 0 && facts.encryption == PGPMIME_OPENED) {
		body_finish(message);
		body_from_buffer(&opened, message);
	}
	buffer_finish(&opened);
}
