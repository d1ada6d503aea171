/* SPDX-License-Identifier: ISC */
#include "card/invitation.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char context[] = "smtorp/1 invitation";

void
invitation_write(const unsigned char secret[INVITATION_SECRET_BYTES], char out[INVITATION_LETTERS + 1])
{
	encode_base32(out, secret, INVITATION_SECRET_BYTES);
}

/* The letters behind the word, of which there are as many as there must be and no more. */
static bool
take(const unsigned char *at, const unsigned char *end, unsigned char secret[INVITATION_SECRET_BYTES])
{
	unsigned char bytes[INVITATION_SECRET_BYTES];
	size_t len = 0, room = sizeof bytes;
	if (at == end || (*at != ':' && *at != '='))
		return false;
	for (at++; at < end && *at == ' ';)
		at++;
	while (at + len < end && isalnum(at[len]))
		len++;
	if (len != INVITATION_LETTERS || encode_from_base32(bytes, &room, (const char *)at, len, NULL) != 0 || room != sizeof bytes)
		return false;
	memcpy(secret, bytes, sizeof bytes);
	explicit_bzero(bytes, sizeof bytes);
	return true;
}

bool
invitation_scan(struct slice text, unsigned char secret[INVITATION_SECRET_BYTES])
{
	static const char word[] = INVITATION_WORD;
	size_t len = sizeof word - 1;
	if (text.len <= len)
		return false;
	const unsigned char *end = text.data + text.len;
	for (const unsigned char *at = text.data; (size_t)(end - at) > len; at++)
		if (strncasecmp((const char *)at, word, len) == 0 && take(at + len, end, secret))
			return true;
	return false;
}

void
invitation_prove(const unsigned char secret[INVITATION_SECRET_BYTES], const char *inviting, const char *invited, const char *address,
    char out[INVITATION_PROOF_LEN + 1])
{
	char text[sizeof context + 2 * (INVITATION_FINGERPRINT_LEN + 1) + ADDRESS_MAX + 1];
	unsigned char mac[HASH_HMAC_SHA256_BYTES];
	memcpy(text, context, sizeof context); /* with its NUL */
	int len = snprintf(text + sizeof context, sizeof text - sizeof context, "%.40s %.40s %s", inviting, invited, address);
	hash_hmac_sha256(secret, INVITATION_SECRET_BYTES, text, sizeof context + (size_t)len, mac);
	encode_hex(out, mac, sizeof mac);
}
