/* SPDX-License-Identifier: ISC
 *
 * Questions to the person at the terminal.
 */
#pragma once

#include <stdbool.h>

#define ASK_LINE_MAX 1024

/* Prints the question to standard error and reads one line from standard input, without its end; hidden: not shown
 * while it is typed. -1 at end of input, and when the line is longer than ASK_LINE_MAX - 1 bytes. */
int ask_line(const char *question, bool hidden, char out[ASK_LINE_MAX]);

/* A password from standard input: asked for twice on a terminal, else the first line. -1 when it is empty, too long
 * or typed differently the second time. */
int ask_password(char out[ASK_LINE_MAX]);
