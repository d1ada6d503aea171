/* SPDX-License-Identifier: ISC
 *
 * Sentences in the terminal's width, broken between words.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#define WRAP_NEVER ((size_t)-1)

/* The columns of the terminal that out is; otherwise when it is none, or does not tell. */
size_t wrap_columns(FILE *out, size_t otherwise);

/* Prints text and a newline; column: where the cursor stands, and where all further lines begin; no line with two words is longer than width. */
void wrap_print(FILE *out, const char *text, size_t column, size_t width);
