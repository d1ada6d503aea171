/* SPDX-License-Identifier: ISC */
#include "cli/doctor_judge.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_letter_or_digit(unsigned char c)
{
	return c < 0x80 && isalnum(c);
}

/* ---- words */

/* That a host or a user has such a name says nothing: these stand in replies everywhere. */
static const char *const common[] = { "mail", "smtp", "esmtp", "mailbox", "localhost", "localdomain", "local", "host", "server", "user",
	"size", "help", "here", "line", "other", "domain", "domains", "command", "data", "ready", "start", "tls", "see", "rfc", "send",
	"end", "hello", "bye", "name", "onion", "too", "many", "out", "etc", "utc", "gmt", "home", "root", "postmaster", "nobody", "not",
	"for", "the", "message", "address", "system", "stranger", "invalid", NULL };

static bool
is_listed(const char *const *list, const char *word)
{
	for (; *list != NULL; list++)
		if (strcasecmp(*list, word) == 0)
			return true;
	return false;
}

bool
judge_has_word(struct slice text, const char *word)
{
	size_t len = strlen(word);
	if (len < 3 || is_listed(common, word))
		return false;
	for (size_t i = 0; i + len <= text.len; i++) {
		if ((text.data[i] ^ (unsigned char)word[0]) & 0xdf || strncasecmp((const char *)text.data + i, word, len) != 0)
			continue; /* most are seen by their first letter, in any case of it */
		if ((i == 0 || !is_letter_or_digit(text.data[i - 1])) && (i + len == text.len || !is_letter_or_digit(text.data[i + len])))
			return true;
	}
	return false;
}

/* ---- kinds of words */

static bool
is_date_part(const char *word)
{
	static const char *const names[] = { "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL };
	unsigned a, b, c;
	int end = 0;
	if (sscanf(word, "%2u:%2u:%2u%n", &a, &b, &c, &end) == 3 && end >= 7)
		return true;
	end = 0;
	if (sscanf(word, "%4u-%2u-%2u%n", &a, &b, &c, &end) == 3 && end == 10)
		return true;
	return is_listed(names, word) || ((word[0] == '+' || word[0] == '-') && strlen(word) == 5 && strspn(word + 1, "0123456789") == 4);
}

static bool
is_ip_address(const char *word)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, word, bytes) == 1 || (strchr(word, ':') != NULL && inet_pton(AF_INET6, word, bytes) == 1);
}

/* "mail.example.org", but neither the onion's own name nor one that the doctor said. */
static bool
is_host(const char *word, const char *own)
{
	const char *last = strrchr(word, '.');
	size_t len = strlen(word), own_len = strlen(own);
	if (last == NULL || last == word || strstr(word, "..") != NULL)
		return false;
	for (const char *p = word; *p != '\0'; p++)
		if (!is_letter_or_digit((unsigned char)*p) && *p != '.' && *p != '-' && *p != '_')
			return false;
	for (const char *p = last + 1; *p != '\0'; p++)
		if (!isalpha((unsigned char)*p))
			return false;
	if (strlen(last + 1) < 2 || strcasecmp(last + 1, "invalid") == 0)
		return false;
	return len < own_len || strcasecmp(word + len - own_len, own) != 0;
}

/* "3.7.11" and "v2.0"; "5.7.1" is an enhanced status code. */
static bool
is_version(const char *word)
{
	unsigned dots = 0;
	if ((word[0] == 'v' || word[0] == 'V') && word[1] != '\0')
		word++;
	size_t digits = strspn(word, "0123456789");
	for (const char *p = word; *p != '\0'; p++)
		dots += *p == '.';
	if (digits == 0 || digits > 4 || word[digits] != '.' || !isdigit((unsigned char)word[digits + 1]))
		return false;
	bool is_status = dots == 2 && digits == 1 && strchr("245", word[0]) != NULL && strlen(word) <= 9;
	return !is_status;
}

static bool
is_software(const char *word)
{
	static const char *const names[] = { "postfix", "exim", "sendmail", "opensmtpd", "qmail", "netqmail", "dovecot", "haraka", "courier",
		"zimbra", "exchange", "microsoft", "smtorp", "smtorpd", "maddy", "stalwart", "james", "chasquid", "mailpit", "mailhog", "aiosmtpd",
		"postal", "debian", "ubuntu", "fedora", "freebsd", "openbsd", "linux", "openssl", "gnutls", NULL };
	char name[JUDGE_WORD_MAX + 1];
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	snprintf(name, sizeof name, "%.*s", (int)(len < JUDGE_WORD_MAX ? len : JUDGE_WORD_MAX), word);
	return is_listed(names, name);
}

static enum judge_leak
judge_word(const char *word, const char *own)
{
	if (is_ip_address(word))
		return JUDGE_ADDRESS;
	if (is_host(word, own))
		return JUDGE_HOST;
	if (is_software(word))
		return JUDGE_SOFTWARE;
	if (is_date_part(word))
		return JUDGE_DATE;
	return is_version(word) ? JUDGE_VERSION : JUDGE_NOTHING;
}

/* ---- replies */

static void
note(struct judge_leaks *found, enum judge_leak leak, const char *word)
{
	if (leak == JUDGE_NOTHING || found->word[leak][0] != '\0')
		return;
	snprintf(found->word[leak], sizeof found->word[leak], "%s", word);
	for (char *p = found->word[leak]; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

/* Whether a label of the host's name is one of the words. */
static bool
is_of_machine(const char *host, const char *const *words, size_t count)
{
	while (*host != '\0') {
		size_t len = strcspn(host, ".");
		for (size_t i = 0; i < count; i++)
			if (len > 0 && strlen(words[i]) == len && strncasecmp(words[i], host, len) == 0 && strcasecmp(words[i], "localhost") != 0)
				return true;
		host += len;
		host += *host == '.';
	}
	return false;
}

static size_t
next_word(struct slice line, size_t at, char word[JUDGE_WORD_MAX + 1])
{
	static const char separators[] = " \t\r\n()<>[]{},;\"'=/@#|!?";
	size_t len = 0;
	while (at < line.len && (line.data[at] == '\0' || strchr(separators, line.data[at]) != NULL))
		at++;
	while (at < line.len && line.data[at] != '\0' && strchr(separators, line.data[at]) == NULL) {
		if (len < JUDGE_WORD_MAX)
			word[len++] = (char)line.data[at];
		at++;
	}
	while (len > 0 && (word[len - 1] == '.' || word[len - 1] == ':'))
		len--;
	word[len] = '\0';
	return at;
}

/* The text of a line: without "250-" and "2.1.0 ". */
static struct slice
text_of(struct slice line)
{
	size_t skip = 0;
	while (skip < 3 && skip < line.len && isdigit(line.data[skip]))
		skip++;
	if (skip == 3 && skip < line.len && (line.data[skip] == ' ' || line.data[skip] == '-'))
		skip++;
	else
		skip = 0;
	return slice_of(line.data + skip, line.len - skip);
}

static void
judge_line(struct slice line, const char *own, const char *const *words, size_t count, struct judge_leaks *out)
{
	char word[JUDGE_WORD_MAX + 1];
	for (size_t at = 0; at < line.len;) {
		at = next_word(line, at, word);
		enum judge_leak leak = judge_word(word, own);
		if (leak == JUDGE_HOST && is_of_machine(word, words, count))
			leak = JUDGE_MACHINE;
		note(out, leak, word);
	}
}

bool
judge_text(struct slice replies, const char *own, const char *const *words, size_t count, struct judge_leaks *out)
{
	bool is_any = false;
	*out = (struct judge_leaks){ 0 };
	for (size_t i = 0; i < count; i++)
		if (judge_has_word(replies, words[i]))
			note(out, JUDGE_MACHINE, words[i]);
	while (replies.len > 0) {
		const unsigned char *lf = memchr(replies.data, '\n', replies.len);
		size_t len = lf != NULL ? (size_t)(lf - replies.data) + 1 : replies.len;
		judge_line(text_of(slice_of(replies.data, len)), own, words, count, out);
		replies = slice_of(replies.data + len, replies.len - len);
	}
	for (size_t i = 0; i < JUDGE_LEAKS; i++)
		is_any |= out->word[i][0] != '\0';
	return is_any;
}

/* ---- two replies */

/* Writes text without the address and its domain, whatever the case. */
static void
mask(char *out, size_t room, const char *text, const char *address)
{
	const char *at = strrchr(address, '@'), *domain = at != NULL ? at + 1 : address;
	size_t len = 0, address_len = strlen(address), domain_len = strlen(domain);
	while (*text != '\0' && len + 1 < room) {
		size_t skip = 0;
		if (address_len > 0 && strncasecmp(text, address, address_len) == 0)
			skip = address_len;
		else if (domain_len > 0 && strncasecmp(text, domain, domain_len) == 0)
			skip = domain_len;
		out[len++] = skip > 0 ? '\1' : *text;
		text += skip > 0 ? skip : 1;
	}
	out[len] = '\0';
}

bool
judge_is_same(const struct judge_answer *a, const struct judge_answer *b)
{
	char one[1024], other[1024];
	mask(one, sizeof one, a->text, a->address);
	mask(other, sizeof other, b->text, b->address);
	return a->code == b->code && strcmp(a->enhanced, b->enhanced) == 0 && strcmp(one, other) == 0;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

bool
judge_is_slower(int64_t *a_ms, int64_t *b_ms, size_t count, int64_t *difference_ms)
{
	qsort(a_ms, count, sizeof *a_ms, compare);
	qsort(b_ms, count, sizeof *b_ms, compare);
	int64_t a = a_ms[count / 2], b = b_ms[count / 2], smaller = a < b ? a : b;
	*difference_ms = a > b ? a - b : b - a;
	bool are_apart = a_ms[count - 1] < b_ms[0] || b_ms[count - 1] < a_ms[0];
	return are_apart && *difference_ms >= JUDGE_DELAY_MS && *difference_ms >= smaller / 2;
}
