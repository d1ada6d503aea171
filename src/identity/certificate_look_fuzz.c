/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "identity/certificate_look.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct certificate_facts facts;
	if (certificate_look(slice_of(bytes, len), "laptop.home.example", &facts, NULL) != 0)
		return 0;
	for (const char *p = facts.text; *p != '\0'; p++)
		if ((*p < ' ' || *p > '~') && *p != '\n')
			abort();
	if (strlen(facts.fingerprint) != CERTIFICATE_FINGERPRINT_LEN)
		abort();
	return 0;
}
