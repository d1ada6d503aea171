/* SPDX-License-Identifier: ISC */
#include "identity/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "identity/certificate.h"
#include "identity/identity.h"
#include "onionkey/onionkey.h"

#define HIDDEN_PREFIX "."
#define HIDDEN_LEN 17 /* the prefix and 16 random letters */

static void
choose_hidden_name(char out[HIDDEN_LEN + 1])
{
	memcpy(out, HIDDEN_PREFIX, 1);
	random_name(out + 1, HIDDEN_LEN);
}

/* One writer at a time, so that hidden folders found under the lock are left over from a crash. */
static int
lock(int identities_fd, int *out_fd, struct error *err)
{
	int fd = openat(identities_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			error_set_errno(err, errno, "cannot lock the folder of the identities");
			file_close(&fd);
			return -1;
		}
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open the folder of the identities");
	*out_fd = fd;
	return 0;
}

/* Half-made and half-deleted folders hold keys: they go at the next opportunity. */
static void
sweep(int identities_fd)
{
	int fd = openat(identities_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		file_close(&fd);
		return;
	}
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] == '.' && strlen(entry->d_name) == HIDDEN_LEN)
			file_remove_tree(identities_fd, entry->d_name, NULL);
	closedir(dir);
}

int
identity_write_password(int dir_fd, struct slice password, struct error *err)
{
	char hash[PASSWORD_HASH_MAX], line[PASSWORD_HASH_MAX + 1];
	if (password_hash(password, hash, err) != 0)
		return -1;
	int len = snprintf(line, sizeof line, "%s\n", hash);
	return file_replace(dir_fd, IDENTITY_PASSWORD_FILE, line, (size_t)len, 0600, err);
}

static int
write_onion_key(int dir_fd, struct identity *out, struct error *err)
{
	unsigned char seed[32], file[ONIONKEY_FILE_BYTES];
	struct onionkey key;
	random_bytes(seed, sizeof seed);
	onionkey_from_seed(seed, &key);
	onionkey_to_file(&key, file);
	onionkey_name(key.public_key, out->onion);
	strcat(out->onion, ".onion");
	int result = file_replace(dir_fd, IDENTITY_ONION_KEY_FILE, file, sizeof file, 0600, err);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(file, sizeof file);
	onionkey_wipe(&key);
	return result;
}

static int
fill(int dir_fd, struct slice password, struct identity *out, struct error *err)
{
	char conf[256];
	int mail_fd;
	if (write_onion_key(dir_fd, out, err) != 0 || certificate_ensure(dir_fd, out->onion, err) != 0 ||
	    identity_write_password(dir_fd, password, err) != 0 ||
	    file_open_private_dir(dir_fd, IDENTITY_MAIL_FOLDER, &mail_fd, err) != 0)
		return -1;
	file_close(&mail_fd);
	int len = snprintf(conf, sizeof conf, "local-part = %s\nonion = %s\ncreated = %s\n", out->local_part, out->onion,
	    out->created);
	/* The last file: its fsync of the folder makes the others' names durable, too. */
	return file_replace(dir_fd, "identity.conf", conf, (size_t)len, 0600, err);
}

/* With the lock held. */
static int
make_folder(int identities_fd, struct slice password, struct identity *out, struct error *err)
{
	char hidden[HIDDEN_LEN + 1];
	struct stat st;
	int dir = -1, result = -1;
	sweep(identities_fd);
	if (fstatat(identities_fd, out->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERROR_EXISTS, "there is an identity '%s' already", out->name);
	choose_hidden_name(hidden);
	if (file_open_private_dir(identities_fd, hidden, &dir, err) != 0)
		return -1;
	if (fill(dir, password, out, err) != 0)
		goto out;
	if (renameat2(identities_fd, hidden, identities_fd, out->name, RENAME_NOREPLACE) != 0) {
		error_set_errno(err, errno, "cannot put the folder of identity %s in its place", out->name);
		goto out;
	}
	if (fsync(identities_fd) != 0) {
		error_set_errno(err, errno, "cannot make the identity durable");
		goto out;
	}
	result = 0;
out:
	file_close(&dir);
	if (result != 0)
		file_remove_tree(identities_fd, hidden, NULL);
	return result;
}

int
identity_create(int identities_fd, const char *name, const char *local_part, struct slice password,
    const char *today, struct identity *out, struct error *err)
{
	int lock_fd;
	memset(out, 0, sizeof *out);
	if (identity_check_name(name, err) != 0 || address_check_local_part(slice_of_string(local_part), err) != 0 ||
	    lock(identities_fd, &lock_fd, err) != 0)
		return -1;
	snprintf(out->name, sizeof out->name, "%s", name);
	snprintf(out->local_part, sizeof out->local_part, "%s", local_part);
	snprintf(out->created, sizeof out->created, "%s", today);
	int result = make_folder(identities_fd, password, out, err);
	file_close(&lock_fd);
	return result;
}

int
identity_remove(int identities_fd, const char *name, struct error *err)
{
	char hidden[HIDDEN_LEN + 1];
	int lock_fd;
	if (identity_check_name(name, err) != 0 || lock(identities_fd, &lock_fd, err) != 0)
		return -1;
	choose_hidden_name(hidden);
	int result = renameat(identities_fd, name, identities_fd, hidden);
	if (result != 0 && errno == ENOENT)
		error_set(err, ERROR_NOT_FOUND, "there is no identity '%s'; `smtorp identity list` shows those there are", name);
	else if (result != 0)
		error_set_errno(err, errno, "cannot remove identity %s", name);
	else if (fsync(identities_fd) != 0)
		result = error_set_errno(err, errno, "cannot make the removal durable");
	else
		result = file_remove_tree(identities_fd, hidden, err);
	file_close(&lock_fd);
	return result;
}
