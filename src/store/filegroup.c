/* SPDX-License-Identifier: ISC */
#include "store/filegroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

void
filegroup_init(struct filegroup *group, int dir_fd)
{
	group->dir_fd = dir_fd;
	group->count = 0;
}

void
filegroup_name(uint64_t sequence, char out[FILEGROUP_NAME_BYTES])
{
	snprintf(out, FILEGROUP_NAME_BYTES, "%016" PRIx64, sequence);
}

int
filegroup_create(struct filegroup *group, uint64_t sequence, int *fd, struct error *err)
{
	char name[FILEGROUP_NAME_BYTES];
	if (group->count == FILEGROUP_MAX)
		return error_set(err, ERROR_BUSY, "more than %d files in one group", FILEGROUP_MAX);
	filegroup_name(sequence, name);
	*fd = openat(group->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return error_set_errno(err, errno, "cannot create a file for a message");
	group->fds[group->count++] = *fd;
	return 0;
}

int
filegroup_sync(struct filegroup *group, struct error *err)
{
	int result = 0;
	if (group->count == 0)
		return 0;
	/* Starting all writes first lets the first fsync carry the others along. */
	for (size_t i = 0; i < group->count; i++)
		sync_file_range(group->fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	for (size_t i = 0; i < group->count && result == 0; i++)
		if (fsync(group->fds[i]) != 0)
			result = error_set_errno(err, errno, "cannot make a message durable");
	if (result == 0 && fsync(group->dir_fd) != 0)
		result = error_set_errno(err, errno, "cannot make a folder durable");
	filegroup_drop(group);
	return result;
}

void
filegroup_drop(struct filegroup *group)
{
	for (size_t i = 0; i < group->count; i++)
		file_close(&group->fds[i]);
	group->count = 0;
}
