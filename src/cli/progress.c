/* SPDX-License-Identifier: ISC */
#include "cli/progress.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/wrap.h"

#define BAR_CELLS 20
#define LINE_MAX 1024

void
progress_init(struct progress *p, FILE *out)
{
	*p = (struct progress){ .out = out, .is_terminal = isatty(fileno(out)) == 1 };
}

static void
draw(struct progress *p, const char *what, int percent, const char *detail)
{
	char bar[BAR_CELLS + 1] = "", line[LINE_MAX];
	if (percent >= 0) {
		size_t full = (size_t)percent * BAR_CELLS / 100;
		memset(bar, '.', BAR_CELLS);
		memset(bar, '#', full);
		bar[BAR_CELLS] = '\0';
		snprintf(line, sizeof line, "%s [%s] %3d %%  %s", what, bar, percent, detail);
	} else
		snprintf(line, sizeof line, "%s  %s", what, detail);
	size_t columns = wrap_columns(p->out, 80);
	if (strlen(line) >= columns && columns < sizeof line)
		line[columns - 1] = '\0'; /* a line that wraps cannot be redrawn */
	fprintf(p->out, "\r\033[K%s", line);
	fflush(p->out);
	p->is_drawn = true;
}

void
progress_show(struct progress *p, const char *what, int percent, const char *detail)
{
	char now[sizeof p->last];
	snprintf(now, sizeof now, "%s %d %s", what, percent, detail);
	if (strcmp(now, p->last) == 0 && (p->is_drawn || !p->is_terminal))
		return;
	memcpy(p->last, now, sizeof now);
	if (p->is_terminal)
		draw(p, what, percent, detail);
	else if (percent >= 0)
		fprintf(p->out, "%s: %d %% %s\n", what, percent, detail);
	else
		fprintf(p->out, "%s: %s\n", what, detail);
	fflush(p->out);
}

void
progress_clear(struct progress *p)
{
	if (p->is_drawn)
		fputs("\r\033[K", p->out);
	fflush(p->out);
	p->is_drawn = false;
}

void
progress_say(struct progress *p, const char *format, ...)
{
	va_list args;
	progress_clear(p);
	va_start(args, format);
	vfprintf(p->out, format, args);
	va_end(args);
	fputc('\n', p->out);
	fflush(p->out);
}
