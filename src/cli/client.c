/* SPDX-License-Identifier: ISC */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/local.h"
#include "cli/rawjson.h"

#define READ_BYTES 65536

static int
send_all(int fd, const char *bytes, size_t len, struct error *err)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot speak to the node");
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Waits until fd can be read. */
static int
wait_readable(int fd, int64_t deadline_ms, struct error *err)
{
	for (;;) {
		int64_t left = deadline_ms - clock_monotonic_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (left <= 0)
			return error_set(err, ERROR_TIMEOUT, "the node does not answer: look at its log");
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for the node");
	}
}

/* Reads until there is a whole line. */
static int
read_line(int fd, int64_t deadline_ms, struct buffer *line, struct error *err)
{
	bool is_whole = false;
	while (!is_whole) {
		if (wait_readable(fd, deadline_ms, err) != 0)
			return -1;
		unsigned char *room = buffer_reserve(line, READ_BYTES, err);
		if (room == NULL)
			return -1;
		ssize_t n = recv(fd, room, READ_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot read the node's answer");
		if (n == 0)
			return error_set(err, ERROR_CLOSED, "the node hung up without an answer: look at its log");
		is_whole = memchr(room, '\n', (size_t)n) != NULL;
		buffer_commit(line, (size_t)n);
	}
	return 0;
}

static int
take_answer(const struct buffer *line, json_t **out, struct error *err)
{
	int status = -1;
	json_t *answer = json_loadb((const char *)buffer_bytes(line), buffer_len(line), JSON_DISABLE_EOF_CHECK, NULL);
	json_t *problem = json_object_get(answer, "error");
	json_t *result = json_object_get(answer, "result");
	if (problem != NULL && !json_is_null(problem)) {
		const char *text = json_string_value(json_object_get(problem, "message"));
		bool is_missing = json_integer_value(json_object_get(problem, "code")) == CLIENT_NOT_FOUND;
		error_set(err, is_missing ? ERROR_NOT_FOUND : ERROR_DENIED, "%s",
		    text != NULL ? text : "the node refused, without saying why");
	} else if (result == NULL)
		error_set(err, ERROR_PROTOCOL, "the node gave an answer that is not understood: is it of another version?");
	else {
		if (out != NULL)
			*out = json_incref(result);
		status = 0;
	}
	json_decref(answer);
	return status;
}

/* The node's answer, as the line that it is. Takes params over. */
static int
ask(const struct paths *paths, const char *method, json_t *params, int timeout_ms, struct buffer *line,
    struct error *err)
{
	int fd = -1, result = -1;
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	json_t *request = json_pack("{s:s, s:i, s:s, s:o*}", "jsonrpc", "2.0", "id", 1, "method", method, "params", params);
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	if (text == NULL)
		error_set(err, ERROR_NO_MEMORY, "not enough memory to ask the node");
	else if (local_connect(paths, "control.sock", &fd, err) == 0 && send_all(fd, text, strlen(text), err) == 0 &&
	    send_all(fd, "\n", 1, err) == 0)
		result = read_line(fd, deadline_ms, line, err);
	file_close(&fd);
	secret_free_ordinary(text); /* it may hold a key */
	json_decref(request);
	return result;
}

int
client_call(const struct paths *paths, const char *method, json_t *params, int timeout_ms, json_t **out,
    struct error *err)
{
	struct buffer line;
	buffer_init(&line, CLIENT_ANSWER_MAX);
	int result = ask(paths, method, params, timeout_ms, &line, err);
	if (result == 0)
		result = take_answer(&line, out, err);
	buffer_finish(&line);
	return result;
}

int
client_call_raw(const struct paths *paths, const char *method, json_t *params, int timeout_ms, struct buffer *line,
    struct slice *result, struct error *err)
{
	buffer_init(line, CLIENT_ANSWER_MAX);
	if (ask(paths, method, params, timeout_ms, line, err) != 0)
		return -1;
	*result = rawjson_member(slice_of(buffer_bytes(line), buffer_len(line)), "result");
	return result->len > 0 ? 0 : take_answer(line, NULL, err);
}

int
client_call_name(const struct paths *paths, const char *method, const char *name, struct error *err)
{
	return client_call(paths, method, json_pack("{s:s}", "name", name), CLIENT_TIMEOUT_MS, NULL, err);
}
