/* SPDX-License-Identifier: ISC */
#include "tor/hsdesc.h"

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
read_fingerprint(struct slice word, unsigned char id[HSDESC_DIRECTORY_BYTES])
{
	if (word.len < 41 || word.data[0] != '$' || (word.len > 41 && word.data[41] != '~' && word.data[41] != '='))
		return false;
	for (size_t i = 0; i < HSDESC_DIRECTORY_BYTES; i++) {
		int high = hex_digit(word.data[1 + 2 * i]), low = hex_digit(word.data[2 + 2 * i]);
		if (high < 0 || low < 0)
			return false;
		id[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* The word behind the directory, if it is no KEY=value. */
static struct slice
read_descriptor(struct slice rest)
{
	struct slice word;
	bool is_there = control_reply_next_word(&rest, &word) && memchr(word.data, '=', word.len) == NULL;
	return is_there ? word : slice_of_string("");
}

/* FAILED is both: a fetch tells the descriptor, an upload does not. */
static bool
read_action(struct slice word, bool has_descriptor, enum hsdesc_action *out)
{
	if (slice_is(word, "UPLOADED"))
		*out = HSDESC_UPLOADED;
	else if (slice_is(word, "FAILED"))
		*out = has_descriptor ? HSDESC_FETCH_FAILED : HSDESC_UPLOAD_FAILED;
	else if (slice_is(word, "UPLOAD") && has_descriptor)
		*out = HSDESC_UPLOAD;
	else if (slice_is(word, "RECEIVED") && has_descriptor)
		*out = HSDESC_RECEIVED;
	else
		return false;
	return true;
}

bool
hsdesc_parse(struct slice words, struct hsdesc_event *out)
{
	struct slice word, action, directory;
	if (!control_reply_next_word(&words, &word) || !slice_is(word, "HS_DESC") ||
	    !control_reply_next_word(&words, &action) || !control_reply_next_word(&words, &out->onion) ||
	    !control_reply_next_word(&words, &word) || !control_reply_next_word(&words, &directory) ||
	    out->onion.len != ONIONKEY_NAME_LEN || !read_fingerprint(directory, out->directory))
		return false;
	out->descriptor = read_descriptor(words);
	return read_action(action, out->descriptor.len > 0, &out->action);
}
