/* SPDX-License-Identifier: ISC */
#include "smtp/xtext.h"

static int
hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; /* upper case only, says the grammar */
}

bool
xtext_is_valid(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '=')
			return false;
		if (text.data[i] != '+')
			continue;
		if (text.len - i < 3)
			return false;
		int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		int octet = high << 4 | low;
		if (octet == '\0' || octet == '\r' || octet == '\n')
			return false;
		i += 2;
	}
	return text.len > 0;
}
