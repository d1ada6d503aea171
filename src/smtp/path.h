/* SPDX-License-Identifier: ISC
 *
 * Reverse-path and forward-path (RFC 5321 section 4.1.2) with UTF-8 as in RFC 6531.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "smtp/syntax.h"

#define PATH_LOCAL_PART_MAX 64
#define PATH_DOMAIN_MAX 255
#define PATH_MAILBOX_MAX (PATH_LOCAL_PART_MAX + 1 + PATH_DOMAIN_MAX)

/* Owns its text. All empty: the null reverse-path. A local part without domain is <postmaster>. */
struct path {
	char local_part[PATH_LOCAL_PART_MAX + 1]; /* quoting removed: what it means */
	char domain[PATH_DOMAIN_MAX + 1];         /* as written */
	bool is_utf8;                             /* octets >= 0x80 in either */
};

/* Takes "<...>" off the front of *rest. The null path <> and <postmaster> are parsed; who does not want them checks.
 * An empty quoted local part is refused: no mailbox has that name. */
enum syntax_problem path_parse(struct slice *rest, struct path *out);

/* The text between the angle brackets alone. */
enum syntax_problem path_parse_mailbox(struct slice text, struct path *out);

static inline bool
path_is_null(const struct path *path)
{
	return path->local_part[0] == '\0';
}

/* local-part@domain with the least quoting that RFC 5321 allows; "" for the null path. Never longer than what was
 * parsed. */
void path_format(const struct path *path, char out[PATH_MAILBOX_MAX + 1]);
