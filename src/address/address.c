/* SPDX-License-Identifier: ISC */
#include "address/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "onionkey/onionkey.h"

static bool
is_base32(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
}

static bool
is_atext(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static void
copy_lower(char *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = text.data[i];
		out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	out[text.len] = '\0';
}

static int
check_dots(struct slice local_part, struct error *err)
{
	for (size_t i = 0; i < local_part.len; i++)
		if (local_part.data[i] == '.' &&
		    (i == 0 || i + 1 == local_part.len || local_part.data[i - 1] == '.'))
			return error_set(err, ERROR_INVALID,
			    "the part before the @ may not begin or end with a dot, or have two in a row");
	return 0;
}

static int
check_dot_atom(struct slice local_part, bool take_utf8, struct error *err)
{
	if (local_part.len == 0)
		return error_set(err, ERROR_INVALID, "there is nothing before the @");
	if (local_part.len > ADDRESS_LOCAL_PART_MAX)
		return error_set(err, ERROR_INVALID, "the part before the @ has %zu octets; at most %d are allowed",
		    local_part.len, ADDRESS_LOCAL_PART_MAX);
	for (size_t i = 0; i < local_part.len;) {
		unsigned char c = local_part.data[i];
		size_t len = 1;
		if (c >= 0x80 && !take_utf8)
			return error_set(err, ERROR_INVALID, "the part before the @ must be ASCII");
		if (c >= 0x80)
			len = utf8_length(slice_of(local_part.data + i, local_part.len - i));
		if (len == 0)
			return error_set(err, ERROR_INVALID, "the part before the @ is not UTF-8");
		if (c == '"' || c == '\\')
			return error_set(err, ERROR_INVALID, "the part before the @ may not be quoted");
		if (c == '@')
			return error_set(err, ERROR_INVALID, "there is more than one @ in the address");
		if (c < 0x80 && c != '.' && !is_atext(c))
			return error_set(err, ERROR_INVALID,
			    "character %zu of the address is not allowed before the @", i + 1);
		i += len;
	}
	if (!utf8_is_line(local_part))
		return error_set(err, ERROR_INVALID, "the part before the @ has a character that is not shown, or turns the direction of text");
	return check_dots(local_part, err);
}

int
address_check_local_part(struct slice local_part, struct error *err)
{
	return check_dot_atom(local_part, false, err);
}

static struct slice
without_trailing_dot(struct slice domain)
{
	if (domain.len > 0 && domain.data[domain.len - 1] == '.')
		domain.len--;
	return domain;
}

/* Cuts the last label off the front part; *label is empty when there was none. */
static struct slice
cut_last_label(struct slice domain, struct slice *label)
{
	size_t at = domain.len;
	while (at > 0 && domain.data[at - 1] != '.')
		at--;
	*label = slice_of(domain.data + at, domain.len - at);
	return slice_of(domain.data, at > 0 ? at - 1 : 0);
}

bool
address_is_onion(struct slice domain)
{
	struct slice label;
	while (domain.len > 0 && domain.data[domain.len - 1] == '.') /* malformed, but no name for DNS either */
		domain.len--;
	cut_last_label(domain, &label);
	return slice_is_nocase(label, "onion");
}

static int
parse_fingerprint(struct slice label, struct address *out, struct error *err)
{
	if (label.len < ADDRESS_FINGERPRINT_MIN || label.len > ADDRESS_FINGERPRINT_MAX)
		return error_set(err, ERROR_INVALID,
		    "what stands before the onion name must be a certificate fingerprint of %d to %d letters, not %zu",
		    ADDRESS_FINGERPRINT_MIN, ADDRESS_FINGERPRINT_MAX, label.len);
	for (size_t i = 0; i < label.len; i++)
		if (label.data[i] == '.')
			return error_set(err, ERROR_INVALID,
			    "only one label, a certificate fingerprint, may stand before the onion name");
		else if (!is_base32(label.data[i]))
			return error_set(err, ERROR_INVALID,
			    "letter %zu of the certificate fingerprint is wrong: only a-z and 2-7 occur in it", i + 1);
	copy_lower(out->fingerprint, label);
	/* 52 letters hold 260 bits, of which the last four are zero. */
	if (label.len == ADDRESS_FINGERPRINT_MAX && strchr("aq", out->fingerprint[label.len - 1]) == NULL)
		return error_set(err, ERROR_INVALID,
		    "the certificate fingerprint is wrong: one of 52 letters ends in a or q");
	return 0;
}

int
address_parse_domain(struct slice domain, struct address *out, struct error *err)
{
	struct slice label;
	memset(out, 0, sizeof *out);
	struct slice rest = cut_last_label(without_trailing_dot(domain), &label);
	if (!slice_is_nocase(label, "onion"))
		return error_set(err, ERROR_INVALID, "the domain does not end in .onion");
	rest = cut_last_label(rest, &label);
	if (label.len == 0)
		return error_set(err, ERROR_INVALID, "there is no name before .onion");
	if (onionkey_parse_name(label, out->public_key, err) != 0)
		return -1;
	onionkey_name(out->public_key, out->onion);
	strcat(out->onion, ".onion");
	if (label.data != domain.data)
		return parse_fingerprint(rest, out, err);
	return 0;
}

int
address_parse(struct slice text, struct address *out, struct error *err)
{
	size_t at = text.len;
	while (at > 0 && text.data[at - 1] != '@')
		at--;
	if (at == 0)
		return error_set(err, ERROR_INVALID, "there is no @ in the address: it has the form name@56-letters.onion");
	if (check_dot_atom(slice_of(text.data, at - 1), true, err) != 0 ||
	    address_parse_domain(slice_of(text.data + at, text.len - at), out, err) != 0)
		return -1;
	memcpy(out->local_part, text.data, at - 1);
	out->local_part[at - 1] = '\0';
	return 0;
}

void
address_format(const struct address *address, char out[ADDRESS_MAX + 1])
{
	snprintf(out, ADDRESS_MAX + 1, "%s@%s%s%s", address->local_part, address->fingerprint,
	    address->fingerprint[0] != '\0' ? "." : "", address->onion);
}

const char *
address_as_word(const char *text, char out[ADDRESS_WORD_MAX + 1])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+-";
	bool is_plain = text[0] != '-' && text[0] != '\0' && text[strspn(text, plain)] == '\0';
	char *at = out;
	if (!is_plain)
		*at++ = '\'';
	for (size_t i = 0; *text != '\0' && i < ADDRESS_MAX; i++, text++) {
		if (*text == '\'')
			at = stpcpy(at, "'\\'"); /* ends the quotes, and what follows begins them again */
		*at++ = *text;
	}
	if (!is_plain)
		*at++ = '\'';
	*at = '\0';
	return out;
}

bool
address_is_mailbox(struct slice local_part, const char *own)
{
	size_t len = strlen(own);
	return local_part.len >= len && strncasecmp((const char *)local_part.data, own, len) == 0 &&
	    (local_part.len == len || local_part.data[len] == '+');
}

bool
address_label_fits(struct slice label, const char *fingerprint)
{
	return label.len >= ADDRESS_FINGERPRINT_MIN && label.len <= strlen(fingerprint) &&
	    strncasecmp((const char *)label.data, fingerprint, label.len) == 0;
}

struct slice
address_label_of(struct slice mailbox, const char *onion)
{
	size_t onion_len = strlen(onion), at = mailbox.len;
	while (at > 0 && mailbox.data[at - 1] != '@')
		at--;
	if (mailbox.len - at <= onion_len + 1)
		return slice_of("", 0);
	return slice_of(mailbox.data + at, mailbox.len - at - onion_len - 1);
}
