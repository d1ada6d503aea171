/* SPDX-License-Identifier: ISC */
#include "smtpd/spool.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/file.h"

void
spool_init(struct spool *spool, uint64_t max_bytes, struct spool_budget *budget)
{
	*spool = (struct spool){ .budget = budget, .fd = -1, .max_bytes = max_bytes };
	buffer_init(&spool->memory, SPOOL_INLINE_MAX_BYTES);
}

static int
spill(struct spool *spool, struct error *err)
{
	spool->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (spool->fd < 0)
		return error_set_errno(err, errno, "cannot make room for a message");
	if (file_write_all(spool->fd, buffer_bytes(&spool->memory), buffer_len(&spool->memory), err) != 0)
		return -1;
	buffer_finish(&spool->memory);
	return 0;
}

int
spool_append(struct spool *spool, struct slice bytes, struct error *err)
{
	if (bytes.len > spool->max_bytes - spool->len_bytes)
		return error_set(err, ERROR_TOO_LARGE, "the message is larger than %llu bytes",
		    (unsigned long long)spool->max_bytes);
	bool is_large = spool->len_bytes + bytes.len > SPOOL_INLINE_MAX_BYTES;
	uint64_t room = is_large ? spool->budget->max_bytes / 4 * 3 : spool->budget->max_bytes;
	if (spool->budget->used_bytes > room || bytes.len > room - spool->budget->used_bytes)
		return error_set(err, ERROR_BUSY, "too many messages are on their way in");
	if (is_large && spool->fd < 0 && spill(spool, err) != 0)
		return -1;
	if (is_large ? file_write_all(spool->fd, bytes.data, bytes.len, err) != 0
	             : buffer_append(&spool->memory, bytes.data, bytes.len, err) != 0)
		return -1;
	spool->len_bytes += bytes.len;
	spool->budget->used_bytes += bytes.len;
	return 0;
}

int
spool_seal(struct spool *spool, struct slice *bytes, int *fd, struct error *err)
{
	*bytes = slice_of(buffer_bytes(&spool->memory), buffer_len(&spool->memory));
	*fd = spool->fd;
	return spool->fd >= 0 ? file_seal(spool->fd, err) : 0;
}

void
spool_finish(struct spool *spool)
{
	if (spool->budget != NULL)
		spool->budget->used_bytes -= spool->len_bytes;
	spool->len_bytes = 0;
	buffer_finish(&spool->memory);
	file_close(&spool->fd);
}
