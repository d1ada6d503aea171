/* SPDX-License-Identifier: ISC */
#include "cli/ask.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios shown; /* how the terminal was */

/* Without a buffer of the library's, which would keep what was typed. */
static int
read_line(char out[ASK_LINE_MAX])
{
	setvbuf(stdin, NULL, _IONBF, 0);
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

/* Ctrl-C at a hidden question: a terminal that shows nothing any more would be a poor farewell. */
static void
on_signal(int number)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	raise(number); /* SA_RESETHAND: as it would have ended */
}

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define ENDS (sizeof ends / sizeof ends[0])

static void
catch_signals(struct sigaction before[ENDS])
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_NODEFER };
	for (size_t i = 0; i < ENDS; i++)
		sigaction(ends[i], &action, &before[i]);
}

static void
release_signals(const struct sigaction before[ENDS])
{
	for (size_t i = 0; i < ENDS; i++)
		sigaction(ends[i], &before[i], NULL);
}

int
ask_line(const char *question, bool hidden, char out[ASK_LINE_MAX])
{
	struct termios quiet;
	struct sigaction before[ENDS];
	fputs(question, stderr);
	fflush(stderr);
	bool is_changed = hidden && tcgetattr(STDIN_FILENO, &shown) == 0;
	if (is_changed) {
		catch_signals(before);
		quiet = shown;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	int result = read_line(out);
	if (is_changed) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		release_signals(before);
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
