/* SPDX-License-Identifier: ISC
 *
 * A seccomp filter from a row of the role table, by libseccomp.
 *
 * What is in no row fails with EPERM, as it would for a program without rights: libraries cope with that, and the log
 * shows what they complain of. What only an intruder asks for ends the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"
#include "sandbox/sandbox_internal.h"

#define CALL_NAME_MAX 32
#define API_KILL_PROCESS 3 /* seccomp_api_get(3): Linux 4.14 and later */

static const char fatal_calls[] = "execve execveat ptrace process_vm_readv process_vm_writev";

/* Memory that can be written and then run is what exploits need, and nothing of ours. */
static int
add_without_exec(scmp_filter_ctx filter, int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* What loops, seals and SQLite's locks need. Not F_SETOWN and F_SETSIG: with them a descriptor's events are signals to whomever,
 * SIGKILL among them. */
static int
allow_fcntl(scmp_filter_ctx filter)
{
	static const int commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW,
		F_ADD_SEALS, F_GET_SEALS };
	int result = 0;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0] && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)commands[i]));
	return result;
}

/* With MSG_FASTOPEN sending is connecting: a listening socket that was shut down can be made to call anybody by it. */
static int
allow_sending(scmp_filter_ctx filter, int call)
{
	if (call == SCMP_SYS(sendmsg))
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 2, SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0),
	    SCMP_A4(SCMP_CMP_EQ, 0));
}

/* A thread, and nothing that is a process or has namespaces of its own: what a C library asks for, and no other flag. clone3() has them in
 * memory, which filters do not see. */
static int
allow_thread(scmp_filter_ctx filter)
{
	const scmp_datum_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
	    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_EQ, flags));
	return result != 0 ? result : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int
allow(scmp_filter_ctx filter, int call)
{
	if (call == SCMP_SYS(clone))
		return allow_thread(filter);
	if (call == SCMP_SYS(fcntl))
		return allow_fcntl(filter);
	if (call == SCMP_SYS(sendmsg) || call == SCMP_SYS(sendto))
		return allow_sending(filter, call);
	if (call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect))
		return add_without_exec(filter, call);
	if (call == SCMP_SYS(tgkill)) /* abort() */
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (call == SCMP_SYS(prlimit64)) /* its own, to be read */
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 2, SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int
forbid(scmp_filter_ctx filter, int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0);
}

/* Calls that an architecture does not have (arm64 has no unlink) are left out: there the library uses another of the row. */
static int
add_all(scmp_filter_ctx filter, const char *names, int (*add)(scmp_filter_ctx, int), struct error *err)
{
	for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
		char name[CALL_NAME_MAX];
		size_t len = strcspn(at, " ");
		snprintf(name, sizeof name, "%.*s", (int)len, at);
		at += len;
		int call = seccomp_syscall_resolve_name(name);
		if (call == __NR_SCMP_ERROR)
			return error_set(err, ERROR_INVALID, "libseccomp knows no system call '%s'", name);
		if (call < 0)
			continue;
		int result = add(filter, call);
		if (result != 0)
			return error_set_errno(err, -result, "cannot add %s to the seccomp filter", name);
	}
	return 0;
}

static int
deny(scmp_filter_ctx filter, int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
}

/* With a user namespace of its own a process has rights in it that nobody has given to this user. What clone3() is to make stands in memory,
 * which filters do not see; who is told that there is none takes clone(). */
static int
deny_namespaces(scmp_filter_ctx filter, struct error *err)
{
	int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return result == 0 ? 0 : error_set_errno(err, -result, "cannot add clone to the seccomp filter");
}

/* The calls of programs for other machine types, which have other numbers. */
static int
add_machines(scmp_filter_ctx filter, struct error *err)
{
	static const uint32_t others[][3] = { { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 }, { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM } };
	int result = 0;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		for (size_t j = 1; j < 3 && others[i][j] != 0 && others[i][0] == seccomp_arch_native() && result == 0; j++)
			result = seccomp_arch_add(filter, others[i][j]);
	return result == 0 ? 0 : error_set_errno(err, -result, "cannot make a seccomp filter for other machine types");
}

static int
load(scmp_filter_ctx filter, struct error *err)
{
	int result = seccomp_load(filter);
	if (result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP)
		return 0;
	return result == 0 ? 1 : error_set_errno(err, -result, "cannot load the seccomp filter");
}

/* NULL with *result 0: such as under qemu-user; or -1. */
static scmp_filter_ctx
begin(uint32_t otherwise, int *result, struct error *err)
{
	*result = 0;
	if (seccomp_api_get() < API_KILL_PROCESS)
		return NULL;
	scmp_filter_ctx filter = seccomp_init(otherwise);
	if (filter == NULL)
		*result = error_set(err, ERROR_NO_MEMORY, "out of memory");
	return filter;
}

int
filter_load(const struct sandbox_rules *rules, struct error *err)
{
	int result;
	scmp_filter_ctx filter = begin(SCMP_ACT_ERRNO(EPERM), &result, err);
	if (filter == NULL)
		return result;
	if (add_all(filter, fatal_calls, forbid, err) != 0 ||
	    (!rules->without_common && add_all(filter, rules_common_calls, allow, err) != 0) ||
	    add_all(filter, rules->calls, allow, err) != 0)
		result = -1;
	else
		result = load(filter, err);
	seccomp_release(filter);
	return result;
}

int
filter_load_never(struct error *err)
{
	int result;
	scmp_filter_ctx filter = begin(SCMP_ACT_ALLOW, &result, err);
	if (filter == NULL)
		return result;
	if (add_machines(filter, err) != 0 || add_all(filter, rules_never_calls, deny, err) != 0 || deny_namespaces(filter, err) != 0)
		result = -1;
	else
		result = load(filter, err);
	seccomp_release(filter);
	return result;
}
