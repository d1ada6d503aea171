/* SPDX-License-Identifier: ISC
 *
 * The bytes of a message as they stand in a mailbox, made from the bytes on the wire: CRLF becomes LF, and every
 * Return-Path field of the header is dropped (RFC 5321 4.4: the last MTA writes it). All else stays. The input may
 * come in pieces, cut anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct mailtext {
	enum { MAILTEXT_LINE_START, MAILTEXT_NAME, MAILTEXT_KEEP, MAILTEXT_DROP, MAILTEXT_BODY } state;
	bool dropping;     /* the field before this line start was a Return-Path: so are its continuation lines */
	bool held_cr;      /* a CR whose next octet has not come yet */
	size_t name_len;   /* octets of the field name held back */
	char name[16];
	uint64_t lines;    /* LFs written for CRLFs: by so much the wire form is longer */
	bool has_bare;     /* a CR or LF that stood alone: then the wire form cannot be told from this one */
};

void mailtext_init(struct mailtext *text);

/* Appends the mailbox form of the input to out. Fails as buffer_append() does. */
int mailtext_feed(struct mailtext *text, struct slice wire, struct buffer *out, struct error *err);
int mailtext_finish(struct mailtext *text, struct buffer *out, struct error *err); /* what was held back */
