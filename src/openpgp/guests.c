/* SPDX-License-Identifier: ISC */
#include "openpgp/guests.h"

#include <string.h>

#include "base/hash.h"

static bool
is_own(const struct openpgp *pgp, const char *fingerprint)
{
	for (size_t i = 0; i < pgp->own_count; i++)
		if (strcmp(pgp->own[i], fingerprint) == 0)
			return true;
	return false;
}

static void
digest(struct slice bytes, unsigned char out[RING_HASH_BYTES])
{
	struct hash hash;
	hash_init(&hash, RING_HASH_BYTES, NULL, 0);
	hash_update(&hash, bytes.data, bytes.len);
	hash_final(&hash, out, RING_HASH_BYTES);
}

static void
send_away(struct openpgp *pgp, struct ring_guest *g)
{
	rnp_key_handle_t key = g->fingerprint[0] == '\0' || is_own(pgp, g->fingerprint) ? NULL : ring_find(pgp->ffi, g->fingerprint);
	if (key != NULL)
		rnp_key_remove(key, RNP_KEY_REMOVE_PUBLIC | RNP_KEY_REMOVE_SUBKEYS);
	rnp_key_handle_destroy(key);
	*g = (struct ring_guest){ 0 };
}

/* The place for a key: the one where it is, in this form or another, or that of the key which was not needed for longest. */
static struct ring_guest *
place_of(struct openpgp *pgp, const unsigned char primary[RING_HASH_BYTES])
{
	struct ring_guest *oldest = &pgp->kept[0];
	for (size_t i = 0; i < RING_KEPT_MAX; i++) {
		if (pgp->kept[i].fingerprint[0] != '\0' && memcmp(pgp->kept[i].primary, primary, RING_HASH_BYTES) == 0)
			return &pgp->kept[i];
		if (pgp->kept[i].used < oldest->used)
			oldest = &pgp->kept[i];
	}
	return oldest;
}

/* key is binary. Another form of a key that is here takes its place: they are not merged. */
static int
seat(struct openpgp *pgp, struct slice key, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct error *err)
{
	unsigned char primary[RING_HASH_BYTES], whole[RING_HASH_BYTES];
	struct openpgp_packet first;
	struct slice rest = key;
	if (openpgp_packet_scan(&rest, &first, err) != 1 || first.tag != OPENPGP_PUBLIC_KEY)
		return error_set(err, ERROR_INVALID, "a public OpenPGP key is expected, and this is none");
	digest(first.body, primary);
	digest(key, whole);
	struct ring_guest *g = place_of(pgp, primary);
	if (g->fingerprint[0] == '\0' || memcmp(g->whole, whole, sizeof whole) != 0) {
		send_away(pgp, g);
		if (ring_load(pgp->ffi, key, g->fingerprint, err) != 0) {
			g->fingerprint[0] = '\0';
			return -1;
		}
		memcpy(g->primary, primary, sizeof primary);
		memcpy(g->whole, whole, sizeof whole);
	}
	g->used = ++pgp->uses;
	memcpy(fingerprint, g->fingerprint, sizeof g->fingerprint);
	return 0;
}

int
guests_receive(struct openpgp *pgp, const struct slice *keys, size_t count, struct guests *out, struct error *err)
{
	*out = (struct guests){ .pgp = pgp };
	if (count > RING_KEPT_MAX)
		return error_set(err, ERROR_TOO_LARGE, "%d OpenPGP keys at most are used for one message", RING_KEPT_MAX);
	for (; out->count < count; out->count++) {
		struct buffer room;
		struct slice binary;
		buffer_init(&room, OPENPGP_KEY_MAX_BYTES);
		int result = ring_unwrap(keys[out->count], OPENPGP_KEY_MAX_BYTES, &room, &binary, err);
		if (result == 0)
			result = seat(pgp, binary, out->fingerprints[out->count], err);
		buffer_finish(&room);
		if (result != 0)
			return -1;
	}
	return 0;
}

bool
guests_are_with(const struct guests *guests, const char *fingerprint)
{
	for (size_t i = 0; i < guests->count; i++)
		if (strcmp(guests->fingerprints[i], fingerprint) == 0)
			return true;
	return false;
}
