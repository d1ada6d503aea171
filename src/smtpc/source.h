/* SPDX-License-Identifier: ISC
 *
 * The body of a message on its way out, piece by piece, whether it is in memory or in a file.
 */
#pragma once

#include <stdbool.h>

#include "smtpc/session.h"

struct source {
	struct slice window;  /* what comes next; empty at the end, or when source_fill() is to be called */
	size_t left;          /* behind the window */
	size_t offset;        /* of that in the file */
	int fd;
	unsigned char *chunk; /* what the window looks into, for a file */
};

size_t source_len(const struct smtpc_message *message);

/* What the message has must outlive the source. */
void source_init(struct source *source, const struct smtpc_message *message);
void source_finish(struct source *source); /* fine on a zeroed one */

/* Something is in the window afterwards, unless the end has come. ERROR_IO, ERROR_NO_MEMORY. */
int source_fill(struct source *source, struct error *err);
bool source_is_at_end(const struct source *source);

/* Has it only whole line ends (dot.h)? 1 or 0; ERROR_IO, ERROR_NO_MEMORY. Moves nothing. */
int source_has_only_crlf(const struct smtpc_message *message, struct error *err);
