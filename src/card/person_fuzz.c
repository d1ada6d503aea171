/* SPDX-License-Identifier: ISC
 *
 * What is read of a vCard is written, and read as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "card/person.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct card_person person, again;
	struct buffer key, card, second;
	struct error err = { 0 };
	buffer_init(&key, CARD_PERSON_KEY_MAX_BYTES);
	buffer_init(&second, CARD_PERSON_KEY_MAX_BYTES);
	buffer_init(&card, CARD_PERSON_MAX_BYTES);
	if (card_person_parse(slice_of(data, size), &person, &key, &err) != 0) {
		if (err.text[0] == '\0')
			abort();
	} else if (card_person_write(&person, slice_of(buffer_bytes(&key), buffer_len(&key)), &card, &err) != 0 ||
	    card_person_parse(slice_of(buffer_bytes(&card), buffer_len(&card)), &again, &second, &err) != 0 || again.is_signed ||
	    strcmp(again.address, person.address) != 0 || strcmp(again.name, person.name) != 0 || strcmp(again.encrypt, person.encrypt) != 0 ||
	    again.carrier_count != person.carrier_count || memcmp(again.carriers, person.carriers, sizeof again.carriers) != 0 || buffer_len(&key) != buffer_len(&second) ||
	    (buffer_len(&key) > 0 && memcmp(buffer_bytes(&key), buffer_bytes(&second), buffer_len(&key)) != 0)) {
		abort();
	}
	buffer_finish(&card);
	buffer_finish(&second);
	buffer_finish(&key);
	return 0;
}
