/* SPDX-License-Identifier: ISC */
#include "smtpd/rules.h"

#include <stdio.h>
#include <string.h>

#include "address/address.h"

/* domain is onion, or fingerprint.onion: a label of 8 to 52 letters of base32 before it. */
static bool
is_own_domain(const char *onion, const char *domain)
{
	size_t len = strlen(domain), onion_len = strlen(onion);
	if (len < onion_len || strcasecmp(domain + len - onion_len, onion) != 0)
		return false;
	size_t label_len = len - onion_len;
	if (label_len == 0)
		return true;
	size_t letters = strspn(domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
	return letters == label_len - 1 && domain[letters] == '.' && letters >= ADDRESS_FINGERPRINT_MIN &&
	       letters <= ADDRESS_FINGERPRINT_MAX;
}

enum smtpd_verdict
rules_inbound_recipient(const char *onion, const char *fingerprint, const char *local_part, const struct path *path,
    char mailbox[PATH_MAILBOX_MAX + 1])
{
	size_t domain_len = strlen(path->domain), onion_len = strlen(onion);
	bool is_postmaster = strcasecmp(path->local_part, "postmaster") == 0;
	if (path->domain[0] == '\0') /* the grammar lets only postmaster through */
		snprintf(mailbox, PATH_MAILBOX_MAX + 1, "postmaster@%s", onion);
	else if (!is_own_domain(onion, path->domain))
		return SMTPD_FOREIGN;
	if (domain_len > onion_len) {
		if (!address_label_fits(slice_of(path->domain, domain_len - onion_len - 1), fingerprint))
			return SMTPD_NO_MAILBOX;
		struct path plain = *path;
		snprintf(plain.domain, sizeof plain.domain, "%s", onion);
		path_format(&plain, mailbox);
	}
	if (is_postmaster || address_is_mailbox(slice_of_string(path->local_part), local_part))
		return SMTPD_ACCEPT;
	return SMTPD_NO_MAILBOX;
}

bool
rules_is_own_sender(const char *onion, const char *local_part, const struct path *path)
{
	return is_own_domain(onion, path->domain) && address_is_mailbox(slice_of_string(path->local_part), local_part);
}

enum smtpd_verdict
rules_outbound_recipient(const struct path *path, char mailbox[PATH_MAILBOX_MAX + 1], char text[ERROR_TEXT_MAX])
{
	struct error err = { 0 };
	struct address address;
	if (!address_is_onion(slice_of_string(path->domain))) {
		snprintf(text, ERROR_TEXT_MAX, "<%.200s>", mailbox);
		return SMTPD_NOT_ONION;
	}
	if (address_parse(slice_of_string(mailbox), &address, &err) != 0) {
		snprintf(text, ERROR_TEXT_MAX, "%s", err.text);
		return SMTPD_BAD_ADDRESS;
	}
	address_format(&address, mailbox);
	return SMTPD_ACCEPT;
}
