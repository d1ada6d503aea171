/* SPDX-License-Identifier: ISC
 *
 * Restricted discovery (tor's client authorisation, rend-spec-v3 appendix G): who finds an identity's onion service, and with
 * which keys the identity finds those of others. The file "access" in its folder, mode 0600, of the form of identity.conf:
 *
 *   private = yes                                         strangers do not find it
 *   client = alice@NAME.onion descriptor:x25519:KEY       and they do: tor's line for a service, with the public key
 *   key = NAME:descriptor:x25519:KEY                      tor's line for a client, with the secret key for that onion
 *
 * KEY is 52 letters of base32. What it hides and what not: doc/presence.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define ACCESS_FILE "access"
#define ACCESS_FILE_BYTES_MAX (256 * 1024)
#define ACCESS_CLIENTS_MAX 200 /* each takes some 80 bytes of a descriptor, which may have 50,000 */
#define ACCESS_KEYS_MAX 500
#define ACCESS_NAME_MAX 127    /* of a client: mostly an address */
#define ACCESS_KEY_BYTES 32
#define ACCESS_KEY_LEN 52
#define ACCESS_ONION_LEN 56
#define ACCESS_CLIENT_LINE_LEN (sizeof "descriptor:x25519:" - 1 + ACCESS_KEY_LEN)
#define ACCESS_KEY_LINE_LEN (ACCESS_ONION_LEN + 1 + ACCESS_CLIENT_LINE_LEN)

struct access_client {
	char name[ACCESS_NAME_MAX + 1];
	unsigned char public_key[ACCESS_KEY_BYTES];
};
struct access_key {
	char onion[ACCESS_ONION_LEN + 1]; /* lower case */
	unsigned char secret_key[ACCESS_KEY_BYTES];
};
struct access_list {
	bool is_private;
	size_t client_count, key_count;
	struct access_client clients[ACCESS_CLIENTS_MAX];
	struct access_key keys[ACCESS_KEYS_MAX];
};

/* In memory for secrets; empty. random_init() first. */
struct access_list *access_new(void);
void access_free(struct access_list *list); /* takes NULL; wipes */

/* The file's text. ERROR_INVALID names the line; then the list is empty. */
int access_parse(struct slice text, struct access_list *out, struct error *err);
/* ERROR_NO_MEMORY; the caller wipes out. */
int access_write(const struct access_list *list, struct buffer *out, struct error *err);

/* A new key by which `name` may find the onion (56 letters); an old one of that name ends. line gets what the client is to be told, secretly.
 * ERROR_INVALID: not a name; ERROR_TOO_LARGE. */
int access_grant(struct access_list *list, const char *name, const char *onion, char line[ACCESS_KEY_LINE_LEN + 1], struct error *err);
int access_withdraw(struct access_list *list, const char *name, struct error *err); /* ERROR_NOT_FOUND */

/* Takes such a line. The onion's 56 letters go to onion. ERROR_INVALID, ERROR_TOO_LARGE. */
int access_take_key(struct access_list *list, struct slice line, char onion[ACCESS_ONION_LEN + 1], struct error *err);
int access_drop_key(struct access_list *list, const char *onion, struct error *err); /* ERROR_NOT_FOUND */
