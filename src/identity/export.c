/* SPDX-License-Identifier: ISC */
#include "identity/export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/file.h"
#include "identity/tickets.h"

#define STEP_BYTES 32768

struct export {
	struct seal_writer *seal;
	bool (*wants_end)(void);
	struct archive_entry entry; /* its path is that of the folder at hand */
};

static int
check_end(const struct export *x, struct error *err)
{
	return x->wants_end != NULL && x->wants_end() ? error_set(err, ERROR_TIMEOUT, "interrupted") : 0;
}

static int
write_entry(struct export *x, enum archive_type type, const struct stat *st, struct error *err)
{
	unsigned char head[ARCHIVE_FIXED_BYTES + ARCHIVE_PATH_MAX];
	size_t len;
	x->entry.type = type;
	x->entry.modified_s = st != NULL && st->st_mtime > 0 ? (uint64_t)st->st_mtime : 0;
	x->entry.size = type == ARCHIVE_FILE ? (uint64_t)st->st_size : 0;
	if (check_end(x, err) != 0)
		return -1;
	if (archive_encode(&x->entry, head, &len, NULL) != 0)
		return error_set(err, ERROR_INVALID, "the name or size of %.200s is out of bounds: move it away", x->entry.path);
	return seal_write(x->seal, head, len, err);
}

static int
write_bytes(struct export *x, int fd, uint64_t size, struct error *err)
{
	unsigned char bytes[STEP_BYTES];
	int result = -1;
	while (size > 0) {
		ssize_t n = read(fd, bytes, size < sizeof bytes ? (size_t)size : sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, errno, "cannot read %.150s", x->entry.path);
			goto out;
		}
		if (n == 0) {
			error_set(err, ERROR_BUSY, "%.150s became shorter meanwhile: does something else use the folder?", x->entry.path);
			goto out;
		}
		if (check_end(x, err) != 0 || seal_write(x->seal, bytes, (size_t)n, err) != 0)
			goto out;
		size -= (uint64_t)n;
	}
	result = 0;
out:
	sodium_memzero(bytes, sizeof bytes);
	return result;
}

static int
write_file(struct export *x, int dir_fd, const char *name, struct error *err)
{
	struct stat st, after;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		error_set_errno(err, errno, "cannot open %.150s", x->entry.path);
		file_close(&fd);
		return -1;
	}
	int result = write_entry(x, ARCHIVE_FILE, &st, err);
	if (result == 0)
		result = write_bytes(x, fd, (uint64_t)st.st_size, err);
	if (result == 0 && (fstat(fd, &after) != 0 || after.st_size != st.st_size ||
	        after.st_mtim.tv_sec != st.st_mtim.tv_sec || after.st_mtim.tv_nsec != st.st_mtim.tv_nsec))
		result = error_set(err, ERROR_BUSY, "%.150s was written meanwhile: does something else use the folder?",
		    x->entry.path);
	file_close(&fd);
	return result;
}

static int write_folder(struct export *x, int dir_fd, struct error *err);

/* Keys that are to be forgotten in a week must not lie in a file that is kept, nor sessions with peers, which are for one machine, as is
 * whether this copy or another is the one that is published. */
static bool
stays_here(const struct export *x, const char *name)
{
	if (x->entry.path[0] == '\0')
		return strcmp(name, TICKETS_FILE) == 0 || strcmp(name, IDENTITY_STANDBY_FILE) == 0;
	return strcmp(x->entry.path, IDENTITY_MAIL_FOLDER) == 0 &&
	    strncmp(name, IDENTITY_SESSIONS_FILE, strlen(IDENTITY_SESSIONS_FILE)) == 0; /* with what SQLite has beside it */
}

static int
write_one(struct export *x, int dir_fd, const char *name, struct error *err)
{
	struct stat st;
	int fd, result = -1;
	size_t len = strlen(x->entry.path), name_len = strlen(name);
	if (len + 1 + name_len > ARCHIVE_PATH_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the path %.150s... is too long", x->entry.path);
	snprintf(x->entry.path + len, sizeof x->entry.path - len, "%s%s", len > 0 ? "/" : "", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		error_set_errno(err, errno, "cannot look at %.150s", x->entry.path);
	else if (S_ISREG(st.st_mode))
		result = write_file(x, dir_fd, name, err);
	else if (!S_ISDIR(st.st_mode))
		error_set(err, ERROR_INVALID, "%.150s is neither a file nor a folder: move it away", x->entry.path);
	else if (write_entry(x, ARCHIVE_FOLDER, &st, err) == 0) {
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			error_set_errno(err, errno, "cannot open the folder %.150s", x->entry.path);
		else
			result = write_folder(x, fd, err);
	}
	x->entry.path[len] = '\0';
	return result;
}

/* Takes dir_fd over. Recursion ends with the depth that archive_encode() allows. */
static int
write_folder(struct export *x, int dir_fd, struct error *err)
{
	DIR *dir = fdopendir(dir_fd);
	if (dir == NULL) {
		error_set_errno(err, errno, "cannot read a folder");
		file_close(&dir_fd);
		return -1;
	}
	int result = 0;
	struct dirent *entry;
	errno = 0;
	while (result == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && !stays_here(x, entry->d_name))
			result = write_one(x, dirfd(dir), entry->d_name, err);
		errno = 0;
	}
	if (result == 0 && errno != 0)
		result = error_set_errno(err, errno, "cannot read the folder %.150s", x->entry.path);
	closedir(dir);
	return result;
}

int
export_identity(int identities_fd, const char *name, int out_fd, struct slice passphrase, struct seal_cost cost,
    bool (*wants_end)(void), struct error *err)
{
	struct export x = { .wants_end = wants_end };
	struct identity identity;
	int fd, result = -1;
	if (identity_load(identities_fd, name, &identity, err) != 0)
		return -1;
	x.seal = seal_writer_new(out_fd, passphrase, cost, err);
	if (x.seal == NULL)
		return -1;
	snprintf(x.entry.path, sizeof x.entry.path, "%s", name);
	if (write_entry(&x, ARCHIVE_NAME, NULL, err) == 0 && identity_open(identities_fd, name, ".", &fd, err) == 0) {
		x.entry.path[0] = '\0';
		if (write_folder(&x, fd, err) == 0 && write_entry(&x, ARCHIVE_END, NULL, err) == 0)
			result = seal_finish(x.seal, err);
	}
	seal_writer_free(x.seal);
	return result;
}
