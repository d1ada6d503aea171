/* SPDX-License-Identifier: ISC */
#include "identity/tickets.h"

#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"

static const char header[] = "smtotk1\n";
_Static_assert(sizeof header - 1 == TICKETS_HEADER_BYTES, "the header has its length");

struct tickets *
tickets_new(void)
{
	return secret_new(sizeof(struct tickets));
}

void
tickets_free(struct tickets *tickets)
{
	secret_free(tickets);
}

static void
drop(struct tickets *t, size_t at)
{
	size_t behind = t->count - at - 1;
	memmove(&t->made[at], &t->made[at + 1], behind * sizeof t->made[0]);
	memmove(t->keys[at], t->keys[at + 1], behind * TICKETS_KEY_BYTES);
	t->count--;
	explicit_bzero(t->keys[t->count], TICKETS_KEY_BYTES);
}

bool
tickets_rotate(struct tickets *t, int64_t now_s)
{
	bool has_changed = false;
	for (size_t i = t->count; i-- > 0;) {
		if (t->made[i] > now_s || now_s - t->made[i] >= TICKETS_KEY_LIFE_S) {
			drop(t, i);
			has_changed = true;
		}
	}
	if (t->count > 0 && now_s - t->made[0] < TICKETS_NEW_KEY_S)
		return has_changed;
	if (t->count == TICKETS_KEYS_MAX)
		drop(t, t->count - 1);
	memmove(&t->made[1], &t->made[0], t->count * sizeof t->made[0]);
	memmove(t->keys[1], t->keys[0], t->count * TICKETS_KEY_BYTES);
	t->made[0] = now_s;
	random_bytes(t->keys[0], TICKETS_KEY_BYTES);
	t->count++;
	return true;
}

size_t
tickets_encode(const struct tickets *t, unsigned char *out)
{
	unsigned char *at = out;
	memcpy(at, header, TICKETS_HEADER_BYTES);
	at += TICKETS_HEADER_BYTES;
	for (size_t i = 0; i < t->count; i++, at += TICKETS_ENTRY_BYTES) {
		encode_number(at, (uint64_t)t->made[i], 8);
		memcpy(at + 8, t->keys[i], TICKETS_KEY_BYTES);
	}
	return (size_t)(at - out);
}

/* Newest first, and no time before 1970. */
static bool
has_order(const struct tickets *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->made[i] < 0 || (i > 0 && t->made[i] > t->made[i - 1]))
			return false;
	return true;
}

int
tickets_decode(struct slice bytes, struct tickets *out, struct error *err)
{
	const unsigned char *at = bytes.data;
	explicit_bzero(out, sizeof *out);
	if (bytes.len < TICKETS_HEADER_BYTES || bytes.len > TICKETS_FILE_BYTES_MAX ||
	    (bytes.len - TICKETS_HEADER_BYTES) % TICKETS_ENTRY_BYTES != 0 || memcmp(at, header, TICKETS_HEADER_BYTES) != 0)
		return error_set(err, ERROR_INVALID, "%s is damaged", TICKETS_FILE);
	out->count = (bytes.len - TICKETS_HEADER_BYTES) / TICKETS_ENTRY_BYTES;
	at += TICKETS_HEADER_BYTES;
	for (size_t i = 0; i < out->count; i++, at += TICKETS_ENTRY_BYTES) {
		out->made[i] = (int64_t)encode_from_number(at, 8);
		memcpy(out->keys[i], at + 8, TICKETS_KEY_BYTES);
	}
	if (has_order(out))
		return 0;
	explicit_bzero(out, sizeof *out);
	return error_set(err, ERROR_INVALID, "%s is damaged", TICKETS_FILE);
}

int
tickets_load(int dir_fd, struct tickets *out, struct error *err)
{
	struct buffer bytes;
	buffer_init(&bytes, TICKETS_FILE_BYTES_MAX);
	int result = file_load(dir_fd, TICKETS_FILE, &bytes, err);
	if (result == 0)
		result = tickets_decode(slice_of(buffer_bytes(&bytes), buffer_len(&bytes)), out, err);
	if (bytes.data != NULL)
		explicit_bzero(bytes.data, bytes.capacity);
	buffer_finish(&bytes);
	return result;
}

int
tickets_save(int dir_fd, const struct tickets *t, struct error *err)
{
	unsigned char bytes[TICKETS_FILE_BYTES_MAX];
	int result = file_replace(dir_fd, TICKETS_FILE, bytes, tickets_encode(t, bytes), 0600, err);
	explicit_bzero(bytes, sizeof bytes);
	return result;
}
