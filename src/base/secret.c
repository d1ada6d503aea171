/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <assert.h>
#include <fcntl.h>
#include <malloc.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A child that was not made for it would keep a copy, which is not locked and stays when this one goes. */
static void
keep_from_children(void *secret, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)secret & ~(page - 1);
	uintptr_t to = ((uintptr_t)secret + bytes + page - 1) & ~(page - 1);
	madvise((void *)from, to - from, MADV_WIPEONFORK);
}

void *
secret_new(size_t bytes)
{
	void *secret = sodium_malloc(bytes);
	assert(secret != NULL);
	keep_from_children(secret, bytes);
	memset(secret, 0, bytes);
	return secret;
}

void
secret_free(void *secret)
{
	sodium_free(secret);
}

void
secret_free_ordinary(void *memory)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

void
secret_shield_process(void)
{
	const struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
secret_pipe(const void *bytes, size_t len)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	ssize_t n = write(ends[1], bytes, len);
	close(ends[1]);
	if (n == (ssize_t)len)
		return ends[0];
	close(ends[0]);
	return -1;
}
