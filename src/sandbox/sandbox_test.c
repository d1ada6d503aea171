/* SPDX-License-Identifier: ISC
 *
 * Each role asks from inside its sandbox for what its row of the role table does not allow. The processes themselves are
 * asked too: tests/system/test_sandbox.py.
 */
#include "base/test_folder.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "ipc/codec.h"
#include "sandbox/sandbox_internal.h"

enum outcome { ALLOWED = 0, DENIED = 1, NO_SANDBOX = 77 };

static const enum role all_roles[] = { ROLE_TOR, ROLE_SMTP, ROLE_SUBMISSION, ROLE_MAIL, ROLE_CONTENT, ROLE_CONTROL, ROLE_LOG };
#define ROLES (sizeof all_roles / sizeof all_roles[0])

/* What a role asks for: DENIED when the kernel said so, ALLOWED when it worked or failed for another reason. */
typedef enum outcome attempt(void);

static enum outcome
outcome_of(long result)
{
	return result < 0 && (errno == EPERM || errno == EACCES) ? DENIED : ALLOWED;
}

/* The wait status of a process that enters the role's sandbox in the test's folder and tries. */
static int
status_of(enum role role, attempt *try)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct sandbox_holds holds;
		struct error err = { 0 };
		if (sandbox_enter(role, &holds, &err) != 0)
			_exit(99);
		_exit(holds.seccomp ? (int)try() : NO_SANDBOX);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
assert_outcome(enum role role, attempt *try, enum outcome wanted)
{
	int status = status_of(role, try);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), wanted);
}

static void
assert_denied_to_all(attempt *try)
{
	for (size_t i = 0; i < ROLES; i++)
		assert_outcome(all_roles[i], try, DENIED);
}

static enum outcome
open_passwd(void)
{
	return outcome_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static enum outcome
open_above(void)
{
	return outcome_of(open("../smtorp-sandbox-test-sibling", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static enum outcome
list_home(void)
{
	return outcome_of(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static enum outcome
inet_socket(void)
{
	return outcome_of(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static enum outcome
unix_socket(void)
{
	return outcome_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static enum outcome
netlink_socket(void)
{
	return outcome_of(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static enum outcome
connect_something(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "nothing" };
	return outcome_of(connect(0, (const struct sockaddr *)&address, sizeof address));
}

static enum outcome
fork_process(void)
{
	return outcome_of(fork());
}

static enum outcome
signal_parent(void)
{
	return outcome_of(kill(getppid(), 0));
}

/* The signal that says that a descriptor can be read may be any, and go to any process. */
static enum outcome
signal_by_descriptor(void)
{
	enum outcome owner = outcome_of(fcntl(STDIN_FILENO, F_SETOWN, getppid()));
	return owner == ALLOWED ? ALLOWED : outcome_of(fcntl(STDIN_FILENO, F_SETSIG, SIGKILL));
}

static enum outcome
own_by_descriptor(void)
{
	const struct f_owner_ex owner = { F_OWNER_PID, getppid() };
	return outcome_of(fcntl(STDIN_FILENO, F_SETOWN_EX, &owner));
}

/* A listening socket, as the submission role has them, and one that would be called. */
static int listening_fd, victim_fd;
static struct sockaddr_in victim;

static void
listen_twice(void)
{
	const struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof victim;
	listening_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	victim_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening_fd, (const struct sockaddr *)&loopback, sizeof loopback), 0);
	assert_int_equal(bind(victim_fd, (const struct sockaddr *)&loopback, sizeof loopback), 0);
	assert_int_equal(listen(listening_fd, 1), 0);
	assert_int_equal(listen(victim_fd, 8), 0);
	assert_int_equal(getsockname(victim_fd, (struct sockaddr *)&victim, &len), 0);
}

static enum outcome
call_by_sendto(void)
{
	shutdown(listening_fd, SHUT_RDWR);
	return outcome_of(sendto(listening_fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)&victim, sizeof victim));
}

static enum outcome
call_by_sendmsg(void)
{
	struct iovec bytes = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_name = &victim, .msg_namelen = sizeof victim, .msg_iov = &bytes, .msg_iovlen = 1 };
	shutdown(listening_fd, SHUT_RDWR);
	return outcome_of(sendmsg(listening_fd, &m, MSG_FASTOPEN | MSG_NOSIGNAL));
}

static enum outcome
executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
	    DENIED : ALLOWED;
}

static enum outcome
memory_made_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? ALLOWED : outcome_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static enum outcome
become_dumpable(void)
{
	return outcome_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static enum outcome
execute(void)
{
	char true_name[] = "true", *const arguments[] = { true_name, NULL };
	execv("/bin/true", arguments);
	return DENIED;
}

static enum outcome
trace_parent(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
	return DENIED;
}

static enum outcome
give_up(void)
{
	abort();
}

static enum outcome
write_own_file(void)
{
	int fd = open("own", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool works = fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 0) == 0 && fsync(fd) == 0 && mkdir("sub", 0700) == 0 &&
	    rename("own", "sub/own") == 0 && unlink("sub/own") == 0 && unlinkat(AT_FDCWD, "sub", AT_REMOVEDIR) == 0;
	close(fd);
	return works ? ALLOWED : DENIED;
}

static enum outcome
use_memory(void)
{
	for (size_t len = 1; len < 64 << 20; len *= 4) {
		char *memory = malloc(len);
		if (memory == NULL)
			return DENIED;
		memory[len - 1] = 1;
		char *more = realloc(memory, 2 * len);
		free(more != NULL ? more : memory);
	}
	return ALLOWED;
}

static void
no_role_opens_a_file_of_others(void **state)
{
	(void)state;
	assert_denied_to_all(open_passwd);
	assert_denied_to_all(open_above);
	assert_denied_to_all(list_home);
}

static void
no_role_reaches_the_network(void **state)
{
	(void)state;
	assert_denied_to_all(inet_socket);
	assert_denied_to_all(netlink_socket);
	assert_denied_to_all(unix_socket);
	assert_denied_to_all(connect_something);
	listen_twice();
	assert_denied_to_all(call_by_sendto);
	assert_denied_to_all(call_by_sendmsg);
	close(listening_fd);
	close(victim_fd);
}

static void
no_role_makes_or_signals_processes(void **state)
{
	(void)state;
	assert_denied_to_all(fork_process);
	assert_denied_to_all(signal_parent);
	assert_denied_to_all(signal_by_descriptor);
	assert_denied_to_all(own_by_descriptor);
	assert_denied_to_all(become_dumpable);
}

static void
no_role_runs_new_code(void **state)
{
	(void)state;
	assert_denied_to_all(executable_memory);
	assert_denied_to_all(memory_made_executable);
}

static void
executing_and_tracing_end_the_process(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROLES; i++) {
		int status = status_of(all_roles[i], execute);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		status = status_of(all_roles[i], trace_parent);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

static void
a_failed_assertion_still_ends_the_process(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROLES; i++) {
		int status = status_of(all_roles[i], give_up);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static void
what_a_role_needs_works(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROLES; i++) {
		assert_outcome(all_roles[i], use_memory, ALLOWED);
		assert_outcome(all_roles[i], write_own_file, all_roles[i] == ROLE_MAIL ? ALLOWED : DENIED);
	}
}

/* ---- kernels with less: Debian 12's own has version 2 of Landlock */

static void
assert_with_landlock(long version_most, enum role role, attempt *try, enum outcome wanted)
{
	const struct sandbox_rules *rules = rules_of(role);
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (landlock_load(rules->own_folder, version_most, NULL) < 0 || filter_load(rules, NULL) != 1)
			_exit(99);
		_exit((int)try());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != (int)wanted)
		fail_msg("Landlock %ld, %s: %d", version_most, ipc_role_name(role), WEXITSTATUS(status));
}

static void
seccomp_alone_holds_whoever_needs_no_files(void **state)
{
	(void)state;
	static attempt *const denied[] = { open_passwd, open_above, list_home, inet_socket, unix_socket, connect_something, fork_process,
		signal_parent, become_dumpable, executable_memory };
	enum { OPENING = 3 }; /* of these, which only Landlock denies to whoever may open files */
	for (long version = 0; version <= 8; version++)
		for (size_t i = 0; i < ROLES; i++)
			for (size_t j = version < 2 && rules_of(all_roles[i])->own_folder ? OPENING : 0; j < sizeof denied / sizeof denied[0]; j++)
				assert_with_landlock(version, all_roles[i], denied[j], DENIED);
}

/* It moves files between folders, which the first version of Landlock lets nobody do. */
static void
mail_works_with_any_version_of_landlock(void **state)
{
	(void)state;
	for (long version = 0; version <= 8; version++)
		assert_with_landlock(version, ROLE_MAIL, write_own_file, ALLOWED);
}

/* ---- the parent, which opens, forks and executes */

static enum outcome
make_namespace(void)
{
	return outcome_of(unshare(CLONE_NEWUSER));
}

static enum outcome
clone_namespace(void)
{
	return outcome_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static enum outcome
trace_somebody(void)
{
	return outcome_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

/* Starts a program, as the parent does; by posix_spawn(), which would like clone3(). */
static enum outcome
run_a_program(void)
{
	char name[] = "true", *const arguments[] = { name, NULL }, *const environment[] = { NULL };
	pid_t pid;
	int status = -1;
	return posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environment) == 0 && waitpid(pid, &status, 0) == pid && status == 0 ?
	    ALLOWED : DENIED;
}

static void
assert_of_parent(attempt *try, enum outcome wanted)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct sandbox_holds holds;
		_exit(sandbox_enter_parent(&holds, NULL) == 0 && holds.seccomp ? (int)try() : 99);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), wanted);
}

static void
the_parent_may_not_do_what_only_intruders_do(void **state)
{
	(void)state;
	assert_of_parent(make_namespace, DENIED);
	assert_of_parent(clone_namespace, DENIED);
	assert_of_parent(trace_somebody, DENIED);
	assert_of_parent(open_passwd, ALLOWED);
	assert_of_parent(inet_socket, ALLOWED);
	assert_of_parent(run_a_program, ALLOWED);
}

static enum outcome
nothing(void)
{
	return ALLOWED;
}

int
main(void)
{
	int status = status_of(ROLE_CONTENT, nothing);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX) {
		puts("1..0 # SKIP sanitizers, or a kernel without seccomp");
		return 0;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_role_opens_a_file_of_others),
		cmocka_unit_test(no_role_reaches_the_network),
		cmocka_unit_test(no_role_makes_or_signals_processes),
		cmocka_unit_test(no_role_runs_new_code),
		cmocka_unit_test(executing_and_tracing_end_the_process),
		cmocka_unit_test(a_failed_assertion_still_ends_the_process),
		cmocka_unit_test(what_a_role_needs_works),
		cmocka_unit_test(seccomp_alone_holds_whoever_needs_no_files),
		cmocka_unit_test(mail_works_with_any_version_of_landlock),
		cmocka_unit_test(the_parent_may_not_do_what_only_intruders_do),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
