/* SPDX-License-Identifier: ISC */
#include "identity/recovery.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "identity/sheet_line.h"

#define DOMAIN "SMTorP recovery 1"

static_assert(RECOVERY_LINES * SHEET_LINE_BYTES == RECOVERY_BYTES && RECOVERY_LINE_LEN == SHEET_LINE_LEN, "the lines hold the key");

/* What the seed is made of, besides the secret. */
static const char seed_context[] = "smtorp/1 recovery key";

void
recovery_wipe(struct recovery *recovery)
{
	sodium_memzero(recovery, sizeof *recovery);
}

void
recovery_key(const struct recovery *recovery, struct onionkey *out)
{
	unsigned char seed[HASH_SHA256_BYTES];
	struct hash_sha256 hash;
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, seed_context, sizeof seed_context);
	hash_sha256_update(&hash, recovery->secret, sizeof recovery->secret);
	hash_sha256_final(&hash, seed);
	onionkey_from_seed(seed, out);
	sodium_memzero(seed, sizeof seed);
}

void
recovery_hash(const struct recovery *recovery, char out[NOTICE_HASH_LEN + 1])
{
	struct onionkey key;
	recovery_key(recovery, &key);
	notice_recovery_hash(key.public_key, out);
	onionkey_wipe(&key);
}

/* ---- in the folder */

static bool
is_there(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
recovery_set_hash(int dir_fd, const struct recovery *recovery, struct error *err)
{
	char line[NOTICE_HASH_LEN + 2];
	recovery_hash(recovery, line);
	strcat(line, "\n");
	return file_replace(dir_fd, RECOVERY_PUBLIC_FILE, line, strlen(line), 0600, err);
}

int
recovery_make(int dir_fd, struct error *err)
{
	struct recovery recovery;
	int result;
	if (is_there(dir_fd, RECOVERY_PUBLIC_FILE))
		return error_set(err, ERROR_EXISTS, "the identity has a recovery key, and those who know the address know it, too: a second one would make them believe "
		    "neither");
	if (is_there(dir_fd, RECOVERY_FILE)) /* making it was interrupted: nobody knows it yet */
		result = recovery_load(dir_fd, &recovery, err);
	else {
		random_bytes(recovery.secret, sizeof recovery.secret);
		result = file_replace(dir_fd, RECOVERY_FILE, recovery.secret, sizeof recovery.secret, 0600, err);
	}
	if (result == 0)
		result = recovery_set_hash(dir_fd, &recovery, err);
	recovery_wipe(&recovery);
	return result;
}

int
recovery_load(int dir_fd, struct recovery *out, struct error *err)
{
	struct buffer file;
	struct error why = { 0 };
	buffer_init(&file, RECOVERY_BYTES);
	memset(out, 0, sizeof *out);
	int result = file_load(dir_fd, RECOVERY_FILE, &file, &why);
	if (result != 0 && why.code == ERROR_NOT_FOUND)
		error_set(err, ERROR_NOT_FOUND, is_there(dir_fd, RECOVERY_PUBLIC_FILE) ?
		    "the recovery key is not on this machine any more: it is on the first sheet, or in the first exported file" :
		    "the identity has no recovery key");
	else if (result != 0 || buffer_len(&file) != RECOVERY_BYTES)
		result = error_set(err, ERROR_INVALID, RECOVERY_FILE " is damaged: %s", result != 0 ? why.text : "it is too short");
	else
		memcpy(out->secret, buffer_bytes(&file), RECOVERY_BYTES);
	if (file.data != NULL)
		sodium_memzero(file.data, file.capacity);
	buffer_finish(&file);
	return result;
}

int
recovery_load_hash(int dir_fd, char out[NOTICE_HASH_LEN + 1], struct error *err)
{
	struct buffer file;
	buffer_init(&file, NOTICE_HASH_LEN + 1);
	int result = file_load(dir_fd, RECOVERY_PUBLIC_FILE, &file, err);
	slice_to_string(slice_of(buffer_bytes(&file), buffer_len(&file)), out, NOTICE_HASH_LEN + 1);
	if (result == 0 && (buffer_len(&file) != NOTICE_HASH_LEN + 1 || strspn(out, "abcdefghijklmnopqrstuvwxyz234567") != NOTICE_HASH_LEN))
		result = error_set(err, ERROR_INVALID, RECOVERY_PUBLIC_FILE " is damaged");
	buffer_finish(&file);
	return result;
}

int
recovery_remove(int dir_fd, struct error *err)
{
	if (file_remove_replaced(dir_fd, RECOVERY_FILE, err) != 0)
		return -1;
	return fsync(dir_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the removal of " RECOVERY_FILE " durable");
}

/* ---- on a sheet */

/* The last line vouches for both. */
static void
check_line(const struct recovery *recovery, unsigned number, unsigned char out[SHEET_LINE_BYTES])
{
	sheet_line_check(DOMAIN, number, recovery->secret, (number + 1) * SHEET_LINE_BYTES, out);
}

void
recovery_write_line(const struct recovery *recovery, unsigned number, char out[RECOVERY_LINE_LEN + 1])
{
	unsigned char check[SHEET_LINE_BYTES];
	assert(number < RECOVERY_LINES);
	check_line(recovery, number, check);
	sheet_line_write(recovery->secret + number * SHEET_LINE_BYTES, check, out);
}

/* Whether this is "A: symbols", and so on. */
static bool
find_letter(struct slice line, unsigned *number, struct slice *rest)
{
	size_t at = 0, symbols = 0;
	while (at < line.len && (line.data[at] == ' ' || line.data[at] == '\t' || line.data[at] == '>'))
		at++;
	if (at + 1 >= line.len || memchr(":.)", line.data[at + 1], 3) == NULL)
		return false;
	int letter = toupper(line.data[at]);
	*number = (unsigned)(letter - 'A');
	*rest = slice_of(line.data + at + 2, line.len - at - 2);
	for (size_t i = 0; i < rest->len; i++)
		symbols += sheet_line_symbol(rest->data[i]) != SHEET_WRONG_SYMBOL;
	/* Prose may have such a beginning, too. */
	return letter >= 'A' && *number < RECOVERY_LINES && symbols + 2 >= SHEET_LINE_SYMBOLS && symbols <= SHEET_LINE_SYMBOLS + 2;
}

/* Why there are not both lines. wrong: what was the matter with one. */
static int
say_unread(const bool is_read[RECOVERY_LINES], const struct error *wrong, struct error *err)
{
	if (wrong->code != ERROR_NONE)
		return error_set(err, wrong->code, "%s", wrong->text);
	if (!is_read[0] && !is_read[1])
		return error_set(err, ERROR_NOT_FOUND, "there is no recovery key in it: it has the lines A: and B:");
	return error_set(err, ERROR_INVALID, "line %c of the recovery key is missing", is_read[0] ? 'B' : 'A');
}

int
recovery_read_text(struct slice text, struct recovery *out, struct error *err)
{
	unsigned char read_checks[RECOVERY_LINES][2], check[SHEET_LINE_BYTES];
	bool is_read[RECOVERY_LINES] = { false };
	struct error wrong = { 0 };
	memset(out, 0, sizeof *out);
	while (text.len > 0) {
		unsigned number;
		struct slice rest;
		const unsigned char *newline = memchr(text.data, '\n', text.len);
		size_t len = newline == NULL ? text.len : (size_t)(newline - text.data);
		if (find_letter(slice_of(text.data, len), &number, &rest) && !is_read[number])
			is_read[number] = sheet_line_read(number == 0 ? "A" : "B", rest, out->secret + number * SHEET_LINE_BYTES, read_checks[number],
			    &wrong) == 0;
		len += newline != NULL;
		text = slice_of(text.data + len, text.len - len);
	}
	int result = is_read[0] && is_read[1] ? 0 : say_unread(is_read, &wrong, err);
	for (unsigned i = 0; result == 0 && i < RECOVERY_LINES; i++) {
		check_line(out, i, check);
		if (memcmp(check, read_checks[i], sizeof read_checks[i]) != 0)
			result = error_set(err, ERROR_INVALID, "line %c: there is a typing error in it: compare it with the sheet", 'A' + (int)i);
	}
	if (result != 0)
		recovery_wipe(out);
	return result;
}
