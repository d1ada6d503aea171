/* SPDX-License-Identifier: ISC */
#include "base/encode.h"

#include <sodium.h>
#include <string.h>

void
encode_hex(char *out, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

void
encode_base32(char *out, const void *bytes, size_t len)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	const unsigned char *p = bytes;
	uint32_t held = 0;
	unsigned bits = 0;
	for (size_t i = 0; i < len; i++) {
		held = held << 8 | p[i];
		bits += 8;
		while (bits >= 5) {
			bits -= 5;
			*out++ = alphabet[held >> bits & 31];
		}
	}
	if (bits > 0)
		*out++ = alphabet[held << (5 - bits) & 31];
	*out = '\0';
}

void
encode_base64(char *out, const void *bytes, size_t len)
{
	sodium_bin2base64(out, ENCODE_BASE64_LEN(len) + 1, bytes, len, sodium_base64_VARIANT_ORIGINAL);
}

static int
base32_value(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

int
encode_from_base32(void *out, size_t *out_len, const char *text, size_t text_len, struct error *err)
{
	unsigned char *p = out;
	size_t written = 0;
	uint32_t held = 0;
	unsigned bits = 0;
	for (size_t i = 0; i < text_len; i++) {
		int value = base32_value(text[i]);
		if (value < 0)
			return error_set(err, ERROR_INVALID, "a character outside a-z and 2-7");
		held = (held << 5 | (uint32_t)value) & 0xfff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			if (written == *out_len)
				return error_set(err, ERROR_TOO_LARGE, "longer than expected");
			p[written++] = (unsigned char)(held >> bits);
		}
	}
	if (bits >= 5 || (held & ((1u << bits) - 1)) != 0)
		return error_set(err, ERROR_INVALID, "not a whole number of bytes");
	*out_len = written;
	return 0;
}

int
encode_from_base64(void *out, size_t *out_len, const char *text, size_t text_len, struct error *err)
{
	size_t written;
	const char *end;
	for (size_t i = 0; i < text_len; i++)
		if ((unsigned char)text[i] >= 0x80) /* libsodium 1.0.18 takes these for '/' */
			return error_set(err, ERROR_INVALID, "not base64");
	if (sodium_base642bin(out, *out_len, text, text_len, NULL, &written, &end,
	        sodium_base64_VARIANT_ORIGINAL) != 0 || end != text + text_len)
		return error_set(err, ERROR_INVALID, "not base64");
	*out_len = written;
	return 0;
}

void
encode_number(unsigned char *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(value >> (8 * i));
}

uint64_t
encode_from_number(const unsigned char *in, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)in[i] << (8 * i);
	return value;
}
