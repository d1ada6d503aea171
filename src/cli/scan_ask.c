/* SPDX-License-Identifier: ISC */
#include "cli/scan_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/sibling.h"

#define PATIENCE_MS 60000

bool
scan_is_picture(struct slice bytes)
{
	return bytes.len >= 4 && (memcmp(bytes.data, "\x89PNG", 4) == 0 || memcmp(bytes.data, "\xff\xd8\xff", 3) == 0);
}

/* In the child, which has nothing but three descriptors. */
static _Noreturn void
become_scanner(const char *program, int in, int out, int said)
{
	static char *const arguments[] = { (char *)"smtorp-scan", NULL }, *const environment[] = { NULL };
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
		_exit(127);
	execve(program, arguments, environment);
	_exit(127);
}

struct scanner {
	pid_t pid;
	int to, from, said; /* our ends */
};

static int
start(struct scanner *s, struct error *err)
{
	char program[PATH_MAX];
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, said[2] = { -1, -1 };
	if (sibling_find("smtorp-scan", program, sizeof program, err) != 0)
		return -1;
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(said, O_CLOEXEC) != 0 || (s->pid = fork()) < 0) {
		int errnum = errno;
		for (int i = 0; i < 2; i++) {
			file_close(&in[i]);
			file_close(&out[i]);
			file_close(&said[i]);
		}
		return error_set_errno(err, errnum, "cannot start %s", program);
	}
	if (s->pid == 0)
		become_scanner(program, in[0], out[1], said[1]);
	file_close(&in[0]);
	file_close(&out[1]);
	file_close(&said[1]);
	s->to = in[1];
	s->from = out[0];
	s->said = said[0];
	return 0;
}

/* It reads all of the picture before it says anything, and says little. */
static void
give(struct scanner *s, struct slice picture)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	sigaction(SIGPIPE, &ignore, &before);
	file_write_all(s->to, picture.data, picture.len, NULL); /* it may have refused it already */
	sigaction(SIGPIPE, &before, NULL);
	file_close(&s->to);
}

/* Until it has closed its end; more than the buffer may hold is too much. */
static int
take(int fd, struct buffer *out, struct error *err)
{
	unsigned char bytes[4096];
	struct pollfd ready = { fd, POLLIN, 0 };
	ssize_t n;
	do {
		if (poll(&ready, 1, PATIENCE_MS) != 1)
			return error_set(err, ERROR_TIMEOUT, "smtorp-scan does not come to an end");
		n = read(fd, bytes, sizeof bytes);
		if (n > 0 && buffer_append(out, bytes, (size_t)n, err) != 0)
			return -1;
	} while (n > 0);
	return 0;
}

/* Its sentence, for a terminal: what takes pictures apart may have been taken over by one. */
static int
refuse(const struct buffer *said, struct error *err)
{
	char text[ERROR_TEXT_MAX];
	size_t len = buffer_len(said) < sizeof text ? buffer_len(said) : sizeof text - 1;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = buffer_bytes(said)[i];
		text[i] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	text[len] = '\0';
	return error_set(err, ERROR_NOT_FOUND, "%s", text);
}

int
scan_ask(struct slice picture, struct buffer *out, struct error *err)
{
	struct scanner s = { .to = -1, .from = -1, .said = -1 };
	struct buffer said;
	int status = 0;
	if (start(&s, err) != 0)
		return -1;
	buffer_init(&said, ERROR_TEXT_MAX);
	give(&s, picture);
	int result = take(s.from, out, err);
	if (result == 0)
		result = take(s.said, &said, err);
	if (result != 0)
		kill(s.pid, SIGKILL);
	waitpid(s.pid, &status, 0);
	if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) > 1))
		result = error_set(err, ERROR_IO, "smtorp-scan died of the picture, or could not be started");
	else if (result == 0 && WEXITSTATUS(status) == 1)
		result = refuse(&said, err);
	file_close(&s.from);
	file_close(&s.said);
	buffer_finish(&said);
	return result;
}
