/* SPDX-License-Identifier: ISC */
#include "cli/cmd_access.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "address/address.h"
#include "base/file.h"
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/view.h"
#include "tor/access.h"

const struct cli_option cmd_access_options[] = {
	{ "identity", "NAME", "of this identity; needed when there are several" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* An identity's file, which nobody else changes meanwhile. */
struct opened {
	struct identity identity;
	int folder;
	struct access_list *list;
};

/* ---- which identity */

static int
find_only(int identities_fd, char name[IDENTITY_NAME_MAX + 1], struct error *err)
{
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	size_t count = 0;
	if (names == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	int result = identity_list(identities_fd, names, IDENTITIES_MAX, &count, err);
	if (result == 0 && count == 0)
		result = error_set(err, ERROR_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	else if (result == 0 && count > 1)
		result = error_set(err, ERROR_INVALID, "there are several identities: say which one with --identity NAME");
	else if (result == 0)
		memcpy(name, names[0], sizeof names[0]);
	free(names);
	return result;
}

static int
choose(const struct cli *cli, const char *wanted, int identities_fd, struct identity *out, struct error *err)
{
	char only[IDENTITY_NAME_MAX + 1];
	if (wanted == NULL)
		wanted = cli_option_value(cli, "identity");
	if (wanted == NULL && find_only(identities_fd, only, err) != 0)
		return -1;
	return identity_load(identities_fd, wanted != NULL ? wanted : only, out, err);
}

/* ---- its file */

static int
load(struct opened *o, struct error *err)
{
	struct error why = { 0 };
	struct buffer text;
	buffer_init(&text, ACCESS_FILE_BYTES_MAX);
	int result = file_load(o->folder, ACCESS_FILE, &text, &why);
	if (result == 0)
		result = access_parse(slice_of(buffer_bytes(&text), buffer_len(&text)), o->list, &why);
	else if (why.code == ERROR_NOT_FOUND)
		result = 0; /* everybody may find it, and it has no keys */
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	return result == 0 ? 0 : error_set(err, why.code, "%s", why.text);
}

static void
close_it(struct opened *o)
{
	file_close(&o->folder);
	access_free(o->list);
	o->list = NULL;
}

/* Returns an exit status, after its text. wanted NULL: as the option says, or the only one. */
static int
open_it(const struct cli *cli, const char *wanted, struct opened *o)
{
	struct error err = { 0 };
	int all = -1;
	*o = (struct opened){ .folder = -1, .list = access_new() };
	int result = cmd_identity_open_all(cli, &all, &err);
	if (result == 0)
		result = choose(cli, wanted, all, &o->identity, &err);
	if (result == 0)
		result = identity_open(all, o->identity.name, ".", &o->folder, &err);
	if (result == 0 && flock(o->folder, LOCK_EX) != 0)
		result = error_set_errno(&err, errno, "cannot lock the folder of %s", o->identity.name);
	if (result == 0)
		result = load(o, &err);
	file_close(&all);
	if (result == 0)
		return CLI_OK;
	close_it(o);
	return err.code == ERROR_INVALID ? cli_fail_with(CLI_USAGE, "%s", err.text) : cli_fail(&err);
}

/* Durable, and the node knows of it if there is one. */
static int
save(const struct cli *cli, struct opened *o)
{
	struct error err = { 0 };
	struct buffer text;
	buffer_init(&text, ACCESS_FILE_BYTES_MAX);
	int result = access_write(o->list, &text, &err);
	if (result == 0)
		result = file_replace(o->folder, ACCESS_FILE, buffer_bytes(&text), buffer_len(&text), 0600, &err);
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	if (result == 0 && client_call_name(&cli->paths, "identity.access", o->identity.name, &err) != 0 && err.code != ERROR_UNREACHABLE)
		result = -1;
	return result == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- commands */

static json_t *
describe(const struct opened *o)
{
	json_t *clients = json_array(), *keys = json_array();
	for (size_t i = 0; i < o->list->client_count; i++)
		json_array_append_new(clients, json_string(o->list->clients[i].name));
	for (size_t i = 0; i < o->list->key_count; i++)
		json_array_append_new(keys, json_sprintf("%s.onion", o->list->keys[i].onion));
	return json_pack("{s:s, s:b, s:o, s:o}", "identity", o->identity.name, "private", o->list->is_private, "granted", clients, "keys", keys);
}

/* What there is now, if that was asked for. Returns the exit status. */
static int
end_change(const struct cli *cli, struct opened *o, int status)
{
	if (status == CLI_OK && cli_has(cli, "json"))
		status = view_print_json(describe(o));
	close_it(o);
	return status;
}

static int
set_private(struct cli *cli, bool is_private)
{
	struct opened o;
	int status = open_it(cli, cli->arguments[0], &o);
	if (status != CLI_OK)
		return status;
	o.list->is_private = is_private;
	status = save(cli, &o);
	if (cli_has(cli, "json"))
		return end_change(cli, &o, status);
	if (status == CLI_OK && is_private)
		fprintf(stderr, "Identity %s is private: only who has a key finds it (%zu have one; `smtorp contact grant` makes them).\n",
		    o.identity.name, o.list->client_count);
	else if (status == CLI_OK)
		fprintf(stderr, "Identity %s is public: whoever knows the address finds it.\n", o.identity.name);
	close_it(&o);
	return status;
}

int
cmd_access_private(struct cli *cli)
{
	return set_private(cli, true);
}

int
cmd_access_public(struct cli *cli)
{
	return set_private(cli, false);
}

int
cmd_access_list(struct cli *cli)
{
	struct opened o;
	int status = open_it(cli, NULL, &o);
	if (status != CLI_OK)
		return status;
	if (cli_has(cli, "json")) {
		status = view_print_json(describe(&o));
		close_it(&o);
		return status;
	}
	printf("%s is %s\n", o.identity.name, o.list->is_private ? "private: found only by those who have a key" : "public: found by whoever knows the address");
	for (size_t i = 0; i < o.list->client_count; i++)
		printf("  granted to  %s\n", o.list->clients[i].name);
	for (size_t i = 0; i < o.list->key_count; i++)
		printf("  has a key for  %s.onion\n", o.list->keys[i].onion);
	close_it(&o);
	return cli_end_output();
}

static int
show_key(const struct cli *cli, const struct opened *o, bool was_private, const char *line)
{
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:s, s:s}", "identity", o->identity.name, "granted", cli->arguments[0], "key", line));
	if (!was_private)
		fprintf(stderr, "Identity %s was found by everybody so far; now it is private.\n", o->identity.name);
	fprintf(stderr, "Give this line to %s where nobody else reads it; they take it with `smtorp contact key`. It is shown only now.\n",
	    cli->arguments[0]);
	puts(line);
	return cli_end_output();
}

int
cmd_access_grant(struct cli *cli)
{
	struct opened o;
	struct error err = { 0 };
	char line[ACCESS_KEY_LINE_LEN + 1];
	int status = open_it(cli, NULL, &o);
	if (status != CLI_OK)
		return status;
	bool was_private = o.list->is_private;
	size_t had = o.list->client_count;
	status = access_grant(o.list, cli->arguments[0], o.identity.onion, line, &err) == 0 ? save(cli, &o) : cli_fail(&err);
	if (status == CLI_OK && o.list->client_count == had && !cli_has(cli, "json"))
		fprintf(stderr, "The line that %s had before finds identity %s no more.\n", cli->arguments[0], o.identity.name);
	if (status == CLI_OK)
		status = show_key(cli, &o, was_private, line);
	explicit_bzero(line, sizeof line);
	close_it(&o);
	return status;
}

int
cmd_access_withdraw(struct cli *cli)
{
	struct opened o;
	struct error err = { 0 };
	int status = open_it(cli, NULL, &o);
	if (status != CLI_OK)
		return status;
	status = access_withdraw(o.list, cli->arguments[0], &err) == 0 ? save(cli, &o) : cli_fail(&err);
	if (status == CLI_OK && !cli_has(cli, "json"))
		fprintf(stderr, "%s does not find identity %s any more. Connections that stand are not ended.\n", cli->arguments[0], o.identity.name);
	return end_change(cli, &o, status);
}

int
cmd_access_key(struct cli *cli)
{
	struct opened o;
	struct error err = { 0 };
	char line[ASK_LINE_MAX], onion[ACCESS_ONION_LEN + 1];
	if (ask_line(isatty(STDIN_FILENO) == 1 ? "The key that you were given: " : "", true, line) != 0)
		return cli_fail_with(CLI_USAGE, "give the key as one line on standard input: it is a secret, and others see the words of a command");
	int status = open_it(cli, NULL, &o);
	if (status == CLI_OK) {
		status = access_take_key(o.list, slice_of_string(line), onion, &err) == 0 ? save(cli, &o) : cli_fail(&err);
		if (status == CLI_OK && !cli_has(cli, "json"))
			fprintf(stderr, "Identity %s finds %s.onion now; mail that waits for it is tried again.\n", o.identity.name, onion);
		status = end_change(cli, &o, status);
	}
	explicit_bzero(line, sizeof line);
	return status;
}

int
cmd_access_drop_key(struct cli *cli)
{
	struct opened o;
	struct error err = { 0 };
	struct address address;
	char onion[ACCESS_ONION_LEN + 1];
	const char *at = strchr(cli->arguments[0], '@');
	if (address_parse_domain(slice_of_string(at != NULL ? at + 1 : cli->arguments[0]), &address, &err) != 0)
		return cli_fail_with(CLI_USAGE, "%s", err.text);
	snprintf(onion, sizeof onion, "%.*s", ACCESS_ONION_LEN, address.onion);
	int status = open_it(cli, NULL, &o);
	if (status != CLI_OK)
		return status;
	status = access_drop_key(o.list, onion, &err) == 0 ? save(cli, &o) : cli_fail(&err);
	if (status == CLI_OK && !cli_has(cli, "json"))
		fprintf(stderr, "Identity %s does not find %s.onion any more, if that is private.\n", o.identity.name, onion);
	return end_change(cli, &o, status);
}
