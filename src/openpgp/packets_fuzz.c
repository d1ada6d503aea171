/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "openpgp/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Packets lie inside the data and behind one another; what Autocrypt takes is a key. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_of(data, size), rest = all;
	struct openpgp_packet p;
	const uint8_t *at = data;
	while (openpgp_packet_scan(&rest, &p, NULL) == 1) {
		if (p.body.data < at || p.body.data + p.body.len > data + size || p.bytes < p.body.len || rest.data <= at)
			abort();
		at = rest.data;
	}
	if (openpgp_autocrypt_scan(all, NULL) == 0 && openpgp_key_scan(all, NULL) != 0)
		abort();
	openpgp_message_scan(all, NULL);
	return 0;
}
