/* SPDX-License-Identifier: ISC
 *
 * The keys that an identity's server encrypts its tickets with (doc/spec/transport.md, section 3.1): the file "tickets.key" in its folder,
 * mode 0600. Who has them can read the early data of that time, so they live only as long as tickets do: a new one each day, and
 * the old ones until the last ticket that they made is too old. They are of one identity on one machine: neither exported nor imported, and
 * with a passphrase (identity/lock.h) they are in memory only.
 *
 * All times are the wall clock's. However it jumps, there is a key for new tickets; at worst old tickets are refused, and peers make full
 * handshakes. random_init() comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define TICKETS_FILE "tickets.key"
#define TICKETS_KEY_BYTES 80 /* the struct tls_ticket_key of loop/tls.h */
#define TICKETS_KEYS_MAX 8
#define TICKETS_NEW_KEY_S (24 * 3600)
#define TICKETS_KEY_LIFE_S (TICKETS_NEW_KEY_S * TICKETS_KEYS_MAX) /* a day of making tickets, and the seven that they live */

#define TICKETS_HEADER_BYTES 8
#define TICKETS_ENTRY_BYTES (8 + TICKETS_KEY_BYTES)
#define TICKETS_FILE_BYTES_MAX (TICKETS_HEADER_BYTES + TICKETS_KEYS_MAX * TICKETS_ENTRY_BYTES)

/* Lies in memory for secrets. */
struct tickets {
	size_t count;
	int64_t made[TICKETS_KEYS_MAX]; /* the newest first */
	unsigned char keys[TICKETS_KEYS_MAX][TICKETS_KEY_BYTES];
};

struct tickets *tickets_new(void);
void tickets_free(struct tickets *tickets); /* takes NULL */

/* Drops keys that are too old, or of the future, and makes one when the newest is a day old. Whether anything changed. */
bool tickets_rotate(struct tickets *tickets, int64_t now_s);

/* The file's form: "smtotk1\n", then for each key its time (8 bytes, low byte first) and itself. out has room for TICKETS_FILE_BYTES_MAX;
 * returns how many were written. */
size_t tickets_encode(const struct tickets *tickets, unsigned char *out);
/* ERROR_INVALID; then there is no key in out. */
int tickets_decode(struct slice bytes, struct tickets *out, struct error *err);

/* The file in the folder that is open as dir_fd. ERROR_NOT_FOUND, ERROR_INVALID. */
int tickets_load(int dir_fd, struct tickets *out, struct error *err);
int tickets_save(int dir_fd, const struct tickets *tickets, struct error *err); /* durable */
