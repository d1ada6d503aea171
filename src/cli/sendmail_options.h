/* SPDX-License-Identifier: ISC
 *
 * The command line of smtorp-sendmail: sendmail's letters, as far as programs use them.
 */
#pragma once

#include <stdbool.h>

struct sendmail_options {
	const char *home;      /* --home */
	const char *sender;    /* -f or -r, NULL when it was not given */
	bool takes_recipients; /* -t */
	bool wants_help, wants_version;
	char **recipients;     /* the arguments, NULL at the end */
};

/* 0, or -1 after a text on standard error. */
int sendmail_options_parse(char **argv, struct sendmail_options *out);
