/* SPDX-License-Identifier: ISC
 *
 * A message on its way out through content@ID: prepared (mime/prepare.h), sealed (seal/pgpmime.h), and with what is to be signed by the onion
 * key. What comes in a file goes into a file, and what comes in memory stays there.
 */
#pragma once

#include "daemon/content_own.h"
#include "daemon/content_sign.h"
#include "ipc/body.h"
#include "mime/prepare.h"

struct content_leave {
	struct content_sign signing;
	struct buffer autocrypt;
	struct body from;
	struct buffer memory;
	/* afterwards */
	struct body result;
	uint8_t flags;  /* enum ipc_body_flags */
	bool is_sealed;
};

/* from and into (an empty file, or -1) are taken over. to: "": it goes to nobody yet. */
int content_leave_init(struct content_leave *leave, struct body *from, int into, const struct content_own *own, const char *local_part,
    const char *onion, const char *to, struct error *err);
void content_leave_finish(struct content_leave *leave);

/* request->message is not used. Errors as prepare_message(), and ERROR_NO_SPACE without a file. */
int content_leave_prepare(struct content_leave *leave, struct prepare_request *request, struct error *err);

/* how: enum ipc_seal_how; keys: packed, of others. ERROR_DENIED when one of them cannot be encrypted to, ERROR_INVALID. */
int content_leave_seal(struct content_leave *leave, const struct content_own *own, const char *address, unsigned how, struct slice keys, int64_t now_s,
    struct error *err);
