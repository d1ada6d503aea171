/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#undef cli_fail
#undef cli_fail_with

const char *
cli_option_value(const struct cli *cli, const char *name)
{
	for (size_t i = cli->option_count; i-- > 0;) /* the last one counts */
		if (strcmp(cli->options[i]->name, name) == 0)
			return cli->values[i];
	return NULL;
}

bool
cli_has(const struct cli *cli, const char *name)
{
	return cli_option_value(cli, name) != NULL;
}

static enum cli_exit
exit_of(enum error_code code)
{
	switch (code) {
	case ERROR_NOT_FOUND:
		return CLI_NOT_FOUND;
	case ERROR_EXISTS:
		return CLI_EXISTS;
	case ERROR_UNREACHABLE:
		return CLI_NOT_RUNNING;
	case ERROR_TIMEOUT:
		return CLI_TIMEOUT;
	default:
		return CLI_FAILED;
	}
}

int
cli_fail(const struct error *err)
{
	return cli_fail_with(exit_of(err->code), "%s", err->text);
}

int
cli_fail_with(enum cli_exit status, const char *format, ...)
{
	va_list args;
	fflush(stdout);
	va_start(args, format);
	fputs("smtorp: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

bool
cli_output_is_open_to_others(void)
{
	struct stat st;
	return fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0;
}

int
cli_end_output(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail_with(CLI_FAILED, "cannot write the output: %s", strerror(errno));
	return CLI_OK;
}
