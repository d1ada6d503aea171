/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "identity/recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written as lines that give it again; what was not leaves nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct recovery zeros;
	struct recovery recovery, again;
	struct error err = { 0 };
	char text[2 * (RECOVERY_LINE_LEN + 4) + 1] = "", line[RECOVERY_LINE_LEN + 1];
	if (recovery_read_text(slice_of(data, size), &recovery, &err) != 0) {
		if (err.text[0] == '\0' || memcmp(&recovery, &zeros, sizeof zeros) != 0)
			abort();
		return 0;
	}
	for (unsigned i = 0; i < RECOVERY_LINES; i++) {
		recovery_write_line(&recovery, i, line);
		strcat(strcat(strcat(text, i == 0 ? "A: " : "b) "), line), "\n");
	}
	if (recovery_read_text(slice_of_string(text), &again, &err) != 0 || memcmp(&again, &recovery, sizeof again) != 0)
		abort();
	return 0;
}
