/* SPDX-License-Identifier: ISC */
#include "identity/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"

static void
choose_hidden_name(struct staging *s)
{
	s->hidden[0] = '.';
	random_name(s->hidden + 1, STAGING_HIDDEN_LEN);
}

int
staging_lock(struct staging *s, int identities_fd, struct error *err)
{
	s->identities_fd = identities_fd;
	s->lock_fd = openat(identities_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock_fd < 0)
		return error_set_errno(err, errno, "cannot open the folder of the identities");
	while (flock(s->lock_fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			error_set_errno(err, errno, "cannot lock the folder of the identities");
			file_close(&s->lock_fd);
			return -1;
		}
	return 0;
}

/* Half-made and half-deleted folders hold keys: they go at the next opportunity. */
static void
sweep(int identities_fd)
{
	int fd = openat(identities_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		file_close(&fd);
		return;
	}
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] == '.' && strlen(entry->d_name) == STAGING_HIDDEN_LEN)
			file_remove_tree(identities_fd, entry->d_name, NULL);
	closedir(dir);
}

int
staging_make(struct staging *s, const char *name, struct error *err)
{
	struct stat st;
	sweep(s->identities_fd);
	if (fstatat(s->identities_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERROR_EXISTS, "there is an identity '%s' already: choose another name, or see `smtorp identity show %s`", name, name);
	choose_hidden_name(s);
	return file_open_private_dir(s->identities_fd, s->hidden, &s->fd, err);
}

int
staging_commit(struct staging *s, const char *name, struct error *err)
{
	if (renameat2(s->identities_fd, s->hidden, s->identities_fd, name, RENAME_NOREPLACE) != 0)
		return error_set_errno(err, errno, "cannot put the folder of identity %s in its place", name);
	if (fsync(s->identities_fd) != 0)
		return error_set_errno(err, errno, "cannot make the identity durable");
	file_close(&s->fd);
	return 0;
}

int
staging_remove(struct staging *s, const char *name, bool *is_missing, struct error *err)
{
	choose_hidden_name(s);
	*is_missing = false;
	if (renameat(s->identities_fd, name, s->identities_fd, s->hidden) != 0) {
		*is_missing = errno == ENOENT;
		return error_set_errno(err, errno, "cannot remove identity %s", name);
	}
	if (fsync(s->identities_fd) != 0)
		return error_set_errno(err, errno, "cannot make the removal durable");
	return file_remove_tree(s->identities_fd, s->hidden, err);
}

void
staging_finish(struct staging *s)
{
	if (s->fd >= 0) {
		file_close(&s->fd);
		file_remove_tree(s->identities_fd, s->hidden, NULL);
	}
	file_close(&s->lock_fd);
}
