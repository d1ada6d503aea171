/* SPDX-License-Identifier: ISC
 *
 * Whether the programs of others that a node needs are there, before anything is begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "daemon/parent.h"
#include "tor/status.h"

#define VERSION_TIMEOUT_MS 10000
#define VERSION_TEXT_MAX 512

_Noreturn static void
become_version(const char *program, int write_fd)
{
	const char *const arguments[] = { program, "--version", NULL };
	int null_fd = open("/dev/null", O_RDWR);
	if (null_fd >= 0 && dup2(null_fd, 0) == 0 && dup2(write_fd, 1) == 1 && dup2(null_fd, 2) == 2)
		execv(program, (char *const *)(uintptr_t)arguments);
	_exit(127);
}

/* What it writes until it ends, cut to size. */
static size_t
read_until_end(int fd, char *out, size_t size)
{
	int64_t deadline_ms = clock_monotonic_ms() + VERSION_TIMEOUT_MS;
	size_t len = 0;
	while (len < size) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			break;
		if (poll(&p, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(fd, out + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

/* The first line that `program --version` prints. */
static int
ask_version(const char *program, char *out, size_t size, struct error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	pid_t pid = fork();
	if (pid == 0)
		become_version(program, ends[1]);
	file_close(&ends[1]);
	if (pid < 0) {
		error_set_errno(err, errno, "cannot make a process");
		file_close(&ends[0]);
		return -1;
	}
	size_t len = read_until_end(ends[0], out, size - 1);
	file_close(&ends[0]);
	kill(pid, SIGKILL); /* it has said what it had to say, or hangs */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	out[len] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static int
check_tor(struct parent *parent, struct error *err)
{
	static const char before[] = "Tor version ";
	char program[PATH_MAX], line[VERSION_TEXT_MAX];
	struct status status = { 0 };
	if (parent_setup_find_program(parent->config.tor_program, "tor.program", program, err) != 0 ||
	    ask_version(program, line, sizeof line, err) != 0)
		return -1;
	const char *version = strncmp(line, before, strlen(before)) == 0 ? line + strlen(before) : "";
	size_t len = strcspn(version, " ");
	if (len > 0 && version[len - 1] == '.') /* of the sentence */
		len--;
	return status_set_version(&status, slice_of(version, len), err);
}

static int
check_bridges(struct parent *parent, struct error *err)
{
	struct buffer text;
	buffer_init(&text, TORRC_MAX_BYTES);
	int result = parent_bridge_write(parent, &text, err);
	buffer_finish(&text);
	return result;
}

int
parent_check_programs(struct parent *parent, struct error *err)
{
	char program[PATH_MAX];
	const char *dovecot = parent->config.dovecot_program;
	if (parent_setup_find_roles(parent, err) != 0)
		return -1;
	if (parent_tor_is_system(parent) ? parent_tor_system_check(parent, err) != 0 :
	                                   check_tor(parent, err) != 0 || check_bridges(parent, err) != 0)
		return -1;
	return strcmp(dovecot, "none") == 0 ? 0 : parent_setup_find_program(dovecot, "imap.program", program, err);
}
