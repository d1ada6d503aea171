/* SPDX-License-Identifier: ISC
 *
 * mail@ID's word to the parent about its folder: a full disk, a damaged database, and that it is over.
 */
#pragma once

#include "base/error.h"

/* Remembers and tells ERROR_NO_SPACE and ERROR_DAMAGED, once; nothing for other errors. */
void mail_trouble_note(const struct error *err);
void mail_trouble_note_reserve(void); /* strangers' mail is refused, so that there is room for the owner's */
void mail_trouble_is_over(void); /* it works */
void mail_trouble_look_again(void); /* once what the journal held is processed: what is damaged of it is set aside only then */

bool mail_trouble_is_full(void);
