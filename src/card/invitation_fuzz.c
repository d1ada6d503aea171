/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "card/invitation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is found is in the text, in one case or the other. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char secret[INVITATION_SECRET_BYTES];
	char letters[INVITATION_LETTERS + 1];
	if (!invitation_scan(slice_of(data, size), secret))
		return 0;
	invitation_write(secret, letters);
	for (size_t i = 0; i + INVITATION_LETTERS <= size; i++)
		if (strncasecmp((const char *)data + i, letters, INVITATION_LETTERS) == 0)
			return 0;
	abort();
}
