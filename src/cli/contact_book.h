/* SPDX-License-Identifier: ISC
 *
 * Address books as the running node has them, for the commands of `smtorp contact`. A contact is an object as the node says it, with two
 * lists in it, "keys" and "introductions", and one of addresses, "carriers".
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "address/address.h"
#include "cli/cli.h"
#include "openpgp/openpgp.h"

#define CONTACT_BOOK_FINGERPRINT_TEXT (OPENPGP_FINGERPRINT_LEN + OPENPGP_FINGERPRINT_LEN / 4) /* in groups of four */

/* What comes with a contact. */
enum contact_book_detail { CONTACT_BOOK_PEOPLE, CONTACT_BOOK_HISTORY, CONTACT_BOOK_KEY };

/* Appends all people of an identity to a list. Returns an exit status, after its text; the following do, too. */
int contact_book_load(const struct cli *cli, const char *identity, enum contact_book_detail detail, json_t *people);

/* The contact that text means: an address; or what the owner calls them, or the part before the '@', when it is one person's whom the owner
 * knows, in either case. Of the identity that --identity names, or of whichever has them. The caller owns *contact. */
int contact_book_find(struct cli *cli, const char *text, enum contact_book_detail detail, json_t **contact);

/* The address of somebody else whom text means: any address, or whoever is called so in the same book as the contact. */
int contact_book_find_other(const struct cli *cli, json_t *contact, const char *text, char out[ADDRESS_MAX + 1]);

/* The identity that --identity names, or the only one that the node has. */
int contact_book_identity(struct cli *cli, char out[33]);

/* The same, for commands that name it otherwise; several: what is said where there is more than one. */
int contact_book_only(struct cli *cli, char out[33], const char *several);

/* The same contact once more, as it is now. The caller owns *after. */
int contact_book_again(const struct cli *cli, json_t *contact, json_t **after);

/* Those who were introduced and wait for the owner: each proposal that is about text, an address or the part before its '@'; of the identity that
 * --identity names, or of all. NULL: all. */
int contact_book_proposals(struct cli *cli, const char *text, json_t *proposals);

/* Has the node do this with the contact. more: further parameters, taken over; or NULL. */
int contact_book_order(const struct cli *cli, const char *method, json_t *contact, json_t *more);

/* A fingerprint as a person has written it: in either case, with spaces. -1: it is none. */
int contact_book_read_fingerprint(const char *text, char out[OPENPGP_FINGERPRINT_LEN + 1]);

/* "" for one that is not there. Returns out. */
const char *contact_book_group(const char *fingerprint, char out[CONTACT_BOOK_FINGERPRINT_TEXT]);

/* Whether text is what the owner calls them, or the part before the '@'. Strangers choose their addresses: they are meant by nothing less. */
bool contact_book_is_called(json_t *contact, const char *text);

/* What the owner calls them, or their address. Borrowed from the contact. */
const char *contact_book_called(json_t *contact);
