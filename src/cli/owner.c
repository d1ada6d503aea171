/* SPDX-License-Identifier: ISC */
#include "cli/owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/paths.h"

int
owner_become(const char **home, struct error *err)
{
	struct paths paths;
	struct stat st;
	if (geteuid() != 0)
		return 0;
	if (*home == NULL && getenv("SMTORP_HOME") == NULL && stat(PATHS_SYSTEM_HOME, &st) == 0)
		*home = PATHS_SYSTEM_HOME;
	if (paths_resolve(*home, &paths, err) != 0)
		return -1;
	if (stat(paths.data, &st) != 0 || st.st_uid == 0)
		return error_set(err, ERROR_DENIED,
		    "a node does not run as root: run this as the person whose mail it is, or with --home of a folder of theirs");
	const struct passwd *account = getpwuid(st.st_uid);
	gid_t group = account != NULL ? account->pw_gid : st.st_gid;
	int groups = account != NULL ? initgroups(account->pw_name, group) : setgroups(0, NULL);
	if (groups != 0 || setresgid(group, group, group) != 0 || setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)
		return error_set_errno(err, errno, "cannot become the owner of %s", paths.data);
	return 0;
}
