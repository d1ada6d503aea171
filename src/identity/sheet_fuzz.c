/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "identity/sheet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key that was read is written as lines that give it again. */
static void
read_again(const struct onionkey *key)
{
	struct sheet_reader r;
	struct onionkey again;
	char line[SHEET_LINE_LEN + 1];
	sheet_reader_init(&r);
	for (unsigned i = 1; i <= SHEET_LINES; i++) {
		sheet_write_line(key, i, line);
		if (sheet_reader_take(&r, i, slice_of_string(line), NULL) != 0)
			abort();
	}
	if (sheet_reader_finish(&r, &again, NULL) != 0 || memcmp(&again, key, sizeof again) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sheet_reader r;
	struct onionkey key;
	struct error err = { 0 };
	static bool is_ready;
	if (!is_ready)
		random_init();
	is_ready = true;
	sheet_reader_init(&r);
	sheet_reader_take_text(&r, slice_of(data, size));
	if (sheet_reader_finish(&r, &key, &err) == 0)
		read_again(&key);
	else if (err.text[0] == '\0')
		abort();
	if (size > 0)
		sheet_reader_take(&r, data[0] % SHEET_LINES + 1, slice_of(data + 1, size - 1), NULL);
	return 0;
}
