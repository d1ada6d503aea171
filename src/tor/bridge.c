/* SPDX-License-Identifier: ISC */
#include "tor/bridge.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define FINGERPRINT_LEN 40

static bool
take_word(struct slice *text, struct slice *word)
{
	while (text->len > 0 && text->data[0] == ' ') {
		text->data++;
		text->len--;
	}
	size_t len = 0;
	while (len < text->len && text->data[len] != ' ')
		len++;
	*word = slice_of(text->data, len);
	text->data += len;
	text->len -= len;
	return len > 0;
}

/* A C identifier, as pt-spec has it. */
static bool
is_transport(struct slice word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!isalpha(word.data[i]) && word.data[i] != '_' && (i == 0 || !isdigit(word.data[i])))
			return false;
	return word.len > 0 && word.len <= 32;
}

static bool
is_port(struct slice digits)
{
	unsigned long port = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (!isdigit(digits.data[i]))
			return false;
		port = port * 10 + (digits.data[i] - '0');
	}
	return digits.len > 0 && digits.len <= 5 && port > 0 && port < 65536;
}

static bool
is_endpoint(struct slice word)
{
	char host[64];
	unsigned char bytes[16];
	const unsigned char *colon = memrchr(word.data, ':', word.len);
	if (colon == NULL)
		return false;
	struct slice name = slice_of(word.data, (size_t)(colon - word.data));
	bool is_v6 = name.len > 2 && name.data[0] == '[' && name.data[name.len - 1] == ']';
	if (is_v6)
		name = slice_of(name.data + 1, name.len - 2);
	if (name.len >= sizeof host || !is_port(slice_of(colon + 1, word.len - (size_t)(colon + 1 - word.data))))
		return false;
	memcpy(host, name.data, name.len);
	host[name.len] = '\0';
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, host, bytes) == 1;
}

static bool
is_fingerprint(struct slice word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!isxdigit(word.data[i]))
			return false;
	return word.len == FINGERPRINT_LEN;
}

static int
check_letters(struct slice text, struct error *err)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = text.data[i];
		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '#')
			return error_set(err, ERROR_INVALID, "holds a letter that no bridge line has");
	}
	return 0;
}

int
bridge_parse(const char *line, struct bridge *out, struct error *err)
{
	struct slice rest = slice_of_string(line), word;
	*out = (struct bridge){ 0 };
	if (check_letters(rest, err) != 0)
		return -1;
	struct slice after = rest;
	if (take_word(&after, &word) && slice_is_nocase(word, "bridge"))
		rest = after;
	while (rest.len > 0 && rest.data[0] == ' ')
		rest = slice_of(rest.data + 1, rest.len - 1);
	while (rest.len > 0 && rest.data[rest.len - 1] == ' ')
		rest.len--;
	out->line = rest;
	take_word(&rest, &word);
	if (is_transport(word)) {
		out->transport = word;
		take_word(&rest, &word);
	}
	if (!is_endpoint(word))
		return error_set(err, ERROR_INVALID, "must read [TRANSPORT] ADDRESS:PORT [FINGERPRINT] ..., as its operator or "
		    "bridges.torproject.org gives it");
	bool is_first = true;
	for (; take_word(&rest, &word); is_first = false) {
		if (is_first && is_fingerprint(word))
			continue;
		if (memchr(word.data, '=', word.len) == NULL)
			return error_set(err, ERROR_INVALID, "has '%.*s' where a fingerprint of %d letters 0-9 A-F or NAME=VALUE "
			    "belongs", word.len > 48 ? 48 : (int)word.len, word.data, FINGERPRINT_LEN);
		if (out->transport.len == 0)
			return error_set(err, ERROR_INVALID, "has '%.*s', but no transport in front that it could be for",
			    word.len > 48 ? 48 : (int)word.len, word.data);
	}
	return 0;
}

int
bridge_write(const struct bridge *bridge, struct buffer *out, struct error *err)
{
	return buffer_printf(out, err, "Bridge %.*s\n", (int)bridge->line.len, bridge->line.data);
}

int
bridge_write_transport(struct slice name, const char *program, const char *arguments, struct buffer *out,
    struct error *err)
{
	if (strchr(program, ' ') != NULL)
		return error_set(err, ERROR_INVALID, "tor cannot start '%.100s': there must be no space in its path", program);
	if (check_letters(slice_of_string(program), err) != 0 || check_letters(slice_of_string(arguments), err) != 0)
		return error_set(err, ERROR_INVALID, "the program '%.100s' or its arguments hold a letter that tor's configuration "
		    "does not take", program);
	return buffer_printf(out, err, "ClientTransportPlugin %.*s exec %s%s%s\n", (int)name.len, name.data, program,
	    arguments[0] != '\0' ? " " : "", arguments);
}
