/* SPDX-License-Identifier: ISC */
#include "identity/openpgpkey.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int
openpgpkey_make(const struct identity *identity, struct buffer *out, struct error *err)
{
	char address[ADDRESS_MAX + 1];
	struct tm day = { 0 };
	int year, month;
	if (sscanf(identity->created, "%4d-%2d-%2d", &year, &month, &day.tm_mday) != 3)
		return error_set(err, ERROR_INVALID, "the date on which identity %s was made cannot be read", identity->name);
	day.tm_year = year - 1900;
	day.tm_mon = month - 1;
	snprintf(address, sizeof address, "%s@%s", identity->local_part, identity->onion);
	return openpgp_generate(address, (int64_t)timegm(&day), out, err);
}

void
openpgpkey_wipe(struct buffer *key)
{
	if (key->data != NULL)
		explicit_bzero(key->data, key->capacity);
	buffer_finish(key);
}

int
openpgpkey_list(struct slice file, struct slice keys[OPENPGP_OWN_KEYS_MAX], size_t *count, struct error *err)
{
	struct slice rest = file;
	struct openpgp_packet packet;
	int got;
	*count = 0;
	for (const unsigned char *at = file.data; (got = openpgp_packet_scan(&rest, &packet, err)) == 1; at = rest.data) {
		if (packet.tag == OPENPGP_SECRET_KEY && *count == OPENPGP_OWN_KEYS_MAX)
			return error_set(err, ERROR_TOO_LARGE, "an identity has %d OpenPGP keys at most", OPENPGP_OWN_KEYS_MAX);
		if (packet.tag == OPENPGP_SECRET_KEY)
			keys[(*count)++] = slice_of(at, 0);
		if (*count == 0)
			return error_set(err, ERROR_INVALID, IDENTITY_OPENPGP_FILE " holds no OpenPGP secret key");
		keys[*count - 1].len = (size_t)(rest.data - keys[*count - 1].data);
	}
	if (got == 0 && *count == 0)
		return error_set(err, ERROR_INVALID, IDENTITY_OPENPGP_FILE " is empty");
	return got;
}

int
openpgpkey_put_first(struct slice file, struct slice key, struct buffer *out, struct error *err)
{
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	struct openpgp_key added, other;
	size_t count = 0;
	if (openpgp_look(key, &added, err) != 0 || (file.len > 0 && openpgpkey_list(file, keys, &count, err) != 0))
		return -1;
	if (count == OPENPGP_OWN_KEYS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "an identity has %d OpenPGP keys at most", OPENPGP_OWN_KEYS_MAX);
	for (size_t i = 0; i < count; i++)
		if (openpgp_look(keys[i], &other, err) == 0 && strcmp(other.fingerprint, added.fingerprint) == 0)
			return error_set(err, ERROR_EXISTS, "the identity has this OpenPGP key already");
	if (key.len + file.len > IDENTITY_OPENPGP_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP keys of the identity have more than %d bytes together",
		    IDENTITY_OPENPGP_MAX_BYTES);
	return buffer_append(out, key.data, key.len, err) != 0 ? -1 : buffer_append(out, file.data, file.len, err);
}
