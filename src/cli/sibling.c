/* SPDX-License-Identifier: ISC */
#include "cli/sibling.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
sibling_find(const char *program, char *out, size_t room, struct error *err)
{
	static const char *const folders[] = { ".", "../daemon", "../cli", "../libexec/smtorp" };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	if (len <= 0)
		return error_set_errno(err, errno, "cannot tell where this program lies");
	self[len] = '\0';
	char *slash = strrchr(self, '/');
	*slash = '\0';
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		const char *slash_folder = i == 0 ? "" : "/";
		int n = snprintf(out, room, "%s%s%s/%s", self, slash_folder, i == 0 ? "" : folders[i], program);
		if (n > 0 && (size_t)n < room && access(out, X_OK) == 0)
			return 0;
	}
	return error_set(err, ERROR_NOT_FOUND, "%s is missing in %.180s: install SMTorP again", program, self);
}
