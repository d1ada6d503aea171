/* SPDX-License-Identifier: ISC */
#include "tor/torrc.h"

#include <string.h>
#include <sys/un.h>

#define QUOTED_MAX_BYTES 16384

/* Appends the value as a C string in quotes, as tor's unescape_string() reads it. */
static int
append_quoted(struct buffer *out, const char *value, struct error *err)
{
	if (buffer_append(out, "\"", 1, err) != 0)
		return -1;
	for (const char *p = value; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		int failed;
		if (c < ' ' || c == 0x7f)
			failed = buffer_printf(out, err, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			failed = buffer_printf(out, err, "\\%c", c);
		else
			failed = buffer_append(out, p, 1, err);
		if (failed != 0)
			return -1;
	}
	return buffer_append(out, "\"", 1, err);
}

/* The path is quoted twice: inside the value, because it ends at a space there, and the value as a whole, because a
 * '#' would begin a comment. */
static int
append_socks_port(struct buffer *out, const char *path, struct error *err)
{
	int result = -1;
	struct buffer value;
	buffer_init(&value, QUOTED_MAX_BYTES);
	if (buffer_append_string(&value, "unix:", err) != 0 || append_quoted(&value, path, err) != 0 ||
	    buffer_append_string(&value, " IsolateSOCKSAuth ExtendedErrors OnionTrafficOnly", err) != 0 ||
	    buffer_append(&value, "", 1, err) != 0)
		goto out;
	if (buffer_append_string(out, "SocksPort ", err) != 0 ||
	    append_quoted(out, (const char *)buffer_bytes(&value), err) != 0 || buffer_append(out, "\n", 1, err) != 0)
		goto out;
	result = 0;
out:
	buffer_finish(&value);
	return result;
}

static int
check_path(const char *path, const char *what, struct error *err)
{
	if (path[0] != '/')
		return error_set(err, ERROR_INVALID, "%s must be an absolute path, not '%s'", what, path);
	return 0;
}

int
torrc_write(const char *data_directory, const char *socks_path, struct buffer *out, struct error *err)
{
	/* MaxClientCircuitsPending: 32 would make a node that sends a lot wait for itself.
	 * DormantCanceledByStartup: a node that starts is there to be reached, whatever tor remembers. */
	static const char fixed[] =
	    "ControlPort 0\n"
	    "ClientOnly 1\n"
	    "PublishServerDescriptor 0\n"
	    "MaxClientCircuitsPending 128\n"
	    "DormantCanceledByStartup 1\n"
	    "DisableDebuggerAttachment 1\n"
	    "SafeLogging 1\n"
	    "Log notice stderr\n";
	const size_t socks_path_max = sizeof ((struct sockaddr_un *)NULL)->sun_path - 1;
	if (check_path(data_directory, "tor's data directory", err) != 0 ||
	    check_path(socks_path, "tor's SOCKS socket", err) != 0)
		return -1;
	if (strlen(socks_path) > socks_path_max)
		return error_set(err, ERROR_INVALID, "the path of tor's SOCKS socket is longer than %zu bytes; choose a "
		    "shorter SMTORP_HOME", socks_path_max);
	if (buffer_append_string(out, "DataDirectory ", err) != 0 || append_quoted(out, data_directory, err) != 0 ||
	    buffer_append(out, "\n", 1, err) != 0)
		return -1;
	if (append_socks_port(out, socks_path, err) != 0)
		return -1;
	return buffer_append_string(out, fixed, err);
}

int
torrc_add_line(const char *line, struct buffer *out, struct error *err)
{
	size_t len = strlen(line);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return error_set(err, ERROR_INVALID, "a line for tor's configuration (tor.extra) holds a control "
			    "character");
	}
	if (len > 0 && line[len - 1] == '\\')
		return error_set(err, ERROR_INVALID, "a line for tor's configuration (tor.extra) ends in a backslash; "
		    "write it as one line");
	return buffer_printf(out, err, "%s\n", line);
}
