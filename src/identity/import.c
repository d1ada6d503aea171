/* SPDX-License-Identifier: ISC */
#include "identity/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/seal.h"
#include "base/file.h"
#include "identity/certificate.h"
#include "identity/lock.h"
#include "identity/openpgpkey.h"
#include "identity/recovery.h"
#include "identity/secrets.h"
#include "identity/staging.h"
#include "identity/tickets.h"

struct import {
	struct staging staging;
	const char *wanted; /* the name to give it, or NULL */
	char name[IDENTITY_NAME_MAX + 1];
	int file_fd;        /* the file at hand, -1 between files */
};

static int
take_name(struct import *m, const char *archived, struct error *err)
{
	if (m->wanted == NULL && identity_check_name(archived, NULL) != 0)
		return error_set(err, ERROR_INVALID, "the file does not say a usable name: choose one with --name");
	snprintf(m->name, sizeof m->name, "%.*s", IDENTITY_NAME_MAX, m->wanted != NULL ? m->wanted : archived);
	return staging_make(&m->staging, m->name, err);
}

/* The folder that path lies in, of those that were made here: there are no links among them. *last is path's end. */
static int
open_parent(const struct import *m, const char *path, int *out_fd, const char **last, struct error *err)
{
	char part[ARCHIVE_PART_MAX + 1];
	const char *slash;
	int fd = fcntl(m->staging.fd, F_DUPFD_CLOEXEC, 3);
	while (fd >= 0 && (slash = strchr(path, '/')) != NULL) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		int next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		int errnum = errno;
		file_close(&fd);
		errno = errnum;
		fd = next;
		path = slash + 1;
	}
	*out_fd = fd;
	*last = path;
	return fd >= 0 ? 0 : error_set_errno(err, errno, "the archive's order is not right: a folder is missing");
}

static int
on_entry(void *context, const struct archive_entry *entry, struct error *err)
{
	struct import *m = context;
	const char *last;
	int parent, result = 0;
	if (entry->type == ARCHIVE_NAME)
		return take_name(m, entry->path, err);
	if (open_parent(m, entry->path, &parent, &last, err) != 0)
		return -1;
	if (entry->type == ARCHIVE_FOLDER)
		result = mkdirat(parent, last, 0700);
	else {
		m->file_fd = openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		result = m->file_fd < 0 ? -1 : 0;
	}
	int errnum = errno;
	file_close(&parent);
	return result == 0 ? 0 : error_set_errno(err, errnum, "cannot make %.150s", entry->path);
}

static int
on_bytes(void *context, struct slice bytes, struct error *err)
{
	struct import *m = context;
	return file_write_all(m->file_fd, bytes.data, bytes.len, err);
}

/* The time of a message's file is what IMAP calls its internal date. */
static int
on_file_end(void *context, const struct archive_entry *entry, struct error *err)
{
	struct import *m = context;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)entry->modified_s } };
	int result = futimens(m->file_fd, times);
	int errnum = errno;
	file_close(&m->file_fd);
	return result == 0 ? 0 : error_set_errno(err, errnum, "cannot set the time of %.150s", entry->path);
}

static int
read_all(struct import *m, struct seal_reader *seal, bool (*wants_end)(void), struct error *err)
{
	struct archive_handler handler = { on_entry, on_bytes, on_file_end, m };
	struct archive_reader reader;
	struct slice bytes;
	bool is_last = false;
	archive_reader_init(&reader, &handler);
	while (!is_last) {
		if (wants_end != NULL && wants_end())
			return error_set(err, ERROR_TIMEOUT, "interrupted");
		if (seal_read(seal, &bytes, &is_last, err) != 0 || archive_reader_take(&reader, bytes, err) != 0)
			return -1;
	}
	return archive_reader_finish(&reader, err);
}

/* Of a locked one only the form: whether its key is that of the address is seen when it is unlocked. */
static int
check_lock(int dir_fd, struct error *err)
{
	struct lock lock;
	return lock_load(dir_fd, &lock, err) == 0 ? lock_check(&lock, err) : -1;
}

/* That they are keys; one is made for an identity that was exported before there were any. */
static int
check_openpgp(int dir_fd, const struct secrets *secrets, const struct identity *identity, struct error *err)
{
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	struct buffer made;
	size_t count;
	if (secrets->openpgp_key_len > 0)
		return openpgpkey_list(slice_of(secrets->openpgp_key, secrets->openpgp_key_len), keys, &count, err);
	buffer_init(&made, IDENTITY_OPENPGP_MAX_BYTES);
	int result = openpgpkey_make(identity, &made, err);
	if (result == 0)
		result = file_replace(dir_fd, IDENTITY_OPENPGP_FILE, buffer_bytes(&made), buffer_len(&made), 0600, err);
	openpgpkey_wipe(&made);
	return result;
}

static int
check_keys(int dir_fd, const struct identity *identity, struct error *err)
{
	struct onionkey key;
	if (lock_look(dir_fd) == LOCK_WHOLE)
		return check_lock(dir_fd, err);
	struct secrets *secrets = secrets_new();
	int result = secrets_load(dir_fd, secrets, err);
	if (result == 0)
		result = secrets_onion_key(secrets, identity, &key, err);
	if (result == 0)
		result = check_openpgp(dir_fd, secrets, identity, err);
	secrets_free(secrets);
	onionkey_wipe(&key);
	return result == 0 ? certificate_ensure(dir_fd, identity->onion, err) : -1;
}

static int
check_password(int dir_fd, struct error *err)
{
	struct buffer text;
	char hash[PASSWORD_HASH_MAX] = "";
	buffer_init(&text, PASSWORD_HASH_MAX);
	int result = file_load(dir_fd, IDENTITY_PASSWORD_FILE, &text, err);
	size_t len = buffer_len(&text);
	if (result == 0 && len > 0 && len <= sizeof hash)
		memcpy(hash, buffer_bytes(&text), len - 1);
	if (result == 0 && (len == 0 || buffer_bytes(&text)[len - 1] != '\n' || !password_is_usual(hash)))
		result = error_set(err, ERROR_INVALID, "the password in the file is not hashed as smtorp does it");
	buffer_finish(&text);
	return result;
}

/* The recovery key stays in the file that was read, and does not come onto the machine by it. */
static int
leave_recovery(int dir_fd, struct error *err)
{
	struct recovery recovery;
	struct error why = { 0 };
	int result = recovery_load(dir_fd, &recovery, &why);
	if (result == 0)
		result = recovery_set_hash(dir_fd, &recovery, err) != 0 ? -1 : recovery_remove(dir_fd, err);
	else if (why.code == ERROR_NOT_FOUND)
		result = 0;
	else
		error_set(err, why.code, "%s", why.text);
	recovery_wipe(&recovery);
	return result;
}

/* What the node would stumble over later, or trust too much. */
static int
check_folder(const struct import *m, struct identity *out, struct error *err)
{
	int mail_fd, dir_fd = m->staging.fd;
	unlinkat(dir_fd, TICKETS_FILE, 0); /* an export has none: whoever put them there knows them */
	unlinkat(dir_fd, IDENTITY_STANDBY_FILE, 0);
	if (identity_load_folder(dir_fd, m->name, out, err) != 0 || check_keys(dir_fd, out, err) != 0 || leave_recovery(dir_fd, err) != 0 ||
	    check_password(dir_fd, err) != 0 ||
	    identity_check_onion_is_new(m->staging.identities_fd, out->onion, err) != 0 ||
	    file_open_private_dir(dir_fd, IDENTITY_MAIL_FOLDER, &mail_fd, err) != 0)
		return -1;
	file_close(&mail_fd);
	/* One sync of the file system instead of two for each of many thousand messages. */
	return syncfs(dir_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the identity durable");
}

int
import_identity(int identities_fd, const char *name, int in_fd, struct slice passphrase, bool (*wants_end)(void),
    struct identity *out, struct error *err)
{
	struct import m = { .staging = STAGING_NONE, .wanted = name, .file_fd = -1 };
	int result = -1;
	if (name != NULL && identity_check_name(name, err) != 0)
		return -1;
	struct seal_reader *seal = seal_reader_new(in_fd, passphrase, err);
	if (seal == NULL)
		return -1;
	if (staging_lock(&m.staging, identities_fd, err) == 0 && read_all(&m, seal, wants_end, err) == 0 &&
	    check_folder(&m, out, err) == 0)
		result = staging_commit(&m.staging, m.name, err);
	file_close(&m.file_fd);
	staging_finish(&m.staging);
	seal_reader_free(seal);
	return result;
}

/* ---- the recovery key alone */

struct search {
	struct recovery *out;
	size_t len; /* of it */
	bool is_at_it;
};

static int
search_entry(void *context, const struct archive_entry *entry, struct error *err)
{
	struct search *s = context;
	(void)err;
	s->is_at_it = entry->type == ARCHIVE_FILE && strcmp(entry->path, RECOVERY_FILE) == 0 && entry->size == RECOVERY_BYTES;
	if (s->is_at_it)
		s->len = 0;
	return 0;
}

static int
search_bytes(void *context, struct slice bytes, struct error *err)
{
	struct search *s = context;
	(void)err;
	if (s->is_at_it && bytes.len <= RECOVERY_BYTES - s->len) {
		memcpy(s->out->secret + s->len, bytes.data, bytes.len);
		s->len += bytes.len;
	}
	return 0;
}

static int
search_end(void *context, const struct archive_entry *entry, struct error *err)
{
	(void)context;
	(void)entry;
	(void)err;
	return 0;
}

int
import_recovery(int in_fd, struct slice passphrase, struct recovery *out, struct error *err)
{
	struct search search = { .out = out };
	struct archive_handler handler = { search_entry, search_bytes, search_end, &search };
	struct archive_reader reader;
	struct slice bytes;
	bool is_last = false;
	int result = 0;
	memset(out, 0, sizeof *out);
	struct seal_reader *seal = seal_reader_new(in_fd, passphrase, err);
	if (seal == NULL)
		return -1;
	archive_reader_init(&reader, &handler);
	while (result == 0 && !is_last)
		result = seal_read(seal, &bytes, &is_last, err) != 0 ? -1 : archive_reader_take(&reader, bytes, err);
	if (result == 0)
		result = archive_reader_finish(&reader, err);
	if (result == 0 && search.len != RECOVERY_BYTES)
		result = error_set(err, ERROR_NOT_FOUND, "there is no recovery key in this file: it is in the first that was exported, or on the first sheet");
	if (result != 0)
		recovery_wipe(out);
	seal_reader_free(seal);
	return result;
}
