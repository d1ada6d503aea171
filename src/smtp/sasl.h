/* SPDX-License-Identifier: ISC
 *
 * What clients send in AUTH PLAIN (RFC 4616) and AUTH LOGIN (draft-murchison-sasl-login): base64 of logins and passwords.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

#define SASL_LOGIN_MAX 320
#define SASL_PASSWORD_MAX 1024

struct sasl_credentials {
	char login[SASL_LOGIN_MAX + 1];
	unsigned char password[SASL_PASSWORD_MAX];
	size_t password_len;
};

/* "[authzid] NUL authcid NUL password" in base64. false when malformed, overlong, with a login or password that is empty,
 * or when authzid is somebody else. */
bool sasl_decode_plain(struct slice base64, struct sasl_credentials *out);

/* The two answers of LOGIN. The second fills in the password beside the login that the first has left there. */
bool sasl_decode_login(struct slice base64, struct sasl_credentials *out);
bool sasl_decode_password(struct slice base64, struct sasl_credentials *out);

void sasl_wipe(struct sasl_credentials *credentials);
