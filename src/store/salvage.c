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
#include "store/maildir.h"
#include "store/mailtext.h"
#include "store/salvage_database.h"
#include "store/salvage_journal.h"

#define STEP_BYTES 65536
#define NAME_BYTES 64
#define SUBSCRIPTIONS_MAX 65536

struct salvage {
	int dir_fd, tmp_fd, new_fd;
	struct salvage_report *report;
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

/* Wire form becomes mailbox form; what has it already stays as it is. *done: how much could be read, which may be less than
 * there should be. */
static int
copy(int fd, read_some *read_from, void *context, uint64_t length, uint64_t *done, struct error *err)
{
	struct mailtext text;
	struct buffer out;
	unsigned char chunk[STEP_BYTES];
	int result = 0;
	bool is_cut = false;
	mailtext_init(&text);
	buffer_init(&out, sizeof chunk + 256);
	for (*done = 0; result == 0 && !is_cut && *done < length;) {
		size_t step = length - *done < sizeof chunk ? (size_t)(length - *done) : sizeof chunk;
		is_cut = read_from(context, *done, chunk, step, NULL) != 0;
		if (!is_cut) {
			result = mailtext_feed(&text, slice_of(chunk, step), &out, err);
			*done += step;
		}
		if (result == 0 && (is_cut || *done == length))
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
	uint64_t done = 0;
	snprintf(name, sizeof name, "%" PRId64 ".%s%016" PRIx64 ".local", time_s, from, number);
	int fd = openat(s->tmp_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot write to the mailbox " SALVAGE_FOLDER);
	int result = copy(fd, read_from, context, length, &done, err);
	bool is_there = result == 0 && (done > 0 || length == 0);
	if (is_there && (fsync(fd) != 0 || renameat(s->tmp_fd, name, s->new_fd, name) != 0))
		result = error_set_errno(err, errno, "cannot write to the mailbox " SALVAGE_FOLDER);
	file_close(&fd);
	if (result != 0 || !is_there)
		unlinkat(s->tmp_fd, name, 0);
	else
		s->report->recovered++;
	s->report->lost += result == 0 && done < length;
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
	if (sscanf(name, "%16llx%c", &number, &end) != 1) {
		uint64_t staged;
		if (!maildir_sequence_of(name, &staged))
			return 0;
		number = staged;
	}
	int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0) {
		s->report->lost++; /* the others may be better */
		file_close(&fd);
		return 0;
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
	struct salvage *salvage;
	const struct salvage_record *record;
	uint64_t head_bytes;
};

static int
read_journal(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	struct in_journal *in = context;
	ssize_t n = pread(in->record->fd, out, len, (off_t)(in->record->offset + in->head_bytes + offset));
	return n == (ssize_t)len ? 0 : error_set(err, ERROR_IO, "a record was cut");
}

static int
add_record(void *context, const struct salvage_record *record, struct error *err)
{
	/* queue/record.h: the head's length, the head, the message */
	struct in_journal in = { .salvage = context, .record = record };
	unsigned char raw[4];
	if (record->length < sizeof raw || read_journal(&in, 0, raw, sizeof raw, NULL) != 0)
		return 0;
	in.head_bytes = sizeof raw + encode_from_number(raw, sizeof raw);
	if (in.head_bytes > record->length)
		return 0;
	return add(in.salvage, "journal", record->sequence, record->written_s, read_journal, &in, record->length - in.head_bytes, err);
}

static int
add_journal(struct salvage *s, enum salvage_which which, struct error *err)
{
	int fd = openat(s->dir_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "cannot open the journal");
	int result = salvage_journal(fd, which, add_record, s, &s->report->lost, err);
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

/* The parts of the journal that were set aside: the rest is in use. */
static int
move_parts_aside(struct salvage *s, const char *aside, struct error *err)
{
	int aside_fd = -1, journal_fd = -1;
	int result = file_open_private_dir(s->dir_fd, aside, &aside_fd, err);
	if (result == 0)
		result = file_open_private_dir(s->dir_fd, "journal", &journal_fd, err);
	if (result == 0)
		result = salvage_journal_move(journal_fd, aside_fd, err);
	if (result == 0 && (fsync(aside_fd) != 0 || fsync(journal_fd) != 0 || fsync(s->dir_fd) != 0))
		result = error_set_errno(err, errno, "cannot make it durable");
	file_close(&journal_fd);
	file_close(&aside_fd);
	return result;
}

/* Whether nothing but parts of the journal is damaged. */
static bool
is_whole(int dir_fd)
{
	int fd = openat(dir_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	bool result = fd >= 0 && salvage_journal_is_damaged(fd) && salvage_database_is_whole(dir_fd);
	file_close(&fd);
	return result;
}

int
salvage_mail(int dir_fd, const char *aside, struct salvage_report *report, struct error *err)
{
	struct salvage s = { .dir_fd = dir_fd, .tmp_fd = -1, .new_fd = -1, .report = report };
	struct stat st;
	*report = (struct salvage_report){ 0 };
	if (fstatat(dir_fd, aside, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERROR_EXISTS, "there is a folder %s already", aside);
	report->is_whole = is_whole(dir_fd);
	int result = open_mailbox(&s, err);
	if (result == 0 && !report->is_whole)
		result = add_files(&s, "staging", err);
	if (result == 0 && !report->is_whole)
		result = add_files(&s, "queue", err);
	if (result == 0)
		result = add_journal(&s, report->is_whole ? SALVAGE_SET_ASIDE : SALVAGE_ALL, err);
	if (result == 0 && fsync(s.new_fd) != 0)
		result = error_set_errno(err, errno, "cannot make the mailbox durable");
	if (result == 0)
		result = subscribe(&s, err);
	if (result == 0)
		result = report->is_whole ? move_parts_aside(&s, aside, err) : move_aside(&s, aside, err);
	if (result == 0 && !report->is_whole)
		salvage_database(dir_fd, aside, &report->kept);
	file_close(&s.tmp_fd);
	file_close(&s.new_fd);
	return result;
}
