/* SPDX-License-Identifier: ISC */
#include "store/salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "store/journal.h"
#include "store/mailtext.h"
#include "store/salvage_ids.h"

#define STEP_BYTES 65536
#define NAME_BYTES 64
#define SUBSCRIPTIONS_MAX 65536

struct salvage {
	int dir_fd, tmp_fd, new_fd;
	size_t count;
};

typedef int read_some(void *context, uint64_t offset, void *out, size_t len, struct error *err);

/* ---- the mailbox */

static int
open_mailbox(struct salvage *s, struct error *err)
{
	int maildir_fd = -1, folder_fd = -1, cur_fd = -1;
	int result = file_open_private_dir(s->dir_fd, "Maildir", &maildir_fd, err);
	if (result == 0)
		result = file_open_private_dir(maildir_fd, "." SALVAGE_FOLDER, &folder_fd, err);
	if (result == 0)
		result = file_open_private_dir(folder_fd, "cur", &cur_fd, err);
	if (result == 0)
		result = file_open_private_dir(folder_fd, "tmp", &s->tmp_fd, err);
	if (result == 0)
		result = file_open_private_dir(folder_fd, "new", &s->new_fd, err);
	if (result == 0 && (fsync(folder_fd) != 0 || fsync(maildir_fd) != 0))
		result = error_set_errno(err, errno, "cannot make the folder durable");
	file_close(&cur_fd);
	file_close(&folder_fd);
	file_close(&maildir_fd);
	return result;
}

/* Many mail programs show only what is subscribed to. */
static int
subscribe(struct salvage *s, struct error *err)
{
	struct error why = { 0 };
	struct buffer text;
	int maildir_fd = -1;
	int result = file_open_private_dir(s->dir_fd, "Maildir", &maildir_fd, err);
	buffer_init(&text, SUBSCRIPTIONS_MAX);
	if (result == 0 && file_load(maildir_fd, "subscriptions", &text, &why) != 0 && why.code != ERROR_NOT_FOUND)
		result = error_set(err, why.code, "%s", why.text);
	struct slice lines = slice_of(buffer_bytes(&text), buffer_len(&text));
	if (result == 0 && memmem(lines.data, lines.len, SALVAGE_FOLDER "\n", strlen(SALVAGE_FOLDER "\n")) == NULL) {
		result = buffer_append_string(&text, SALVAGE_FOLDER "\n", err);
		if (result == 0)
			result = file_replace(maildir_fd, "subscriptions", buffer_bytes(&text), buffer_len(&text), 0600, err);
	}
	buffer_finish(&text);
	file_close(&maildir_fd);
	return result;
}

/* Wire form becomes mailbox form; what has it already stays as it is. */
static int
copy(int fd, read_some *read_from, void *context, uint64_t length, struct error *err)
{
	struct mailtext text;
	struct buffer out;
	unsigned char chunk[STEP_BYTES];
	int result = 0;
	mailtext_init(&text);
	buffer_init(&out, sizeof chunk + 256);
	for (uint64_t done = 0; result == 0 && done < length;) {
		size_t step = length - done < sizeof chunk ? (size_t)(length - done) : sizeof chunk;
		result = read_from(context, done, chunk, step, err);
		if (result == 0)
			result = mailtext_feed(&text, slice_of(chunk, step), &out, err);
		done += step;
		if (result == 0 && done == length)
			result = mailtext_finish(&text, &out, err);
		if (result == 0)
			result = file_write_all(fd, buffer_bytes(&out), buffer_len(&out), err);
		buffer_consume(&out, buffer_len(&out));
	}
	buffer_finish(&out);
	return result;
}

/* Its name is the same in each call, so that no message is there twice when one was interrupted. */
static int
add(struct salvage *s, const char *from, uint64_t number, int64_t time_s, read_some *read_from, void *context,
    uint64_t length, struct error *err)
{
	char name[NAME_BYTES];
	snprintf(name, sizeof name, "%" PRId64 ".%s%016" PRIx64 ".local", time_s, from, number);
	int fd = openat(s->tmp_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot write to the mailbox " SALVAGE_FOLDER);
	int result = copy(fd, read_from, context, length, err);
	if (result == 0 && (fsync(fd) != 0 || renameat(s->tmp_fd, name, s->new_fd, name) != 0))
		result = error_set_errno(err, errno, "cannot write to the mailbox " SALVAGE_FOLDER);
	file_close(&fd);
	if (result == 0)
		s->count++;
	else
		unlinkat(s->tmp_fd, name, 0);
	return result;
}

/* ---- where messages are */

static int
read_file(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	ssize_t n = pread(*(const int *)context, out, len, (off_t)offset);
	if (n == (ssize_t)len)
		return 0;
	return n < 0 ? error_set_errno(err, errno, "cannot read a message") : error_set(err, ERROR_IO, "a message was cut");
}

static int
add_file(struct salvage *s, int folder_fd, const char *folder, const char *name, struct error *err)
{
	struct stat st;
	unsigned long long number;
	char end;
	if (sscanf(name, "%16llx%c", &number, &end) != 1)
		return 0;
	int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0) {
		error_set_errno(err, errno, "cannot open a message in %s", folder);
		file_close(&fd);
		return -1;
	}
	int result = S_ISREG(st.st_mode) ? add(s, folder, number, st.st_mtime, read_file, &fd, (uint64_t)st.st_size, err) : 0;
	file_close(&fd);
	return result;
}

/* A message in the queue may also be in the journal's last part: it is there twice then, rather than never. */
static int
add_files(struct salvage *s, const char *folder, struct error *err)
{
	struct dirent *entry;
	int result = 0;
	int fd = openat(s->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "cannot open %s", folder);
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return error_set_errno(err, errno, "cannot list %s", folder);
	}
	while (result == 0 && (entry = readdir(dir)) != NULL)
		result = add_file(s, fd, folder, entry->d_name, err);
	closedir(dir);
	return result;
}

struct in_journal {
	struct journal *journal;
	const struct journal_entry *entry;
	uint64_t head_bytes;
};

static int
read_journal(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	struct in_journal *in = context;
	return journal_read(in->journal, in->entry, in->head_bytes + offset, out, len, err);
}

static int
add_journal(struct salvage *s, struct error *err)
{
	int fd = openat(s->dir_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct in_journal in = { 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "cannot open the journal");
	int result = journal_open(fd, 0, &in.journal, err);
	in.entry = result == 0 ? journal_first(in.journal) : NULL;
	for (; result == 0 && in.entry != NULL; in.entry = journal_next(in.journal, in.entry)) {
		/* queue/record.h: the head's length, the head, the message */
		unsigned char raw[4];
		struct stat st = { 0 };
		result = journal_read(in.journal, in.entry, 0, raw, sizeof raw, err);
		in.head_bytes = sizeof raw + encode_from_number(raw, sizeof raw);
		if (result != 0 || in.head_bytes > in.entry->length)
			continue;
		fstat(fd, &st);
		result = add(s, "journal", in.entry->sequence, st.st_mtime, read_journal, &in, in.entry->length - in.head_bytes, err);
	}
	journal_free(in.journal);
	file_close(&fd);
	return result;
}

/* ---- aside */

static int
move_aside(struct salvage *s, const char *aside, struct error *err)
{
	/* The database first and the journal last: whatever comes between, the next start refuses, and the next call goes on. */
	static const char *const names[] = { "mail.db-wal", "mail.db-shm", "mail.db", "queue", "staging", "journal" };
	int aside_fd = -1;
	int result = file_open_private_dir(s->dir_fd, aside, &aside_fd, err);
	for (size_t i = 0; result == 0 && i < sizeof names / sizeof *names; i++)
		if (renameat(s->dir_fd, names[i], aside_fd, names[i]) != 0 && errno != ENOENT)
			result = error_set_errno(err, errno, "cannot move %s to %s", names[i], aside);
	if (result == 0 && (fsync(aside_fd) != 0 || fsync(s->dir_fd) != 0))
		result = error_set_errno(err, errno, "cannot make it durable");
	file_close(&aside_fd);
	return result;
}

int
salvage_mail(int dir_fd, const char *aside, size_t *count, struct error *err)
{
	struct salvage s = { .dir_fd = dir_fd, .tmp_fd = -1, .new_fd = -1 };
	struct stat st;
	if (fstatat(dir_fd, aside, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERROR_EXISTS, "there is a folder %s already", aside);
	int result = open_mailbox(&s, err);
	if (result == 0)
		result = add_files(&s, "staging", err);
	if (result == 0)
		result = add_files(&s, "queue", err);
	if (result == 0)
		result = add_journal(&s, err);
	if (result == 0 && fsync(s.new_fd) != 0)
		result = error_set_errno(err, errno, "cannot make the mailbox durable");
	if (result == 0)
		result = subscribe(&s, err);
	if (result == 0)
		result = move_aside(&s, aside, err);
	if (result == 0)
		salvage_ids(dir_fd, aside);
	*count = s.count;
	file_close(&s.tmp_fd);
	file_close(&s.new_fd);
	return result;
}
