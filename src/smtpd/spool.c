/* SPDX-License-Identifier: ISC */
#include "smtpd/spool.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

#define COPY_BYTES 65536

void
spool_init(struct spool *spool, uint64_t max_bytes, struct spool_budget *budget)
{
	*spool = (struct spool){ .budget = budget, .fd = -1, .max_bytes = max_bytes };
	buffer_init(&spool->memory, SPOOL_INLINE_MAX_BYTES);
}

static bool
free_some(const struct spool *spool, enum spool_room room)
{
	return spool->free_some != NULL && spool->free_some(spool->context, room);
}

bool
spool_takes(const struct spool *spool, enum spool_room room)
{
	switch (room) {
	case SPOOL_MEMORY:
		return !spool->is_file && spool->len_bytes > 0;
	case SPOOL_FILES:
		return spool->is_file;
	case SPOOL_DESCRIPTORS:
		break;
	}
	return spool->fd >= 0;
}

static int
too_many(struct error *err)
{
	return error_set(err, ERROR_BUSY, "too many messages are on their way in");
}

static int
spill(struct spool *spool, struct error *err)
{
	while (spool->budget->large_used >= spool->budget->large_max)
		if (!free_some(spool, SPOOL_DESCRIPTORS))
			return too_many(err);
	spool->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (spool->fd < 0)
		return error_set_errno(err, errno, "cannot make room for a message");
	spool->budget->large_used++;
	if (file_write_all(spool->fd, buffer_bytes(&spool->memory), buffer_len(&spool->memory), err) != 0)
		return -1;
	buffer_finish(&spool->memory);
	return 0;
}

static void
charge(struct spool *spool, uint64_t bytes)
{
	spool->len_bytes += bytes;
	*(spool->is_file ? &spool->budget->files_used_bytes : &spool->budget->used_bytes) += bytes;
}

/* Strangers could fill the disk with messages that they never end, and nobody would see a file. */
static bool
files_have_room(const struct spool *spool, uint64_t bytes)
{
	const struct spool_budget *b = spool->budget;
	uint64_t own = spool->is_file ? spool->len_bytes : 0;
	return b->files_used_bytes == own || (b->files_used_bytes <= b->files_max_bytes && bytes <= b->files_max_bytes - b->files_used_bytes);
}

static int
copy(int from, int to, struct error *err)
{
	unsigned char chunk[COPY_BYTES];
	ssize_t n;
	for (off_t at = 0; (n = pread(from, chunk, sizeof chunk, at)) > 0; at += n)
		if (file_write_all(to, chunk, (size_t)n, err) != 0)
			return -1;
	return n == 0 ? 0 : error_set_errno(err, errno, "cannot read a message back");
}

/* Out of memory and into a file, if there is one. */
static int
move_to_file(struct spool *spool, struct error *err)
{
	bool has_room = spool->open_file != NULL;
	while (has_room && !files_have_room(spool, spool->len_bytes))
		has_room = free_some(spool, SPOOL_FILES);
	int fd = has_room ? spool->open_file(spool->context) : -1;
	if (fd < 0)
		return 0;
	if (copy(spool->fd, fd, err) != 0) {
		file_close(&fd);
		return -1;
	}
	file_close(&spool->fd);
	spool->fd = fd;
	spool->is_file = true;
	spool->budget->used_bytes -= spool->len_bytes;
	spool->budget->files_used_bytes += spool->len_bytes;
	return 0;
}

/* Whether it may grow by so much, where it is. */
static bool
has_room(const struct spool *spool, uint64_t bytes, bool is_large)
{
	const struct spool_budget *b = spool->budget;
	uint64_t room = is_large ? b->max_bytes / 4 * 3 : b->max_bytes;
	return spool->is_file ? files_have_room(spool, bytes) : b->used_bytes <= room && bytes <= room - b->used_bytes;
}

int
spool_append(struct spool *spool, struct slice bytes, struct error *err)
{
	if (bytes.len > spool->max_bytes - spool->len_bytes)
		return error_set(err, ERROR_TOO_LARGE, "the message is larger than %llu bytes",
		    (unsigned long long)spool->max_bytes);
	bool is_large = spool->len_bytes + bytes.len > SPOOL_INLINE_MAX_BYTES;
	if (is_large && spool->fd < 0 && spill(spool, err) != 0)
		return -1;
	if (spool->fd >= 0 && !spool->is_file && spool->len_bytes + bytes.len > SPOOL_MEMFD_BYTES && move_to_file(spool, err) != 0)
		return -1;
	while (!has_room(spool, bytes.len, is_large))
		if (!free_some(spool, spool->is_file ? SPOOL_FILES : SPOOL_MEMORY))
			return too_many(err);
	if (is_large ? file_write_all(spool->fd, bytes.data, bytes.len, err) != 0
	             : buffer_append(&spool->memory, bytes.data, bytes.len, err) != 0)
		return -1;
	charge(spool, bytes.len);
	return 0;
}

int
spool_seal(struct spool *spool, struct slice *bytes, int *fd, struct error *err)
{
	*bytes = slice_of(buffer_bytes(&spool->memory), buffer_len(&spool->memory));
	*fd = spool->fd;
	return spool->fd >= 0 && !spool->is_file ? file_seal(spool->fd, err) : 0;
}

void
spool_finish(struct spool *spool)
{
	if (spool->budget != NULL)
		*(spool->is_file ? &spool->budget->files_used_bytes : &spool->budget->used_bytes) -= spool->len_bytes;
	if (spool->fd >= 0 && spool->budget != NULL)
		spool->budget->large_used--;
	spool->len_bytes = 0;
	spool->is_file = false;
	buffer_finish(&spool->memory);
	file_close(&spool->fd);
}
