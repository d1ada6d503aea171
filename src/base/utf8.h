/* SPDX-License-Identifier: ISC
 *
 * UTF-8 (RFC 3629) that others wrote.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The length of the character at the start of text, which is not ASCII; 0 when it is malformed. text is not empty. */
size_t utf8_length(struct slice text);

/* Whether text is well-formed, and stays in its line when it is shown: no control characters (C0, DEL, C1), no ends of line or
 * paragraph (U+2028, U+2029), no marks that turn the direction of what follows (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069)
 * and no U+FEFF. Empty text is. */
bool utf8_is_line(struct slice text);
