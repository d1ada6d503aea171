/* SPDX-License-Identifier: ISC */
#include "daemon/content_own.h"

#include <stdio.h>

#include "address/address.h"
#include "base/encode.h"
#include "identity/openpgpkey.h"
#include "seal/autocrypt.h"

static int
show(struct content_own *own, struct error *err)
{
	size_t len = OPENPGP_AUTOCRYPT_MAX_BYTES;
	buffer_init(&own->base64, 2 * OPENPGP_AUTOCRYPT_MAX_BYTES);
	buffer_init(&own->public_key, OPENPGP_AUTOCRYPT_MAX_BYTES);
	if (openpgp_autocrypt(own->pgp, &own->base64, err) != 0)
		return -1;
	unsigned char *room = buffer_reserve(&own->public_key, len, err);
	if (room == NULL ||
	    encode_from_base64(room, &len, (const char *)buffer_bytes(&own->base64), buffer_len(&own->base64), err) != 0)
		return -1;
	buffer_commit(&own->public_key, len);
	return 0;
}

int
content_own_set(struct content_own *own, struct slice file, struct error *err)
{
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	size_t count;
	openpgp_free(own->pgp);
	buffer_finish(&own->base64);
	buffer_finish(&own->public_key);
	*own = (struct content_own){ 0 };
	if (openpgpkey_list(file, keys, &count, err) != 0 || openpgp_new(keys, count, &own->pgp, err) != 0)
		return -1;
	if (show(own, err) == 0)
		return 0;
	openpgp_free(own->pgp);
	own->pgp = NULL;
	return -1;
}

int
content_own_autocrypt(const struct content_own *own, const char *local_part, const char *onion, struct buffer *out, struct error *err)
{
	char address[ADDRESS_MAX + 1];
	if (own->pgp == NULL)
		return 0;
	snprintf(address, sizeof address, "%s@%s", local_part, onion);
	return autocrypt_write(address, true, slice_of(buffer_bytes(&own->base64), buffer_len(&own->base64)), out, err);
}
