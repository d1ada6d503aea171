/* SPDX-License-Identifier: ISC
 *
 * The file "access", and a line that somebody was told. What was read is written, and that is read as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tor/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct access_list *list, *again;
	char onion[ACCESS_ONION_LEN + 1];
	struct buffer text;
	struct error err = { 0 };
	if (list == NULL) {
		random_init();
		list = access_new();
		again = access_new();
	}
	buffer_init(&text, ACCESS_FILE_BYTES_MAX);
	int result = access_parse(slice_of(data, size), list, &err);
	if (result != 0 && (err.code == ERROR_NONE || list->client_count != 0 || list->key_count != 0))
		abort();
	access_take_key(list, slice_of(data, size), onion, NULL);
	if (access_write(list, &text, &err) != 0 || access_parse(slice_of(buffer_bytes(&text), buffer_len(&text)), again, &err) != 0 ||
	    again->client_count != list->client_count || again->key_count != list->key_count || again->is_private != list->is_private)
		abort();
	buffer_finish(&text);
	return 0;
}
