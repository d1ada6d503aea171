/* SPDX-License-Identifier: ISC */
#include "store/salvage_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/hash.h"
#include "store/segment.h"

#define RECORD_MAGIC "JREC"
#define CHECK_BYTES 32
#define STEP_BYTES 65536
#define WRONG_MAX 1000 /* in a segment: more look like records only because somebody has written them into a message */

struct segment {
	int fd;
	uint64_t bytes, sequence_above; /* of the records found until now */
	uint64_t border;                /* where the last of them ends */
	unsigned char salt[SEGMENT_SALT_BYTES];
	size_t lost, wrong; /* records, as it seems; what only begins like one */
	bool is_in_gap;     /* behind bytes that are something, and no record */
	bool has_ended;     /* there are zeros at the border: what comes behind may be left from a former use of the file */
	bool is_unreadable; /* a part of it */
	int64_t written_s;
};

/* 1: read; 0: it cannot be. */
static int
read_exactly(struct segment *s, uint64_t offset, void *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(s->fd, (unsigned char *)out + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			s->is_unreadable = true;
			return 0;
		}
		done += (size_t)n;
	}
	return 1;
}

static bool
is_plausible(const struct segment *s, uint64_t offset, const unsigned char *header)
{
	uint64_t length = encode_from_number(header + 24, 8), left = s->bytes - offset;
	return memcmp(header, RECORD_MAGIC, 4) == 0 && encode_from_number(header + 8, 8) > s->sequence_above &&
	    encode_from_number(header + 16, 4) > 0 && length <= left && segment_record_bytes(length) <= left;
}

static bool
is_proved(struct segment *s, uint64_t offset, const unsigned char *header)
{
	unsigned char chunk[STEP_BYTES], check[CHECK_BYTES];
	uint64_t length = encode_from_number(header + 24, 8);
	struct hash hash;
	hash_init(&hash, CHECK_BYTES, s->salt, sizeof s->salt);
	hash_update(&hash, header, 32);
	for (uint64_t done = 0; done < length;) {
		size_t step = length - done < sizeof chunk ? (size_t)(length - done) : sizeof chunk;
		if (!read_exactly(s, offset + SEGMENT_RECORD_HEADER_BYTES + done, chunk, step))
			return false;
		hash_update(&hash, chunk, step);
		done += step;
	}
	hash_final(&hash, check, sizeof check);
	return memcmp(check, header + 32, sizeof check) == 0;
}

/* 1: a record is there, and *end behind it; 0: none; -1: found() failed. */
static int
look_at(struct segment *s, uint64_t offset, salvage_found *found, void *context, uint64_t *end, struct error *err)
{
	unsigned char header[SEGMENT_RECORD_HEADER_BYTES];
	if (s->bytes - offset < sizeof header || !read_exactly(s, offset, header, sizeof header) || !is_plausible(s, offset, header))
		return 0;
	if (!is_proved(s, offset, header)) {
		s->lost += s->is_in_gap || s->has_ended; /* a second one there, or more; a former use had smaller sequences */
		s->wrong++;
		return 0;
	}
	const struct salvage_record record = { .fd = s->fd, .sequence = encode_from_number(header + 8, 8),
		.offset = offset + sizeof header, .length = encode_from_number(header + 24, 8), .written_s = s->written_s };
	s->lost += s->has_ended && !s->is_in_gap; /* there was something between them */
	s->is_in_gap = s->has_ended = false;
	s->sequence_above = record.sequence + encode_from_number(header + 16, 4) - 1;
	*end = s->border = offset + segment_record_bytes(record.length);
	return found(context, &record, err) == 0 ? 1 : -1;
}

static void
note_gap(struct segment *s)
{
	if (s->has_ended)
		return;
	s->lost += !s->is_in_gap;
	s->is_in_gap = true;
}

/* Records begin at multiples of eight. */
static int
search(struct segment *s, salvage_found *found, void *context, struct error *err)
{
	static const unsigned char zeros[8];
	unsigned char chunk[STEP_BYTES];
	uint64_t offset = SEGMENT_HEADER_BYTES;
	while (offset < s->bytes && s->wrong < WRONG_MAX) {
		size_t len = s->bytes - offset < sizeof chunk ? (size_t)(s->bytes - offset) : sizeof chunk, at = 0;
		uint64_t end = offset + len;
		int result = 0;
		if (!read_exactly(s, offset, chunk, len))
			len = 0; /* the next step may be readable */
		for (; result == 0 && at + 8 <= len && s->wrong < WRONG_MAX; at += 8) {
			if (memcmp(chunk + at, zeros, 8) == 0) {
				s->has_ended |= offset + at == s->border;
				continue;
			}
			if (memcmp(chunk + at, RECORD_MAGIC, 4) == 0)
				result = look_at(s, offset + at, found, context, &end, err);
			if (result == 0)
				note_gap(s);
		}
		if (result < 0)
			return -1;
		offset = end;
	}
	return 0;
}

static int
search_file(int dir_fd, const char *name, salvage_found *found, void *context, size_t *lost, struct error *err)
{
	unsigned char header[SEGMENT_HEADER_BYTES];
	struct journal_segment decoded = { 0 };
	struct stat st;
	struct segment s = { .border = SEGMENT_HEADER_BYTES,
		.fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) };
	int result = 0;
	if (s.fd < 0 || fstat(s.fd, &st) != 0 || !read_exactly(&s, 0, header, sizeof header)) {
		(*lost)++;
		goto out;
	}
	s.bytes = (uint64_t)st.st_size;
	s.written_s = st.st_mtime;
	if (segment_decode_header(header, &decoded) == 0) {
		if (decoded.first_sequence == 0)
			goto out; /* a spare */
		s.sequence_above = decoded.first_sequence - 1;
	}
	memcpy(s.salt, header + 32, sizeof s.salt); /* whatever else is wrong with the header: without it nothing is proved */
	result = search(&s, found, context, err);
	*lost += s.lost + s.is_unreadable;
out:
	file_close(&s.fd);
	return result;
}

static bool
is_segment(const char *name, bool is_set_aside)
{
	size_t digits = strspn(name, "0123456789abcdef");
	return digits == SEGMENT_NAME_BYTES - 1 && strcmp(name + digits, is_set_aside ? ".damaged" : "") == 0;
}

static DIR *
open_folder(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		file_close(&fd);
	return dir;
}

int
salvage_journal(int dir_fd, enum salvage_which which, salvage_found *found, void *context, size_t *lost, struct error *err)
{
	struct dirent *entry;
	int result = 0;
	DIR *dir = open_folder(dir_fd);
	if (dir == NULL)
		return error_set_errno(err, errno, "cannot list the journal");
	while (result == 0 && (entry = readdir(dir)) != NULL)
		if (is_segment(entry->d_name, true) || (which == SALVAGE_ALL && is_segment(entry->d_name, false)))
			result = search_file(dir_fd, entry->d_name, found, context, lost, err);
	closedir(dir);
	return result;
}

bool
salvage_journal_is_damaged(int dir_fd)
{
	struct dirent *entry;
	bool result = false;
	DIR *dir = open_folder(dir_fd);
	while (dir != NULL && !result && (entry = readdir(dir)) != NULL)
		result = is_segment(entry->d_name, true);
	if (dir != NULL)
		closedir(dir);
	return result;
}

int
salvage_journal_move(int dir_fd, int to_fd, struct error *err)
{
	struct dirent *entry;
	int result = 0;
	DIR *dir = open_folder(dir_fd);
	if (dir == NULL)
		return error_set_errno(err, errno, "cannot list the journal");
	while (result == 0 && (entry = readdir(dir)) != NULL)
		if (is_segment(entry->d_name, true) && renameat(dir_fd, entry->d_name, to_fd, entry->d_name) != 0)
			result = error_set_errno(err, errno, "cannot move a part of the journal");
	closedir(dir);
	return result;
}
