/* SPDX-License-Identifier: ISC */
#include "sandbox/rules.h"

#include <stddef.h>

/* An event loop, an allocator, the libraries' locks, the log, and a way to die. tools/check-roles reads these strings. */
const char rules_common_calls[] =
    "read write writev recvmsg sendmsg epoll_wait epoll_pwait epoll_ctl close fcntl fstat newfstatat lseek mmap munmap mremap mprotect madvise "
    "brk futex getrandom getpid gettid tgkill clock_gettime clock_nanosleep sysinfo restart_syscall exit exit_group rt_sigaction "
    "rt_sigprocmask rt_sigreturn";

static const char session_calls[] =
    "accept4 recvfrom sendto shutdown memfd_create ftruncate pread64 getsockopt setsockopt geteuid prlimit64";

static const struct sandbox_rules tor = { "recvfrom sendto pread64", false };
static const struct sandbox_rules sessions = { session_calls, false };
static const struct sandbox_rules mail = {
	"memfd_create openat getdents64 faccessat faccessat2 renameat unlinkat linkat mkdirat utimensat fallocate ftruncate pread64 pwrite64 "
	"pwritev sync_file_range fsync fdatasync getcwd unlink rename stat lstat access mkdir readlink geteuid fchmod fchown statfs",
	true };
static const struct sandbox_rules content = { "memfd_create pread64 pwrite64 ftruncate", false };
static const struct sandbox_rules control = { "accept4 recvfrom sendto shutdown getsockopt geteuid prlimit64", false };
/* Half of it is for the allocator, and for dying. */
static const struct sandbox_rules logger = {
	"read write openat newfstatat renameat close brk mmap munmap mremap mprotect madvise futex clock_gettime getpid gettid tgkill "
	"rt_sigaction rt_sigprocmask rt_sigreturn restart_syscall exit_group",
	true, true };

const struct sandbox_rules *
rules_of(enum role role)
{
	switch (role) {
	case ROLE_TOR:
		return &tor;
	case ROLE_SMTP:
	case ROLE_SUBMISSION:
		return &sessions;
	case ROLE_MAIL:
		return &mail;
	case ROLE_CONTENT:
		return &content;
	case ROLE_CONTROL:
		return &control;
	case ROLE_LOG:
		return &logger;
	default:
		return NULL;
	}
}
