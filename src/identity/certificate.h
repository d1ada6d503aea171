/* SPDX-License-Identifier: ISC
 *
 * Self-signed certificates that tell nothing but the name they are for: ECDSA P-256, CN and subjectAltName the
 * name, the same validity everywhere, a random serial of fixed length (doc/spec/transport.md).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define CERTIFICATE_PEM_MAX 4096
#define CERTIFICATE_KEY_FILE "tls.key"
#define CERTIFICATE_FILE "tls.crt"

/* A fresh key (PKCS #8) and its certificate, in PEM, appended to the buffers, which hold at least CERTIFICATE_PEM_MAX
 * bytes each. name is an onion name with ".onion" or "localhost", at most 64 letters. ERROR_NO_MEMORY. */
int certificate_create(const char *name, struct buffer *key_pem, struct buffer *certificate_pem, struct error *err);

/* Makes sure that the folder holds tls.key (mode 0600) and tls.crt that belong together; makes both when not. */
int certificate_ensure(int dir_fd, const char *name, struct error *err);

/* What addresses call a certificate by (doc/spec/address.md, section 4): all 52 letters and a NUL. ERROR_INVALID. */
#define CERTIFICATE_FINGERPRINT_LEN 52
int certificate_fingerprint(struct slice pem, char out[CERTIFICATE_FINGERPRINT_LEN + 1], struct error *err);

/* What mail programs call it by: SHA-256 over all of the certificate, as hex pairs with colons. ERROR_INVALID. */
#define CERTIFICATE_SHA256_LEN 95
int certificate_sha256(struct slice pem, char out[CERTIFICATE_SHA256_LEN + 1], struct error *err);
