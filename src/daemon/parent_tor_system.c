/* SPDX-License-Identifier: ISC
 *
 * A tor that is not ours (tor.control): the role gets a connection to its control port, not yet authenticated, and the
 * cookie on its standard input. Whoever owns that tor is another user, most often, who must be able to connect to the
 * sockets of the onion services and to nothing else: its group gets the folders' x and the sockets' rw.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/parent.h"
#include "tor/endpoint.h"
#include "tor/login.h"

#define GROUPS_MAX 1024

bool
parent_tor_is_system(const struct parent *parent)
{
	return parent->config.tor_control[0] != '\0';
}

int
parent_tor_system_check(const struct parent *parent, struct error *err)
{
	const struct config *config = &parent->config;
	const char *key = config->tor_bridge.count > 0 ? "tor.bridge (--bridge)" : config->tor_transport.count > 0 ? "tor.transport"
	    : config->tor_extra.count > 0 ? "tor.extra" : NULL;
	if (key != NULL)
		return error_set(err, ERROR_INVALID, "%s is for a tor of the node's own; with tor.control, write such lines into the configuration "
		    "of the tor that is used", key);
	return 0;
}

static bool
may_lack_cookie(const struct config *config)
{
	return strcmp(config->tor_cookie, CONFIG_TOR_COOKIE) == 0 || strcmp(config->tor_cookie, CONFIG_TOR_COOKIE_NONE) == 0;
}

/* ---- whose tor it is */

static bool
is_our_group(gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return gid == getegid();
}

/* Whether the group, or everybody, may pass through the folder. */
static bool
lets_through(const char *folder, gid_t gid)
{
	struct stat st;
	return stat(folder, &st) == 0 && ((st.st_mode & S_IXOTH) != 0 || (st.st_gid == gid && (st.st_mode & S_IXGRP) != 0));
}

static int
check_way(const struct parent *parent, gid_t gid, struct error *err)
{
	char folder[PATHS_MAX];
	snprintf(folder, sizeof folder, "%s", parent->paths.runtime);
	for (char *slash = strrchr(folder, '/'); slash != NULL && slash != folder; slash = strrchr(folder, '/')) {
		*slash = '\0'; /* the last one is ours, and will be opened */
		if (!lets_through(folder, gid))
			return error_set(err, ERROR_DENIED, "the tor at tor.control runs as another user, who cannot pass through %s to the node's "
			    "sockets in %s: run the node as the system's service, whose sockets are in /run/smtorp", folder, parent->paths.runtime);
	}
	return 0;
}

/* The group that shares the sockets with us, in parent->tor.gid; unless tor is of our own user. */
static int
find_group(struct parent *parent, struct error *err)
{
	const struct config *config = &parent->config;
	const char *path = strncmp(config->tor_control, "unix:", 5) == 0 ? config->tor_control + 5 : config->tor_cookie;
	struct stat st;
	if (stat(path, &st) != 0) {
		if (path == config->tor_cookie && may_lack_cookie(config)) {
			log_warn("the node cannot tell as which user the tor at %s runs, and lets only its own user connect to its "
			    "sockets", config->tor_control);
			return 0;
		}
		return error_set_errno(err, errno, "cannot look at %s: is tor running, and may the node's user go there?", path);
	}
	if (st.st_uid == geteuid())
		return 0;
	if (!is_our_group(st.st_gid))
		return error_set(err, ERROR_DENIED, "the tor at tor.control runs as another user, and the node's user is not in the group of %s "
		    "(number %u): add it (Debian: adduser USER debian-tor) and start the node again", path, (unsigned)st.st_gid);
	parent->tor.gid = st.st_gid;
	parent->tor.shares = true;
	return check_way(parent, st.st_gid, err);
}

static int
share_folder(const struct parent *parent, int fd, struct error *err)
{
	if (fchown(fd, (uid_t)-1, parent->tor.gid) != 0 || fchmod(fd, 0710) != 0)
		return error_set_errno(err, errno, "cannot open the folder of the sockets to tor");
	return 0;
}

int
parent_tor_system_setup(struct parent *parent, struct error *err)
{
	if (!parent_tor_is_system(parent))
		return 0;
	if (find_group(parent, err) != 0)
		return -1;
	if (!parent->tor.shares)
		return 0;
	int onion_fd = openat(parent->runtime_fd, "onion", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int result = onion_fd < 0 ? error_set_errno(err, errno, "cannot open the folder of the sockets") : 0;
	if (result == 0)
		result = share_folder(parent, onion_fd, err);
	if (result == 0)
		result = share_folder(parent, parent->runtime_fd, err);
	file_close(&onion_fd);
	return result;
}

int
parent_tor_system_share(const struct parent *parent, int folder_fd, struct error *err)
{
	static const char *const names[] = { "25", "465" };
	if (!parent->tor.shares)
		return 0;
	for (size_t i = 0; i < 2; i++)
		if (fchownat(folder_fd, names[i], (uid_t)-1, parent->tor.gid, AT_SYMLINK_NOFOLLOW) != 0 ||
		    fchmodat(folder_fd, names[i], 0660, 0) != 0)
			return error_set_errno(err, errno, "cannot let tor use the socket %s", names[i]);
	return share_folder(parent, folder_fd, err);
}

/* ---- the role */

/* A descriptor with the cookie, -1 when there is none. */
static int
open_cookie(const struct config *config, int *out_fd, struct error *err)
{
	unsigned char cookie[LOGIN_COOKIE_BYTES + 1];
	*out_fd = -1;
	if (strcmp(config->tor_cookie, CONFIG_TOR_COOKIE_NONE) == 0)
		return 0;
	int fd = open(config->tor_cookie, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && may_lack_cookie(config))
		return 0; /* tor may do without, and says so if not */
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open tor.cookie, %.300s", config->tor_cookie);
	ssize_t n = read(fd, cookie, sizeof cookie);
	file_close(&fd);
	if (n != LOGIN_COOKIE_BYTES)
		return error_set(err, ERROR_INVALID, "%.300s is no cookie of tor's, which has %d bytes", config->tor_cookie, LOGIN_COOKIE_BYTES);
	int result = file_sealed_memory(cookie, LOGIN_COOKIE_BYTES, out_fd, err);
	explicit_bzero(cookie, sizeof cookie);
	return result;
}

static int
connect_control(const struct config *config, int *out_fd, struct error *err)
{
	struct endpoint endpoint;
	if (endpoint_parse(config->tor_control, &endpoint, err) != 0)
		return -1;
	*out_fd = endpoint_connect(&endpoint);
	if (*out_fd < 0)
		return error_set_errno(err, errno, "cannot connect to tor at %.120s", config->tor_control);
	return 0;
}

int
parent_tor_system_start(struct process *process, struct error *err)
{
	struct parent *parent = process->parent;
	struct error why = { 0 };
	int control_fd = -1, cookie_fd = -1;
	int result = open_cookie(&parent->config, &cookie_fd, &why);
	if (result == 0)
		result = connect_control(&parent->config, &control_fd, &why);
	if (result == 0)
		result = parent_role_start_with(&parent->tor.role, control_fd, cookie_fd, &why);
	file_close(&control_fd);
	file_close(&cookie_fd);
	if (result != 0) {
		snprintf(parent->tor.phase, sizeof parent->tor.phase, "%.*s", (int)sizeof parent->tor.phase - 1, why.text);
		return error_set(err, why.code, "%s", why.text);
	}
	return 0;
}
