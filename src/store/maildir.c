/* SPDX-License-Identifier: ISC */
#include "store/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/random.h"
#include "store/filegroup.h"
#include "store/mailtext.h"

#define STEP_BYTES 65536
#define RANDOM_LETTERS 12

struct maildir {
	int staging_fd, new_fd;
	struct filegroup group;
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
	struct stat staging, new;
	struct maildir *m = calloc(1, sizeof *m);
	if (m == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	m->staging_fd = m->new_fd = -1;
	if (make_folders(dir_fd, m, err) != 0)
		goto fail;
	if (fstat(m->staging_fd, &staging) != 0 || fstat(m->new_fd, &new) != 0) {
		error_set_errno(err, errno, "cannot look at the Maildir");
		goto fail;
	}
	if (staging.st_dev != new.st_dev) {
		error_set(err, ERROR_INVALID, "mail/staging and mail/Maildir must be on one file system");
		goto fail;
	}
	filegroup_init(&m->group, m->staging_fd);
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
	filegroup_drop(&m->group);
	file_close(&m->staging_fd);
	file_close(&m->new_fd);
	free(m);
}

/* Copies the message through the conversion, counting what is written. */
static int
copy_message(int fd, struct mailtext *text, maildir_read *read, void *context, uint64_t length, uint64_t *written,
    struct error *err)
{
	unsigned char chunk[STEP_BYTES];
	struct buffer out;
	int result = -1;
	buffer_init(&out, sizeof chunk + 64);
	for (uint64_t done = 0; done < length;) {
		size_t step = length - done < sizeof chunk ? (size_t)(length - done) : sizeof chunk;
		if (read(context, done, chunk, step, err) != 0 || mailtext_feed(text, slice_of(chunk, step), &out, err) != 0)
			goto out;
		done += step;
		if (done == length && mailtext_finish(text, &out, err) != 0)
			goto out;
		if (file_write_all(fd, buffer_bytes(&out), buffer_len(&out), err) != 0)
			goto out;
		*written += buffer_len(&out);
		buffer_consume(&out, buffer_len(&out));
	}
	result = 0;
out:
	buffer_finish(&out);
	return result;
}

int
maildir_stage(struct maildir *m, uint64_t sequence, int64_t arrival_ms, struct slice reverse_path,
    maildir_read *read, void *context, uint64_t length, char name[MAILDIR_NAME_MAX], struct error *err)
{
	int fd;
	struct mailtext text;
	char letters[RANDOM_LETTERS + 1], line[512];
	if (filegroup_create(&m->group, sequence, &fd, err) != 0)
		return -1;
	int len = snprintf(line, sizeof line, "Return-Path: <%.*s>\n", (int)reverse_path.len, (const char *)reverse_path.data);
	if (len < 0 || (size_t)len >= sizeof line)
		return error_set(err, ERROR_TOO_LARGE, "a reverse-path of %zu bytes", reverse_path.len);
	if (file_write_all(fd, line, (size_t)len, err) != 0)
		return -1;
	uint64_t bytes = (uint64_t)len;
	mailtext_init(&text);
	if (copy_message(fd, &text, read, context, length, &bytes, err) != 0)
		return -1;
	random_name(letters, sizeof letters);
	/* S and W are the sizes with LF and with CRLF: IMAP servers then know them without reading. */
	int used = snprintf(name, MAILDIR_NAME_MAX, "%" PRId64 ".M%06" PRId64 "Q%" PRIx64 "R%s.local,S=%" PRIu64,
	    arrival_ms / 1000, arrival_ms % 1000 * 1000, sequence, letters, bytes);
	if (!text.has_bare)
		snprintf(name + used, MAILDIR_NAME_MAX - (size_t)used, ",W=%" PRIu64, bytes + text.lines + 1);
	return 0;
}

int
maildir_sync(struct maildir *m, struct error *err)
{
	return filegroup_sync(&m->group, err);
}

void
maildir_drop(struct maildir *m)
{
	filegroup_drop(&m->group);
}

int
maildir_publish(struct maildir *m, uint64_t sequence, const char *name, struct error *err)
{
	char staged[FILEGROUP_NAME_BYTES];
	filegroup_name(sequence, staged);
	if (renameat(m->staging_fd, staged, m->new_fd, name) == 0)
		return 0;
	if (errno == ENOENT && faccessat(m->staging_fd, staged, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		return 0; /* it is the staged file that is missing, not the folder */
	return error_set_errno(err, errno, "cannot put a message into the Maildir");
}

int
maildir_sync_published(struct maildir *m, struct error *err)
{
	return fsync(m->new_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the Maildir durable");
}
