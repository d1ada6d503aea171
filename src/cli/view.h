/* SPDX-License-Identifier: ISC
 *
 * What the commands show of the node and its identities.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "config/paths.h"
#include "identity/identity.h"

/* The node's status, NULL when it does not run or does not answer. The caller owns it. */
json_t *view_status(const struct paths *paths);

/* The row of an identity in a status, NULL when it has none. Borrowed from status, which may be NULL. */
json_t *view_row(json_t *status, const char *name);

/* "published", "waiting", "failed" or "locked" as the node says, "offline" when it does not run. Borrowed. */
const char *view_state(json_t *status, const char *name);

/* The same for people: "locked: smtorp unlock alice". Returns out. */
#define VIEW_STATE_MAX 160
const char *view_state_text(json_t *status, const char *name, char out[VIEW_STATE_MAX]);

/* The description of an identity that `identity show --json` prints; the caller owns it. status may be NULL. */
json_t *view_identity(const struct paths *paths, const struct identity *identity, json_t *status);

/* Writes local@onion. */
void view_address(const struct identity *identity, char out[ADDRESS_MAX + 1]);

/* The address of a row of the status, whose local part is in the identity's folder; the onion alone when that is not
 * to be had. */
void view_row_address(const struct paths *paths, json_t *row, char out[ADDRESS_MAX + 1]);

/* A text member of an object, "" when it is not there. Borrowed. */
const char *view_text(json_t *object, const char *key);
long long view_number(json_t *object, const char *key);

/* Prints JSON and a newline to standard output, and gives value up. Returns the exit status. */
int view_print_json(json_t *value);

/* Calls each for the identity that --identity names, or for all that the node has but the locked ones, which are named on
 * standard error. The first status that is not CLI_OK counts, but the others are asked all the same. */
int view_for_identities(struct cli *cli, int (*each)(struct cli *cli, const char *name, void *context), void *context);

/* A moment in the machine's own time, "2026-11-22 14:00:00". */
void view_time(long long when_s, char out[32]);
