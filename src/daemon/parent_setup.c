/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/parent.h"
#include "identity/certificate.h"

/* To begin with: tor's view of the network, and a part of the journal. */
#define ROOM_BYTES (16 * 1024 * 1024)

static const char *const runtime_entries[] = { "control.sock", "sendmail.sock", "onion", "tor", "dovecot" };

/* The lock lasts as long as the process; the number in the file is for people. */
static int
take_lock(struct parent *parent, struct error *err)
{
	char text[16] = "";
	int fd = openat(parent->data_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open the lock file in %s", parent->paths.data);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = pread(fd, text, sizeof text - 1, 0);
		text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
		close(fd);
		return error_set(err, ERROR_EXISTS, "a node is already running for %s, process %s", parent->paths.data,
		    text[0] == '\0' ? "unknown" : text);
	}
	parent->lock_fd = fd;
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return error_set_errno(err, errno, "cannot write the lock file in %s", parent->paths.data);
	return 0;
}

/* Opens a folder by its whole path; it must be ours alone, also when it lies in /tmp. */
static int
open_folder(const char *path, int *out_fd, struct error *err)
{
	char above[PATHS_MAX];
	snprintf(above, sizeof above, "%s", path);
	char *slash = strrchr(above, '/');
	if (slash == NULL || slash == above)
		return file_open_private_dir(AT_FDCWD, path, out_fd, err);
	*slash = '\0';
	if (file_make_dirs(above, err) != 0)
		return -1;
	return file_open_private_dir(AT_FDCWD, path, out_fd, err);
}

static void
empty_runtime(struct parent *parent)
{
	for (size_t i = 0; i < sizeof runtime_entries / sizeof runtime_entries[0]; i++) {
		struct error err = { 0 };
		if (file_remove_tree(parent->runtime_fd, runtime_entries[i], &err) != 0)
			log_warn("%s", err.text);
	}
}

/* A node that shared its sockets with the system's tor and was killed has left it open to a group. */
static int
open_runtime(struct parent *parent, struct error *err)
{
	struct stat st;
	if (lstat(parent->paths.runtime, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 010)
		chmod(parent->paths.runtime, 0700);
	return open_folder(parent->paths.runtime, &parent->runtime_fd, err);
}

int
parent_setup_home(struct parent *parent, struct error *err)
{
	int onion_fd = -1;
	if (open_folder(parent->paths.data, &parent->data_fd, err) != 0 || take_lock(parent, err) != 0 ||
	    file_check_room(parent->data_fd, parent->paths.data, ROOM_BYTES, err) != 0 ||
	    identity_open_all(parent->paths.data, true, &parent->identities_fd, err) != 0 ||
	    file_open_private_dir(parent->data_fd, "node", &parent->node_fd, err) != 0 ||
	    open_runtime(parent, err) != 0)
		return -1;
	empty_runtime(parent); /* what is left of a node that was killed */
	if (file_open_private_dir(parent->runtime_fd, "onion", &onion_fd, err) != 0)
		return -1;
	file_close(&onion_fd);
	return certificate_ensure(parent->node_fd, "localhost", err);
}

void
parent_setup_remove_runtime(struct parent *parent)
{
	empty_runtime(parent);
	/* A service manager that made the folder takes it away itself: we may not. */
	if (rmdir(parent->paths.runtime) != 0 && (errno == ENOTEMPTY || errno == EEXIST))
		log_warn("the folder %s is not empty and stays", parent->paths.runtime);
}

void
parent_setup_limits(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max; /* for the roles: one descriptor for each session */
	setrlimit(RLIMIT_NOFILE, &files);
}

static bool
is_executable(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int
parent_setup_find_roles(struct parent *parent, struct error *err)
{
	char own[PATH_MAX], probe[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
	if (n <= 0)
		return error_set_errno(err, errno, "cannot tell where smtorpd is");
	own[n] = '\0';
	*strrchr(own, '/') = '\0';
	snprintf(parent->role_folder, sizeof parent->role_folder, "%s", own);
	snprintf(probe, sizeof probe, "%s/smtorp-control", parent->role_folder);
	if (is_executable(probe))
		return 0;
	char *slash = strrchr(own, '/');
	if (slash != NULL)
		*slash = '\0';
	n = snprintf(parent->role_folder, sizeof parent->role_folder, "%s/libexec/smtorp", own);
	snprintf(probe, sizeof probe, "%s/smtorp-control", parent->role_folder);
	if (n < PATH_MAX && is_executable(probe))
		return 0;
	return error_set(err, ERROR_NOT_FOUND, "the programs of the roles are not in %s: install smtorp again",
	    parent->role_folder);
}

int
parent_setup_find_program(const char *name, const char *key, char out[PATH_MAX], struct error *err)
{
	static const char system[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *lists[] = { getenv("PATH"), system };
	if (name[0] == '/') {
		snprintf(out, PATH_MAX, "%s", name);
		if (is_executable(out))
			return 0;
	}
	for (size_t i = 0; name[0] != '/' && i < sizeof lists / sizeof lists[0]; i++)
		for (const char *p = lists[i]; p != NULL && *p != '\0'; p += strspn(p, ":")) {
			size_t len = strcspn(p, ":");
			int n = snprintf(out, PATH_MAX, "%.*s/%s", (int)len, p, name);
			if (p[0] == '/' && n < PATH_MAX && is_executable(out))
				return 0;
			p += len;
		}
	return error_set(err, ERROR_NOT_FOUND, "there is no program '%s': install it, or set %s in smtorp.conf", name, key);
}
