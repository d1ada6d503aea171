/* SPDX-License-Identifier: ISC */
#include "cli/cmd_scrub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "cli/header.h"
#include "cli/scrub_warn.h"
#include "cli/sender.h"
#include "cli/view.h"
#include "config/config.h"
#include "mime/library.h"
#include "mime/prepare.h"
#include "mime/threads.h"

#define STEP_BYTES 65536
#define IDS_MAX_BYTES 32768

const struct cli_option cmd_scrub_options[] = {
	{ "identity", "NAME", "as it would leave this identity; otherwise that of From, or the only one" },
	{ "message", NULL, "print the message that would leave, and not what was changed" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

struct scrub {
	struct cli *cli;
	struct identity identity;
	struct config config;
	struct buffer message; /* with CRLF */
	bool prints_message;
	json_t *lines, *warnings; /* NULL: print */
	size_t part;              /* the last one of which something was said */
	bool said_any;
	const char *warned;       /* the last warning */
	size_t warned_part;
};

/* ---- reading */

/* Whatever ends lines becomes CRLF, as on the way to the node. */
static int
add_lines(struct buffer *out, struct slice text, bool *was_cr, struct error *err)
{
	for (size_t at = 0; at < text.len;) {
		size_t len = 0;
		while (at + len < text.len && text.data[at + len] != '\n' && text.data[at + len] != '\r')
			len++;
		bool ends = at + len < text.len, is_half = ends && len == 0 && *was_cr && text.data[at] == '\n';
		if (buffer_append(out, text.data + at, len, err) != 0 || (ends && !is_half && buffer_append(out, "\r\n", 2, err) != 0))
			return -1;
		*was_cr = ends && text.data[at + len] == '\r';
		at += len + ends;
	}
	return 0;
}

static int
fail_too_large(uint64_t most_bytes)
{
	return cli_fail_with(CLI_FAILED, "this message would be refused: it is larger than message.max-size in smtorp.conf allows "
	    "(%" PRIu64 " bytes)", most_bytes);
}

static int
read_message(uint64_t most_bytes, struct buffer *out)
{
	unsigned char *step = malloc(STEP_BYTES);
	struct error err = { 0 };
	bool was_cr = false;
	ssize_t n = -1;
	if (step == NULL)
		return cli_fail_with(CLI_FAILED, "not enough memory");
	while ((n = read(STDIN_FILENO, step, STEP_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || add_lines(out, slice_of(step, (size_t)n), &was_cr, &err) != 0)
			break;
	}
	free(step);
	if (n < 0)
		return cli_fail_with(CLI_FAILED, "cannot read the message: %s", strerror(errno));
	if (n > 0)
		return err.code == ERROR_TOO_LARGE ? fail_too_large(most_bytes) : cli_fail(&err);
	if (buffer_len(out) == 0)
		return cli_fail_with(CLI_FAILED, "there is nothing on standard input: smtorp scrub < message");
	return CLI_OK;
}

/* Takes an mbox line off, and puts the empty line after the header that smtorp-sendmail would put. */
static int
mend_header(struct buffer *message, struct header_end *end)
{
	struct buffer whole;
	struct error err = { 0 };
	header_find_end(slice_of(buffer_bytes(message), buffer_len(message)), true, end);
	if (end->is_blank_missing) {
		buffer_init(&whole, buffer_len(message) + 2);
		if (buffer_append(&whole, buffer_bytes(message), end->end, &err) != 0 || buffer_append(&whole, "\r\n", 2, &err) != 0 ||
		    buffer_append(&whole, buffer_bytes(message) + end->end, buffer_len(message) - end->end, &err) != 0) {
			buffer_finish(&whole);
			return cli_fail(&err);
		}
		buffer_finish(message);
		*message = whole;
	}
	buffer_consume(message, end->start);
	end->end -= end->start;
	return CLI_OK;
}

/* ---- whose it is */

static int
load_by_onion(int fd, const char *onion, struct identity *out, struct error *err)
{
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	size_t count = 0;
	int result = names == NULL ? error_set(err, ERROR_NO_MEMORY, "not enough memory") :
	    identity_list(fd, names, IDENTITIES_MAX, &count, err);
	bool is_found = false;
	for (size_t i = 0; result == 0 && !is_found && i < count; i++)
		is_found = identity_load(fd, names[i], out, NULL) == 0 && strcmp(out->onion, onion) == 0;
	free(names);
	return result != 0 || is_found ? result : error_set(err, ERROR_NOT_FOUND, "there is no such identity");
}

static int
note_address(void *context, struct slice text, struct error *err)
{
	(void)text;
	(void)err;
	*(bool *)context = true;
	return 0;
}

static bool
has_from(struct slice header)
{
	bool has = false;
	header_addresses(header, "From", note_address, &has, NULL);
	return has;
}

static int
find_identity(struct scrub *s, size_t header_len)
{
	const char *name = cli_option_value(s->cli, "identity");
	char sender[SENDER_MAX + 1];
	struct address address;
	struct error err = { 0 };
	int fd, result;
	if (name != NULL && identity_check_name(name, &err) != 0)
		return cli_fail_with(CLI_USAGE, "%s", err.text);
	if (identity_open_all(s->cli->paths.data, false, &fd, &err) != 0)
		return err.code != ERROR_NOT_FOUND ? cli_fail(&err) :
		    cli_fail_with(CLI_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	if (name != NULL) {
		result = identity_load(fd, name, &s->identity, &err);
	} else if (sender_choose(&s->cli->paths, slice_of(buffer_bytes(&s->message), header_len), sender, &err) != 0) {
		file_close(&fd);
		return cli_fail_with(CLI_NOT_FOUND, "%s: say whose message it is with --identity NAME",
		    has_from(slice_of(buffer_bytes(&s->message), header_len)) ? "From: is no address of yours" :
		    "it has no From: with an address");
	} else {
		result = address_parse(slice_of_string(sender), &address, &err);
		if (result == 0)
			result = load_by_onion(fd, address.onion, &s->identity, &err);
	}
	file_close(&fd);
	return result == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- showing */

/* Controls of ASCII, and those of U+0080 to U+009F, which some terminals take for ESC and a letter; how many bytes: 0, 1 or 2. */
static size_t
control_length(struct slice text, size_t at)
{
	unsigned char c = text.data[at];
	if (c < 0x80)
		return (c < ' ' && c != '\t') || c == 0x7f;
	if (c == 0xc2 && at + 1 < text.len && text.data[at + 1] >= 0x80 && text.data[at + 1] < 0xa0)
		return 2;
	return c < 0xa0 && (at == 0 || text.data[at - 1] < 0x80);
}

/* Nothing in a message is to move the cursor, or to change colours. */
static void
print_lines(const char *mark, struct slice lines)
{
	for (size_t at = 0; at < lines.len;) {
		fputs(mark, stdout);
		while (at < lines.len && lines.data[at] != '\n') {
			size_t control = control_length(lines, at);
			if (lines.data[at] != '\r')
				putchar(control > 0 ? '?' : lines.data[at]);
			at += control > 0 ? control : 1;
		}
		putchar('\n');
		at++;
	}
}

static json_t *
json_of(struct slice text)
{
	char *copy;
	json_t *value = json_stringn((const char *)text.data, text.len);
	if (value != NULL || (copy = malloc(text.len)) == NULL)
		return value; /* else it is no UTF-8 */
	for (size_t i = 0; i < text.len; i++)
		copy[i] = text.data[i] < 0x80 ? (char)text.data[i] : '?';
	value = json_stringn(copy, text.len);
	free(copy);
	return value;
}

static void
warn(struct scrub *s, size_t part, struct slice field)
{
	const char *text = scrub_warn_about(field);
	if (text == NULL || (text == s->warned && part == s->warned_part))
		return;
	s->warned = text;
	s->warned_part = part;
	json_array_append_new(s->warnings, json_pack("{s:I, s:s}", "part", (json_int_t)part, "text", text));
}

static void
on_lines(void *context, size_t part, struct slice before, struct slice after, const char *why)
{
	struct scrub *s = context;
	warn(s, part, after);
	if (s->lines != NULL) {
		json_array_append_new(s->lines, json_pack("{s:I, s:o, s:o, s:s?}", "part", (json_int_t)part, "before", json_of(before),
		    "after", json_of(after), "why", why));
		return;
	}
	if (!s->said_any || part != s->part) {
		if (part == 0)
			puts("--- your message\n+++ as it leaves\n@@ header @@");
		else
			printf("@@ part %zu @@\n", part);
	}
	s->said_any = true;
	s->part = part;
	if (why == NULL) {
		print_lines(" ", before);
		return;
	}
	print_lines("-", before);
	print_lines("+", after);
	printf("# %s\n", why);
}

static int
read_part(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	const struct scrub *s = context;
	(void)err;
	if (len > 0)
		memcpy(out, buffer_bytes(&s->message) + offset, len);
	return 0;
}

static int
write_nothing(void *context, const void *bytes, size_t len, struct error *err)
{
	(void)context;
	(void)bytes;
	(void)len;
	(void)err;
	return 0;
}

static int
write_part(void *context, const void *bytes, size_t len, struct error *err)
{
	const struct scrub *s = context;
	if (s->prints_message && fwrite(bytes, 1, len, stdout) != len)
		return error_set(err, ERROR_IO, "cannot write the message: %s", strerror(errno));
	return 0;
}

static int
print_end(struct scrub *s)
{
	json_t *warning;
	size_t i;
	char address[ADDRESS_MAX + 1];
	view_address(&s->identity, address);
	if (s->lines != NULL)
		return view_print_json(json_pack("{s:s, s:s, s:O, s:O}", "identity", s->identity.name, "address", address, "lines", s->lines,
		    "warnings", s->warnings));
	if (!s->prints_message)
		puts("The rest leaves as it is, byte by byte.");
	json_array_foreach(s->warnings, i, warning)
		fprintf(s->prints_message ? stderr : stdout, "Part %lld: %s.\n", view_number(warning, "part"), view_text(warning, "text"));
	return cli_end_output();
}

/* Which ids were received, and what the others are called outside, only mail@ID knows: any names of their form stand in. */
static int
name_ids(const struct scrub *s, struct buffer *map, struct error *err)
{
	struct threads threads;
	struct slice ids[THREADS_IDS_MAX], before;
	char letters[THREADS_LETTERS + 1], outer[THREADS_OUTER_SIZE];
	threads_find(slice_of(buffer_bytes(&s->message), buffer_len(&s->message)), &threads);
	size_t count = threads_list(&threads, ids);
	for (size_t i = 0; i < count; i++) {
		if (threads_map_find(slice_of(buffer_bytes(map), buffer_len(map)), ids[i], &before))
			continue;
		random_name(letters, sizeof letters);
		threads_outer(letters, s->identity.onion, outer);
		if (threads_map_add(map, ids[i], slice_of_string(outer), err) != 0)
			return -1;
	}
	return 0;
}

static int
scrub(struct scrub *s)
{
	struct prepare_facts facts;
	struct buffer ids;
	struct error err = { 0 };
	const struct prepare_report report = { on_lines, s };
	/* First without a word: of what would be refused nothing is to be shown. */
	const struct prepare_stream trial = { buffer_len(&s->message), read_part, write_nothing, s, NULL };
	const struct prepare_stream stream = { buffer_len(&s->message), read_part, write_part, s, s->prints_message ? NULL : &report };
	struct prepare_request request = { .local_part = s->identity.local_part, .onion = s->identity.onion, .now_s = clock_wall_s() };
	request.date_step_s = s->config.date_step_s;
	random_bytes(request.seed, sizeof request.seed);
	random_name(request.id_letters, sizeof request.id_letters);
	library_init();
	buffer_init(&ids, IDS_MAX_BYTES);
	int result = name_ids(s, &ids, &err);
	request.ids = slice_of(buffer_bytes(&ids), buffer_len(&ids));
	if (result == 0)
		result = prepare_stream(&request, &trial, &facts, &err);
	if (result == 0)
		result = prepare_stream(&request, &stream, &facts, &err);
	buffer_finish(&ids);
	if (result == 0)
		return print_end(s);
	return cli_fail_with(CLI_FAILED, "this message would be refused: %s", err.text);
}

static int
run(struct scrub *s)
{
	struct header_end end;
	struct error err;
	if (config_load(s->cli->paths.config_file, &s->config, &err) != 0)
		return cli_fail_with(CLI_CONFIGURATION, "%s", err.text);
	buffer_init(&s->message, s->config.message_max_bytes);
	int status = read_message(s->config.message_max_bytes, &s->message);
	if (status == CLI_OK)
		status = mend_header(&s->message, &end);
	if (status == CLI_OK)
		status = find_identity(s, end.end);
	return status == CLI_OK ? scrub(s) : status;
}

int
cmd_scrub_main(struct cli *cli)
{
	bool prints_message = cli_has(cli, "message");
	struct scrub *s;
	if (prints_message && cli_has(cli, "json"))
		return cli_fail_with(CLI_USAGE, "--message and --json exclude each other");
	if (isatty(STDIN_FILENO))
		return cli_fail_with(CLI_USAGE, "a message is read from standard input: smtorp scrub < message");
	if ((s = calloc(1, sizeof *s)) == NULL)
		return cli_fail_with(CLI_FAILED, "not enough memory");
	*s = (struct scrub){ .cli = cli, .prints_message = prints_message, .lines = cli_has(cli, "json") ? json_array() : NULL,
		.warnings = json_array() };
	int status = run(s);
	buffer_finish(&s->message);
	json_decref(s->lines);
	json_decref(s->warnings);
	free(s);
	return status;
}
