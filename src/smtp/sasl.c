/* SPDX-License-Identifier: ISC */
#include "smtp/sasl.h"

#include <string.h>

#include "base/encode.h"

#define PLAIN_MAX (2 * SASL_LOGIN_MAX + SASL_PASSWORD_MAX + 2)

/* A login is text without NUL; what it means is decided elsewhere. */
static bool
set_login(struct sasl_credentials *out, struct slice login)
{
	if (login.len == 0 || login.len > SASL_LOGIN_MAX || memchr(login.data, '\0', login.len) != NULL)
		return false;
	memcpy(out->login, login.data, login.len);
	out->login[login.len] = '\0';
	return true;
}

static bool
set_password(struct sasl_credentials *out, struct slice password)
{
	if (password.len == 0 || password.len > SASL_PASSWORD_MAX || memchr(password.data, '\0', password.len) != NULL)
		return false;
	memcpy(out->password, password.data, password.len);
	out->password_len = password.len;
	return true;
}

/* Takes what stands before the next NUL off the front, and the NUL. */
static bool
take_field(struct slice *rest, struct slice *field)
{
	const unsigned char *nul = memchr(rest->data, '\0', rest->len);
	if (nul == NULL)
		return false;
	*field = slice_of(rest->data, (size_t)(nul - rest->data));
	*rest = slice_of(nul + 1, rest->len - field->len - 1);
	return true;
}

bool
sasl_decode_plain(struct slice base64, struct sasl_credentials *out)
{
	unsigned char bytes[PLAIN_MAX];
	size_t len = sizeof bytes;
	struct slice authzid, authcid;
	bool is_fine = false;
	*out = (struct sasl_credentials){ 0 };
	if (encode_from_base64(bytes, &len, (const char *)base64.data, base64.len, NULL) == 0) {
		struct slice rest = slice_of(bytes, len);
		is_fine = take_field(&rest, &authzid) && take_field(&rest, &authcid) && set_login(out, authcid) &&
		          set_password(out, rest) && (authzid.len == 0 || slice_is(authzid, out->login));
	}
	explicit_bzero(bytes, sizeof bytes);
	return is_fine;
}

bool
sasl_decode_login(struct slice base64, struct sasl_credentials *out)
{
	unsigned char bytes[SASL_LOGIN_MAX];
	size_t len = sizeof bytes;
	*out = (struct sasl_credentials){ 0 };
	return encode_from_base64(bytes, &len, (const char *)base64.data, base64.len, NULL) == 0 &&
	       set_login(out, slice_of(bytes, len));
}

bool
sasl_decode_password(struct slice base64, struct sasl_credentials *out)
{
	unsigned char bytes[SASL_PASSWORD_MAX];
	size_t len = sizeof bytes;
	bool is_fine = encode_from_base64(bytes, &len, (const char *)base64.data, base64.len, NULL) == 0 &&
	               set_password(out, slice_of(bytes, len));
	explicit_bzero(bytes, sizeof bytes);
	return is_fine;
}

void
sasl_wipe(struct sasl_credentials *credentials)
{
	explicit_bzero(credentials, sizeof *credentials);
}
