/* SPDX-License-Identifier: ISC */
#include "identity/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"

struct secrets *
secrets_new(void)
{
	return secret_new(sizeof(struct secrets));
}

void
secrets_free(struct secrets *secrets)
{
	secret_free(secrets);
}

/* Straight into its place, so that no copy is left elsewhere. */
static int
load(int dir_fd, const char *name, unsigned char *out, size_t room, size_t *out_len, struct error *err)
{
	unsigned char more;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open %s", name);
	ssize_t n = 0;
	*out_len = 0;
	while (*out_len < room && ((n = read(fd, out + *out_len, room - *out_len)) > 0 || (n < 0 && errno == EINTR)))
		*out_len += n > 0 ? (size_t)n : 0;
	int result = 0;
	if (n < 0)
		result = error_set_errno(err, errno, "cannot read %s", name);
	else if (*out_len == room && read(fd, &more, 1) == 1)
		result = error_set(err, ERROR_INVALID, "%s is too long", name);
	file_close(&fd);
	return result;
}

static int
load_if_there(int dir_fd, const char *name, unsigned char *out, size_t room, size_t *out_len, struct error *err)
{
	struct error why = { 0 };
	if (load(dir_fd, name, out, room, out_len, &why) == 0)
		return 0;
	*out_len = 0;
	return why.code == ERROR_NOT_FOUND ? 0 : error_set(err, why.code, "%s", why.text);
}

int
secrets_load(int dir_fd, struct secrets *out, struct error *err)
{
	size_t len;
	if (load(dir_fd, IDENTITY_ONION_KEY_FILE, out->onion_key, sizeof out->onion_key, &len, err) != 0)
		return -1;
	if (len != sizeof out->onion_key)
		return error_set(err, ERROR_INVALID, IDENTITY_ONION_KEY_FILE " is too short");
	if (load_if_there(dir_fd, CERTIFICATE_KEY_FILE, out->tls_key, sizeof out->tls_key, &out->tls_key_len, err) != 0)
		return -1;
	return load_if_there(dir_fd, IDENTITY_OPENPGP_FILE, out->openpgp_key, sizeof out->openpgp_key, &out->openpgp_key_len, err);
}

int
secrets_onion_key(const struct secrets *secrets, const struct identity *identity, struct onionkey *out, struct error *err)
{
	char name[ONIONKEY_NAME_LEN + 1];
	if (onionkey_from_file(slice_of(secrets->onion_key, sizeof secrets->onion_key), out, err) != 0)
		return -1;
	onionkey_name(out->public_key, name);
	if (strncmp(name, identity->onion, ONIONKEY_NAME_LEN) == 0)
		return 0;
	onionkey_wipe(out);
	return error_set(err, ERROR_INVALID, "the onion key of identity %s is not that of its address: the folder is damaged",
	    identity->name);
}
