/* SPDX-License-Identifier: ISC
 *
 * Message bodies between roles: inline when small; in a sealed memfd, which nobody can change after it was handed over; or
 * in a file, so that a message of any size takes no memory. Whoever gets a file from a role that it trusts less reads it
 * once, with body_read(), and believes nothing that it did not copy: the other one may still write to it.
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "ipc/messages.h"

/* A body held by its receiver: the bytes, mapped or copied; or the file that has them. */
struct body {
	struct slice bytes;  /* empty when they are in a file */
	uint64_t file_bytes; /* fd is a file of this size; 0: it is none */
	int fd;              /* the sealed memfd or the file, or -1 when inline */
	void *mapping;
	void *copy;
};

/* Takes the body of a received message: maps m->fd (checked: sealed, at most max_bytes; taken from m) or copies
 * inline. ERROR_PROTOCOL when both or an unsealed descriptor came. */
int body_take(struct ipc_message *m, struct slice inline_bytes, size_t max_bytes, struct body *out, struct error *err);
/* The same, and a regular file is taken, too: not mapped, since it might be shortened. */
int body_take_any(struct ipc_message *m, struct slice inline_bytes, size_t max_bytes, struct body *out, struct error *err);
uint64_t body_len(const struct body *body);
/* Copies len bytes from offset. ERROR_IO when the file is shorter than it was or cannot be read. */
int body_read(const struct body *body, uint64_t offset, void *out, size_t len, struct error *err);
/* A body in a file of ours, of len bytes: takes fd over. To be attached as it is. */
void body_of_file(int fd, uint64_t len, struct body *out);
/* A body of our own from bytes (copied). */
int body_from_bytes(struct slice bytes, struct body *out, struct error *err);
/* A body of our own that takes over what the buffer holds; the buffer is empty then. Nothing is copied. */
void body_from_buffer(struct buffer *buffer, struct body *out);
/* The same body once more, to be attached and finished for itself, but not after the first one is: its bytes are borrowed. */
int body_share(const struct body *body, struct body *out, struct error *err);
/* Maps len bytes of a file of ours, which nobody shortens while it is mapped; fd stays the caller's. ERROR_IO when
 * the file is shorter. */
int body_from_file(int fd, size_t len, struct body *out, struct error *err);
void body_finish(struct body *body); /* unmaps, closes, frees; fine on a zeroed body with fd -1 */

/* Prepares a body for sending: sets *inline_bytes and m->fd (borrowed until channel_send() returns). Makes a
 * sealed memfd of a large body that has none yet. */
int body_attach(struct body *body, struct ipc_message *m, struct slice *inline_bytes, struct error *err);

/* Bytes of somebody else's, for the call. */
#define BODY_BORROWED(slice) (&(const struct body){ .bytes = (slice), .fd = -1 })
#define BODY_EMPTY ((struct body){ .bytes = slice_of("", 0), .fd = -1 })
