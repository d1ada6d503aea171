/* SPDX-License-Identifier: ISC
 *
 * What is news in the address book, as the owner is told of it: a key of somebody whom the owner knows was changed, held or revoked, or
 * somebody was introduced (doc/spec/contacts.md). Each once.
 */
#pragma once

#include "contacts/contacts.h"
#include "queue/mailstore.h"

#define MAIL_NEWS_SUBJECT_MAX 128

struct mail_news {
	char subject[MAIL_NEWS_SUBJECT_MAX]; /* ASCII */
	uint64_t item;                       /* both for the journal's record, */
	const char *word;                    /* and for mail_news_tell() */
	char onion[2 + ADDRESS_ONION_LEN + 1]; /* of moves: the word */
};

/* The next one, of which text is appended to an empty buffer. 1; 0: there is no news; -1. */
int mail_news_next(struct contacts *contacts, struct mail_news *out, struct buffer *text, struct error *err);

/* For mailstore_set_tell(); the context is the book. */
mailstore_tell mail_news_tell;
