/* SPDX-License-Identifier: ISC */
#include "store/copies.h"

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

#define PATH_BYTES 320
#define RANDOM_LETTERS 12
#define SEEN ":2,S"

/* ---- reading */

/* Is that the name of a copy? size becomes what it says of the file's. */
static bool
parse_name(const char *name, struct copy *out, int64_t *size)
{
	int look = 0, random = 0, end = 0;
	if (strlen(name) >= COPIES_NAME_MAX)
		return false;
	int count = sscanf(name, "%" SCNd64 ".M000000Q%" SCNx64 "K%n%16" SCNx64 "R%n%*12[a-z2-7].local%n,S=%" SCNd64, &out->time_s,
	    &out->body, &look, &out->look, &random, &end, size);
	return count == 4 && random - look == 17 && end - random == RANDOM_LETTERS + 6; /* digits and "R"; letters and ".local" */
}

static int
add(struct copies *c, size_t *room, const struct copy *copy, struct error *err)
{
	if (c->count == *room) {
		size_t more = *room == 0 ? 64 : *room * 2;
		struct copy *list = realloc(c->list, more * sizeof *list);
		if (list == NULL)
			return error_set(err, ERROR_NO_MEMORY, "out of memory");
		c->list = list;
		*room = more;
	}
	c->list[c->count++] = *copy;
	return 0;
}

static int
scan_part(int mail_fd, const char *folder, const char *part, struct copies *out, size_t *room, struct error *err)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", folder, part);
	int fd = openat(mail_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), result = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		result = errno == ENOENT ? 0 : error_set_errno(err, errno, "cannot read the mail folder %s", folder);
		file_close(&fd);
		return result;
	}
	struct dirent *entry;
	while (result == 0 && out->count < COPIES_MOST && (entry = readdir(dir)) != NULL) {
		struct copy copy;
		struct stat st;
		int64_t size;
		if (!parse_name(entry->d_name, &copy, &size))
			continue;
		if (strcmp(part, "tmp") == 0) {
			unlinkat(fd, entry->d_name, 0);
			continue;
		}
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size != size)
			copy.look = 0; /* the power went before all of it was on the disk */
		snprintf(copy.path, sizeof copy.path, "%s/%s", part, entry->d_name);
		result = add(out, room, &copy, err);
	}
	closedir(dir);
	return result;
}

static int
by_body(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;
	return x->body < y->body ? -1 : x->body > y->body;
}

int
copies_scan(int mail_fd, const char *folder, struct copies *out, struct error *err)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	size_t room = 0;
	*out = (struct copies){ 0 };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (scan_part(mail_fd, folder, parts[i], out, &room, err) != 0) {
			copies_finish(out);
			return -1;
		}
	if (out->count > 0)
		qsort(out->list, out->count, sizeof *out->list, by_body);
	return 0;
}

void
copies_finish(struct copies *copies)
{
	free(copies->list);
	*copies = (struct copies){ 0 };
}

const struct copy *
copies_find(const struct copies *copies, uint64_t body)
{
	size_t low = 0, high = copies->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (copies->list[middle].body < body)
			low = middle + 1;
		else
			high = middle;
	}
	return low < copies->count && copies->list[low].body == body ? &copies->list[low] : NULL;
}

/* ---- writing */

static int
make_folder(int mail_fd, const char *folder, struct error *err)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	int folder_fd = -1, fd = -1;
	int result = file_open_private_dir(mail_fd, folder, &folder_fd, err);
	for (size_t i = 0; i < sizeof parts / sizeof *parts && result == 0; i++) {
		result = file_open_private_dir(folder_fd, parts[i], &fd, err);
		file_close(&fd);
	}
	file_close(&folder_fd);
	return result;
}

/* As it stands in a mailbox, and the sizes with LF and with CRLF, which IMAP servers take from the name. */
static int
convert(struct slice message, struct buffer *out, char *sizes, size_t room, struct error *err)
{
	struct mailtext text;
	mailtext_init(&text);
	if (mailtext_feed(&text, message, out, err) != 0 || mailtext_finish(&text, out, err) != 0)
		return -1;
	int len = snprintf(sizes, room, "S=%zu", buffer_len(out));
	if (!text.has_bare)
		snprintf(sizes + len, room - (size_t)len, ",W=%" PRIu64, buffer_len(out) + text.lines);
	return 0;
}

static int
create(int mail_fd, const char *folder, const char *path, int *fd, struct error *err)
{
	for (int i = 0; i < 2; i++) {
		*fd = openat(mail_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd >= 0)
			return 0;
		if (errno != ENOENT || i > 0)
			break;
		if (make_folder(mail_fd, folder, err) != 0) /* the owner may have removed it */
			return -1;
	}
	return error_set_errno(err, errno, "cannot write into the mail folder %s", folder);
}

int
copies_write(int mail_fd, const char *folder, uint64_t body, uint64_t look, int64_t time_s, struct slice message,
    struct error *err)
{
	char letters[RANDOM_LETTERS + 1], sizes[64], name[COPIES_NAME_MAX], from[PATH_BYTES], to[PATH_BYTES];
	struct buffer text;
	int fd = -1;
	buffer_init(&text, message.len + 64);
	int result = convert(message, &text, sizes, sizeof sizes, err);
	if (result != 0)
		goto out;
	random_name(letters, sizeof letters);
	snprintf(name, sizeof name, "%" PRId64 ".M000000Q%" PRIx64 "K%016" PRIx64 "R%s.local,%s", time_s, body, look, letters,
	    sizes);
	snprintf(from, sizeof from, "%s/tmp/%s", folder, name);
	snprintf(to, sizeof to, "%s/cur/%s" SEEN, folder, name);
	result = create(mail_fd, folder, from, &fd, err);
	if (result != 0)
		goto out;
	result = file_write_all(fd, buffer_bytes(&text), buffer_len(&text), err);
	if (result == 0 && renameat(mail_fd, from, mail_fd, to) != 0)
		result = error_set_errno(err, errno, "cannot put a copy into the mail folder %s", folder);
	if (result != 0)
		unlinkat(mail_fd, from, 0);
out:
	file_close(&fd);
	buffer_finish(&text);
	return result;
}

int
copies_remove(int mail_fd, const char *folder, const struct copy *copy, struct error *err)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", folder, copy->path);
	if (unlinkat(mail_fd, path, 0) == 0 || errno == ENOENT)
		return 0; /* its flags may have changed meanwhile, which changes its name: it is found the next time */
	return error_set_errno(err, errno, "cannot remove a copy from the mail folder %s", folder);
}
