/* SPDX-License-Identifier: ISC
 *
 * Cards of others, from wherever a person has them: a file, a message, something pasted, a mailto: link.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "card/invitation.h"

#define CARD_TEXT_MAX_BYTES (16 * 1024 * 1024) /* of a file, or standard input */

/* What stands beside a card that is an invitation; letters "": it is none. */
struct card_text_invitation {
	char letters[INVITATION_LETTERS + 1];
};

/* Reads a source: a link or a card as it is, the name of a file, or "-"; a picture (PNG, JPEG) is looked at for a QR code. What is in *out, an empty buffer of CARD_MAX_BYTES, is a card by its first and last line,
 * and nothing more is known of it. ERROR_NOT_FOUND: there is no such file, or no card in it. */
int card_text_read(const char *source, struct buffer *out, struct card_text_invitation *invitation, struct error *err);
