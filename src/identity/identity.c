/* SPDX-License-Identifier: ISC */
#include "identity/identity.h"

#include <dirent.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "config/config.h"
#include "identity/certificate.h"
#include "identity/staging.h"

#define CONF_MAX 1024

int
identity_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);
	if (len == 0 || len > IDENTITY_NAME_MAX || name[0] == '-' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return error_set(err, ERROR_INVALID,
		    "an identity's name is 1 to %d of a-z, 0-9 and '-', and does not begin with '-': for example work",
		    IDENTITY_NAME_MAX);
	return 0;
}

/* Without making it, unlike file_open_private_dir(). */
static int
open_private(int dir_fd, const char *name, int *out_fd, struct error *err)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open the folder %s", name);
	if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		file_close(&fd);
		return error_set(err, ERROR_DENIED, "the folder %s must belong to you alone: chown it and chmod 700 it", name);
	}
	*out_fd = fd;
	return 0;
}

int
identity_open_all(const char *data, bool create, int *out_fd, struct error *err)
{
	if (create && file_make_dirs(data, err) != 0)
		return -1;
	int data_fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data_fd < 0)
		return error_set_errno(err, errno, "cannot open the folder %s", data);
	int result = create ? file_open_private_dir(data_fd, "identities", out_fd, err)
	                    : open_private(data_fd, "identities", out_fd, err);
	file_close(&data_fd);
	return result;
}

static int
open_identity(int identities_fd, const char *name, int *out_fd, struct error *err)
{
	struct error why = { 0 };
	if (identity_check_name(name, err) != 0)
		return -1;
	if (open_private(identities_fd, name, out_fd, &why) == 0)
		return 0;
	if (why.code == ERROR_NOT_FOUND)
		return error_set(err, ERROR_NOT_FOUND, "there is no identity '%s'; `smtorp identity list` shows those there are",
		    name);
	return error_set(err, why.code, "%s", why.text);
}

int
identity_open(int identities_fd, const char *name, const char *file, int *out_fd, struct error *err)
{
	int dir;
	if (open_identity(identities_fd, name, &dir, err) != 0)
		return -1;
	*out_fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int errnum = errno;
	file_close(&dir);
	if (*out_fd < 0)
		return error_set_errno(err, errnum, "cannot open %s of identity %s", file, name);
	return 0;
}

static int
copy_value(char *out, size_t room, struct slice value, struct error *err)
{
	if (value.len >= room)
		return error_set(err, ERROR_INVALID, "a value is too long");
	memcpy(out, value.data, value.len);
	out[value.len] = '\0';
	return 0;
}

/* The owner's choices; the first word is what counts without the line. A later version may know more of them. */
static int
take_choice(struct slice key, struct slice value, struct identity *identity, struct error *err)
{
	static const struct {
		const char *key, *words[3], *text;
	} choices[] = {
		{ "unproved", { "refuse", "mark" }, "unproved is 'refuse' or 'mark'" },
		{ "encrypt", { "prefer", "require", "never" }, "encrypt is 'prefer', 'require' or 'never'" },
		{ "decrypt", { "yes", "no" }, "decrypt is 'yes' or 'no'" },
	};
	for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
		unsigned word = 0;
		if (!slice_is(key, choices[i].key))
			continue;
		while (word < 3 && choices[i].words[word] != NULL && !slice_is(value, choices[i].words[word]))
			word++;
		if (word == 3 || choices[i].words[word] == NULL)
			return error_set(err, ERROR_INVALID, "%s", choices[i].text);
		if (i == 0)
			identity->marks_unproved = word == 1;
		else if (i == 1)
			identity->encryption = (enum identity_encryption)word;
		else
			identity->leaves_sealed = word == 1;
	}
	return 0;
}

static int
take_line(void *context, unsigned line, struct slice key, struct slice value, struct error *err)
{
	struct identity *identity = context;
	(void)line;
	if (slice_is(key, "local-part"))
		return copy_value(identity->local_part, sizeof identity->local_part, value, err);
	if (slice_is(key, "onion"))
		return copy_value(identity->onion, sizeof identity->onion, value, err);
	if (slice_is(key, "created"))
		return copy_value(identity->created, sizeof identity->created, value, err);
	return take_choice(key, value, identity, err);
}

static int
parse(struct slice text, struct identity *out, struct error *err)
{
	struct address address;
	if (config_scan(text, take_line, out, err) != 0 ||
	    address_check_local_part(slice_of_string(out->local_part), err) != 0 ||
	    address_parse_domain(slice_of_string(out->onion), &address, err) != 0)
		return -1;
	if (address.fingerprint[0] != '\0' || strcmp(address.onion, out->onion) != 0)
		return error_set(err, ERROR_INVALID, "the onion name is not in its plain form");
	return 0;
}

int
identity_load_folder(int dir, const char *name, struct identity *out, struct error *err)
{
	struct error why = { 0 };
	struct buffer text;
	int result = -1;
	memset(out, 0, sizeof *out);
	buffer_init(&text, CONF_MAX);
	if (file_load(dir, IDENTITY_CONF_FILE, &text, &why) == 0 &&
	    parse(slice_of(buffer_bytes(&text), buffer_len(&text)), out, &why) == 0) {
		snprintf(out->name, sizeof out->name, "%s", name);
		result = 0;
	} else
		error_set(err, ERROR_INVALID, "the folder of identity %s is damaged: " IDENTITY_CONF_FILE ": %.150s", name, why.text);
	buffer_finish(&text);
	return result;
}

int
identity_load(int identities_fd, const char *name, struct identity *out, struct error *err)
{
	int dir;
	if (open_identity(identities_fd, name, &dir, err) != 0)
		return -1;
	int result = identity_load_folder(dir, name, out, err);
	file_close(&dir);
	return result;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
identity_list(int identities_fd, char (*names)[IDENTITY_NAME_MAX + 1], size_t max, size_t *out_count,
    struct error *err)
{
	int fd = openat(identities_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		error_set_errno(err, errno, "cannot read the folder of the identities");
		file_close(&fd);
		return -1;
	}
	size_t count = 0;
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		if (identity_check_name(entry->d_name, NULL) != 0)
			continue; /* also what is being made or deleted: hidden names */
		if (count == max) {
			closedir(dir);
			return error_set(err, ERROR_TOO_LARGE, "there are more than %zu identities", max);
		}
		memcpy(names[count++], entry->d_name, strlen(entry->d_name) + 1);
	}
	closedir(dir);
	qsort(names, count, sizeof names[0], compare_names);
	*out_count = count;
	return 0;
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

int
identity_check_onion_is_new(int identities_fd, const char *onion, struct error *err)
{
	size_t count;
	struct identity other;
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	if (names == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory to list the identities");
	int result = identity_list(identities_fd, names, IDENTITIES_MAX, &count, err);
	for (size_t i = 0; result == 0 && i < count; i++)
		if (identity_load(identities_fd, names[i], &other, NULL) == 0 && strcmp(other.onion, onion) == 0)
			result = error_set(err, ERROR_EXISTS, "identity %s has this address already", names[i]);
	free(names);
	return result;
}

int
identity_remove(int identities_fd, const char *name, struct error *err)
{
	struct staging staging = STAGING_NONE;
	struct error why = { 0 };
	bool is_missing = false;
	if (identity_check_name(name, err) != 0 || staging_lock(&staging, identities_fd, err) != 0)
		return -1;
	int result = staging_remove(&staging, name, &is_missing, &why);
	if (is_missing)
		error_set(err, ERROR_NOT_FOUND, "there is no identity '%s'; `smtorp identity list` shows those there are", name);
	else if (result != 0)
		error_set(err, why.code, "%s", why.text);
	staging_finish(&staging);
	return result;
}

bool
identity_stands_by(int identities_fd, const char *name)
{
	int fd = -1;
	bool is_there = identity_open(identities_fd, name, IDENTITY_STANDBY_FILE, &fd, NULL) == 0;
	file_close(&fd);
	return is_there;
}

int
identity_set_standby(int identities_fd, const char *name, bool stands_by, struct error *err)
{
	int dir, result = 0;
	if (open_identity(identities_fd, name, &dir, err) != 0)
		return -1;
	if (stands_by)
		result = file_replace(dir, IDENTITY_STANDBY_FILE, "", 0, 0600, err);
	else if ((unlinkat(dir, IDENTITY_STANDBY_FILE, 0) != 0 && errno != ENOENT) || fsync(dir) != 0)
		result = error_set_errno(err, errno, "cannot remove the file %s of identity %s", IDENTITY_STANDBY_FILE, name);
	file_close(&dir);
	return result;
}

int
identity_set_password(int identities_fd, const char *name, struct slice password, struct error *err)
{
	int dir;
	if (open_identity(identities_fd, name, &dir, err) != 0)
		return -1;
	int result = identity_write_password(dir, password, err);
	file_close(&dir);
	return result;
}

int
identity_load_password_hash(int identities_fd, const char *name, char out[PASSWORD_HASH_MAX], struct error *err)
{
	struct error why = { 0 };
	struct buffer text;
	int dir;
	if (open_identity(identities_fd, name, &dir, err) != 0)
		return -1;
	buffer_init(&text, PASSWORD_HASH_MAX);
	int result = file_load(dir, IDENTITY_PASSWORD_FILE, &text, &why);
	file_close(&dir);
	struct slice hash = slice_of(buffer_bytes(&text), buffer_len(&text));
	if (hash.len > 0 && hash.data[hash.len - 1] == '\n')
		hash.len--;
	if (result != 0 || hash.len == 0 || hash.len >= PASSWORD_HASH_MAX || hash.data[0] != '$')
		result = error_set(err, ERROR_INVALID, "identity %s has no usable password: set one with `smtorp identity password %s`",
		    name, name);
	else {
		memcpy(out, hash.data, hash.len);
		out[hash.len] = '\0';
	}
	buffer_finish(&text);
	return result;
}

int
identity_load_fingerprint(int identities_fd, const char *name, char out[ADDRESS_FINGERPRINT_MAX + 1], struct error *err)
{
	struct buffer pem;
	int dir;
	static_assert(ADDRESS_FINGERPRINT_MAX == CERTIFICATE_FINGERPRINT_LEN, "it fits");
	if (open_identity(identities_fd, name, &dir, err) != 0)
		return -1;
	buffer_init(&pem, CERTIFICATE_PEM_MAX);
	int result = file_load(dir, CERTIFICATE_FILE, &pem, err);
	file_close(&dir);
	if (result == 0)
		result = certificate_fingerprint(slice_of(buffer_bytes(&pem), buffer_len(&pem)), out, err);
	buffer_finish(&pem);
	return result;
}

void
identity_generate_password(char out[IDENTITY_PASSWORD_LEN + 1])
{
	random_name(out, IDENTITY_PASSWORD_LEN + 1);
	for (size_t i = 5; i < IDENTITY_PASSWORD_LEN; i += 6)
		out[i] = '-';
}
