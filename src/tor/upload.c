/* SPDX-License-Identifier: ISC */
#include "tor/upload.h"

#include <string.h>

#include "onionkey/onionkey.h"
#include "tor/control_reply.h"

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* "$<40 hex digits>", with "~nickname" or "=nickname" behind it. */
static bool
read_fingerprint(struct slice word, unsigned char id[20])
{
	if (word.len < 41 || word.data[0] != '$' || (word.len > 41 && word.data[41] != '~' && word.data[41] != '='))
		return false;
	for (size_t i = 0; i < 20; i++) {
		int high = hex_digit(word.data[1 + 2 * i]), low = hex_digit(word.data[2 + 2 * i]);
		if (high < 0 || low < 0)
			return false;
		id[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* A failed fetch of somebody's descriptor is FAILED too; it has a descriptor id behind the directory. */
static bool
is_about_a_fetch(struct slice rest)
{
	struct slice word;
	return control_reply_next_word(&rest, &word) && memchr(word.data, '=', word.len) == NULL;
}

bool
upload_parse(struct slice words, struct upload_event *out)
{
	struct slice word, action, directory;
	if (!control_reply_next_word(&words, &word) || !slice_is(word, "HS_DESC") ||
	    !control_reply_next_word(&words, &action) || !control_reply_next_word(&words, &out->onion) ||
	    !control_reply_next_word(&words, &word) || !control_reply_next_word(&words, &directory))
		return false;
	if (out->onion.len != ONIONKEY_NAME_LEN || !read_fingerprint(directory, out->directory))
		return false;
	if (slice_is(action, "UPLOAD"))
		out->result = UPLOAD_PENDING;
	else if (slice_is(action, "UPLOADED"))
		out->result = UPLOAD_DONE;
	else if (slice_is(action, "FAILED") && !is_about_a_fetch(words))
		out->result = UPLOAD_FAILED;
	else
		return false;
	return true;
}

static void
forget_old(struct upload *upload, int64_t now_ms)
{
	for (unsigned i = 0; i < upload->count;) {
		if (now_ms - upload->directories[i].heard_ms >= UPLOAD_LIFE_MS)
			upload->directories[i] = upload->directories[--upload->count];
		else
			i++;
	}
}

static struct upload_directory *
find_or_add(struct upload *upload, const unsigned char id[20])
{
	struct upload_directory *oldest = &upload->directories[0];
	for (unsigned i = 0; i < upload->count; i++) {
		struct upload_directory *d = &upload->directories[i];
		if (memcmp(d->id, id, sizeof d->id) == 0)
			return d;
		if (d->heard_ms < oldest->heard_ms)
			oldest = d;
	}
	struct upload_directory *d = upload->count < UPLOAD_DIRECTORIES_MAX ? &upload->directories[upload->count++] : oldest;
	memcpy(d->id, id, sizeof d->id);
	d->result = UPLOAD_PENDING;
	return d;
}

void
upload_take(struct upload *upload, const struct upload_event *event, int64_t now_ms)
{
	forget_old(upload, now_ms);
	struct upload_directory *d = find_or_add(upload, event->directory);
	d->heard_ms = now_ms;
	if (event->result != UPLOAD_PENDING || d->result != UPLOAD_DONE)
		d->result = event->result;
}

static unsigned
count_of(const struct upload *upload, enum upload_result result)
{
	unsigned count = 0;
	for (unsigned i = 0; i < upload->count; i++)
		count += upload->directories[i].result == result;
	return count;
}

unsigned
upload_done_count(const struct upload *upload)
{
	return count_of(upload, UPLOAD_DONE);
}

unsigned
upload_failed_count(const struct upload *upload)
{
	return count_of(upload, UPLOAD_FAILED);
}
