/* SPDX-License-Identifier: ISC
 *
 * The other programs of this installation.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* The path of a program that lies beside this one (in the build tree: in one of its folders). ERROR_NOT_FOUND. */
int sibling_find(const char *program, char *out, size_t room, struct error *err);
