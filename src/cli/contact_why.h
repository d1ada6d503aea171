/* SPDX-License-Identifier: ISC
 *
 * Why a contact's key is trusted, in sentences.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* contact: with its keys and introductions (contact_book.h). people: those of the same book, for their names. Lines are at most so wide. */
void contact_why_say(FILE *out, json_t *contact, json_t *people, size_t width);

/* A moment's day, as in the sentences. */
void contact_why_day(long long when_s, char out[11]);
