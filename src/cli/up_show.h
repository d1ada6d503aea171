/* SPDX-License-Identifier: ISC
 *
 * What `smtorp up` shows while the node runs: the difference between one status and the next.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "cli/progress.h"
#include "config/paths.h"

struct up_show {
	struct progress progress;
	const struct paths *paths;
	json_t *last;          /* the status before, NULL at first */
	bool has_shown_ready;
};

/* paths is borrowed. */
void up_show_init(struct up_show *show, const struct paths *paths, FILE *out);
void up_show_finish(struct up_show *show);

/* Takes status over. Whether all is well: tor connected and every identity published or failed. */
bool up_show_status(struct up_show *show, json_t *status);
