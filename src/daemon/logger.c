/* SPDX-License-Identifier: ISC
 *
 * smtorp-log hide|show: all that the processes of a node write to standard error comes here, by a pipe (descriptor 3).
 * Each line gets one form, loses what tells who writes to whom (unless told to show it), and goes to a file of
 * bounded size in its working directory and to standard error, which is what smtorpd was started with.
 *
 * A line "\001word" from the parent names a word to be hidden from now on. Who forges one can only hide more: log_line()
 * lets no such byte through, and a role that was taken over could write nothing into the log that it could not write anyway.
 *
 * It ends when nobody is left who could write.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/log_files.h"
#include "base/logline.h"
#include "base/random.h"
#include "base/redact.h"
#include "base/secret.h"
#include "sandbox/sandbox.h"

#define INPUT_FD 3

static struct {
	bool hides;
	int file_fd;
	size_t file_bytes;
	struct redact redact;
	unsigned char line[REDACT_LINE_MAX_BYTES];
	size_t line_len;
	bool is_too_long; /* what follows of this line is left out */
	struct buffer out;
} self = { .file_fd = -1 };

/* ---- the file */

static void
open_file(void)
{
	struct stat st;
	file_close(&self.file_fd);
	self.file_fd = openat(AT_FDCWD, LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	self.file_bytes = self.file_fd >= 0 && fstat(self.file_fd, &st) == 0 ? (size_t)st.st_size : 0;
}

/* The oldest is lost. */
static void
rotate(void)
{
	char from[32], to[32];
	for (unsigned i = LOG_FILES_OLD; i > 0; i--) {
		snprintf(to, sizeof to, LOG_FILE ".%u", i);
		snprintf(from, sizeof from, i == 1 ? LOG_FILE : LOG_FILE ".%u", i - 1);
		renameat(AT_FDCWD, from, AT_FDCWD, to);
	}
	open_file();
}

static void
put(const void *bytes, size_t len)
{
	if (self.file_bytes + len > LOG_FILE_MAX_BYTES)
		rotate();
	if (self.file_fd >= 0 && write(self.file_fd, bytes, len) == (ssize_t)len)
		self.file_bytes += len;
	else
		open_file(); /* the disk is full or the file was taken away: the next line may fare better */
	if (write(STDERR_FILENO, bytes, len) < 0)
		return; /* nobody looks any more */
}

/* ---- lines */

static int
append_time(struct slice time_of_line)
{
	char text[64];
	struct timespec now;
	struct tm utc;
	if (time_of_line.len > 0)
		return buffer_append(&self.out, time_of_line.data, time_of_line.len, NULL);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + used, sizeof text - used, ".%03ldZ", now.tv_nsec / 1000000);
	return buffer_append_string(&self.out, text, NULL);
}

static void
take_line(struct slice line)
{
	struct logline l;
	bool is_word = line.len > 0 && line.data[0] == 1; /* the first byte may be the parent's */
	log_make_harmless(self.line + is_word, line.len - is_word);
	if (is_word) {
		redact_hide(&self.redact, slice_of(line.data + 1, line.len - 1), NULL);
		return;
	}
	if (!logline_parse(line, &l))
		logline_parse_foreign(line, &l);
	buffer_consume(&self.out, buffer_len(&self.out));
	int result = append_time(l.time);
	if (result == 0)
		result = buffer_printf(&self.out, NULL, " %.*s %.*s: ", (int)l.level.len, (const char *)l.level.data, (int)l.who.len,
		    (const char *)l.who.data);
	if (result == 0)
		result = self.hides ? redact_line(&self.redact, l.text, &self.out, NULL)
		                    : buffer_append(&self.out, l.text.data, l.text.len, NULL);
	if (result == 0 && buffer_append(&self.out, "\n", 1, NULL) == 0)
		put(buffer_bytes(&self.out), buffer_len(&self.out));
}

/* Where a line ends too early, it may be within an address, of which nobody would recognize either half: the last word goes. */
static void
cut(void)
{
	static const char mark[] = "...";
	size_t len = self.line_len - strlen(mark);
	while (len > 0 && self.line[len - 1] != ' ')
		len--;
	memcpy(self.line + len, mark, strlen(mark));
	take_line(slice_of(self.line, len + strlen(mark)));
	self.is_too_long = true;
}

static void
take(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n') {
			if (!self.is_too_long)
				take_line(slice_of(self.line, self.line_len));
			self.line_len = 0;
			self.is_too_long = false;
		} else if (!self.is_too_long && self.line_len == sizeof self.line) {
			cut();
		} else if (!self.is_too_long) {
			self.line[self.line_len++] = bytes[i];
		}
	}
}

static void
run(void)
{
	unsigned char chunk[16384];
	for (;;) {
		ssize_t n = read(INPUT_FD, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		take(chunk, (size_t)n);
	}
	if (self.line_len > 0 && !self.is_too_long)
		take_line(slice_of(self.line, self.line_len));
}

int
main(int argc, char **argv)
{
	unsigned char key[REDACT_KEY_BYTES];
	struct sandbox_holds holds;
	struct error err = { 0 };
	if (argc != 2 || (strcmp(argv[1], "hide") != 0 && strcmp(argv[1], "show") != 0)) {
		fprintf(stderr, "smtorp-log is started by smtorpd\n");
		return 2;
	}
	random_init();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	secret_shield_process();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* the last words of the others are the ones to keep */
	umask(077);
	self.hides = strcmp(argv[1], "hide") == 0;
	random_bytes(key, sizeof key);
	redact_init(&self.redact, key);
	buffer_init(&self.out, REDACT_OUT_MAX_BYTES + 256);
	tzset(); /* it would be read with the first line */
	if (sandbox_enter(ROLE_LOG, &holds, &err) != 0) {
		fprintf(stderr, "smtorp-log does not start without its sandbox: %s\n", err.text);
		return 1;
	}
	open_file();
	run();
	buffer_finish(&self.out);
	file_close(&self.file_fd);
	return 0;
}
