/* SPDX-License-Identifier: ISC */
#include "mime/mailboxes.h"

#include <gmime/gmime.h>
#include <stdbool.h>
#include <string.h>

#define SHOWN_MAX 80 /* of a sender, in an error; an onion with a local part of 17 letters fits */
#define LABEL_MIN 8
#define LABEL_MAX 52

/* Length of the quoted-string or comment that begins at text[0], 0 when it does not end. */
static size_t
skip_enclosed(const char *text)
{
	bool is_comment = text[0] == '(';
	unsigned depth = 0;
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '\\' && text[i + 1] != '\0')
			i++;
		else if (is_comment && text[i] == '(')
			depth++;
		else if (is_comment && text[i] == ')' && --depth == 0)
			return i + 1;
		else if (!is_comment && text[i] == '"' && i > 0)
			return i + 1;
	}
	return 0;
}

/* GMime forgives much and skips what it cannot read; another reader may see an address there. So only plain lists go to it:
 * at most one "@" in each item, brackets in pairs, nothing of groups, routes or address literals. */
static bool
is_plain_list(const char *text)
{
	unsigned at_signs = 0;
	bool in_brackets = false, had_brackets = false;
	for (size_t i = 0; text[i] != '\0'; i++) {
		switch (text[i]) {
		case '"':
		case '(': {
			size_t len = skip_enclosed(text + i);
			if (len == 0)
				return false;
			i += len - 1;
			break;
		}
		case '@':
			if (++at_signs > 1)
				return false;
			break;
		case '<':
			if (had_brackets)
				return false;
			in_brackets = had_brackets = true;
			break;
		case '>':
			if (!in_brackets)
				return false;
			in_brackets = false;
			break;
		case ',':
			if (in_brackets)
				return false;
			at_signs = 0;
			had_brackets = false;
			break;
		case '.': /* "own.onion.": GMime drops the last dot, the bytes that leave would keep it */
			if (at_signs == 1 && strchr(",>", text[i + 1 + strspn(text + i + 1, " \t")]) != NULL)
				return false;
			break;
		case ':': case ';': case ')': case '[': case ']': case '\\':
			return false;
		default:
			if ((unsigned char)text[i] < ' ' && text[i] != '\t')
				return false;
		}
	}
	return !in_brackets;
}

/* Encoded-words stand in display names only, and those do not matter here; decoding them would have iconv load modules. */
static void
hide_encoded_words(char *text)
{
	for (char *found = text; (found = strstr(found, "=?")) != NULL;)
		found[1] = '_';
}

/* domain is onion, or has a certificate fingerprint before it: one label of 8 to 52 letters (doc/spec/address.md). */
static bool
is_own_domain(const char *domain, const char *onion)
{
	size_t letters = strspn(domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
	if (strcasecmp(domain, onion) == 0)
		return true;
	return domain[letters] == '.' && letters >= LABEL_MIN && letters <= LABEL_MAX &&
	    strcasecmp(domain + letters + 1, onion) == 0;
}

static bool
is_own(const char *mailbox, const char *local_part, const char *onion)
{
	const char *at = strrchr(mailbox, '@');
	size_t local_len = strlen(local_part);
	if (at == NULL || !is_own_domain(at + 1, onion))
		return false;
	size_t len = (size_t)(at - mailbox);
	if (len < local_len || strncasecmp(mailbox, local_part, local_len) != 0)
		return false;
	return len == local_len || mailbox[local_len] == '+';
}

static int
check_each(InternetAddressList *list, const char *local_part, const char *onion, struct error *err)
{
	int count = list == NULL ? 0 : internet_address_list_length(list);
	if (count == 0)
		return error_set(err, ERROR_INVALID, "From: holds no address: set this account's sender address to %s@%s",
		    local_part, onion);
	for (int i = 0; i < count; i++) {
		InternetAddress *each = internet_address_list_get_address(list, i);
		const char *mailbox = INTERNET_ADDRESS_IS_MAILBOX(each) ?
		    internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(each)) : NULL;
		if (mailbox == NULL)
			return error_set(err, ERROR_INVALID, "From: holds something else than addresses");
		if (!is_own(mailbox, local_part, onion))
			return error_set(err, ERROR_DENIED, "From: says %.*s%s but this login is %s@%s: set this account's "
			    "sender address to it", SHOWN_MAX, mailbox, strlen(mailbox) > SHOWN_MAX ? "..." : "", local_part, onion);
	}
	return 0;
}

/* NULL with the error set; otherwise to be unreferenced. plain: what is said of a value that cannot be read in one way. */
static InternetAddressList *
read_list(struct slice value, const char *unclear, struct error *err)
{
	InternetAddressList *list = NULL;
	if (value.len > MAILBOXES_VALUE_MAX_BYTES) {
		error_set(err, ERROR_TOO_LARGE, "From: is longer than %d bytes", MAILBOXES_VALUE_MAX_BYTES);
		return NULL;
	}
	char *text = g_strndup((const char *)value.data, value.len);
	if (is_plain_list(text)) {
		hide_encoded_words(text);
		list = internet_address_list_parse(NULL, text);
		if (list == NULL)
			list = internet_address_list_new();
	} else
		error_set(err, ERROR_INVALID, "From: cannot be read in one way only%s", unclear);
	g_free(text);
	return list;
}

int
mailboxes_are_own(struct slice value, const char *local_part, const char *onion, struct error *err)
{
	char *advice = g_strdup_printf(": write it as \"Name\" <%s@%s>", local_part, onion);
	InternetAddressList *list = read_list(value, advice, err);
	int result = list == NULL ? -1 : check_each(list, local_part, onion, err);
	if (list != NULL)
		g_object_unref(list);
	g_free(advice);
	return result;
}

int
mailboxes_only(struct slice value, char address[MAILBOXES_ADDRESS_MAX + 1], struct error *err)
{
	InternetAddressList *list = read_list(value, "", err);
	if (list == NULL)
		return -1;
	InternetAddress *first = internet_address_list_length(list) == 1 ? internet_address_list_get_address(list, 0) : NULL;
	const char *text = first != NULL && INTERNET_ADDRESS_IS_MAILBOX(first) ?
	    internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first)) : NULL;
	int result = 0;
	if (text == NULL)
		result = error_set(err, ERROR_INVALID, "From: does not hold one address, and one only");
	else if (strlen(text) > MAILBOXES_ADDRESS_MAX)
		result = error_set(err, ERROR_TOO_LARGE, "From: holds an address of more than %d bytes", MAILBOXES_ADDRESS_MAX);
	else
		strcpy(address, text);
	g_object_unref(list);
	return result;
}
