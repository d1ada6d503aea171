/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "smtp/command.h"
#include "smtp/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A mailbox that was understood is written in a form that is understood the same way. */
static void
check_path(const struct path *path)
{
	char text[PATH_MAILBOX_MAX + 1];
	struct path again;
	path_format(path, text);
	if (path_parse_mailbox(slice_of_string(text), &again) != SYNTAX_OK ||
	    strcmp(again.local_part, path->local_part) != 0 || strcmp(again.domain, path->domain) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command command;
	struct envelope_mail mail;
	struct path path;
	uint64_t number;
	bool flag;
	if (!command_parse(slice_of(data, size), &command))
		return 0;
	if (command.argument.len > size)
		abort();
	command_is_hello_name(command.argument);
	command_parse_bdat(command.argument, &number, &flag);
	if (envelope_parse_mail(command.argument, true, &mail) == SYNTAX_OK)
		check_path(&mail.reverse_path);
	if (envelope_parse_rcpt(command.argument, true, &path) == SYNTAX_OK)
		check_path(&path);
	return 0;
}
