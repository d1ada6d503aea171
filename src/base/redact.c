/* SPDX-License-Identifier: ISC */
#include "base/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"

#define ONION_LEAST 52 /* letters: a fingerprint label has so many, an onion name 56 */
#define DIGEST_BYTES 16

enum kind { KIND_NONE, KIND_ADDRESS, KIND_ONION, KIND_NAME };

/* Each byte of the line belongs to a piece that is hidden, or to none (0). */
struct marks {
	const unsigned char *text;
	size_t len;
	uint16_t piece[REDACT_LINE_MAX_BYTES];
	uint8_t kind[REDACT_LINE_MAX_BYTES];
	uint16_t pieces;
};

void
redact_init(struct redact *r, const unsigned char key[REDACT_KEY_BYTES])
{
	memcpy(r->key, key, REDACT_KEY_BYTES);
	r->count = 0;
}

int
redact_hide(struct redact *r, struct slice word, struct error *err)
{
	if (word.len == 0 || word.len > REDACT_WORD_MAX_BYTES)
		return error_set(err, ERROR_INVALID, "a word to be hidden has 1 to %d bytes", REDACT_WORD_MAX_BYTES);
	for (size_t i = 0; i < r->count; i++)
		if (slice_is(word, r->words[i]))
			return 0;
	if (r->count == REDACT_WORDS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "there are %d words to be hidden already", REDACT_WORDS_MAX);
	memcpy(r->words[r->count], word.data, word.len);
	r->words[r->count][word.len] = '\0';
	r->count++;
	return 0;
}

/* Hides [from, to), but for what is hidden already. */
static void
mark(struct marks *m, size_t from, size_t to, enum kind kind)
{
	m->pieces++;
	for (size_t i = from; i < to; i++)
		if (m->piece[i] == 0) {
			m->piece[i] = m->pieces;
			m->kind[i] = (uint8_t)kind;
		}
}

static bool
is_domain_byte(unsigned char c)
{
	return isalnum(c) || c == '.' || c == '-' || c >= 0x80;
}

static bool
is_local_byte(unsigned char c)
{
	return isalnum(c) || c >= 0x80 || (c != '\0' && strchr("!#$%&'*+/=?^_`{|}~.-", c) != NULL);
}

/* Where the local part before position at begins; a quoted one with its first quote. */
static size_t
local_begin(const struct marks *m, size_t at)
{
	size_t i = at;
	if (i > 0 && m->text[i - 1] == '"') {
		for (i--; i > 0; i--)
			if (m->text[i - 1] == '"' && (i < 2 || m->text[i - 2] != '\\'))
				return i - 1;
		return 0;
	}
	while (i > 0 && is_local_byte(m->text[i - 1]))
		i--;
	return i;
}

/* The parent calls processes mail@NAME: the role may be seen. */
static bool
is_role(const struct marks *m, size_t from, size_t to)
{
	static const char *const roles[] = { "mail", "smtp", "content" };
	struct slice word = slice_of(m->text + from, to - from);
	return slice_is(word, roles[0]) || slice_is(word, roles[1]) || slice_is(word, roles[2]);
}

static void
mark_addresses(struct marks *m)
{
	for (size_t at = 0; at < m->len; at++) {
		if (m->text[at] != '@')
			continue;
		size_t from = local_begin(m, at), to = at + 1;
		while (to < m->len && is_domain_byte(m->text[to]))
			to++;
		if (from == at || to == at + 1)
			continue;
		if (is_role(m, from, at) && memchr(m->text + at, '.', to - at) == NULL)
			mark(m, at + 1, to, KIND_NAME);
		else
			mark(m, from, to, KIND_ADDRESS);
	}
}

static bool
matches(const struct marks *m, size_t at, const char *word, size_t len)
{
	if (len > m->len - at)
		return false;
	for (size_t i = 0; i < len; i++)
		if (tolower(m->text[at + i]) != tolower((unsigned char)word[i]))
			return false;
	return true;
}

/* A login as Dovecot writes it, which need not be an address. */
static void
mark_logins(struct marks *m)
{
	static const char begin[] = "user=<";
	for (size_t at = 0; at < m->len; at++) {
		if (!matches(m, at, begin, strlen(begin)))
			continue;
		size_t from = at + strlen(begin), to = from;
		while (to < m->len && m->text[to] != '>')
			to++;
		mark(m, from, to, KIND_ADDRESS);
	}
}

/* Whatever ends in .onion, and whatever is long enough for a name without it. */
static void
mark_onions(struct marks *m)
{
	static const char tail[] = ".onion";
	for (size_t at = 0; at < m->len; at++) {
		if (!matches(m, at, tail, strlen(tail)))
			continue;
		size_t from = at;
		while (from > 0 && is_domain_byte(m->text[from - 1]))
			from--;
		mark(m, from, at + strlen(tail), KIND_ONION);
	}
	for (size_t from = 0, to; from < m->len; from = to + 1) {
		for (to = from; to < m->len && (isalpha(m->text[to]) || (m->text[to] >= '2' && m->text[to] <= '7')); to++)
			;
		if (to - from >= ONION_LEAST)
			mark(m, from, to, KIND_ONION);
	}
}

static void
mark_words(struct marks *m, const struct redact *r)
{
	for (size_t i = 0; i < r->count; i++) {
		size_t len = strlen(r->words[i]);
		for (size_t at = 0; at + len <= m->len; at++)
			if ((at == 0 || !isalnum(m->text[at - 1])) && matches(m, at, r->words[i], len) &&
			    (at + len == m->len || !isalnum(m->text[at + len])))
				mark(m, at, at + len, KIND_NAME);
	}
}

static int
append_hidden(const struct redact *r, const struct marks *m, size_t from, size_t to, struct buffer *out, struct error *err)
{
	static const char *const names[] = { [KIND_ADDRESS] = "address", [KIND_ONION] = "onion", [KIND_NAME] = "name" };
	unsigned char digest[DIGEST_BYTES];
	struct hash hash;
	hash_init(&hash, sizeof digest, r->key, sizeof r->key);
	for (size_t i = from; i < to; i++) {
		unsigned char c = (unsigned char)tolower(m->text[i]);
		hash_update(&hash, &c, 1);
	}
	hash_final(&hash, digest, sizeof digest);
	return buffer_printf(out, err, "<%s:%02x%02x%02x>", names[m->kind[from]], digest[0], digest[1], digest[2]);
}

int
redact_line(const struct redact *r, struct slice line, struct buffer *out, struct error *err)
{
	struct marks m = { .text = line.data, .len = line.len < REDACT_LINE_MAX_BYTES ? line.len : REDACT_LINE_MAX_BYTES };
	mark_addresses(&m);
	mark_logins(&m);
	mark_onions(&m);
	mark_words(&m, r);
	for (size_t from = 0, to; from < m.len; from = to) {
		for (to = from; to < m.len && m.piece[to] == m.piece[from]; to++)
			;
		int result = m.piece[from] == 0 ? buffer_append(out, m.text + from, to - from, err)
		                                : append_hidden(r, &m, from, to, out, err);
		if (result != 0)
			return -1;
	}
	return 0;
}
