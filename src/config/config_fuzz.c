/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses is within its bounds; what does not has a reason. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	struct error err = { 0 };
	if (config_parse(slice_of(data, size), &config, &err) != 0) {
		if (err.code == ERROR_NONE || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (config.tor_extra.count > CONFIG_LINES_MAX || config.retry_first_s == 0 ||
	    config.retry_first_s > config.retry_most_s || config.retry_most_s > config.expire_s ||
	    config.tor_program[0] == '\0' || config.dovecot_program[0] == '\0' ||
	    (strncmp(config.imap.host, "127.", 4) != 0 && strchr(config.imap.host, ':') == NULL))
		abort();
	return 0;
}
