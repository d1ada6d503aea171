/* SPDX-License-Identifier: ISC */
#include "base/utf8.h"

#include <stdint.h>

size_t
utf8_length(struct slice text)
{
	unsigned char first = text.data[0];
	unsigned char low = 0x80, high = 0xbf; /* of the second octet */
	size_t len;
	if (first >= 0xc2 && first <= 0xdf)
		len = 2;
	else if (first >= 0xe0 && first <= 0xef)
		len = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		len = 4;
	else
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (text.len < len || text.data[1] < low || text.data[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (text.data[i] < 0x80 || text.data[i] > 0xbf)
			return 0;
	return len;
}

static uint32_t
character_of(const unsigned char *octets, size_t len)
{
	uint32_t c = octets[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (octets[i] & 0x3f);
	return c;
}

static bool
leaves_its_line(uint32_t c)
{
	return c < 0xa0 || c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0xfeff;
}

bool
utf8_is_line(struct slice text)
{
	for (size_t i = 0; i < text.len;) {
		unsigned char c = text.data[i];
		size_t len = 1;
		if (c < ' ' || c == 0x7f)
			return false;
		if (c >= 0x80)
			len = utf8_length(slice_of(text.data + i, text.len - i));
		if (len == 0 || (len > 1 && leaves_its_line(character_of(text.data + i, len))))
			return false;
		i += len;
	}
	return true;
}
