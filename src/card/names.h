/* SPDX-License-Identifier: ISC
 *
 * What is written into a card and read from it. Within this module only.
 */
#pragma once

#define CARD_VERSION "VERSION"
#define CARD_NAME "FN"
#define CARD_EMAIL "EMAIL"
#define CARD_KEY "KEY"
#define CARD_KEY_HEAD "data:application/pgp-keys;base64,"
#define CARD_ONION_NAME "X-SMTORP-ONION"
#define CARD_TLS "X-SMTORP-TLS"
#define CARD_RECOVERY "X-SMTORP-RECOVERY"
#define CARD_DAY "REV"
#define CARD_SEQUENCE "X-SMTORP-SEQUENCE"
#define CARD_PADDING "X-SMTORP-PADDING"
#define CARD_SIGNATURE "X-SMTORP-SIGNATURE"
#define CARD_LAST_LINE "END:VCARD"
