/* SPDX-License-Identifier: ISC */
#include "config/paths.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"

/* Joins and makes absolute: no empty and no "." components, no slash at the end. ".." stays, because what it means
 * depends on symbolic links. */
static int
join(const char *folder, const char *name, char out[PATHS_MAX], struct error *err)
{
	char whole[2 * PATHS_MAX];
	char here[PATHS_MAX] = "";
	if (folder[0] != '/' && getcwd(here, sizeof here) == NULL)
		return error_set_errno(err, errno, "cannot tell the current folder");
	int n = snprintf(whole, sizeof whole, "%s/%s/%s", here, folder, name);
	if (n < 0 || (size_t)n >= sizeof whole)
		return error_set(err, ERROR_TOO_LARGE, "the path %.64s... is too long", folder);
	size_t len = 0;
	for (const char *p = whole; *p != '\0';) {
		size_t part = strcspn(p, "/");
		if (part > 0 && !(part == 1 && *p == '.')) {
			if (len + 1 + part >= PATHS_MAX)
				return error_set(err, ERROR_TOO_LARGE, "the path %.64s... is too long", folder);
			out[len++] = '/';
			memcpy(out + len, p, part);
			len += part;
		}
		p += part;
		p += *p == '/';
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	for (const char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return error_set(err, ERROR_INVALID, "there is a control character in the path of the home folder");
	return 0;
}

/* FNV-1a: only tells homes apart; that the folder is ours is checked when it is opened. */
static void
name_hash(const char *name, char out[ENCODE_BASE32_LEN(8) + 1])
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned char bytes[8];
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	memcpy(bytes, &hash, sizeof bytes);
	encode_base32(out, bytes, sizeof bytes);
}

/* Letters that need no quoting anywhere: tor's ADD_ONION takes no others in the name of a socket. */
static bool
is_plain(const char *path)
{
	return path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+@")] == '\0';
}

static int
set_runtime(const char *folder, const char *name, struct paths *out, struct error *err)
{
	if (join(folder, name, out->runtime, err) != 0)
		return -1;
	if (strlen(out->runtime) <= PATHS_RUNTIME_MAX && is_plain(out->runtime))
		return 0;
	char hash[ENCODE_BASE32_LEN(8) + 1];
	name_hash(out->runtime, hash);
	snprintf(out->runtime, sizeof out->runtime, "/tmp/smtorp-%u-%s", (unsigned)geteuid(), hash);
	return 0;
}

/* $variable when it is an absolute path (as the XDG specification wants it), else $HOME/fallback. */
static int
xdg_folder(const char *variable, const char *fallback, char out[PATHS_MAX], struct error *err)
{
	const char *set = getenv(variable);
	const char *home = getenv("HOME");
	if (set != NULL && set[0] == '/')
		return join(set, "smtorp", out, err);
	if (home == NULL || home[0] != '/')
		return error_set(err, ERROR_NOT_FOUND, "HOME is not set, so say where the node lives with --home or SMTORP_HOME");
	char name[64];
	snprintf(name, sizeof name, "%s/smtorp", fallback);
	return join(home, name, out, err);
}

static int
resolve_xdg(struct paths *out, struct error *err)
{
	char config[PATHS_MAX];
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (xdg_folder("XDG_CONFIG_HOME", ".config", config, err) != 0 ||
	    xdg_folder("XDG_DATA_HOME", ".local/share", out->data, err) != 0 ||
	    join(config, "smtorp.conf", out->config_file, err) != 0)
		return -1;
	if (runtime != NULL && runtime[0] == '/')
		return set_runtime(runtime, "smtorp", out, err);
	return set_runtime(out->data, "run", out, err);
}

/* One name for the node of the system, so that its unit, root's commands and mail programs need to know no more. */
static int
resolve_system(struct paths *out)
{
	snprintf(out->config_file, sizeof out->config_file, "/etc/smtorp/smtorp.conf");
	snprintf(out->runtime, sizeof out->runtime, "/run/smtorp");
	return 0;
}

int
paths_resolve(const char *home, struct paths *out, struct error *err)
{
	if (home == NULL)
		home = getenv("SMTORP_HOME");
	if (home == NULL || home[0] == '\0')
		return resolve_xdg(out, err);
	if (join(home, "smtorp.conf", out->config_file, err) != 0 || join(home, "", out->data, err) != 0)
		return -1;
	if (strcmp(out->data, PATHS_SYSTEM_HOME) == 0)
		return resolve_system(out);
	return set_runtime(home, "run", out, err);
}

const char *
paths_start_command(const struct paths *paths)
{
	return strcmp(paths->data, PATHS_SYSTEM_HOME) == 0 ? "systemctl start smtorp" : "smtorp up";
}
