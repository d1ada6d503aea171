/* SPDX-License-Identifier: ISC
 *
 * What may be dialled: mail's ports of v3 onion names, and nothing else, whoever asks.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "onionkey/onionkey.h"

#define DESTINATION_HOST_BYTES (ONIONKEY_NAME_LEN + sizeof ".onion")
#define DESTINATION_PORT_SMTP 25
#define DESTINATION_PORT_TLS 465 /* smtorp/1 */

/* Writes the name as tor is to be asked for it, in one spelling whichever was given. ERROR_INVALID when it is no v3 onion name, its
 * checksum is wrong, or mail does not go to the port; what is in host then is nothing. */
int destination_check(const char *onion, uint16_t port, char host[DESTINATION_HOST_BYTES], struct error *err);
