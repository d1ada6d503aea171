/* SPDX-License-Identifier: ISC
 *
 * What the commands of smtorp(1) share: the table they stand in, their options, and how they end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/exits.h"
#include "config/paths.h"

/* Exit statuses, as smtorp(1) lists them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = EXITS_WRONG_USE,
	CLI_NOT_RUNNING = 3, /* the command needs a running node */
	CLI_NOT_FOUND = 4,   /* there is no such identity, or no such message */
	CLI_EXISTS = EXITS_RUNS_ALREADY, /* there is one already */
	CLI_TIMEOUT = 6,     /* what was waited for did not happen in time */
	CLI_CONFIGURATION = EXITS_CONFIGURATION,
	CLI_DATABASE_DAMAGED = EXITS_DATABASE_DAMAGED,
	CLI_WRONG_PASSPHRASE = 20,
	CLI_FOUND_WRONG = 21, /* `smtorp doctor` has found what is wrong */
	/* and from `smtorp up` what smtorpd ended with, see config/exits.h */
};

#define CLI_OPTIONS_MAX 70 /* as many --bridge as smtorpd takes, and others */
#define CLI_ARGUMENTS_MAX 4

struct cli_option {
	const char *name;     /* without the dashes; NULL ends a list */
	const char *argument; /* the placeholder of its value, NULL for a switch */
	const char *help;
};

struct cli {
	struct paths paths;
	const char *home; /* --home, or NULL */
	const char *arguments[CLI_ARGUMENTS_MAX];
	size_t argument_count;
	const struct cli_option *options[CLI_OPTIONS_MAX]; /* that were given */
	const char *values[CLI_OPTIONS_MAX];
	size_t option_count;
	char **raw; /* for CLI_RAW: the words after the command, NULL at the end */
};

enum cli_flags {
	CLI_NO_HOME = 1 << 0, /* does not look at the node's files: runs as anybody */
	CLI_HIDDEN = 1 << 1,  /* not in the help */
	CLI_RAW = 1 << 2,     /* all that follows is arguments; argc and argv are passed on */
};

struct cli_command {
	const char *name;      /* "identity new" */
	const char *arguments; /* "NAME", for the help */
	size_t arguments_min, arguments_max;
	const char *help;      /* one line */
	const struct cli_option *options; /* besides --home and --help; may be NULL */
	int (*run)(struct cli *cli);
	unsigned flags;
};

/* The value of an option that was given ("" for a switch), NULL when it was not. */
const char *cli_option_value(const struct cli *cli, const char *name);
bool cli_has(const struct cli *cli, const char *name);

/* Prints "smtorp: TEXT" to standard error; returns the exit status that belongs to the error. */
int cli_fail(const struct error *err);
__attribute__((format(printf, 2, 3)))
int cli_fail_with(enum cli_exit status, const char *format, ...);

#ifdef __clang_analyzer__ /* as in base/error.h */
#define cli_fail(err) ((void)cli_fail(err), CLI_FAILED)
#define cli_fail_with(status, ...) ((void)cli_fail_with(status, __VA_ARGS__), status)
#endif

/* Whether standard output is a file that others may read: no place for a secret. */
bool cli_output_is_open_to_others(void);

/* Writes the remaining output out: CLI_OK, or CLI_FAILED with a text when it cannot be written. */
int cli_end_output(void);
