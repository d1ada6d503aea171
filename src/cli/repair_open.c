/* SPDX-License-Identifier: ISC */
#include "cli/repair_open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "identity/openpgpkey.h"
#include "mime/library.h"
#include "seal/pgpmime.h"
#include "store/mailtext.h"
#include "store/salvage.h"

#define FOLDER "mail/Maildir/." SALVAGE_FOLDER
#define LOOKED_BYTES 4096 /* where the type of what was sealed stands */

struct opening {
	const char *address;
	struct openpgp *pgp; /* NULL: there is no key to be had */
	struct buffer public_keys[OPENPGP_OWN_KEYS_MAX];
	struct slice keys[OPENPGP_OWN_KEYS_MAX]; /* in them */
	size_t count;
	int new_fd, tmp_fd;
	struct repair_open *report;
};

/* Lines as the network has them. */
static int
to_wire(struct slice text, struct buffer *out, struct error *err)
{
	int result = 0;
	for (size_t at = 0; result == 0 && at < text.len;) {
		const unsigned char *newline = memchr(text.data + at, '\n', text.len - at);
		size_t len = newline != NULL ? (size_t)(newline - text.data) - at : text.len - at;
		result = buffer_append(out, text.data + at, len, err);
		if (result == 0 && newline != NULL)
			result = buffer_append_string(out, "\r\n", err);
		at += len + 1;
	}
	return result;
}

/* In the place of the file, durable with the folder. */
static int
replace(const struct opening *o, const char *name, const struct buffer *message, struct error *err)
{
	struct mailtext text;
	struct buffer out;
	buffer_init(&out, PGPMIME_OPEN_MAX_BYTES + 4096);
	mailtext_init(&text);
	int fd = openat(o->tmp_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = fd < 0 ? error_set_errno(err, errno, "cannot write to the mailbox " SALVAGE_FOLDER) : 0;
	if (result == 0)
		result = mailtext_feed(&text, slice_of(buffer_bytes(message), buffer_len(message)), &out, err);
	if (result == 0)
		result = mailtext_finish(&text, &out, err);
	if (result == 0)
		result = file_write_all(fd, buffer_bytes(&out), buffer_len(&out), err);
	if (result == 0 && (fsync(fd) != 0 || renameat(o->tmp_fd, name, o->new_fd, name) != 0))
		result = error_set_errno(err, errno, "cannot write to the mailbox " SALVAGE_FOLDER);
	file_close(&fd);
	if (result != 0)
		unlinkat(o->tmp_fd, name, 0);
	buffer_finish(&out);
	return result;
}

static bool
is_sealed(const struct buffer *message)
{
	size_t len = buffer_len(message);
	return len > 0 && memmem(buffer_bytes(message), len < LOOKED_BYTES ? len : LOOKED_BYTES, "multipart/encrypted", 19) != NULL;
}

static int
open_one(const struct opening *o, const char *name, struct error *err)
{
	struct buffer stored, message, opened;
	struct pgpmime_facts facts = { 0 };
	const struct pgpmime_open how = { .pgp = o->pgp, .keys = o->keys, .count = o->count, .from = o->address, .restores = true };
	buffer_init(&stored, PGPMIME_OPEN_MAX_BYTES);
	buffer_init(&message, 2 * PGPMIME_OPEN_MAX_BYTES);
	buffer_init(&opened, PGPMIME_OPEN_MAX_BYTES);
	int result = file_load(o->new_fd, name, &stored, NULL) == 0 ? 0 : 1; /* larger ones were never encrypted */
	if (result == 0 && !is_sealed(&stored))
		result = 1;
	if (result == 0 && o->pgp != NULL)
		result = to_wire(slice_of(buffer_bytes(&stored), buffer_len(&stored)), &message, err);
	if (result == 0 && o->pgp != NULL)
		result = pgpmime_open(&how, slice_of(buffer_bytes(&message), buffer_len(&message)), &facts, &opened, err);
	if (result == 0 && facts.encryption == PGPMIME_OPENED && facts.signature == PGPMIME_SIGNED_GOOD) {
		result = replace(o, name, &opened, err);
		o->report->opened += result == 0;
	} else if (result == 0) {
		o->report->closed++;
	}
	buffer_finish(&opened);
	buffer_finish(&message);
	buffer_finish(&stored);
	return result < 0 ? -1 : 0;
}

static int
open_all(struct opening *o, struct error *err)
{
	struct dirent *entry;
	int result = 0, fd = fcntl(o->new_fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		file_close(&fd);
		return error_set_errno(err, errno, "cannot list the mailbox " SALVAGE_FOLDER);
	}
	while (result == 0 && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			result = open_one(o, entry->d_name, err);
	closedir(dir);
	return result == 0 && fsync(o->new_fd) != 0 ? error_set_errno(err, errno, "cannot make the mailbox durable") : result;
}

/* Leaves a place of a key empty that cannot be handed out. */
static void
add_public(struct opening *o, struct slice secret_key)
{
	struct openpgp *one = NULL;
	struct buffer *out = &o->public_keys[o->count];
	buffer_init(out, OPENPGP_AUTOCRYPT_MAX_BYTES);
	if (openpgp_new(&secret_key, 1, &one, NULL) == 0 && openpgp_key_as(one, NULL, out, NULL) == 0) {
		o->keys[o->count] = slice_of(buffer_bytes(out), buffer_len(out));
		o->count++;
	} else {
		buffer_finish(out);
	}
	openpgp_free(one);
}

/* There are none when they are locked. */
static void
load_keys(int identity_fd, struct opening *o)
{
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	struct buffer file;
	size_t count = 0;
	buffer_init(&file, IDENTITY_OPENPGP_MAX_BYTES);
	if (file_load(identity_fd, IDENTITY_OPENPGP_FILE, &file, NULL) == 0 &&
	    openpgpkey_list(slice_of(buffer_bytes(&file), buffer_len(&file)), keys, &count, NULL) == 0 && openpgp_new(keys, count, &o->pgp, NULL) == 0)
		for (size_t i = 0; i < count; i++)
			add_public(o, keys[i]);
	else
		o->pgp = NULL;
	openpgpkey_wipe(&file);
}

int
repair_open(int identity_fd, const char *address, struct repair_open *out, struct error *err)
{
	struct opening o = { .address = address, .report = out };
	*out = (struct repair_open){ 0 };
	o.new_fd = openat(identity_fd, FOLDER "/new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o.tmp_fd = openat(identity_fd, FOLDER "/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = o.new_fd < 0 || o.tmp_fd < 0 ? error_set_errno(err, errno, "cannot open the mailbox " SALVAGE_FOLDER) : 0;
	if (result == 0) {
		library_init();
		load_keys(identity_fd, &o);
		result = open_all(&o, err);
	}
	openpgp_free(o.pgp);
	for (size_t i = 0; i < o.count; i++)
		buffer_finish(&o.public_keys[i]);
	file_close(&o.new_fd);
	file_close(&o.tmp_fd);
	return result;
}
