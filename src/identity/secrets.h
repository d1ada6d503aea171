/* SPDX-License-Identifier: ISC
 *
 * What an identity must keep secret: its onion key, its TLS key and its OpenPGP keys, in memory of their own (base/secret.h).
 */
#pragma once

#include "base/error.h"
#include "identity/certificate.h"
#include "identity/identity.h"
#include "onionkey/onionkey.h"

struct secrets {
	unsigned char onion_key[ONIONKEY_FILE_BYTES]; /* the file onion.key */
	unsigned char tls_key[CERTIFICATE_PEM_MAX];   /* the file tls.key */
	size_t tls_key_len;                           /* 0: there is none */
	unsigned char openpgp_key[IDENTITY_OPENPGP_MAX_BYTES]; /* the file openpgp.key */
	size_t openpgp_key_len;                       /* 0: there is none yet */
};

struct secrets *secrets_new(void);
void secrets_free(struct secrets *secrets); /* wipes; takes NULL */

/* From the files of an open identity folder. ERROR_NOT_FOUND when there is no onion.key; a missing tls.key or openpgp.key is no error. */
int secrets_load(int dir_fd, struct secrets *out, struct error *err);

/* The onion key, which must be that of the address. ERROR_INVALID. The caller wipes *out. */
int secrets_onion_key(const struct secrets *secrets, const struct identity *identity, struct onionkey *out,
    struct error *err);
