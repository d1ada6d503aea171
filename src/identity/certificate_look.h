/* SPDX-License-Identifier: ISC
 *
 * What a certificate of somebody else's tells, for those who look whether it tells too much. The bytes are a stranger's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "identity/certificate.h"

#define CERTIFICATE_DER_MAX 16384
#define CERTIFICATE_TEXT_MAX 1024

struct certificate_facts {
	char text[CERTIFICATE_TEXT_MAX + 1]; /* subject, issuer and other names, printable, cut; lines end with LF */
	bool is_only_name;  /* subject and issuer are CN=name, and the one other name is the DNS name `name` */
	bool is_usual;      /* made as all of ours are: validity, serial number, key and signature, no further extension */
	int64_t not_before_s, not_after_s; /* since 1970 */
	char fingerprint[CERTIFICATE_FINGERPRINT_LEN + 1];
};

/* name: the onion's. ERROR_INVALID when it cannot be read. */
int certificate_look(struct slice der, const char *name, struct certificate_facts *out, struct error *err);
