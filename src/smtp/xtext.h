/* SPDX-License-Identifier: ISC
 *
 * xtext of RFC 3461 section 4: printable ASCII with "+" and two hexadecimal digits for everything else.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* Well-formed, not empty, and hiding no NUL, CR or LF: nothing that could end a line later. */
bool xtext_is_valid(struct slice text);
