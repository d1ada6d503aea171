/* SPDX-License-Identifier: ISC */
#include "cli/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cmd_logs.h"
#include "cli/client.h"
#include "cli/cmd_mua.h"
#include "cli/commands.h"
#include "cli/view.h"
#include "identity/identity.h"

struct words {
	char **all;
	size_t count; /* with the one that is being typed */
	const char *typed;
	const char *home; /* --home of the command line */
};

static void
offer(const struct words *words, const char *candidate, const char *help)
{
	if (strncmp(candidate, words->typed, strlen(words->typed)) == 0)
		printf("%s\t%s\n", candidate, help);
}

static void
offer_identities(const struct words *words)
{
	struct paths paths;
	size_t count = 0;
	int fd;
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	if (names != NULL && paths_resolve(words->home, &paths, NULL) == 0 && identity_open_all(paths.data, false, &fd, NULL) == 0) {
		identity_list(fd, names, IDENTITIES_MAX, &count, NULL);
		file_close(&fd);
	}
	for (size_t i = 0; i < count; i++)
		offer(words, names[i], "identity");
	free(names);
}

/* Those that the running node knows. */
static void
offer_peers(const struct words *words)
{
	struct paths paths;
	json_t *status = paths_resolve(words->home, &paths, NULL) == 0 ? view_status(&paths) : NULL, *identity, *row;
	size_t i, j;
	json_array_foreach(json_object_get(status, "identities"), i, identity) {
		json_t *page = NULL;
		client_call(&paths, "peer.list", json_pack("{s:s}", "name", view_text(identity, "name")), CLIENT_TIMEOUT_MS, &page, NULL);
		json_array_foreach(json_object_get(page, "items"), j, row)
			offer(words, view_text(row, "id"), view_text(row, "state"));
		json_decref(page);
	}
	json_decref(status);
}

/* Those that the identities know: by their addresses, which nobody types. */
static void
offer_people(const struct words *words)
{
	struct paths paths;
	json_t *status = paths_resolve(words->home, &paths, NULL) == 0 ? view_status(&paths) : NULL, *identity, *row;
	size_t i, j;
	json_array_foreach(json_object_get(status, "identities"), i, identity) {
		json_t *page = NULL;
		client_call(&paths, "contact.list", json_pack("{s:s}", "name", view_text(identity, "name")), CLIENT_TIMEOUT_MS, &page, NULL);
		json_array_foreach(json_object_get(page, "items"), j, row)
			offer(words, view_text(row, "address"), view_text(row, "name"));
		json_decref(page);
	}
	json_decref(status);
}

static const char *
help_of_group(const char *word)
{
	if (strcmp(word, "queue") == 0)
		return "commands for what waits";
	if (strcmp(word, "contact") == 0)
		return "commands for the address book";
	if (strcmp(word, "openpgp") == 0)
		return "commands for an identity's keys";
	return strcmp(word, "peer") == 0 ? "commands for the keys of others" : "commands for identities";
}

/* The first words of commands, or the second ones after first. */
static void
offer_commands(const struct words *words, const char *first)
{
	char last[32] = "";
	for (const struct cli_command *c = commands_all; c->name != NULL; c++) {
		const char *space = strchr(c->name, ' ');
		size_t len = space != NULL ? (size_t)(space - c->name) : strlen(c->name);
		char word[32];
		if ((c->flags & CLI_HIDDEN) != 0)
			continue;
		snprintf(word, sizeof word, "%.*s", (int)len, c->name);
		if (first == NULL && strcmp(word, last) != 0)
			offer(words, word, space == NULL ? c->help : help_of_group(word));
		else if (first != NULL && space != NULL && strcmp(word, first) == 0)
			offer(words, space + 1, c->help);
		snprintf(last, sizeof last, "%s", word);
	}
}

static const struct cli_command *
find(const char *first, const char *second)
{
	for (const struct cli_command *c = commands_all; c->name != NULL; c++) {
		const char *space = strchr(c->name, ' ');
		if (space == NULL ? strcmp(c->name, first) == 0 :
		                    strncmp(c->name, first, strlen(first)) == 0 && c->name + strlen(first) == space &&
		                    strcmp(space + 1, second) == 0)
			return c;
	}
	return NULL;
}

static bool
takes_known_name(const struct cli_command *command)
{
	return strcmp(command->name, "identity new") != 0 && strncmp(command->name, "identity import-", 16) != 0;
}

/* What stands behind some options; false: no option with a value is before the word. */
static bool
offer_values(const struct words *words, const struct cli_command *command)
{
	static const struct {
		const char *option, *value, *help;
	} values[] = {
		{ "--format", "dot", "for graphviz" },
		{ "--format", "svg", "for a browser" },
		{ "--qr", "terminal", "to be scanned from here" },
		{ "--qr", "svg", "for a browser" },
		{ "--qr", "png", "a picture" },
		{ "--encrypt", "prefer", "when it can be" },
		{ "--encrypt", "require", "or nothing goes" },
		{ "--encrypt", "never", "" },
		{ "--encrypt", "default", "what the identity does" },
	};
	static const char *const files[] = { "--tor-key", "--key", "--passphrase-file", "--out", "--recovery" }; /* the shell knows them */
	const char *before = words->all[words->count - 2];
	bool is_value = false;
	if (strcmp(before, "--identity") == 0 || (strcmp(before, "--to") == 0 && strcmp(command->name, "identity move") == 0)) {
		offer_identities(words);
		return true;
	}
	if (strcmp(before, "--to") == 0) {
		offer_people(words);
		return true;
	}
	for (size_t i = 0; strcmp(before, "--role") == 0 && cmd_logs_roles[i] != NULL; i++)
		offer(words, cmd_logs_roles[i], "");
	for (size_t i = 0; strcmp(before, "--client") == 0 && cmd_mua_clients[i] != NULL; i++)
		offer(words, cmd_mua_clients[i], "mail program");
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (strcmp(before, values[i].option) == 0) {
			offer(words, values[i].value, values[i].help);
			is_value = true;
		}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		is_value |= strcmp(before, files[i]) == 0;
	return is_value || strcmp(before, "--role") == 0 || strcmp(before, "--client") == 0;
}

/* The contact that a command is about is its first argument. */
static bool
wants_contact(const struct words *words, const struct cli_command *command)
{
	bool takes_one = strcmp(command->arguments, "[WHO]") == 0 || (strncmp(command->arguments, "WHO", 3) == 0 && command->arguments[3] != 'M');
	return takes_one && words->count == (strchr(command->name, ' ') != NULL ? 3 : 2);
}

static void
offer_for_command(const struct words *words, const struct cli_command *command)
{
	if (offer_values(words, command))
		return;
	if (words->typed[0] == '-') {
		for (const struct cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
			char dashed[40];
			snprintf(dashed, sizeof dashed, "--%s", o->name);
			offer(words, dashed, o->help);
		}
		offer(words, "--home", "the node's folder");
		offer(words, "--help", "help");
	} else if (takes_known_name(command) && (strcmp(command->arguments, "NAME") == 0 || strcmp(command->arguments, "[NAME]") == 0 ||
	               (strncmp(command->arguments, "NAME ", 5) == 0 && words->count == 3)))
		offer_identities(words);
	else if (strcmp(command->arguments, "PEER") == 0)
		offer_peers(words);
	else if (wants_contact(words, command))
		offer_people(words);
}

/* Where --home stands before the word that is typed; before the command it is taken away. */
static void
take_home(struct words *words)
{
	for (size_t i = 0; i + 1 < words->count; i++) {
		if (strncmp(words->all[i], "--home=", 7) == 0)
			words->home = words->all[i] + 7;
		else if (strcmp(words->all[i], "--home") == 0 && i + 2 < words->count)
			words->home = words->all[i + 1];
	}
	while (words->count > 1 && strncmp(words->all[0], "--home", 6) == 0) {
		size_t taken = words->all[0][6] == '=' ? 1 : 2;
		if (taken >= words->count)
			return;
		words->all += taken;
		words->count -= taken;
	}
}

int
complete_main(struct cli *cli)
{
	struct words words = { .all = cli->raw };
	while (words.all[words.count] != NULL)
		words.count++;
	if (words.count == 0)
		return CLI_OK;
	words.typed = words.all[words.count - 1];
	take_home(&words);
	if (words.count == 1) {
		offer_commands(&words, NULL);
		return cli_end_output();
	}
	const struct cli_command *command = find(words.all[0], words.count > 2 ? words.all[1] : "");
	if (command != NULL)
		offer_for_command(&words, command);
	else if (words.count == 2)
		offer_commands(&words, words.all[0]);
	return cli_end_output();
}
