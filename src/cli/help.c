/* SPDX-License-Identifier: ISC */
#include "cli/help.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/wrap.h"

#define COLUMN 26
#define NAME_MAX_LEN 32

static void
print_row(FILE *out, const char *left, const char *help)
{
	if (strlen(left) < COLUMN)
		fprintf(out, "  %-*s", COLUMN, left);
	else
		fprintf(out, "  %s\n  %*s", left, COLUMN, "");
	wrap_print(out, help, COLUMN + 2, wrap_columns(out, WRAP_NEVER));
}

static void
print_commands(FILE *out, const char *group)
{
	size_t len = group != NULL ? strlen(group) : 0;
	for (const struct cli_command *c = commands_all; c->name != NULL; c++) {
		char left[80];
		if ((c->flags & CLI_HIDDEN) != 0 || (group != NULL && (strncmp(c->name, group, len) != 0 || c->name[len] != ' ')))
			continue;
		snprintf(left, sizeof left, "%s%s%s", c->name, c->arguments[0] != '\0' ? " " : "", c->arguments);
		print_row(out, left, c->help);
	}
}

void
help_print_all(FILE *out)
{
	fputs("smtorp: e-mail between Tor onion services\n\n"
	      "usage: smtorp [--home DIR] COMMAND [OPTIONS] [ARGUMENTS]\n\n", out);
	print_commands(out, NULL);
	fputs("\nBegin with `smtorp up`; in another terminal, `smtorp identity new alice --wait`.\n"
	      "`smtorp COMMAND --help` says more; the manual is smtorp(1).\n", out);
}

bool
help_is_group(const char *word)
{
	size_t len = strlen(word);
	for (const struct cli_command *c = commands_all; c->name != NULL; c++)
		if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
			return true;
	return false;
}

void
help_print_group(FILE *out, const char *group)
{
	fprintf(out, "usage: smtorp %s COMMAND [OPTIONS] [ARGUMENTS]\n\n", group);
	print_commands(out, group);
}

static void
print_option(const struct cli_option *option)
{
	char left[80];
	snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument != NULL ? " " : "",
	    option->argument != NULL ? option->argument : "");
	print_row(stdout, left, option->help);
}

void
help_print(const struct cli_command *command)
{
	static const struct cli_option common[] = {
		{ "home", "DIR", "the node's folder, if not $SMTORP_HOME or ~/.local/share/smtorp" },
		{ "help", NULL, "this text" },
	};
	if (command == NULL) {
		help_print_all(stdout);
		return;
	}
	printf("usage: smtorp %s%s%s%s\n\n%s.\n\n", command->name, command->options != NULL ? " [OPTIONS]" : "",
	    command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
	for (const struct cli_option *o = command->options; o != NULL && o->name != NULL; o++)
		print_option(o);
	for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
		print_option(&common[i]);
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t n = a < b ? a : b;
	return n < c ? n : c;
}

/* Levenshtein's distance; name is at most NAME_MAX_LEN long. */
static size_t
distance(const char *typed, const char *name)
{
	size_t row[NAME_MAX_LEN + 1], len = strlen(name);
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; typed[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (typed[i - 1] != name[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

/* How far a mistyped name is from a command, from its first word or from its second one. */
static size_t
distance_to_command(const char *typed, const char *name)
{
	char first[NAME_MAX_LEN + 1];
	const char *space = strchr(name, ' ');
	size_t d = distance(typed, name);
	if (space == NULL)
		return d;
	if (strcmp(space + 1, typed) == 0)
		return 0; /* `smtorp new` */
	snprintf(first, sizeof first, "%.*s", (int)(space - name), name);
	size_t d_first = distance(typed, first);
	return d_first < d ? d_first : d;
}

const char *
help_nearest(const char *typed)
{
	const char *nearest = NULL;
	size_t best = strlen(typed) / 3 + 2; /* farther ones are no help */
	for (const struct cli_command *c = commands_all; c->name != NULL; c++) {
		if ((c->flags & CLI_HIDDEN) != 0 || strlen(c->name) > NAME_MAX_LEN)
			continue;
		size_t d = distance_to_command(typed, c->name);
		if (d < best) {
			best = d;
			nearest = c->name;
		}
	}
	return nearest;
}

int
help_deny(const char *typed, const char *nearest)
{
	if (nearest != NULL)
		return cli_fail_with(CLI_USAGE, "there is no command '%s'; did you mean `smtorp %s`?", typed, nearest);
	return cli_fail_with(CLI_USAGE, "there is no command '%s'; `smtorp help` lists them", typed);
}

int
help_main(struct cli *cli)
{
	char whole[2 * NAME_MAX_LEN + 2];
	if (cli->argument_count == 0) {
		help_print_all(stdout);
		return cli_end_output();
	}
	const char *first = cli->arguments[0], *second = cli->argument_count > 1 ? cli->arguments[1] : "";
	snprintf(whole, sizeof whole, "%.*s%s%.*s", NAME_MAX_LEN, first, second[0] != '\0' ? " " : "", NAME_MAX_LEN, second);
	for (const struct cli_command *c = commands_all; c->name != NULL; c++)
		if (strcmp(c->name, whole) == 0) {
			help_print(c);
			return cli_end_output();
		}
	if (!help_is_group(whole))
		return help_deny(whole, help_nearest(whole));
	help_print_group(stdout, whole);
	return cli_end_output();
}
