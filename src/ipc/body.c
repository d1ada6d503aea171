/* SPDX-License-Identifier: ISC */
#include "ipc/body.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static int
map_sealed(int fd, size_t max_bytes, struct body *out, struct error *err)
{
	size_t len;
	if (file_check_sealed(fd, max_bytes, &len, err) != 0)
		return -1;
	if (len == 0)
		return error_set(err, ERROR_PROTOCOL, "an empty body came in a descriptor");
	/* Not MAP_SHARED: kernels before 6.7 refuse that for what is sealed against writing, even to read. */
	void *mapping = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapping == MAP_FAILED)
		return error_set_errno(err, errno, "cannot map a body of %zu bytes", len);
	out->mapping = mapping;
	out->bytes = slice_of(mapping, len);
	return 0;
}

static bool
can_be_read(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY;
}

int
body_take(struct ipc_message *m, struct slice inline_bytes, size_t max_bytes, struct body *out, struct error *err)
{
	*out = BODY_EMPTY;
	if (m->fd < 0 && inline_bytes.len > max_bytes)
		return error_set(err, ERROR_TOO_LARGE, "a body of more than %zu bytes", max_bytes);
	if (m->fd < 0)
		return body_from_bytes(inline_bytes, out, err);
	if (inline_bytes.len != 0)
		return error_set(err, ERROR_PROTOCOL, "a body came twice");
	if (!can_be_read(m->fd))
		return error_set(err, ERROR_PROTOCOL, "a body came that cannot be read");
	if (map_sealed(m->fd, max_bytes, out, err) != 0)
		return -1;
	out->fd = m->fd;
	m->fd = -1;
	return 0;
}

int
body_take_any(struct ipc_message *m, struct slice inline_bytes, size_t max_bytes, struct body *out, struct error *err)
{
	struct stat st;
	bool is_file = m->fd >= 0 && inline_bytes.len == 0 && can_be_read(m->fd) && fcntl(m->fd, F_GET_SEALS) <= F_SEAL_SEAL &&
	    fstat(m->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
	if (!is_file)
		return body_take(m, inline_bytes, max_bytes, out, err);
	*out = BODY_EMPTY;
	if ((uint64_t)st.st_size > max_bytes)
		return error_set(err, ERROR_TOO_LARGE, "a body of more than %zu bytes", max_bytes);
	body_of_file(m->fd, (uint64_t)st.st_size, out);
	m->fd = -1;
	return 0;
}

uint64_t
body_len(const struct body *body)
{
	return body->file_bytes > 0 ? body->file_bytes : body->bytes.len;
}

int
body_read(const struct body *body, uint64_t offset, void *out, size_t len, struct error *err)
{
	unsigned char *at = out;
	assert(offset <= body_len(body) && len <= body_len(body) - offset);
	if (body->file_bytes == 0) {
		memcpy(out, body->bytes.data + offset, len);
		return 0;
	}
	while (len > 0) {
		ssize_t n = pread(body->fd, at, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, ERROR_IO, n < 0 ? "a message cannot be read" : "a message is shorter than it was");
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

void
body_of_file(int fd, uint64_t len, struct body *out)
{
	*out = BODY_EMPTY;
	out->fd = fd;
	out->file_bytes = len;
}

int
body_from_bytes(struct slice bytes, struct body *out, struct error *err)
{
	*out = BODY_EMPTY;
	if (bytes.len == 0)
		return 0;
	out->copy = malloc(bytes.len);
	if (out->copy == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a body of %zu bytes", bytes.len);
	memcpy(out->copy, bytes.data, bytes.len);
	out->bytes = slice_of(out->copy, bytes.len);
	return 0;
}

int
body_from_file(int fd, size_t len, struct body *out, struct error *err)
{
	struct stat st;
	*out = BODY_EMPTY;
	if (len == 0)
		return 0;
	if (fstat(fd, &st) != 0)
		return error_set_errno(err, errno, "cannot look at a message");
	if (st.st_size < 0 || (size_t)st.st_size < len)
		return error_set(err, ERROR_IO, "a message has %lld bytes instead of %zu", (long long)st.st_size, len);
	void *mapping = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapping == MAP_FAILED)
		return error_set_errno(err, errno, "cannot map a message of %zu bytes", len);
	out->mapping = mapping;
	out->bytes = slice_of(mapping, len);
	return 0;
}

int
body_share(const struct body *body, struct body *out, struct error *err)
{
	*out = (struct body){ .bytes = body->bytes, .file_bytes = body->file_bytes, .fd = -1 };
	if (body->fd < 0)
		return 0;
	out->fd = fcntl(body->fd, F_DUPFD_CLOEXEC, 0);
	return out->fd >= 0 ? 0 : error_set_errno(err, errno, "a body cannot be sent twice");
}

void
body_from_buffer(struct buffer *buffer, struct body *out)
{
	*out = BODY_EMPTY;
	out->bytes = slice_of(buffer_bytes(buffer), buffer_len(buffer));
	out->copy = buffer->data; /* may begin before the bytes; it is only kept to be freed */
	buffer_init(buffer, buffer->max);
}

void
body_finish(struct body *body)
{
	if (body->mapping != NULL)
		munmap(body->mapping, body->bytes.len);
	free(body->copy);
	file_close(&body->fd);
	*body = BODY_EMPTY;
}

int
body_attach(struct body *body, struct ipc_message *m, struct slice *inline_bytes, struct error *err)
{
	m->fd = -1;
	*inline_bytes = body->bytes;
	if (body->file_bytes > 0) {
		m->fd = body->fd;
		return 0;
	}
	if (body->bytes.len <= IPC_BODY_INLINE_MAX)
		return 0;
	if (body->fd < 0 && file_sealed_memory(body->bytes.data, body->bytes.len, &body->fd, err) != 0)
		return -1;
	m->fd = body->fd;
	*inline_bytes = slice_of("", 0);
	return 0;
}
