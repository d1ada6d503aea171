/* SPDX-License-Identifier: ISC */
#include "store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/random.h"
#include "store/mailtext.h"
#include "store/numbered.h"

#define STEP_BYTES 65536
#define LINE_BYTES 512
#define RANDOM_LETTERS 12

struct maildir {
	int staging_fd, new_fd;
	struct buffer out; /* what is to be written next of the message that is staged */
};

static int
make_folders(int dir_fd, struct maildir *m, struct error *err)
{
	static const char *const folders[] = { "tmp", "cur", "new" };
	int maildir_fd = -1, fd = -1, result = -1;
	if (file_open_private_dir(dir_fd, "staging", &m->staging_fd, err) != 0 ||
	    file_open_private_dir(dir_fd, "Maildir", &maildir_fd, err) != 0)
		goto out;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		file_close(&fd);
		if (file_open_private_dir(maildir_fd, folders[i], &fd, err) != 0)
			goto out;
	}
	m->new_fd = fd; /* the last of the list */
	fd = -1;
	if (fsync(maildir_fd) != 0 || fsync(dir_fd) != 0) {
		error_set_errno(err, errno, "cannot make the Maildir durable");
		goto out;
	}
	result = 0;
out:
	file_close(&fd);
	file_close(&maildir_fd);
	return result;
}

int
maildir_open(int dir_fd, struct maildir **out, struct error *err)
{
	struct stat staging, new, all;
	struct maildir *m = calloc(1, sizeof *m);
	if (m == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	m->staging_fd = m->new_fd = -1;
	buffer_init(&m->out, STEP_BYTES + LINE_BYTES + 64);
	if (make_folders(dir_fd, m, err) != 0)
		goto fail;
	if (fstat(m->staging_fd, &staging) != 0 || fstat(m->new_fd, &new) != 0 || fstat(dir_fd, &all) != 0) {
		error_set_errno(err, errno, "cannot look at the Maildir");
		goto fail;
	}
	if (staging.st_dev != new.st_dev || staging.st_dev != all.st_dev) {
		error_set(err, ERROR_INVALID, "mail/, mail/staging and mail/Maildir must be on one file system");
		goto fail;
	}
	*out = m;
	return 0;
fail:
	maildir_free(m);
	return -1;
}

void
maildir_free(struct maildir *m)
{
	if (m == NULL)
		return;
	buffer_finish(&m->out);
	file_close(&m->staging_fd);
	file_close(&m->new_fd);
	free(m);
}

/* ---- staging */

/* A message on its way into staging/. What fits into one step is written when its name is known; else it has its number first. */
struct staged {
	struct maildir *maildir;
	uint64_t sequence;
	int fd; /* -1: nothing was written yet */
	uint64_t bytes;
	struct mailtext text;
};

static int
write_out(struct staged *g, struct error *err)
{
	struct buffer *out = &g->maildir->out;
	if (file_write_all(g->fd, buffer_bytes(out), buffer_len(out), err) != 0)
		return -1;
	g->bytes += buffer_len(out);
	buffer_consume(out, buffer_len(out));
	return 0;
}

/* Takes the message through the conversion; the end of it is left in `out`. */
static int
convert(struct staged *g, maildir_read *read, void *context, uint64_t length, struct error *err)
{
	unsigned char chunk[STEP_BYTES];
	struct buffer *out = &g->maildir->out;
	for (uint64_t done = 0; done < length;) {
		size_t step = length - done < sizeof chunk ? (size_t)(length - done) : sizeof chunk;
		if (done > 0 && g->fd < 0 && numbered_create(g->maildir->staging_fd, g->sequence, &g->fd, err) != 0)
			return -1;
		if (done > 0 && write_out(g, err) != 0)
			return -1;
		if (read(context, done, chunk, step, err) != 0 || mailtext_feed(&g->text, slice_of(chunk, step), out, err) != 0)
			return -1;
		done += step;
		if (done == length && mailtext_finish(&g->text, out, err) != 0)
			return -1;
	}
	return 0;
}

/* S and W are the sizes with LF and with CRLF: IMAP servers then know them without reading. */
static void
name_of(const struct staged *g, int64_t arrival_ms, uint64_t bytes, char name[MAILDIR_NAME_MAX])
{
	char letters[RANDOM_LETTERS + 1];
	random_name(letters, sizeof letters);
	int used = snprintf(name, MAILDIR_NAME_MAX, "%" PRId64 ".M%06" PRId64 "Q%" PRIx64 "R%s.local,S=%" PRIu64,
	    arrival_ms / 1000, arrival_ms % 1000 * 1000, g->sequence, letters, bytes);
	if (!g->text.has_bare)
		snprintf(name + used, MAILDIR_NAME_MAX - (size_t)used, ",W=%" PRIu64, bytes + g->text.lines + 1);
}

static int
end_file(struct staged *g, int64_t arrival_ms, struct error *err)
{
	char name[MAILDIR_NAME_MAX], number[NUMBERED_NAME_BYTES];
	int dir_fd = g->maildir->staging_fd;
	bool is_named = g->fd < 0;
	name_of(g, arrival_ms, g->bytes + buffer_len(&g->maildir->out), name);
	if (is_named)
		g->fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (g->fd < 0)
		return error_set_errno(err, errno, "cannot create a file for a message");
	if (write_out(g, err) != 0)
		return -1;
	numbered_name(g->sequence, number);
	if (!is_named && renameat(dir_fd, number, dir_fd, name) != 0)
		return error_set_errno(err, errno, "cannot name a message in staging");
	return 0;
}

int
maildir_stage(struct maildir *m, uint64_t sequence, int64_t arrival_ms, struct slice reverse_path,
    maildir_read *read, void *context, uint64_t length, struct error *err)
{
	char line[LINE_BYTES];
	struct staged g = { .maildir = m, .sequence = sequence, .fd = -1 };
	int len = snprintf(line, sizeof line, "Return-Path: <%.*s>\n", (int)reverse_path.len, (const char *)reverse_path.data);
	if (len < 0 || (size_t)len >= sizeof line)
		return error_set(err, ERROR_TOO_LARGE, "a reverse-path of %zu bytes", reverse_path.len);
	mailtext_init(&g.text);
	buffer_consume(&m->out, buffer_len(&m->out)); /* of one that failed */
	int result = buffer_append(&m->out, line, (size_t)len, err);
	if (result == 0)
		result = convert(&g, read, context, length, err);
	if (result == 0)
		result = end_file(&g, arrival_ms, err);
	file_close(&g.fd);
	return result;
}

/* ---- what is staged */

bool
maildir_sequence_of(const char *name, uint64_t *sequence)
{
	static const char digits[] = "0123456789", hex[] = "0123456789abcdef";
	const char *at = name;
	size_t len = strspn(at, digits);
	if (len == 0 || strncmp(at += len, ".M", 2) != 0)
		return false;
	len = strspn(at += 2, digits);
	if (len == 0 || at[len] != 'Q')
		return false;
	at += len + 1;
	len = strspn(at, hex);
	*sequence = strtoull(at, NULL, 16);
	return len > 0 && len <= 16 && at[len] == 'R';
}

static bool
is_number(const char *name)
{
	return strlen(name) == NUMBERED_NAME_BYTES - 1 && strspn(name, "0123456789abcdef") == NUMBERED_NAME_BYTES - 1;
}

static DIR *
list_staging(const struct maildir *m, struct error *err)
{
	int fd = openat(m->staging_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		error_set_errno(err, errno, "cannot list what is staged");
		file_close(&fd);
	}
	return dir;
}

/* Whether readdir() had an entry; the end of a folder that cannot be read on is no end. */
static bool
next_entry(DIR *dir, struct dirent **entry, int *result, struct error *err)
{
	errno = 0;
	*entry = readdir(dir);
	if (*entry == NULL && errno != 0)
		*result = error_set_errno(err, errno, "cannot list what is staged");
	return *entry != NULL;
}

static int
move(const struct maildir *m, const char *staged, const char *name, struct error *err)
{
	if (renameat(m->staging_fd, staged, m->new_fd, name) == 0)
		return 0;
	if (errno == ENOENT && faccessat(m->staging_fd, staged, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		return 0; /* it is the staged file that is missing, not the folder */
	return error_set_errno(err, errno, "cannot put a message into the Maildir");
}

/* A folder that changes while it is read may hide an entry, so it is read until nothing is found. */
int
maildir_publish(struct maildir *m, uint64_t below, void (*on_renamed)(void), struct error *err)
{
	struct dirent *entry;
	uint64_t sequence;
	size_t moved = 1;
	int result = 0;
	while (result == 0 && moved > 0) {
		DIR *dir = list_staging(m, err);
		if (dir == NULL)
			return -1;
		for (moved = 0; result == 0 && next_entry(dir, &entry, &result, err);) {
			if (!maildir_sequence_of(entry->d_name, &sequence) || sequence >= below)
				continue;
			result = move(m, entry->d_name, entry->d_name, err);
			moved++;
			if (result == 0 && on_renamed != NULL)
				on_renamed();
		}
		closedir(dir);
	}
	return result;
}

int
maildir_unstage(struct maildir *m, uint64_t from, struct error *err)
{
	struct dirent *entry;
	uint64_t sequence;
	size_t removed = 1;
	int result = 0;
	while (result == 0 && removed > 0) {
		DIR *dir = list_staging(m, err);
		if (dir == NULL)
			return -1;
		for (removed = 0; result == 0 && next_entry(dir, &entry, &result, err);) {
			bool is_staged = maildir_sequence_of(entry->d_name, &sequence);
			if (is_staged ? sequence < from : !is_number(entry->d_name))
				continue;
			removed++;
			if (unlinkat(m->staging_fd, entry->d_name, 0) != 0 && errno != ENOENT)
				result = error_set_errno(err, errno, "cannot remove a message that was staged in vain");
		}
		closedir(dir);
	}
	return result;
}

int
maildir_publish_as(struct maildir *m, uint64_t sequence, const char *name, struct error *err)
{
	char number[NUMBERED_NAME_BYTES];
	numbered_name(sequence, number);
	if (move(m, number, name, err) != 0)
		return -1;
	return fsync(m->new_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the Maildir durable");
}
