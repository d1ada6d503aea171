/* SPDX-License-Identifier: ISC
 *
 * landlock(7). Without glibc, which has no functions for it, and without the kernel's header, since Debian 12's ends at
 * version 2: the numbers are the kernel's interface and do not change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_internal.h"

#define CREATE_RULESET_VERSION 1
#define RULE_PATH_BENEATH 1

/* enum landlock_access_fs */
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_OWN_FOLDER (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | \
	FS_MAKE_REG | FS_REFER | FS_TRUNCATE)

struct ruleset_attribute {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* All that this version of the interface can deny. */
static struct ruleset_attribute
all_of(long version)
{
	static const unsigned fs_bits[] = { 0, 13, 14, 15, 15, 16 }; /* by version, the last for all later ones */
	unsigned bits = fs_bits[version > 5 ? 5 : version];
	return (struct ruleset_attribute){ .fs = (UINT64_C(1) << bits) - 1, .net = version >= 4 ? 3 : 0,
		.scoped = version >= 6 ? 3 : 0 };
}

static int
allow_own_folder(int ruleset, uint64_t handled, struct error *err)
{
	struct path_beneath rule = { .allowed = FS_OWN_FOLDER & handled };
	rule.parent_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return error_set_errno(err, errno, "cannot open the working directory");
	long result = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
	int errnum = errno;
	close(rule.parent_fd);
	return result == 0 ? 0 : error_set_errno(err, errnum, "cannot add a rule of Landlock");
}

int
landlock_load(bool own_folder, long version_most, struct error *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	if (version > version_most)
		version = version_most;
	/* Not built into this kernel, or not switched on; or Linux 5.13 to 5.18, where it lets nobody move a file from one folder to
	 * another, as mail moves messages. */
	if (version < (own_folder ? 2 : 1))
		return 0;
	struct ruleset_attribute attribute = all_of(version);
	size_t len = version >= 6 ? sizeof attribute : version >= 4 ? 16 : 8;
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attribute, len, 0);
	if (ruleset < 0)
		return error_set_errno(err, errno, "cannot make a ruleset of Landlock");
	int result = own_folder ? allow_own_folder(ruleset, attribute.fs, err) : 0;
	if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		result = error_set_errno(err, errno, "cannot give up new privileges");
	if (result == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		result = error_set_errno(err, errno, "cannot enter Landlock");
	close(ruleset);
	return result == 0 ? (int)version : -1;
}
