/* SPDX-License-Identifier: ISC */
#include "proof/onionsig.h"

#include <stdio.h>

#include "base/encode.h"
#include "mime/mailboxes.h"
#include "onionkey/onionkey.h"

#define LINE_MAX_BYTES 76
#define VALUE_MAX_BYTES 65536 /* of a From field; mailboxes_only() takes less */

/* What a reader is shown, and what decides how the body is read. Each is named once more than it is there, so that none can be added. */
static const char *const covered[] = {
	"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Autocrypt",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
};
#define COVERED (sizeof covered / sizeof covered[0])

/* So begin others that are covered when they are there: mail programs show them, answer to them, or take keys and groups from them. */
static const char *const beginnings[] = { "Content-", "Resent-", "List-", "Mail-", "Disposition-Notification-", "Return-Receipt-", "Secure-Join", "Chat-",
	"Autocrypt-" };

static bool
is_acted_on(struct slice name)
{
	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
		if (name.len >= strlen(beginnings[i]) && strncasecmp((const char *)name.data, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool
is_covered_name(struct slice name)
{
	for (size_t i = 0; i < COVERED; i++)
		if (slice_is_nocase(name, covered[i]))
			return true;
	return false;
}

static bool
are_same(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* ---- making */

struct names {
	struct buffer *out;
	size_t line_len;
	unsigned count;
};

static int
add_name(struct names *n, struct slice name, struct error *err)
{
	if (n->count == DKIM_NAMES_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the header has too many fields to be signed");
	if (n->count++ > 0) {
		bool is_full = n->line_len + 1 + name.len > LINE_MAX_BYTES;
		if (buffer_append_string(n->out, is_full ? ":\r\n " : ":", err) != 0)
			return -1;
		n->line_len = is_full ? 1 : n->line_len + 1;
	}
	n->line_len += name.len;
	return buffer_append(n->out, name.data, name.len, err);
}

/* Each covered name once, and once more for each field of that name. */
static int
add_names(struct names *n, struct slice section, unsigned *froms, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	*froms = 0;
	for (size_t i = 0; i < COVERED; i++)
		if (add_name(n, slice_of_string(covered[i]), err) != 0)
			return -1;
	header_scan_init(&scan, section);
	while ((got = header_scan_next(&scan, &field, err)) == 1) {
		bool is_known = is_covered_name(field.name);
		*froms += slice_is_nocase(field.name, "From");
		if ((is_known || is_acted_on(field.name)) && add_name(n, field.name, err) != 0)
			return -1;
		if (!is_known && is_acted_on(field.name) && add_name(n, field.name, err) != 0)
			return -1;
	}
	return got;
}

/* What is signed of a field that is not complete: the same that will be read of it, but for a signature that is left out anyway. */
static int
digest_field(struct slice section, const struct buffer *field, unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	size_t name_len = sizeof ONIONSIG_FIELD - 1;
	struct slice all = slice_of(buffer_bytes(field), buffer_len(field));
	struct header_field f = { .name = slice_of(all.data, name_len), .raw = all,
		.value = slice_of(all.data + name_len + 1, all.len - name_len - 1) };
	struct dkim_tags tags = { .signature_place = slice_of(all.data + all.len, 0) };
	const unsigned char *names = memmem(all.data, all.len, " h=", 3);
	const unsigned char *end = memchr(names, ';', (size_t)(all.data + all.len - names));
	tags.names = slice_of(names + 3, (size_t)(end - names) - 3);
	return dkim_digest(section, &f, &tags, digest, err);
}

int
onionsig_begin(struct slice section, const unsigned char body_digest[HASH_SHA256_BYTES], const char *from, const char *to,
    struct buffer *field, unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	char base64[ENCODE_BASE64_LEN(HASH_SHA256_BYTES) + 1];
	struct names names = { .out = field, .line_len = 3 };
	unsigned froms;
	encode_base64(base64, body_digest, HASH_SHA256_BYTES);
	if (buffer_printf(field, err, ONIONSIG_FIELD ": v=1; a=ed25519-sha256; c=relaxed/relaxed; s=onion;\r\n d=%s;\r\n to=%s;\r\n h=",
	        from, to) != 0 || add_names(&names, section, &froms, err) != 0)
		return -1;
	if (froms != 1)
		return error_set(err, ERROR_INVALID, "a message to be signed has one From, this one has %u", froms);
	if (buffer_printf(field, err, ";\r\n bh=%s;\r\n b=", base64) != 0)
		return -1;
	return digest_field(section, field, digest, err);
}

/* ---- judging */

static size_t
times_named(struct slice names, struct slice name)
{
	struct slice each;
	size_t times = 0;
	while (dkim_next_name(&names, &each, NULL) == 1)
		times += are_same(each, name);
	return times;
}

static size_t
times_there(struct slice section, struct slice name)
{
	struct header_scan scan;
	struct header_field field;
	size_t times = 0;
	header_scan_init(&scan, section);
	while (header_scan_next(&scan, &field, NULL) == 1)
		times += are_same(field.name, name);
	return times;
}

static int
check_name(struct slice section, struct slice names, struct slice name, struct error *why)
{
	if (times_named(names, name) > times_there(section, name))
		return 0;
	return error_set(why, ERROR_DENIED, "the signature leaves %.*s open", name.len > 40 ? 40 : (int)name.len, (const char *)name.data);
}

static int
check_coverage(struct slice section, struct slice names, struct error *why)
{
	struct header_scan scan;
	struct header_field field;
	size_t count = 0;
	for (size_t i = 0; i < COVERED; i++)
		if (check_name(section, names, slice_of_string(covered[i]), why) != 0)
			return -1;
	header_scan_init(&scan, section);
	while (header_scan_next(&scan, &field, NULL) == 1)
		if (is_acted_on(field.name) && (++count > DKIM_NAMES_MAX || check_name(section, names, field.name, why) != 0))
			return count > DKIM_NAMES_MAX ? error_set(why, ERROR_TOO_LARGE, "there are too many fields to look at") : -1;
	return 0;
}

/* 0: this field proves the sender. */
static int
check_field(struct slice section, const struct header_field *field, const unsigned char body_digest[HASH_SHA256_BYTES],
    const char *to, const struct address *sender, struct error *why)
{
	struct dkim_tags tags;
	unsigned char digest[HASH_SHA256_BYTES];
	if (dkim_parse(field->value, &tags, why) != 0)
		return -1;
	if (!slice_is_nocase(tags.domain, sender->onion))
		return error_set(why, ERROR_DENIED, "the signature is of another onion than From names");
	if (!slice_is_nocase(tags.to, to))
		return error_set(why, ERROR_DENIED, "the message was signed for another recipient");
	if (memcmp(tags.body_digest, body_digest, sizeof tags.body_digest) != 0)
		return error_set(why, ERROR_DENIED, "the body is not the one that was signed");
	if (dkim_digest(section, field, &tags, digest, why) != 0)
		return -1;
	if (onionkey_verify(sender->public_key, slice_of(digest, sizeof digest), tags.signature, NULL) != 0)
		return error_set(why, ERROR_DENIED, "the signature does not belong to this header and onion");
	return check_coverage(section, tags.names, why);
}

/* ".onion" in either case, wherever. */
static bool
holds_onion(struct slice value)
{
	for (size_t i = 0; i + 6 <= value.len; i++)
		if (strncasecmp((const char *)value.data + i, ".onion", 6) == 0)
			return true;
	return false;
}

struct found {
	struct header_field from, signatures[ONIONSIG_TRIED_MAX];
	size_t froms, count;
};

static int
find(struct slice section, struct found *out, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	*out = (struct found){ 0 };
	header_scan_init(&scan, section);
	while ((got = header_scan_next(&scan, &field, err)) == 1) {
		if (slice_is_nocase(field.name, "From") && out->froms++ == 0)
			out->from = field;
		if (slice_is_nocase(field.name, ONIONSIG_FIELD) && out->count++ < ONIONSIG_TRIED_MAX)
			out->signatures[out->count - 1] = field;
	}
	return got;
}

/* The sender, when From names one onion address. A From that can be read in two ways, or several of them, claims an onion if
 * the word is in it at all: nobody gets around the check by being unclear. */
static enum onionsig_verdict
read_sender(struct slice section, const struct found *found, struct address *sender, struct error *why)
{
	char mailbox[MAILBOXES_ADDRESS_MAX + 1];
	struct buffer value;
	struct header_scan scan;
	struct header_field field;
	bool claims = false;
	buffer_init(&value, VALUE_MAX_BYTES);
	if (found->froms == 1 && header_unfold(found->from.value, &value, why) == 0 &&
	    mailboxes_only(slice_of(buffer_bytes(&value), buffer_len(&value)), mailbox, why) == 0) {
		buffer_finish(&value);
		const char *at = strrchr(mailbox, '@');
		if (at == NULL || !address_is_onion(slice_of_string(at + 1)))
			return ONIONSIG_UNCLAIMED;
		return address_parse(slice_of_string(mailbox), sender, why) == 0 ? ONIONSIG_MISSING : ONIONSIG_WRONG;
	}
	buffer_finish(&value);
	if (found->froms > 1)
		error_set(why, ERROR_DENIED, "there are several From fields");
	header_scan_init(&scan, section);
	while (header_scan_next(&scan, &field, NULL) == 1)
		claims = claims || (slice_is_nocase(field.name, "From") && holds_onion(field.value));
	return claims ? ONIONSIG_WRONG : ONIONSIG_UNCLAIMED;
}

int
onionsig_check(struct slice section, const unsigned char body_digest[HASH_SHA256_BYTES], const char *to,
    enum onionsig_verdict *verdict, struct address *sender, struct error *why, struct error *err)
{
	struct found found;
	if (find(section, &found, err) != 0)
		return -1;
	*verdict = read_sender(section, &found, sender, why);
	if (*verdict != ONIONSIG_MISSING || found.count == 0)
		return 0;
	*verdict = ONIONSIG_WRONG;
	if (found.count > ONIONSIG_TRIED_MAX) {
		error_set(why, ERROR_DENIED, "there are more than %d signatures", ONIONSIG_TRIED_MAX);
		return 0;
	}
	for (size_t i = 0; i < found.count && *verdict == ONIONSIG_WRONG; i++)
		if (check_field(section, &found.signatures[i], body_digest, to, sender, why) == 0)
			*verdict = ONIONSIG_PROVED;
	return 0;
}
