/* SPDX-License-Identifier: ISC
 *
 * base16, base32 and base64 of RFC 4648, and numbers with the low byte first. The decoders of RFC 4648 are strict: no
 * white space, no missing or surplus padding, no bits left over.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Sizes of the encoded text without the NUL. */
#define ENCODE_HEX_LEN(n) ((n) * 2)
#define ENCODE_BASE32_LEN(n) (((n) * 8 + 4) / 5) /* without padding */
#define ENCODE_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* out has room for the length above and a NUL. base32 is lower case without padding, hex upper case. */
void encode_hex(char *out, const void *bytes, size_t len);
void encode_base32(char *out, const void *bytes, size_t len);
void encode_base64(char *out, const void *bytes, size_t len);

/* *out_len in: room; out: bytes written. base32 takes either case, no padding. ERROR_INVALID, ERROR_TOO_LARGE. */
int encode_from_base32(void *out, size_t *out_len, const char *text, size_t text_len, struct error *err);
int encode_from_base64(void *out, size_t *out_len, const char *text, size_t text_len, struct error *err);

/* A number in so many bytes, at most 8, low byte first. What does not fit is cut off. */
void encode_number(unsigned char *out, uint64_t value, size_t bytes);
uint64_t encode_from_number(const unsigned char *in, size_t bytes);
