/* SPDX-License-Identifier: ISC */
#include "base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/random.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define READ_STEP_BYTES 65536
#define PATH_BYTES 4096

int
file_write_all(int fd, const void *bytes, size_t len, struct error *err)
{
	const unsigned char *p = bytes;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
file_read_all(int fd, struct buffer *out, struct error *err)
{
	off_t offset = 0;
	bool is_pipe = false; /* that is how a key comes that is in no file */
	for (;;) {
		unsigned char chunk[READ_STEP_BYTES];
		ssize_t n = is_pipe ? read(fd, chunk, sizeof chunk) : pread(fd, chunk, sizeof chunk, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ESPIPE && !is_pipe) {
			is_pipe = true;
			continue;
		}
		if (n < 0)
			return error_set_errno(err, errno, "cannot read");
		if (n == 0)
			return 0;
		if (buffer_append(out, chunk, (size_t)n, err) != 0)
			return -1;
		offset += n;
	}
}

#define SUFFIX_LEN 8

int
file_replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode, struct error *err)
{
	char suffix[SUFFIX_LEN + 1];
	char temporary[NAME_MAX + 1];
	int result = -1;
	random_name(suffix, sizeof suffix);
	int size = snprintf(temporary, sizeof temporary, ".%s.%s", name, suffix);
	if (size < 0 || (size_t)size >= sizeof temporary)
		return error_set(err, ERROR_TOO_LARGE, "the file name %.64s... is too long", name);
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot create %s", name);
	if (file_write_all(fd, bytes, len, err) != 0)
		goto out;
	if (fsync(fd) != 0) {
		error_set_errno(err, errno, "cannot make %s durable", name);
		goto out;
	}
	if (renameat(dir_fd, temporary, dir_fd, name) != 0) {
		error_set_errno(err, errno, "cannot replace %s", name);
		goto out;
	}
	if (fsync(dir_fd) != 0) {
		error_set_errno(err, errno, "cannot make the folder of %s durable", name);
		goto out;
	}
	result = 0;
out:
	if (result != 0)
		unlinkat(dir_fd, temporary, 0);
	file_close(&fd);
	return result;
}

/* ".NAME.SUFFIX" */
static bool
is_temporary_of(const char *name, const char *entry)
{
	size_t len = strlen(name);
	return entry[0] == '.' && strncmp(entry + 1, name, len) == 0 && entry[1 + len] == '.' && strlen(entry) == len + 2 + SUFFIX_LEN;
}

int
file_remove_replaced(int dir_fd, const char *name, struct error *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		error_set_errno(err, errno, "cannot look for what is left of %s", name);
		file_close(&fd);
		return -1;
	}
	struct dirent *entry;
	while (result == 0 && (entry = readdir(dir)) != NULL)
		if ((is_temporary_of(name, entry->d_name) || strcmp(name, entry->d_name) == 0) && unlinkat(dir_fd, entry->d_name, 0) != 0 &&
		    errno != ENOENT)
			result = error_set_errno(err, errno, "cannot remove %s", entry->d_name);
	closedir(dir);
	return result;
}

int
file_load(int dir_fd, const char *name, struct buffer *out, struct error *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open %s", name);
	int result = file_read_all(fd, out, err);
	file_close(&fd);
	return result;
}

int
file_open_private_dir(int dir_fd, const char *name, int *out_fd, struct error *err)
{
	if (mkdirat(dir_fd, name, 0700) != 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot create the folder %s", name);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open the folder %s", name);
	struct stat st;
	if (fstat(fd, &st) != 0) {
		error_set_errno(err, errno, "cannot look at the folder %s", name);
		goto fail;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		error_set(err, ERROR_DENIED, "the folder %s must belong to you alone: chown it and chmod 700 it", name);
		goto fail;
	}
	*out_fd = fd;
	return 0;
fail:
	file_close(&fd);
	return -1;
}

int
file_make_dirs(const char *path, struct error *err)
{
	char prefix[PATH_BYTES];
	size_t len = strlen(path);
	if (len >= sizeof prefix)
		return error_set(err, ERROR_TOO_LARGE, "the path %.64s... is too long", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		if (mkdir(prefix, 0700) != 0 && errno != EEXIST)
			return error_set_errno(err, errno, "cannot create the folder %s", prefix);
	}
	return 0;
}

int
file_remove_tree(int dir_fd, const char *name, struct error *err)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_set_errno(err, errno, "cannot remove %s", name);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		error_set_errno(err, errno, "cannot open the folder %s", name);
		file_close(&fd);
		return -1;
	}
	int result = 0;
	struct dirent *entry;
	while (result == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = file_remove_tree(dirfd(dir), entry->d_name, err);
	closedir(dir);
	if (result == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		result = error_set_errno(err, errno, "cannot remove the folder %s", name);
	return result;
}

int
file_sealed_memory(const void *bytes, size_t len, int *out_fd, struct error *err)
{
	int fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot make a memory file");
	if (file_write_all(fd, bytes, len, err) != 0 || file_seal(fd, err) != 0) {
		file_close(&fd);
		return -1;
	}
	*out_fd = fd;
	return 0;
}

int
file_seal(int fd, struct error *err)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		return error_set_errno(err, errno, "cannot seal a memory file");
	return 0;
}

int
file_check_sealed(int fd, size_t max_bytes, size_t *out_len, struct error *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0)
		return error_set(err, ERROR_PROTOCOL, "a body came in a descriptor that is not sealed");
	if (st.st_size < 0 || (unsigned long long)st.st_size > max_bytes)
		return error_set(err, ERROR_TOO_LARGE, "a body of more than %zu bytes", max_bytes);
	*out_len = (size_t)st.st_size;
	return 0;
}

uint64_t
file_free_bytes(const char *path)
{
	struct statvfs is;
	return statvfs(path, &is) == 0 ? (uint64_t)is.f_bavail * is.f_frsize : UINT64_MAX;
}

int
file_check_room(int dir_fd, const char *path, off_t bytes, struct error *err)
{
	int fd = openat(dir_fd, "room", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int errnum = fd < 0 || fallocate(fd, 0, 0, bytes) != 0 ? errno : 0;
	file_close(&fd);
	unlinkat(dir_fd, "room", 0);
	if (errnum == ENOSPC || errnum == EDQUOT)
		return error_set(err, ERROR_NO_SPACE, "the disk is full: there must be room for %lld MiB in %s; free some space",
		    (long long)bytes >> 20, path);
	return 0;
}

int
file_open_unnamed(int dir_fd, int *out_fd, struct error *err)
{
	char name[] = ".unnamed.12345678";
	*out_fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*out_fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return error_set_errno(err, errno, "cannot make room for a large message");
	random_name(name + strlen(name) - 8, 9); /* not every file system can do that */
	*out_fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*out_fd < 0)
		return error_set_errno(err, errno, "cannot make room for a large message");
	unlinkat(dir_fd, name, 0);
	return 0;
}

void
file_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
