/* SPDX-License-Identifier: ISC
 *
 * One question to the running node: JSON-RPC 2.0, a line each way, on <runtime>/control.sock.
 */
#pragma once

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/paths.h"

#define CLIENT_NOT_FOUND (-32001) /* the node's JSON-RPC error code for what is not there */
#define CLIENT_TIMEOUT_MS 30000
#define CLIENT_ANSWER_MAX (8 * 1024 * 1024)

/* Takes params over (NULL: none). *out is the result; the caller owns it (NULL: not wanted). ERROR_UNREACHABLE when no
 * node runs, with a text that says how to start it; ERROR_TIMEOUT; ERROR_NOT_FOUND and ERROR_DENIED with the
 * node's own words. */
int client_call(const struct paths *paths, const char *method, json_t *params, int timeout_ms, json_t **out,
    struct error *err);

/* The same, but *result is the text of the result and borrows from *line, which is the caller's to finish in any case. For
 * long lists: see rawjson.h. */
int client_call_raw(const struct paths *paths, const char *method, json_t *params, int timeout_ms, struct buffer *line,
    struct slice *result, struct error *err);

/* client_call() with {"name": name}. */
int client_call_name(const struct paths *paths, const char *method, const char *name, struct error *err);
