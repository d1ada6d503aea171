/* SPDX-License-Identifier: ISC
 *
 * What keys.c and messages.c share of RNP. Every rnp_* object is freed by who made it.
 */
#pragma once

#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

#include "openpgp/openpgp.h"

#define RING_KEPT_MAX 64
#define RING_HASH_BYTES 16

/* A key of somebody else's in the ring. */
struct ring_guest {
	unsigned char primary[RING_HASH_BYTES], whole[RING_HASH_BYTES]; /* of the first packet, of all */
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1]; /* "": the place is free */
	uint64_t used; /* larger: later */
};

struct openpgp {
	rnp_ffi_t ffi;
	struct ring_guest kept[RING_KEPT_MAX];
	uint64_t uses;
	char own[OPENPGP_OWN_KEYS_MAX][OPENPGP_FINGERPRINT_LEN + 1];
	size_t own_count;
};

/* Loads one key, which openpgp_key_scan() has let pass or refuses it. fingerprint may be NULL. */
int ring_load(rnp_ffi_t ffi, struct slice key, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct error *err);
int ring_new(rnp_ffi_t *out, struct error *err);

/* NULL when it is not there. To be destroyed with rnp_key_handle_destroy(). */
rnp_key_handle_t ring_find(rnp_ffi_t ffi, const char *fingerprint);
bool ring_key_is_usable(rnp_key_handle_t key, const char *usage);

/* Appends what an output in memory holds, and destroys it. */
int ring_take(rnp_output_t output, struct buffer *out, struct error *err);
rnp_output_t ring_output(size_t max_bytes); /* NULL: out of memory */
rnp_input_t ring_input(struct slice bytes); /* borrows; NULL: out of memory */

/* The binary form of data that may be armoured, in *room if it is. ERROR_INVALID, ERROR_TOO_LARGE. */
int ring_unwrap(struct slice data, size_t max_bytes, struct buffer *room, struct slice *out, struct error *err);

int ring_error(struct error *err, enum error_code code, const char *what, rnp_result_t result);
