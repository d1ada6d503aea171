/* SPDX-License-Identifier: ISC
 *
 * Bridge lines, as people get them: [Bridge] [TRANSPORT] ADDRESS:PORT [FINGERPRINT] [NAME=VALUE ...] (tor(1), Bridge).
 * A transport is a program of its own that tor starts, pt-spec. Pure.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct bridge {
	struct slice transport; /* empty: none, plain tor */
	struct slice line;      /* all of it, as tor wants it: without "Bridge" */
};

/* Takes a line; what comes out points into it. ERROR_INVALID with a text that completes "the bridge ... ". The line is
 * checked so far that it cannot be anything else in tor's configuration; tor knows what its parts mean. */
int bridge_parse(const char *line, struct bridge *out, struct error *err);

/* Appends the Bridge line for tor. */
int bridge_write(const struct bridge *bridge, struct buffer *out, struct error *err);

/* Appends the line that lets tor start the program of a transport: an absolute path, then perhaps arguments after a
 * space. ERROR_INVALID when the path holds a space, which tor would take for its end. */
int bridge_write_transport(struct slice name, const char *program, const char *arguments, struct buffer *out,
    struct error *err);
