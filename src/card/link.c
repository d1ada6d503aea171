/* SPDX-License-Identifier: ISC */
#include "card/link.h"

#include <string.h>

#include "base/encode.h"

#define SCHEME "mailto:"

int
card_link_write(const char *address, struct slice card, struct buffer *out, struct error *err)
{
	char text[ENCODE_BASE64_LEN(CARD_MAX_BYTES) + 1];
	if (card.len > CARD_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "a card has at most %d bytes", CARD_MAX_BYTES);
	encode_base64(text, card.data, card.len);
	text[strcspn(text, "=")] = '\0';
	for (char *at = text; *at != '\0'; at++)
		*at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
	if (buffer_append_string(out, SCHEME, err) != 0)
		return -1;
	for (const char *at = address; *at != '\0'; at++) { /* RFC 6068 section 2 */
		bool is_plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || strchr("@.-_~!$'*+", *at) != NULL;
		if (buffer_printf(out, err, is_plain ? "%c" : "%%%02X", (unsigned char)*at) != 0)
			return -1;
	}
	return buffer_printf(out, err, "?" CARD_LINK_PARAMETER "%s", text);
}

static bool
is_letter(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static int
decode(struct slice letters, struct buffer *card, struct error *err)
{
	char text[ENCODE_BASE64_LEN(CARD_MAX_BYTES) + 1];
	size_t len = 0, out_len = CARD_MAX_BYTES;
	if (letters.len > sizeof text - 4)
		return error_set(err, ERROR_TOO_LARGE, "the link holds more than a card");
	for (; len < letters.len; len++)
		text[len] = (char)(letters.data[len] == '-' ? '+' : letters.data[len] == '_' ? '/' : letters.data[len]);
	while (len % 4 != 0)
		text[len++] = '=';
	unsigned char *room = buffer_reserve(card, out_len, err);
	if (room == NULL)
		return -1;
	if (encode_from_base64(room, &out_len, text, len, NULL) != 0 || out_len == 0)
		return error_set(err, ERROR_INVALID, "the link is damaged: was all of it copied?");
	buffer_commit(card, out_len);
	return 0;
}

int
card_link_scan(struct slice text, struct buffer *card, struct error *err)
{
	static const char parameter[] = CARD_LINK_PARAMETER;
	size_t parameter_len = sizeof parameter - 1;
	const unsigned char *at = memmem(text.data, text.len, SCHEME, sizeof SCHEME - 1), *end = text.data + text.len;
	while (at != NULL && (size_t)(end - at) >= parameter_len && strncasecmp((const char *)at, parameter, parameter_len) != 0)
		at++;
	if (at == NULL || (size_t)(end - at) < parameter_len)
		return 0;
	const unsigned char *first = at + parameter_len;
	for (at = first; at < end && is_letter(*at);)
		at++;
	return decode(slice_of(first, (size_t)(at - first)), card, err) == 0 ? 1 : -1;
}
