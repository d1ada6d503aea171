/* SPDX-License-Identifier: ISC */
#include "openpgp/packets.h"

#include <stdbool.h>
#include <stdint.h>

#define NUMBER_MAX_BITS 4096
#define KEY_HEAD_BYTES 6 /* version, creation time, algorithm */

static struct slice
after(struct slice s, size_t bytes)
{
	return slice_of(s.data + bytes, s.len - bytes);
}

static uint64_t
read_number(struct slice s, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | s.data[i];
	return value;
}

struct length {
	size_t head, bytes;
	bool is_partial, goes_to_the_end;
};

/* Section 4.2.1. */
static bool
read_old_length(struct slice s, unsigned type, struct length *out)
{
	static const size_t sizes[] = { 1, 2, 4, 0 };
	*out = (struct length){ .head = sizes[type], .goes_to_the_end = type == 3 };
	if (s.len < out->head)
		return false;
	out->bytes = out->goes_to_the_end ? s.len : (size_t)read_number(s, out->head);
	return true;
}

/* Section 4.2.2. */
static bool
read_new_length(struct slice s, struct length *out)
{
	if (s.len == 0)
		return false;
	unsigned first = s.data[0];
	*out = (struct length){ .head = first < 192 || (first >= 224 && first < 255) ? 1 : first == 255 ? 5 : 2,
		.is_partial = first >= 224 && first < 255 };
	if (s.len < out->head)
		return false;
	if (out->is_partial)
		out->bytes = (size_t)1 << (first & 31);
	else if (out->head == 1)
		out->bytes = first;
	else if (out->head == 2)
		out->bytes = ((size_t)(first - 192) << 8) + s.data[1] + 192;
	else
		out->bytes = (size_t)read_number(after(s, 1), 4);
	return true;
}

static int
broken(struct error *err)
{
	return error_set(err, ERROR_INVALID, "the OpenPGP data breaks off, or is none");
}

int
openpgp_packet_scan(struct slice *data, struct openpgp_packet *out, struct error *err)
{
	struct length length;
	if (data->len == 0)
		return 0;
	unsigned first = data->data[0];
	bool is_new = (first & 0x40) != 0;
	struct slice rest = after(*data, 1);
	if ((first & 0x80) == 0 || !(is_new ? read_new_length(rest, &length) : read_old_length(rest, first & 3, &length)))
		return broken(err);
	*out = (struct openpgp_packet){ .tag = is_new ? first & 0x3f : (first >> 2) & 0xf };
	for (bool is_first = true;; is_first = false) {
		rest = after(rest, length.head);
		if (length.bytes > rest.len || out->tag == 0)
			return broken(err);
		if (is_first)
			out->body = slice_of(rest.data, length.bytes);
		out->bytes += length.bytes;
		rest = after(rest, length.bytes);
		if (!length.is_partial)
			break;
		if (!read_new_length(rest, &length))
			return broken(err);
	}
	*data = rest;
	return 1;
}

/* ---- keys */

static bool
is_primary(unsigned tag)
{
	return tag == OPENPGP_PUBLIC_KEY || tag == OPENPGP_SECRET_KEY;
}

static bool
is_subkey(unsigned tag)
{
	return tag == OPENPGP_PUBLIC_SUBKEY || tag == OPENPGP_SECRET_SUBKEY;
}

/* Multiprecision integers of RSA, Elgamal and DSA begin right behind the head; curves begin with their name, which is short. */
static int
check_numbers(struct slice body, struct error *err)
{
	unsigned algorithm = body.data[KEY_HEAD_BYTES - 1];
	bool has_numbers = algorithm <= 3 || algorithm == 16 || algorithm == 17;
	struct slice rest = after(body, KEY_HEAD_BYTES);
	if (!has_numbers)
		return 0;
	if (rest.len < 2)
		return broken(err);
	if (read_number(rest, 2) > NUMBER_MAX_BITS)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key is larger than %d bits", NUMBER_MAX_BITS);
	return 0;
}

static int
check_key_packet(const struct openpgp_packet *p, struct error *err)
{
	if (p->body.len != p->bytes || p->body.len < KEY_HEAD_BYTES)
		return broken(err);
	if (p->body.data[0] != 4)
		return error_set(err, ERROR_INVALID, "the OpenPGP key has version %u; only version 4 can be used", p->body.data[0]);
	return check_numbers(p->body, err);
}

int
openpgp_key_scan(struct slice key, struct error *err)
{
	struct openpgp_packet p;
	size_t packets = 0, primaries = 0, subkeys = 0;
	int got;
	if (key.len > OPENPGP_KEY_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key is larger than %d bytes", OPENPGP_KEY_MAX_BYTES);
	while ((got = openpgp_packet_scan(&key, &p, err)) == 1) {
		bool is_known = p.tag == OPENPGP_SIGNATURE || p.tag == OPENPGP_USER_ID || p.tag == OPENPGP_USER_ATTRIBUTE;
		if (packets++ == 0 ? !is_primary(p.tag) : !is_known && !is_subkey(p.tag) && !is_primary(p.tag))
			return error_set(err, ERROR_INVALID, "this is no OpenPGP key");
		primaries += is_primary(p.tag);
		subkeys += is_subkey(p.tag);
		if (primaries > 1)
			return error_set(err, ERROR_INVALID, "there are several OpenPGP keys where one is expected");
		if (packets > OPENPGP_KEY_MAX_PACKETS || subkeys > OPENPGP_KEY_MAX_SUBKEYS)
			return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key has too many parts");
		if ((is_primary(p.tag) || is_subkey(p.tag)) && check_key_packet(&p, err) != 0)
			return -1;
	}
	if (got == 0 && packets == 0)
		return broken(err);
	return got;
}

int
openpgp_autocrypt_scan(struct slice key, struct error *err)
{
	static const unsigned wanted[] = { OPENPGP_PUBLIC_KEY, OPENPGP_USER_ID, OPENPGP_SIGNATURE, OPENPGP_PUBLIC_SUBKEY,
		OPENPGP_SIGNATURE };
	struct slice rest = key;
	struct openpgp_packet p;
	if (key.len > OPENPGP_AUTOCRYPT_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key is larger than Autocrypt's %d bytes", OPENPGP_AUTOCRYPT_MAX_BYTES);
	if (openpgp_key_scan(key, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (openpgp_packet_scan(&rest, &p, NULL) != 1 || p.tag != wanted[i])
			return error_set(err, ERROR_INVALID, "the OpenPGP key does not have the five packets of Autocrypt");
	return rest.len == 0 ? 0 : error_set(err, ERROR_INVALID, "the OpenPGP key has more than the five packets of Autocrypt");
}

/* ---- messages */

int
openpgp_message_scan(struct slice message, struct error *err)
{
	struct openpgp_packet p;
	size_t recipients = 0;
	int got;
	while ((got = openpgp_packet_scan(&message, &p, err)) == 1) {
		if (p.tag == OPENPGP_SESSION_KEY || p.tag == OPENPGP_PASSWORD_KEY) {
			if (++recipients > OPENPGP_MESSAGE_MAX_RECIPIENTS)
				return error_set(err, ERROR_TOO_LARGE, "the message is encrypted to too many keys");
			continue;
		}
		if (p.tag != OPENPGP_PROTECTED && p.tag != OPENPGP_ENCRYPTED)
			return error_set(err, ERROR_INVALID, "this is no encrypted OpenPGP message");
		if (p.tag == OPENPGP_ENCRYPTED || p.body.len == 0 || p.body.data[0] != 1)
			return error_set(err, ERROR_DENIED, p.tag == OPENPGP_ENCRYPTED ?
			    "the message is encrypted without integrity protection: it could have been changed on its way" :
			    "the message is encrypted in a way that is newer than what is known here");
		return message.len == 0 ? 0 : error_set(err, ERROR_INVALID, "something stands behind the encrypted OpenPGP message");
	}
	return got == 0 ? error_set(err, ERROR_INVALID, "nothing is encrypted in this OpenPGP message") : -1;
}
