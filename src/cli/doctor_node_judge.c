/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/doctor_node.h"

#define TOLERANCE_S 300           /* tor's own clocks are no better */
#define LATE_S (24 * 60 * 60)     /* so long tor itself lives on an old one */

/* The line that begins with the word and a space, behind it; empty when there is none. */
static struct slice
find_line(struct slice text, const char *word)
{
	size_t len = strlen(word);
	while (text.len > 0) {
		const unsigned char *lf = memchr(text.data, '\n', text.len);
		size_t line = lf != NULL ? (size_t)(lf - text.data) : text.len;
		if (line > len && memcmp(text.data, word, len) == 0 && text.data[len] == ' ')
			return slice_of(text.data + len + 1, line - len - 1);
		line += lf != NULL;
		text = slice_of(text.data + line, text.len - line);
	}
	return slice_of(NULL, 0);
}

/* "2026-11-22 17:00:00", UTC; 0 when it is none. */
static int64_t
parse_time(struct slice text)
{
	char string[sizeof "2026-11-22 17:00:00"];
	struct tm tm = { 0 };
	slice_to_string(text, string, sizeof string);
	if (sscanf(string, "%4d-%2d-%2d %2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm);
}

enum node_clock
node_judge_clock(struct slice consensus, int64_t now_s, int64_t *after_s, int64_t *until_s)
{
	*after_s = parse_time(find_line(consensus, "valid-after"));
	*until_s = parse_time(find_line(consensus, "valid-until"));
	if (*after_s <= 0 || *until_s < *after_s)
		return NODE_CLOCK_NOBODY;
	if (now_s < *after_s - TOLERANCE_S)
		return NODE_CLOCK_SLOW;
	return now_s > *until_s + LATE_S ? NODE_CLOCK_FAST : NODE_CLOCK_FINE;
}

static bool
is_mail_port(const char *port)
{
	return strcmp(port, "25") == 0 || strcmp(port, "465") == 0 || strcmp(port, "587") == 0;
}

bool
node_find_tcp_port(struct slice torrc, char out[NODE_LINE_MAX + 1])
{
	while (torrc.len > 0) {
		const unsigned char *lf = memchr(torrc.data, '\n', torrc.len);
		size_t len = lf != NULL ? (size_t)(lf - torrc.data) : torrc.len;
		char line[NODE_LINE_MAX + 1], word[32] = "", port[16] = "", target[100] = "";
		slice_to_string(slice_of(torrc.data, len), line, sizeof line);
		line[strcspn(line, "#\r")] = '\0';
		int words = sscanf(line, " %31s %15s %99s", word, port, target);
		const char *value = target[0] == '"' ? target + 1 : target;
		if (words >= 2 && strcasecmp(word, "HiddenServicePort") == 0 && is_mail_port(port) && strncasecmp(value, "unix:", 5) != 0) {
			size_t at = 0;
			for (const char *p = line; *p != '\0'; p++)
				out[at++] = *p < ' ' || *p > '~' ? '?' : *p;
			out[at] = '\0';
			return true;
		}
		len += lf != NULL;
		torrc = slice_of(torrc.data + len, torrc.len - len);
	}
	return false;
}
