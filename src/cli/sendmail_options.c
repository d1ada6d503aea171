/* SPDX-License-Identifier: ISC */
#include "cli/sendmail_options.h"

#include <stdio.h>
#include <string.h>

/* Letters that take the rest of the word or the next one; -f and -r are kept, the others mean nothing here. */
#define WITH_VALUE "fFrBNRVXLCph"
#define WITH_REST "odAOG" /* take the rest of the word only */
#define ALONE "tinvmU"

static int
complain(const char *what, const char *word)
{
	fprintf(stderr, "smtorp-sendmail: %s '%s'; see `smtorp-sendmail --help`\n", what, word);
	return -1;
}

static void
keep_value(char letter, const char *value, struct sendmail_options *out)
{
	if (letter == 'f' || letter == 'r')
		out->sender = value;
}

/* A word of letters: -t, -ti, -fADDRESS, -f ADDRESS. */
static int
parse_letters(char ***next, const char *word, struct sendmail_options *out)
{
	for (const char *p = word + 1; *p != '\0'; p++) {
		if (strchr(ALONE, *p) != NULL) {
			out->takes_recipients |= *p == 't';
			continue;
		}
		if (strchr(WITH_REST, *p) != NULL)
			return 0;
		if (*p == 'b' && strcmp(p, "bm") == 0)
			return 0;
		if (*p == 'b')
			return complain("this mode of sendmail's is not there (only -bm is):", word);
		if (strchr(WITH_VALUE, *p) == NULL)
			return complain("there is no option", word);
		const char *value = p[1] != '\0' ? p + 1 : **next;
		if (value == NULL)
			return complain("this option needs a value:", word);
		*next += p[1] == '\0';
		keep_value(*p, value, out);
		return 0;
	}
	return 0;
}

static int
parse_long(char ***next, const char *word, struct sendmail_options *out)
{
	if (strcmp(word, "--help") == 0)
		out->wants_help = true;
	else if (strcmp(word, "--version") == 0)
		out->wants_version = true;
	else if (strncmp(word, "--home=", 7) == 0)
		out->home = word + 7;
	else if (strcmp(word, "--home") == 0 && **next != NULL)
		out->home = *(*next)++;
	else
		return complain(strcmp(word, "--home") == 0 ? "this option needs a value:" : "there is no option", word);
	return 0;
}

int
sendmail_options_parse(char **argv, struct sendmail_options *out)
{
	char **next = argv + 1;
	memset(out, 0, sizeof *out);
	while (*next != NULL && (*next)[0] == '-' && (*next)[1] != '\0') {
		const char *word = *next++;
		if (strcmp(word, "--") == 0)
			break;
		if ((word[1] == '-' ? parse_long : parse_letters)(&next, word, out) != 0)
			return -1;
	}
	out->recipients = next;
	return 0;
}
