/* SPDX-License-Identifier: ISC */
#include "cli/ask.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int
read_line(char out[ASK_LINE_MAX])
{
	if (fgets(out, ASK_LINE_MAX, stdin) == NULL)
		return -1;
	size_t len = strlen(out);
	if (len > 0 && out[len - 1] == '\n')
		out[--len] = '\0';
	else if (!feof(stdin))
		return -1;
	if (len > 0 && out[len - 1] == '\r')
		out[len - 1] = '\0';
	return 0;
}

int
ask_line(const char *question, bool hidden, char out[ASK_LINE_MAX])
{
	struct termios shown, quiet;
	fputs(question, stderr);
	fflush(stderr);
	bool is_changed = hidden && tcgetattr(STDIN_FILENO, &shown) == 0;
	if (is_changed) {
		quiet = shown;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		is_changed = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
	}
	int result = read_line(out);
	if (is_changed) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	return result;
}

int
ask_password(char out[ASK_LINE_MAX])
{
	char again[ASK_LINE_MAX];
	if (isatty(STDIN_FILENO) != 1)
		return read_line(out) == 0 && out[0] != '\0' ? 0 : -1;
	if (ask_line("New password: ", true, out) != 0 || out[0] == '\0' ||
	    ask_line("The same again: ", true, again) != 0)
		return -1;
	int differs = strcmp(out, again);
	explicit_bzero(again, sizeof again);
	return differs == 0 ? 0 : -1;
}
