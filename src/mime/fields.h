/* SPDX-License-Identifier: ISC
 *
 * The header of a message that leaves, or of one of its parts: the fields that may leave (the table is in fields.c, with the
 * reason for each), in one order, spelling and folding; all others go.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "mime/content.h"
#include "mime/prepare.h"

struct fields_place {
	const struct prepare_request *request;
	const struct prepare_report *report; /* or NULL */
	size_t part;              /* 0: the message's own header */
	const char *new_boundary; /* what a multipart is to be parted by */
};

/* Reads the section at the beginning of text and appends what leaves of it, without the empty line at the end. *content: what
 * the fields say of the body, which is *rest bytes into text. Errors as prepare_message(). */
int fields_write(const struct fields_place *place, struct slice text, struct buffer *out, struct content *content, size_t *rest,
    struct error *err);

/* Whether a field of that name may stand in the header of a message, or of a part, that leaves. */
bool fields_may_leave(struct slice name, bool is_part);
