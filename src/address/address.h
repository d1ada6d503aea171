/* SPDX-License-Identifier: ISC
 *
 * Mail addresses whose domain is an onion name: local@[fingerprint.]name.onion (doc/spec/address.md).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define ADDRESS_LOCAL_PART_MAX 64  /* octets, RFC 5321 4.5.3.1.1 */
#define ADDRESS_FINGERPRINT_MIN 8
#define ADDRESS_FINGERPRINT_MAX 52 /* the whole SHA-256 */
#define ADDRESS_ONION_LEN 62       /* 56 letters and ".onion" */
#define ADDRESS_MAX (ADDRESS_LOCAL_PART_MAX + 1 + ADDRESS_FINGERPRINT_MAX + 1 + ADDRESS_ONION_LEN)

struct address {
	char local_part[ADDRESS_LOCAL_PART_MAX + 1];   /* as it was written */
	char fingerprint[ADDRESS_FINGERPRINT_MAX + 1]; /* lower case, "" when there is none */
	char onion[ADDRESS_ONION_LEN + 1];             /* lower case, with ".onion", without a trailing dot */
	unsigned char public_key[32];
};

/* Takes an address without angle brackets; one dot after "onion" is taken and dropped. The local part is a dot-atom,
 * with UTF-8 (RFC 6531 3.3) that stays in its line (base/utf8.h); quoted local parts are refused. ERROR_INVALID with a text that says which part is wrong. */
int address_parse(struct slice text, struct address *out, struct error *err);

/* The part after the '@' alone; leaves out->local_part empty. */
int address_parse_domain(struct slice domain, struct address *out, struct error *err);

/* Writes local@[fingerprint.]onion and a NUL. */
void address_format(const struct address *address, char out[ADDRESS_MAX + 1]);

/* An address, or another short text, as a word of a shell command that somebody may copy: as it is, or in quotes. Returns out. Others choose local parts, and
 * $, | and ` may stand in them. Of more than ADDRESS_MAX octets the rest is left out. */
#define ADDRESS_WORD_MAX (4 * ADDRESS_MAX + 2)
const char *address_as_word(const char *text, char out[ADDRESS_WORD_MAX + 1]);

/* Whether the last label of the domain is "onion", in either case, trailing dots or not. Such a name never goes to
 * DNS (RFC 7686), also when it is no name that address_parse_domain() takes. Takes any bytes. */
bool address_is_onion(struct slice domain);

/* What an identity may have as its local part: an ASCII dot-atom (RFC 5322 3.2.3), at most 64 octets. ERROR_INVALID. */
int address_check_local_part(struct slice local_part, struct error *err);

/* Whether mail for local_part is for the mailbox own: the same in ASCII without case, or own, '+' and anything. */
bool address_is_mailbox(struct slice local_part, const char *own);

/* Whether an address with this label means the TLS key with this fingerprint (52 letters, lower case): the label is 8
 * to 52 letters and the fingerprint begins with it, in either case. Takes any bytes. */
bool address_label_fits(struct slice label, const char *fingerprint);

/* The fingerprint in an address as address_format() writes it, which ends in this onion; empty: there is none. */
struct slice address_label_of(struct slice mailbox, const char *onion);
