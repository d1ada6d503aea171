/* SPDX-License-Identifier: ISC */
#include "store/numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

void
numbered_name(uint64_t sequence, char out[NUMBERED_NAME_BYTES])
{
	snprintf(out, NUMBERED_NAME_BYTES, "%016" PRIx64, sequence);
}

int
numbered_create(int dir_fd, uint64_t sequence, int *fd, struct error *err)
{
	char name[NUMBERED_NAME_BYTES];
	numbered_name(sequence, name);
	*fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd < 0 ? error_set_errno(err, errno, "cannot create a file for a message") : 0;
}
