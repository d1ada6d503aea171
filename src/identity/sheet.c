/* SPDX-License-Identifier: ISC */
#include "identity/sheet.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "identity/sheet_line.h"

#define CHECK_BYTES 2
#define DOMAIN "SMTorP sheet 1"

static_assert((SHEET_LINES - 1) * SHEET_LINE_BYTES == ONIONKEY_SECRET_BYTES, "the lines hold the key");

/* ---- a line */

static void
line_bytes(const unsigned char secret[ONIONKEY_SECRET_BYTES], unsigned number, unsigned char out[SHEET_LINE_BYTES])
{
	if (number < SHEET_LINES)
		memcpy(out, secret + (number - 1) * SHEET_LINE_BYTES, SHEET_LINE_BYTES);
	else
		sheet_line_check(DOMAIN, 0, secret, ONIONKEY_SECRET_BYTES, out);
}

void
sheet_write_line(const struct onionkey *key, unsigned number, char out[SHEET_LINE_LEN + 1])
{
	unsigned char bytes[SHEET_LINE_BYTES], check[SHEET_LINE_BYTES];
	assert(number >= 1 && number <= SHEET_LINES);
	line_bytes(key->secret, number, bytes);
	sheet_line_check(DOMAIN, number, bytes, SHEET_LINE_BYTES, check);
	sheet_line_write(bytes, check, out);
	sodium_memzero(bytes, sizeof bytes);
}

/* ---- the whole sheet */

static const char before_key[] =
    "This paper brings one e-mail address back after the computer it lived on is\n"
    "lost. The address is\n"
    "\n";

static const char warning[] =
    "\n"
    "KEEP IT SECRET. Whoever has the nine lines below, or a photo of them, can take\n"
    "the address: receive its mail, and write in its name. Nobody can stop that, and\n"
    "the key of an address cannot be changed. If that has happened, make a new\n"
    "address and tell those who write to you. Remember that a printer may keep what\n"
    "it printed, and destroy the file that was printed.\n"
    "\n"
    "The key of the address:\n"
    "\n";

static const char before_recovery[] =
    "\n"
    "The recovery key, by which those who know the address follow it elsewhere\n"
    "(smtorp identity move NAME --to OTHER --recovery FILE, with these lines in it):\n"
    "\n";

static const char how_before[] =
    "\n"
    "0 is a zero and 1 is a one: the letters I, L, O and U do not occur. Small\n"
    "letters are as good, and spaces do not matter.\n"
    "\n"
    "HOW TO BRING THE ADDRESS BACK\n"
    "\n"
    "Install SMTorP (on Debian the package is called smtorp) and type\n"
    "\n";

static const char how_after[] =
    "\n"
    "It asks for the nine lines, and says so when there is a typing error in one.\n"
    "Then start the node: smtorp up\n"
    "\n"
    "WHAT COMES BACK, AND WHAT DOES NOT\n"
    "\n"
    "The address comes back: who writes to it reaches you again.\n"
    "\n"
    "The mail does not: it is in the mail programs that fetched it, and in files\n"
    "made with `smtorp identity export`. Nor does the address book. The password of\n"
    "mail programs is a new one, which is shown then. The TLS key and the OpenPGP\n"
    "key are new ones, too: addresses with a fingerprint in them change, those who\n"
    "know the old keys are warned, and what is still encrypted to the old OpenPGP\n"
    "key cannot be read any more. Tell them that it was you.\n"
    "\n"
    "An address may live on one computer at a time: two that publish it take each\n"
    "other's mail.\n";

static int
write_recovery(const struct recovery *recovery, struct buffer *out, struct error *err)
{
	char line[RECOVERY_LINE_LEN + 1];
	int result = buffer_append_string(out, before_recovery, err);
	for (unsigned i = 0; result == 0 && i < RECOVERY_LINES; i++) {
		recovery_write_line(recovery, i, line);
		result = buffer_printf(out, err, "    %c:  %s\n", 'A' + (int)i, line);
	}
	sodium_memzero(line, sizeof line);
	return result;
}

int
sheet_write(const struct identity *identity, const struct onionkey *key, const struct recovery *recovery, const char *today,
    struct buffer *out, struct error *err)
{
	char line[SHEET_LINE_LEN + 1];
	/* Once, so that the buffer does not leave copies behind when it grows. */
	if (buffer_reserve(out, SHEET_TEXT_MAX, err) == NULL ||
	    buffer_printf(out, err, "SMTorP recovery sheet, version 1%47s\n\n", today) != 0 ||
	    buffer_append_string(out, before_key, err) != 0 ||
	    buffer_printf(out, err, "  %s@\n  %s\n", identity->local_part, identity->onion) != 0 ||
	    buffer_append_string(out, warning, err) != 0)
		return -1;
	int result = 0;
	for (unsigned i = 1; result == 0 && i <= SHEET_LINES; i++) {
		sheet_write_line(key, i, line);
		result = buffer_printf(out, err, "    %u:  %s\n", i, line);
	}
	sodium_memzero(line, sizeof line);
	if (result == 0 && recovery != NULL)
		result = write_recovery(recovery, out, err);
	if (result != 0 || buffer_append_string(out, how_before, err) != 0 ||
	    buffer_printf(out, err, "  smtorp identity import-sheet %s", identity->name) != 0)
		return -1;
	if (strcmp(identity->name, identity->local_part) != 0 &&
	    buffer_printf(out, err, " \\\n  --local-part %s", identity->local_part) != 0)
		return -1;
	return buffer_append_string(out, "\n", err) == 0 ? buffer_append_string(out, how_after, err) : -1;
}

/* ---- reading */

void
sheet_reader_init(struct sheet_reader *r)
{
	memset(r, 0, sizeof *r);
}

void
sheet_reader_wipe(struct sheet_reader *r)
{
	sodium_memzero(r, sizeof *r);
}

int
sheet_reader_take(struct sheet_reader *r, unsigned number, struct slice text, struct error *err)
{
	unsigned char bytes[SHEET_LINE_BYTES], check[SHEET_LINE_BYTES], read_check[CHECK_BYTES];
	char name[12];
	assert(number >= 1 && number <= SHEET_LINES);
	snprintf(name, sizeof name, "%u", number);
	int result = sheet_line_read(name, text, bytes, read_check, err);
	if (result == 0) {
		sheet_line_check(DOMAIN, number, bytes, SHEET_LINE_BYTES, check);
		if (memcmp(check, read_check, CHECK_BYTES) != 0)
			result = error_set(err, ERROR_INVALID, "line %u: there is a typing error in it: compare it with the sheet", number);
	}
	if (result == 0) {
		memcpy(r->bytes[number - 1], bytes, SHEET_LINE_BYTES);
		r->is_read[number - 1] = true;
	}
	/* A right one that was there before stays. */
	r->is_wrong[number - 1] = !r->is_read[number - 1];
	sodium_memzero(bytes, sizeof bytes);
	return result;
}

/* Whether this is "N: symbols", or "N symbols" of about the right length; prose that begins with a digit is neither. */
static bool
find_number(struct slice line, unsigned *number, struct slice *rest)
{
	size_t at = 0, symbols = 0;
	while (at < line.len && (line.data[at] == ' ' || line.data[at] == '\t' || line.data[at] == '>'))
		at++;
	if (at + 1 >= line.len)
		return false;
	unsigned char first = (unsigned char)line.data[at], separator = (unsigned char)line.data[at + 1];
	bool has_mark = separator == ':' || separator == '.' || separator == ')';
	int value = has_mark || (first >= '1' && first <= '9') ? sheet_line_symbol(first) : SHEET_WRONG_SYMBOL;
	if (value < 1 || value > SHEET_LINES)
		return false;
	*number = (unsigned)value;
	*rest = slice_of(line.data + at + (has_mark ? 2 : 1), line.len - at - (has_mark ? 2 : 1));
	for (size_t i = 0; i < rest->len; i++)
		if (sheet_line_symbol((unsigned char)rest->data[i]) != SHEET_WRONG_SYMBOL)
			symbols++;
		else if (!has_mark && !sheet_line_is_filler((unsigned char)rest->data[i]))
			return false;
	return has_mark || (sheet_line_is_filler(separator) && symbols + 2 >= SHEET_LINE_SYMBOLS && symbols <= SHEET_LINE_SYMBOLS + 2);
}

/* The address, should the line hold it: the last 56 letters before ".onion". */
static void
find_onion(struct sheet_reader *r, struct slice line)
{
	static const char end[] = ".onion";
	unsigned char public_key[ONIONKEY_PUBLIC_BYTES];
	const char *at = line.len > 0 ? memmem(line.data, line.len, end, sizeof end - 1) : NULL;
	if (at == NULL || (size_t)(at - (const char *)line.data) < ONIONKEY_NAME_LEN)
		return;
	if (onionkey_parse_name(slice_of(at - ONIONKEY_NAME_LEN, ONIONKEY_NAME_LEN), public_key, NULL) == 0)
		onionkey_name(public_key, r->onion);
}

void
sheet_reader_take_text(struct sheet_reader *r, struct slice text)
{
	while (text.len > 0) {
		unsigned number;
		struct slice rest;
		const void *newline = memchr(text.data, '\n', text.len);
		size_t len = newline == NULL ? text.len : (size_t)((const char *)newline - (const char *)text.data);
		struct slice line = slice_of(text.data, len);
		if (find_number(line, &number, &rest))
			sheet_reader_take(r, number, rest, NULL);
		else
			find_onion(r, line);
		len += newline != NULL;
		text = slice_of(text.data + len, text.len - len);
	}
}

/* "line 3" or "lines 3, 5 and 7" of those that are marked. */
static void
name_lines(const bool marked[SHEET_LINES], char out[64])
{
	unsigned count = 0, said = 0;
	for (unsigned i = 0; i < SHEET_LINES; i++)
		count += marked[i];
	int at = snprintf(out, 64, "line%s ", count == 1 ? "" : "s");
	for (unsigned i = 0; i < SHEET_LINES; i++)
		if (marked[i]) {
			said++;
			at += snprintf(out + at, 64 - (size_t)at, "%s%u", said == 1 ? "" : said == count ? " and " : ", ", i + 1);
		}
}

static int
check_lines(const struct sheet_reader *r, struct error *err)
{
	bool missing[SHEET_LINES], any_wrong = false, any_missing = false, any_read = false;
	char wrong_text[64], missing_text[64];
	for (unsigned i = 0; i < SHEET_LINES; i++) {
		missing[i] = !r->is_read[i] && !r->is_wrong[i];
		any_missing |= missing[i];
		any_wrong |= r->is_wrong[i];
		any_read |= !missing[i];
	}
	name_lines(r->is_wrong, wrong_text);
	name_lines(missing, missing_text);
	if (!any_read)
		return error_set(err, ERROR_INVALID, "there is no line of a recovery sheet in it: they begin with 1: to %d:", SHEET_LINES);
	if (any_wrong)
		return error_set(err, ERROR_INVALID, "typing errors in %s%s%s: compare with the sheet", wrong_text,
		    any_missing ? ", and missing: " : "", any_missing ? missing_text : "");
	if (any_missing)
		return error_set(err, ERROR_INVALID, "missing: %s of the sheet's %d", missing_text, SHEET_LINES);
	return 0;
}

int
sheet_reader_finish(const struct sheet_reader *r, struct onionkey *out, struct error *err)
{
	unsigned char file[ONIONKEY_FILE_BYTES], check[SHEET_LINE_BYTES];
	char name[ONIONKEY_NAME_LEN + 1];
	struct onionkey none = { 0 };
	if (check_lines(r, err) != 0)
		return -1;
	sheet_line_check(DOMAIN, 0, r->bytes, ONIONKEY_SECRET_BYTES, check);
	if (memcmp(check, r->bytes[SHEET_LINES - 1], sizeof check) != 0)
		return error_set(err, ERROR_INVALID, "each line is right, but they do not belong together: are they of two sheets?");
	onionkey_to_file(&none, file); /* tor's header */
	memcpy(file + sizeof file - ONIONKEY_SECRET_BYTES, r->bytes, ONIONKEY_SECRET_BYTES);
	int result = onionkey_from_file(slice_of(file, sizeof file), out, err);
	sodium_memzero(file, sizeof file);
	if (result != 0)
		return -1;
	onionkey_name(out->public_key, name);
	if (r->onion[0] == '\0' || strcmp(r->onion, name) == 0)
		return 0;
	onionkey_wipe(out);
	return error_set(err, ERROR_INVALID, "the lines are the key of %s.onion, but the address with them is another one", name);
}
