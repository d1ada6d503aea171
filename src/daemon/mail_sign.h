/* SPDX-License-Identifier: ISC
 *
 * mail@ID's side of the role that signs with the onion key. A question that was under way when that role died is asked again of the next one.
 */
#pragma once

#include "ipc/messages.h"
#include "loop/loop.h"

struct mail_sign;

/* The signature, IPC_SIGNATURE_BYTES, borrowed for the call; NULL: there is none now. Fires once for each question, never from inside the call that
 * asked. */
typedef void mail_sign_done(void *context, const unsigned char *signature);

struct mail_sign *mail_sign_new(struct loop *loop);
void mail_sign_free(struct mail_sign *sign); /* takes NULL; answers nobody */
void mail_sign_set_peer(struct mail_sign *sign, int fd); /* a fresh channel */

/* purpose: enum context of proof/context.h. */
void mail_sign_ask(struct mail_sign *sign, unsigned purpose, const unsigned char digest[IPC_DIGEST_BYTES], mail_sign_done *done, void *context);
