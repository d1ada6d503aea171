/* SPDX-License-Identifier: ISC */
#include "sandbox/rules.h"

#include <stddef.h>

/* An event loop, an allocator, the libraries' locks, the log, and a way to die. tools/check-roles reads these strings. */
const char rules_common_calls[] =
    "read write writev recvmsg sendmsg epoll_wait epoll_pwait epoll_ctl close fcntl fstat newfstatat lseek mmap munmap mremap mprotect madvise "
    "brk futex getrandom getpid gettid tgkill clock_gettime clock_nanosleep sysinfo restart_syscall exit exit_group rt_sigaction "
    "rt_sigprocmask rt_sigreturn";

/* To look into other processes, to change the machine, and the parts of kernels that break most often. */
const char rules_never_calls[] =
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise mount umount2 pivot_root chroot move_mount open_tree fsopen "
    "fsconfig fsmount fspick mount_setattr unshare setns bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
    "keyctl add_key request_key kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct quotactl "
    "settimeofday clock_settime sethostname setdomainname syslog open_by_handle_at fanotify_init lookup_dcookie vhangup iopl ioperm";

static const char session_calls[] =
    "accept4 recvfrom sendto shutdown memfd_create ftruncate pread64 getsockopt setsockopt geteuid prlimit64";

static const struct sandbox_rules tor = { "recvfrom sendto pread64", false };
static const struct sandbox_rules sessions = { session_calls, false };
static const struct sandbox_rules mail = {
	"memfd_create openat getdents64 faccessat faccessat2 renameat unlinkat linkat mkdirat utimensat fallocate ftruncate pread64 pwrite64 "
	"pwritev fsync fdatasync syncfs clone set_robust_list rseq eventfd2 getcwd unlink rename stat lstat access mkdir readlink geteuid fchmod fchown statfs",
	true };
static const struct sandbox_rules content = { "memfd_create pread64 pwrite64 ftruncate", false };
static const struct sandbox_rules control = { "accept4 recvfrom sendto shutdown getsockopt geteuid prlimit64", false };
static const struct sandbox_rules sign = { "pread64", false };
/* Half of it is for the allocator, and for dying. */
static const struct sandbox_rules logger = {
	"read write openat newfstatat renameat close brk mmap munmap mremap mprotect madvise futex clock_gettime getpid gettid tgkill "
	"rt_sigaction rt_sigprocmask rt_sigreturn restart_syscall exit_group",
	true, true };

/* It reads a picture from a pipe, and writes what is in it. */
static const struct sandbox_rules scanner = {
	"read write fstat newfstatat close brk mmap munmap mremap mprotect madvise futex clock_gettime getpid gettid tgkill rt_sigaction "
	"rt_sigprocmask rt_sigreturn restart_syscall exit_group",
	false, true };

const struct sandbox_rules *
rules_of_scanner(void)
{
	return &scanner;
}

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
	case ROLE_SIGN:
		return &sign;
	case ROLE_LOG:
		return &logger;
	default:
		return NULL;
	}
}
