/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "identity/lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The file as it is, and with its checksum put right. No key is ever that of a fuzzed file; none may do more than fail. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[LOCK_KEY_BYTES];
	static struct lock lock;
	static struct secrets secrets;
	static bool is_ready;
	if (!is_ready)
		random_init();
	is_ready = true;
	if (size > sizeof lock.bytes)
		size = sizeof lock.bytes;
	memset(&lock, 0, sizeof lock);
	memcpy(lock.bytes, data, size);
	lock.len = size;
	lock_open(&lock, key, &secrets, NULL);
	if (size < 16)
		return 0;
	struct hash hash;
	hash_init(&hash, 16, NULL, 0);
	hash_update(&hash, lock.bytes, size - 16);
	hash_final(&hash, &lock.bytes[size - 16], 16);
	struct error err = { 0 };
	if (lock_open(&lock, key, &secrets, &err) == 0 || err.text[0] == '\0')
		abort();
	if (lock_check(&lock, NULL) == 0 && err.code != ERROR_DENIED)
		abort();
	return 0;
}
