/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tor/bridge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken stays one line of tor's configuration, and is taken again as it was written. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char keyword[] = "Bridge ";
	struct bridge bridge, again;
	struct error err = { 0 };
	struct buffer out;
	char *line = malloc(size + 1);
	if (line == NULL)
		return 0;
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	buffer_init(&out, size + 64);
	if (bridge_parse(line, &bridge, &err) != 0) {
		if (err.code == ERROR_NONE || err.text[0] == '\0')
			abort();
	} else {
		if (bridge_write(&bridge, &out, NULL) != 0 || buffer_append(&out, "", 1, NULL) != 0)
			abort();
		char *text = (char *)out.data + out.start, *end = strchr(text, '\n');
		if (strncmp(text, keyword, strlen(keyword)) != 0 || end == NULL || end[1] != '\0' || strpbrk(text, "\"\\#") != NULL)
			abort();
		*end = '\0';
		if (bridge_parse(text, &again, NULL) != 0 || again.line.len != bridge.line.len ||
		    memcmp(again.line.data, bridge.line.data, bridge.line.len) != 0)
			abort();
	}
	buffer_finish(&out);
	free(line);
	return 0;
}
