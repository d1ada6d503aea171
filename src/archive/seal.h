/* SPDX-License-Identifier: ISC
 *
 * A file that a passphrase opens (doc/export.md, section 1): Argon2id makes the key (RFC 9106), libsodium's
 * secretstream (XChaCha20-Poly1305) encrypts chunks of 64 KiB and marks the last one, so that a file that is changed,
 * reordered or cut off is noticed. Only its length tells anything of what is in it. random_init() comes first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define SEAL_MAGIC "SMTorP identity\n" /* it begins with this */
#define SEAL_PASSPHRASE_MAX 1024
#define SEAL_CHUNK_BYTES 65536
#define SEAL_HEADER_BYTES 65
#define SEAL_OVERHEAD_BYTES 17 /* of each chunk */

/* What a guess of the passphrase costs. A reader takes no more than the maxima from a file. */
struct seal_cost {
	uint32_t passes, memory_kib;
};
#define SEAL_COST_USUAL ((struct seal_cost){ 3, 256 * 1024 })
#define SEAL_PASSES_MAX 8
#define SEAL_MEMORY_KIB_MIN 8
#define SEAL_MEMORY_KIB_MAX (512 * 1024)

#define SEAL_SALT_BYTES 16
#define SEAL_KEY_BYTES 32

/* ERROR_TOO_LARGE when it is out of the bounds above. */
int seal_check_cost(struct seal_cost cost, struct error *err);

/* The key of a passphrase. ERROR_INVALID for an empty or overlong one, ERROR_TOO_LARGE, ERROR_NO_MEMORY. The caller wipes
 * it. */
int seal_derive_key(const unsigned char salt[SEAL_SALT_BYTES], struct seal_cost cost, struct slice passphrase,
    unsigned char key[SEAL_KEY_BYTES], struct error *err);

/* Writes to fd from where it stands; fd stays the caller's. NULL with err. ERROR_INVALID for an empty or overlong
 * passphrase, ERROR_NO_MEMORY. */
struct seal_writer *seal_writer_new(int fd, struct slice passphrase, struct seal_cost cost, struct error *err);
int seal_write(struct seal_writer *w, const void *bytes, size_t len, struct error *err);
int seal_finish(struct seal_writer *w, struct error *err); /* without it the file is a cut off one */
void seal_writer_free(struct seal_writer *w);

/* Reads from where fd stands. NULL with err: ERROR_INVALID for what is no such file, ERROR_UNSUPPORTED for a later
 * version, ERROR_TOO_LARGE when it asks for more than the maxima, ERROR_DENIED for the wrong passphrase. */
struct seal_reader *seal_reader_new(int fd, struct slice passphrase, struct error *err);

/* The next piece, borrowed until the next call; it may be empty. *is_last: nothing follows, and this has been checked.
 * Not to be called again then. ERROR_INVALID when the file is damaged or cut off. */
int seal_read(struct seal_reader *r, struct slice *out, bool *is_last, struct error *err);
void seal_reader_free(struct seal_reader *r);
