/* SPDX-License-Identifier: ISC */
#include "tor/destination.h"

#include <string.h>

#include "base/slice.h"

int
destination_check(const char *onion, uint16_t port, char host[DESTINATION_HOST_BYTES], struct error *err)
{
	static const char suffix[] = ".onion";
	const size_t suffix_len = sizeof suffix - 1;
	unsigned char public_key[ONIONKEY_PUBLIC_BYTES];
	struct slice name = slice_of_string(onion);
	if (name.len < suffix_len || strcasecmp(onion + name.len - suffix_len, suffix) != 0)
		return error_set(err, ERROR_INVALID, "only .onion names can be dialled");
	name.len -= suffix_len;
	if (onionkey_parse_name(name, public_key, err) != 0)
		return -1;
	if (port != DESTINATION_PORT_SMTP && port != DESTINATION_PORT_TLS)
		return error_set(err, ERROR_INVALID, "mail goes to the ports 25 and 465 only, not to %u", port);
	onionkey_name(public_key, host); /* in one spelling, so that a destination has one circuit */
	memcpy(host + ONIONKEY_NAME_LEN, suffix, sizeof suffix);
	return 0;
}
