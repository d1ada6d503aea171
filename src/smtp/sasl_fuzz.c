/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/sasl.h"
#include "smtp/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_credentials credentials;
	struct slice input = slice_of(data, size);
	if (sasl_decode_plain(input, &credentials) &&
	    (credentials.password_len == 0 || strlen(credentials.login) == 0))
		abort();
	if (sasl_decode_login(input, &credentials) && strlen(credentials.login) == 0)
		abort();
	sasl_decode_password(input, &credentials);
	sasl_wipe(&credentials);
	xtext_is_valid(input);
	return 0;
}
