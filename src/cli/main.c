/* SPDX-License-Identifier: ISC */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/owner.h"

struct words {
	int argc;
	char **argv;
	int at;
};

static int
usage_error(const char *what, const char *word, const struct cli_command *command)
{
	fprintf(stderr, "smtorp: %s '%s'; see `smtorp %s%s--help`\n", what, word, command != NULL ? command->name : "",
	    command != NULL ? " " : "");
	return CLI_USAGE;
}

/* Whether word is --name or --name=VALUE. */
static bool
is_option(const char *word, const char *name, const char **value)
{
	size_t len = strlen(name);
	if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, len) != 0 ||
	    (word[2 + len] != '\0' && word[2 + len] != '='))
		return false;
	*value = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
	return true;
}

/* *value is NULL or what stood after '='. */
static int
take_value(struct words *words, const char **value)
{
	if (*value != NULL)
		return 0;
	if (words->at == words->argc)
		return -1;
	*value = words->argv[words->at++];
	return 0;
}

static const struct cli_option home_option = { "home", "DIR", "" };

static const struct cli_option *
find_option(const struct cli_command *command, const char *word, const char **value)
{
	if (is_option(word, "home", value))
		return &home_option;
	for (const struct cli_option *o = command != NULL ? command->options : NULL; o != NULL && o->name != NULL; o++)
		if (is_option(word, o->name, value))
			return o;
	return NULL;
}

/* Takes one word that begins with a dash. -1: go on; else the exit status. */
static int
take_option(struct cli *cli, const struct cli_command *command, struct words *words, const char *word)
{
	const char *value = NULL;
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		help_print(command);
		return cli_end_output();
	}
	const struct cli_option *option = find_option(command, word, &value);
	if (option == NULL)
		return usage_error("there is no option", word, command);
	if (option->argument == NULL && value != NULL)
		return usage_error("this option takes no value:", word, command);
	if (option->argument != NULL && take_value(words, &value) != 0)
		return usage_error("this option needs a value:", word, command);
	if (option == &home_option) {
		cli->home = value;
		return -1;
	}
	if (cli->option_count == CLI_OPTIONS_MAX)
		return usage_error("too many options at", word, command);
	cli->options[cli->option_count] = option;
	cli->values[cli->option_count++] = value != NULL ? value : "";
	return -1;
}

/* Options and arguments after the command. -1: go on; else the exit status. */
static int
take_rest(struct cli *cli, const struct cli_command *command, struct words *words)
{
	bool options_end = false;
	while (words->at < words->argc) {
		const char *word = words->argv[words->at++];
		if (!options_end && strcmp(word, "--") == 0) {
			options_end = true;
			continue;
		}
		if (!options_end && word[0] == '-' && word[1] != '\0') {
			int status = take_option(cli, command, words, word);
			if (status >= 0)
				return status;
			continue;
		}
		if (cli->argument_count == command->arguments_max || cli->argument_count == CLI_ARGUMENTS_MAX)
			return usage_error("this is one argument too many:", word, command);
		cli->arguments[cli->argument_count++] = word;
	}
	if (cli->argument_count < command->arguments_min) {
		fprintf(stderr, "smtorp: %s is missing: smtorp %s %s\n", command->arguments, command->name,
		    command->arguments);
		return CLI_USAGE;
	}
	return -1;
}

/* The command that the words begin with, NULL when there is none; words->at is after it then. */
static const struct cli_command *
find_command(struct words *words)
{
	const char *first = words->argv[words->at];
	size_t first_len = strlen(first);
	for (const struct cli_command *c = commands_all; c->name != NULL; c++) {
		const char *space = strchr(c->name, ' ');
		if (space == NULL && strcmp(c->name, first) == 0) {
			words->at++;
			return c;
		}
		if (space != NULL && strncmp(c->name, first, first_len) == 0 && c->name + first_len == space &&
		    words->at + 1 < words->argc && strcmp(space + 1, words->argv[words->at + 1]) == 0) {
			words->at += 2;
			return c;
		}
	}
	return NULL;
}

static int
no_command(const struct words *words)
{
	const char *first = words->argv[words->at];
	const char *second = words->at + 1 < words->argc ? words->argv[words->at + 1] : NULL;
	if (help_is_group(first) && (second == NULL || strcmp(second, "--help") == 0 || strcmp(second, "-h") == 0)) {
		help_print_group(second != NULL ? stdout : stderr, first);
		return second != NULL ? cli_end_output() : CLI_USAGE;
	}
	char whole[128];
	const char *nearest = NULL;
	snprintf(whole, sizeof whole, "%.60s%s%.60s", first, second != NULL ? " " : "", second != NULL ? second : "");
	if (second != NULL)
		nearest = help_nearest(whole);
	if (!help_is_group(first))
		snprintf(whole, sizeof whole, "%.120s", first);
	if (nearest == NULL)
		nearest = help_nearest(whole);
	return help_deny(whole, nearest);
}

static int
run(struct cli *cli, const struct cli_command *command)
{
	struct error err;
	if ((command->flags & CLI_NO_HOME) == 0) {
		if (owner_become(&cli->home, &err) != 0 || paths_resolve(cli->home, &cli->paths, &err) != 0)
			return cli_fail(&err);
		random_init();
	}
	return command->run(cli);
}

int
main(int argc, char **argv)
{
	struct cli cli = { 0 };
	struct words words = { argc, argv, 1 };
	json_set_alloc_funcs(malloc, secret_free_ordinary); /* JSON may hold a password or a key */
	while (words.at < argc && argv[words.at][0] == '-') {
		const char *word = argv[words.at++];
		if (strcmp(word, "--version") == 0)
			word = argv[words.at - 1] = (char *)"version";
		if (word[0] != '-') {
			words.at--;
			break;
		}
		int status = take_option(&cli, NULL, &words, word);
		if (status >= 0)
			return status;
	}
	if (words.at == argc) {
		help_print_all(stderr);
		return CLI_USAGE;
	}
	const struct cli_command *command = find_command(&words);
	if (command == NULL)
		return no_command(&words);
	if ((command->flags & CLI_RAW) != 0) {
		cli.raw = argv + words.at;
		return run(&cli, command);
	}
	int status = take_rest(&cli, command, &words);
	return status >= 0 ? status : run(&cli, command);
}
