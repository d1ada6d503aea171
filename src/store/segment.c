/* SPDX-License-Identifier: ISC */
#include "store/segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"

#define SEGMENT_MAGIC "SMTORPJ1"
#define RECORD_MAGIC "JREC"
#define SEGMENT_CHECK_BYTES 16
#define RECORD_CHECK_BYTES 32
#define CHECK_STEP_BYTES 65536
#define END_BYTES 8       /* of zeros, where the next record would begin */
#define PAGE_BYTES 4096u
#define LOOKS_MOST 64

static void
name_of(uint64_t number, char out[SEGMENT_NAME_BYTES])
{
	snprintf(out, SEGMENT_NAME_BYTES, "%016" PRIx64, number);
}

static uint64_t
padded(uint64_t bytes)
{
	return (bytes + 7) & ~(uint64_t)7;
}

uint64_t
segment_record_bytes(uint64_t payload_bytes)
{
	return SEGMENT_RECORD_HEADER_BYTES + padded(payload_bytes);
}

/* ---- the segment's own header */

static void
seal_header(const struct journal_segment *s, unsigned char out[SEGMENT_HEADER_BYTES])
{
	struct hash hash;
	memcpy(out, SEGMENT_MAGIC, 8);
	encode_number(out + 8, s->number, 8);
	encode_number(out + 16, s->first_sequence, 8);
	encode_number(out + 24, s->capacity, 8);
	memcpy(out + 32, s->salt, SEGMENT_SALT_BYTES);
	hash_init(&hash, SEGMENT_CHECK_BYTES, NULL, 0);
	hash_update(&hash, out, 48);
	hash_final(&hash, out + 48, SEGMENT_CHECK_BYTES);
}

static int
write_all(int fd, struct iovec *iov, int count, uint64_t offset, struct error *err)
{
	while (count > 0) {
		ssize_t n = journal_calls.write(fd, iov, count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot write to the journal");
		offset += (uint64_t)n;
		for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
			n -= (ssize_t)iov->iov_len;
		if (count > 0) {
			iov->iov_base = (unsigned char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int
write_header(const struct journal_segment *s, struct error *err)
{
	unsigned char header[SEGMENT_HEADER_BYTES];
	struct iovec iov = { header, sizeof header };
	seal_header(s, header);
	return write_all(s->fd, &iov, 1, 0, err);
}

static int
fill_new(int dir_fd, struct journal_segment *s, struct error *err)
{
	int errnum = journal_calls.allocate(s->fd, 0, (off_t)s->capacity);
	if (errnum != 0)
		return error_set_errno(err, errnum, "no room for mail in the journal; free some space");
	if (write_header(s, err) != 0)
		return -1;
	if (fsync(s->fd) != 0 || fsync(dir_fd) != 0)
		return error_set_errno(err, errno, "cannot make a new part of the journal durable");
	return 0;
}

int
segment_create(int dir_fd, uint64_t number, uint64_t first_sequence, uint64_t room, struct journal_segment **out,
    struct error *err)
{
	char name[SEGMENT_NAME_BYTES];
	struct journal_segment *s = calloc(1, sizeof *s);
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	uint64_t capacity = SEGMENT_HEADER_BYTES + room;
	*s = (struct journal_segment){ .fd = -1, .number = number, .named = number, .first_sequence = first_sequence,
		.capacity = capacity > JOURNAL_SEGMENT_BYTES ? capacity : JOURNAL_SEGMENT_BYTES,
		.end = SEGMENT_HEADER_BYTES };
	random_bytes(s->salt, sizeof s->salt);
	name_of(number, name);
	s->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0) {
		error_set_errno(err, errno, "cannot create a part of the journal");
		goto fail;
	}
	if (fill_new(dir_fd, s, err) != 0) {
		unlinkat(dir_fd, name, 0);
		goto fail;
	}
	*out = s;
	return 0;
fail:
	segment_free(s);
	return -1;
}

int
segment_decode_header(const unsigned char header[SEGMENT_HEADER_BYTES], struct journal_segment *out)
{
	unsigned char again[SEGMENT_HEADER_BYTES];
	out->number = encode_from_number(header + 8, 8);
	out->first_sequence = encode_from_number(header + 16, 8);
	out->capacity = encode_from_number(header + 24, 8);
	memcpy(out->salt, header + 32, SEGMENT_SALT_BYTES);
	seal_header(out, again);
	return memcmp(header, again, sizeof again) == 0 ? 0 : -1;
}

int
segment_open(int dir_fd, uint64_t named, struct journal_segment **out, struct error *err)
{
	char name[SEGMENT_NAME_BYTES];
	unsigned char start[2 * SEGMENT_HEADER_BYTES] = { 0 }; /* and where a record would begin */
	static const unsigned char zeros[sizeof start];
	struct stat st;
	struct journal_segment *s = calloc(1, sizeof *s);
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	*s = (struct journal_segment){ .fd = -1, .named = named, .end = SEGMENT_HEADER_BYTES };
	name_of(named, name);
	s->fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd < 0 || fstat(s->fd, &st) != 0 || pread(s->fd, start, sizeof start, 0) < 0) {
		error_set_errno(err, errno, "cannot open the journal's part %s", name);
		if (err->code != ERROR_NO_MEMORY && err->code != ERROR_BUSY)
			err->code = ERROR_IO; /* not to be taken for a segment that was never used */
		goto fail;
	}
	if (memcmp(start, zeros, sizeof start) == 0) {
		error_set(err, ERROR_NOT_FOUND, "a part of the journal that was never used");
		goto fail;
	}
	if (segment_decode_header(start, s) != 0) {
		error_set(err, ERROR_INVALID, "the journal's part %" PRIx64 " is damaged", named);
		goto fail;
	}
	if (s->capacity > (uint64_t)st.st_size)
		s->capacity = (uint64_t)st.st_size; /* somebody cut it: what is there is read */
	*out = s;
	return 0;
fail:
	segment_free(s);
	return -1;
}

void
segment_free(struct journal_segment *s)
{
	if (s == NULL)
		return;
	file_close(&s->fd);
	free(s);
}

void
segment_set_aside(int dir_fd, uint64_t named)
{
	char name[SEGMENT_NAME_BYTES], aside[SEGMENT_NAME_BYTES + 8];
	name_of(named, name);
	snprintf(aside, sizeof aside, "%s.damaged", name);
	renameat(dir_fd, name, dir_fd, aside);
}

void
segment_remove(int dir_fd, struct journal_segment *s)
{
	char name[SEGMENT_NAME_BYTES];
	name_of(s->named, name);
	if (s->damaged)
		segment_set_aside(dir_fd, s->named);
	else
		unlinkat(dir_fd, name, 0); /* if that fails, the next scan finds all its records consumed */
	segment_free(s);
}

/* ---- the next use of the file: its blocks are there and written to, so that a sync of it has nothing to do but to write */

bool
segment_retire(struct journal_segment *s)
{
	struct error ignored;
	struct stat st;
	if (s->damaged || s->capacity != JOURNAL_SEGMENT_BYTES || fstat(s->fd, &st) != 0 || st.st_size != JOURNAL_SEGMENT_BYTES)
		return false;
	s->first_sequence = 0;
	s->end = SEGMENT_HEADER_BYTES;
	/* Not synced: what may be there instead has only records that are consumed. */
	return write_header(s, &ignored) == 0;
}

int
segment_reuse(int dir_fd, struct journal_segment *s, uint64_t number, uint64_t first_sequence, struct error *err)
{
	char from[SEGMENT_NAME_BYTES], to[SEGMENT_NAME_BYTES];
	struct journal_segment before = *s;
	s->number = number;
	s->first_sequence = first_sequence;
	random_bytes(s->salt, sizeof s->salt);
	if (write_header(s, err) != 0) {
		*s = before;
		return -1;
	}
	/* For people only: the header says what it is, so that this need be neither durable nor successful. */
	name_of(s->named, from);
	name_of(number, to);
	if (renameat(dir_fd, from, dir_fd, to) == 0)
		s->named = number;
	return 0;
}

/* ---- records */

static void
encode_record(const struct segment_record *r, unsigned char out[SEGMENT_RECORD_HEADER_BYTES])
{
	memcpy(out, RECORD_MAGIC, 4);
	encode_number(out + 4, r->type, 4);
	encode_number(out + 8, r->sequence, 8);
	encode_number(out + 16, r->identifiers, 4);
	uint64_t ahead = r->sequence - r->durable_below + 1; /* 1: of nothing that is not durable */
	encode_number(out + 20, r->durable_below != 0 && ahead <= UINT32_MAX ? ahead : 0, 4);
	encode_number(out + 24, r->length, 8);
}

/* Copies the file to offset, a step at a time. Each byte is looked at once: somebody else may still write to it. */
static int
copy_file(int fd, uint64_t offset, const struct journal_file *file, struct hash *hash, struct error *err)
{
	unsigned char chunk[CHECK_STEP_BYTES], digest[HASH_SHA256_BYTES];
	struct hash_sha256 copied;
	hash_sha256_init(&copied);
	for (uint64_t done = 0; done < file->bytes;) {
		size_t step = file->bytes - done < sizeof chunk ? (size_t)(file->bytes - done) : sizeof chunk;
		ssize_t n = pread(file->fd, chunk, step, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, ERROR_PROTOCOL, "a message cannot be read from the file in which it came");
		struct iovec iov = { chunk, (size_t)n };
		hash_update(hash, chunk, (size_t)n);
		if (file->digest != NULL)
			hash_sha256_update(&copied, chunk, (size_t)n);
		if (write_all(fd, &iov, 1, offset + done, err) != 0)
			return -1;
		done += (uint64_t)n;
	}
	hash_sha256_final(&copied, digest);
	if (file->digest != NULL && memcmp(digest, file->digest, sizeof digest) != 0)
		return error_set(err, ERROR_PROTOCOL, "a message was changed in the file in which it came, after it was looked at");
	return 0;
}

/* Zeros behind a record, so that what a former use has left there is not taken for a record that was damaged. Up to the end of a page, which then
 * need not be read before it is written to. */
static size_t
bytes_behind(const struct journal_segment *s, uint64_t end)
{
	uint64_t to = (end + END_BYTES + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	return (size_t)((to < s->capacity ? to : s->capacity) - end);
}

int
segment_write(struct journal_segment *s, const struct segment_record *r, const struct slice *parts, size_t count,
    const struct journal_file *file, struct error *err)
{
	static const unsigned char zeros[PAGE_BYTES + 2 * END_BYTES];
	unsigned char header[SEGMENT_RECORD_HEADER_BYTES];
	struct iovec iov[JOURNAL_PARTS_MAX + 2] = { { header, sizeof header } };
	size_t padding = (size_t)(padded(r->length) - r->length);
	uint64_t end = s->end + segment_record_bytes(r->length), file_bytes = file != NULL ? file->bytes : 0;
	struct hash hash;
	int used = 1;
	assert(count <= JOURNAL_PARTS_MAX && segment_record_bytes(r->length) <= s->capacity - s->end);
	encode_record(r, header);
	hash_init(&hash, RECORD_CHECK_BYTES, s->salt, sizeof s->salt);
	hash_update(&hash, header, 32);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len == 0)
			continue;
		hash_update(&hash, parts[i].data, parts[i].len);
		iov[used++] = (struct iovec){ (void *)(uintptr_t)parts[i].data, parts[i].len };
	}
	struct iovec behind = { (void *)(uintptr_t)zeros, padding + bytes_behind(s, end) };
	if (file_bytes > 0 && (copy_file(s->fd, end - padding - file_bytes, file, &hash, err) != 0 ||
	                          (behind.iov_len > 0 && write_all(s->fd, &behind, 1, end - padding, err) != 0)))
		return -1;
	hash_final(&hash, header + 32, RECORD_CHECK_BYTES);
	if (file_bytes == 0 && behind.iov_len > 0)
		iov[used++] = behind;
	/* With a file the header comes last, so that no half of a record is one. */
	if (write_all(s->fd, iov, used, s->end, err) != 0)
		return -1;
	s->end = end;
	return 0;
}

int
segment_read(const struct journal_segment *s, uint64_t offset, void *out, size_t len, struct error *err)
{
	unsigned char *p = out;
	while (len > 0) {
		ssize_t n = pread(s->fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot read the journal");
		if (n == 0)
			return error_set(err, ERROR_IO, "the journal is shorter than it was");
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool
decode_record(const struct journal_segment *s, uint64_t offset, const unsigned char *header, struct segment_record *r)
{
	uint64_t ahead = encode_from_number(header + 20, 4);
	*r = (struct segment_record){ .type = (uint32_t)encode_from_number(header + 4, 4),
		.sequence = encode_from_number(header + 8, 8), .identifiers = encode_from_number(header + 16, 4),
		.length = encode_from_number(header + 24, 8) };
	if (ahead != 0 && ahead <= r->sequence)
		r->durable_below = r->sequence - ahead + 1;
	return memcmp(header, RECORD_MAGIC, 4) == 0 && r->identifiers != 0 && r->length <= JOURNAL_PAYLOAD_MAX &&
	    segment_record_bytes(r->length) <= s->capacity - offset;
}

/* 1: the checksum is right. */
static int
check_record(const struct journal_segment *s, uint64_t offset, const unsigned char *header, const struct segment_record *r,
    struct error *err)
{
	unsigned char check[RECORD_CHECK_BYTES];
	struct hash hash;
	hash_init(&hash, RECORD_CHECK_BYTES, s->salt, sizeof s->salt);
	hash_update(&hash, header, 32);
	for (uint64_t done = 0; done < r->length;) {
		unsigned char chunk[CHECK_STEP_BYTES];
		size_t step = r->length - done < sizeof chunk ? (size_t)(r->length - done) : sizeof chunk;
		if (segment_read(s, offset + SEGMENT_RECORD_HEADER_BYTES + done, chunk, step, err) != 0)
			return -1;
		hash_update(&hash, chunk, step);
		done += step;
	}
	hash_final(&hash, check, sizeof check);
	return memcmp(check, header + 32, sizeof check) == 0;
}

int
segment_scan(struct journal_segment *s, uint64_t expected, struct segment_record *r, struct error *err)
{
	unsigned char header[SEGMENT_RECORD_HEADER_BYTES];
	if (s->capacity < s->end || s->capacity - s->end < sizeof header)
		return 0;
	if (segment_read(s, s->end, header, sizeof header, err) != 0)
		return -1;
	if (!decode_record(s, s->end, header, r) || r->sequence != expected)
		return 0;
	int result = check_record(s, s->end, header, r, err);
	if (result == 1)
		s->end += segment_record_bytes(r->length);
	return result;
}

static bool
is_zeros(const unsigned char *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

bool
segment_proves_loss(const struct journal_segment *s, uint64_t expected, uint64_t consumed)
{
	unsigned char chunk[CHECK_STEP_BYTES] = { 0 };
	struct segment_record r;
	unsigned looked_at = 0; /* what only looks like records was written into messages */
	for (uint64_t offset = s->end; offset < s->capacity; offset += sizeof chunk - SEGMENT_RECORD_HEADER_BYTES) {
		size_t len = s->capacity - offset < sizeof chunk ? (size_t)(s->capacity - offset) : sizeof chunk;
		if (segment_read(s, offset, chunk, len, &(struct error){ 0 }) != 0 || is_zeros(chunk, len))
			return false; /* never written to, in all likelihood */
		for (size_t at = 0; at + SEGMENT_RECORD_HEADER_BYTES <= len && looked_at < LOOKS_MOST; at += 8) {
			if (memcmp(chunk + at, RECORD_MAGIC, 4) != 0 || !decode_record(s, offset + at, chunk + at, &r) ||
			    r.durable_below <= expected || r.sequence + r.identifiers <= consumed)
				continue;
			looked_at++;
			if (check_record(s, offset + at, chunk + at, &r, &(struct error){ 0 }) == 1)
				return true;
		}
	}
	return false;
}
