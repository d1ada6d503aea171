/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "mime/library.h"
#include "proof/onionsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing that is made up is proved, and what is not proved says why. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char to[] = "bob2345.onion";
	static bool is_ready;
	unsigned char digest[32] = { 0 };
	enum onionsig_verdict verdict;
	struct address sender;
	struct error why = { 0 }, err = { 0 };
	if (!is_ready)
		library_init();
	is_ready = true;
	if (onionsig_check(slice_of(data, size), digest, to, &verdict, &sender, &why, &err) != 0) {
		if (err.text[0] == '\0')
			abort();
		return 0;
	}
	if (verdict == ONIONSIG_PROVED || (verdict == ONIONSIG_WRONG && why.text[0] == '\0'))
		abort();
	return 0;
}
