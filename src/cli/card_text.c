/* SPDX-License-Identifier: ISC */
#include "cli/card_text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "card/card.h"
#include "card/link.h"
#include "cli/scan_ask.h"

static int
find(struct slice text, const char *where, struct buffer *out, struct card_text_invitation *invitation, struct error *err)
{
	struct slice card;
	unsigned char secret[INVITATION_SECRET_BYTES];
	*invitation = (struct card_text_invitation){ 0 };
	if (invitation_scan(text, secret))
		invitation_write(secret, invitation->letters);
	if (card_find(text, &card)) {
		if (card.len > CARD_MAX_BYTES)
			return error_set(err, ERROR_TOO_LARGE, "the card in %s has more than %d bytes", where, CARD_MAX_BYTES);
		return buffer_append(out, card.data, card.len, err);
	}
	int got = card_link_scan(text, out, err);
	return got != 0 ? got - (got > 0) : error_set(err, ERROR_NOT_FOUND, "there is no card in %s: neither lines from %s to END:VCARD, nor a link with one; "
	    "a picture of its QR code is to be PNG or JPEG", where, CARD_FIRST_LINE);
}

static int
open_source(const char *source, int *out, struct error *err)
{
	*out = strcmp(source, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*out >= 0)
		return 0;
	if (errno == ENOENT || errno == ENAMETOOLONG || errno == ENOTDIR)
		return error_set(err, ERROR_INVALID, "'%s' is no address, no link, and no file", source);
	return error_set_errno(err, errno, "cannot open %s", source);
}

int
card_text_read(const char *source, struct buffer *out, struct card_text_invitation *invitation, struct error *err)
{
	struct slice text = slice_of_string(source);
	struct buffer bytes, scanned;
	struct error why = { 0 };
	int fd;
	if (strncasecmp(source, "mailto:", 7) == 0 || strchr(source, '\n') != NULL)
		return find(text, "this text", out, invitation, err);
	if (open_source(source, &fd, err) != 0)
		return -1;
	buffer_init(&bytes, CARD_TEXT_MAX_BYTES);
	buffer_init(&scanned, SCAN_TEXT_MAX_BYTES);
	int result = file_read_all(fd, &bytes, &why);
	file_close(&fd);
	if (result != 0)
		error_set(err, why.code, "%s: %s", source, why.text);
	text = slice_of(buffer_bytes(&bytes), buffer_len(&bytes));
	if (result == 0 && scan_is_picture(text)) {
		result = scan_ask(text, &scanned, err);
		text = slice_of(buffer_bytes(&scanned), buffer_len(&scanned));
	}
	if (result == 0)
		result = find(text, strcmp(source, "-") == 0 ? "standard input" : source, out, invitation, err);
	buffer_finish(&scanned);
	buffer_finish(&bytes);
	return result;
}
