/* SPDX-License-Identifier: ISC */
#include "tor/access.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/random.h"
#include "base/secret.h"
#include "config/config.h"
#include "onionkey/onionkey.h"

#define KEY_TYPE "descriptor:x25519:"

struct access_list *
access_new(void)
{
	return secret_new(sizeof(struct access_list));
}

void
access_free(struct access_list *list)
{
	secret_free(list);
}

/* ---- keys in tor's form */

static int
parse_key(struct slice text, unsigned char key[ACCESS_KEY_BYTES], struct error *err)
{
	size_t type_len = sizeof KEY_TYPE - 1, len = ACCESS_KEY_BYTES;
	if (text.len != type_len + ACCESS_KEY_LEN || memcmp(text.data, KEY_TYPE, type_len) != 0 ||
	    encode_from_base32(key, &len, (const char *)text.data + type_len, ACCESS_KEY_LEN, NULL) != 0 || len != ACCESS_KEY_BYTES)
		return error_set(err, ERROR_INVALID, "a key for a private onion ends in %s and %d letters", KEY_TYPE, ACCESS_KEY_LEN);
	return 0;
}

static void
print_key(const unsigned char key[ACCESS_KEY_BYTES], char out[ACCESS_CLIENT_LINE_LEN + 1])
{
	char letters[ACCESS_KEY_LEN + 1];
	encode_base32(letters, key, ACCESS_KEY_BYTES);
	snprintf(out, ACCESS_CLIENT_LINE_LEN + 1, KEY_TYPE "%s", letters);
	explicit_bzero(letters, sizeof letters);
}

/* ---- entries */

static struct access_client *
find_client(struct access_list *list, struct slice name)
{
	for (size_t i = 0; i < list->client_count; i++)
		if (slice_is(name, list->clients[i].name))
			return &list->clients[i];
	return NULL;
}

static struct access_key *
find_key(struct access_list *list, const char *onion)
{
	for (size_t i = 0; i < list->key_count; i++)
		if (strcmp(list->keys[i].onion, onion) == 0)
			return &list->keys[i];
	return NULL;
}

/* The client of that name, made if there is none. */
static struct access_client *
want_client(struct access_list *list, struct slice name, struct error *err)
{
	struct access_client *client = find_client(list, name);
	bool is_printable = name.len > 0 && name.len <= ACCESS_NAME_MAX;
	for (size_t i = 0; i < name.len; i++)
		is_printable = is_printable && name.data[i] > ' ' && name.data[i] != 0x7f;
	if (client != NULL)
		return client;
	if (!is_printable)
		error_set(err, ERROR_INVALID, "who finds a private identity is named by at most %d characters without spaces, best an address",
		    ACCESS_NAME_MAX);
	else if (list->client_count == ACCESS_CLIENTS_MAX)
		error_set(err, ERROR_TOO_LARGE, "%d may find this identity already, more does not fit into its descriptor: withdraw one",
		    ACCESS_CLIENTS_MAX);
	else {
		client = &list->clients[list->client_count++];
		memcpy(client->name, name.data, name.len);
		client->name[name.len] = '\0';
	}
	return client;
}

int
access_grant(struct access_list *list, const char *name, const char *onion, char line[ACCESS_KEY_LINE_LEN + 1], struct error *err)
{
	unsigned char secret[ACCESS_KEY_BYTES];
	char key[ACCESS_CLIENT_LINE_LEN + 1];
	struct access_client *client = want_client(list, slice_of_string(name), err);
	if (client == NULL)
		return -1;
	random_bytes(secret, sizeof secret);
	onionkey_x25519_public(secret, client->public_key);
	print_key(secret, key);
	snprintf(line, ACCESS_KEY_LINE_LEN + 1, "%.*s:%s", ACCESS_ONION_LEN, onion, key);
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(key, sizeof key);
	list->is_private = true;
	return 0;
}

int
access_withdraw(struct access_list *list, const char *name, struct error *err)
{
	struct access_client *client = find_client(list, slice_of_string(name));
	if (client == NULL)
		return error_set(err, ERROR_NOT_FOUND, "%s was not given a key for this identity", name);
	*client = list->clients[--list->client_count];
	return 0;
}

int
access_take_key(struct access_list *list, struct slice line, char onion[ACCESS_ONION_LEN + 1], struct error *err)
{
	unsigned char public_key[ONIONKEY_PUBLIC_BYTES], secret[ACCESS_KEY_BYTES];
	if (line.len != ACCESS_KEY_LINE_LEN || line.data[ACCESS_ONION_LEN] != ':')
		return error_set(err, ERROR_INVALID, "a key for a private onion reads NAME:" KEY_TYPE "KEY, as `smtorp contact grant` shows it");
	struct slice key = slice_of(line.data + ACCESS_ONION_LEN + 1, ACCESS_CLIENT_LINE_LEN);
	if (onionkey_parse_name(slice_of(line.data, ACCESS_ONION_LEN), public_key, err) != 0 || parse_key(key, secret, err) != 0)
		return -1;
	onionkey_name(public_key, onion);
	struct access_key *at = find_key(list, onion);
	if (at == NULL && list->key_count == ACCESS_KEYS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "there are %d keys for private onions already", ACCESS_KEYS_MAX);
	if (at == NULL)
		at = &list->keys[list->key_count++];
	memcpy(at->onion, onion, sizeof at->onion);
	memcpy(at->secret_key, secret, sizeof at->secret_key);
	explicit_bzero(secret, sizeof secret);
	return 0;
}

int
access_drop_key(struct access_list *list, const char *onion, struct error *err)
{
	struct access_key *key = find_key(list, onion);
	if (key == NULL)
		return error_set(err, ERROR_NOT_FOUND, "there is no key for %s.onion", onion);
	*key = list->keys[--list->key_count];
	explicit_bzero(&list->keys[list->key_count], sizeof list->keys[0]);
	return 0;
}

/* ---- the file */

static int
take_client(struct access_list *list, struct slice value, struct error *err)
{
	const unsigned char *space = memchr(value.data, ' ', value.len);
	size_t name_len = space == NULL ? value.len : (size_t)(space - value.data);
	struct slice key = space == NULL ? slice_of("", 0) : slice_of(space + 1, value.len - name_len - 1);
	struct access_client *client = want_client(list, slice_of(value.data, name_len), err);
	return client == NULL ? -1 : parse_key(key, client->public_key, err);
}

static int
take_line(void *context, unsigned line, struct slice key, struct slice value, struct error *err)
{
	struct access_list *list = context;
	struct error why = { 0 };
	char onion[ACCESS_ONION_LEN + 1];
	int result = 0; /* a later version may write other keys */
	if (slice_is(key, "private"))
		list->is_private = !slice_is(value, "no");
	else if (slice_is(key, "client"))
		result = take_client(list, value, &why);
	else if (slice_is(key, "key"))
		result = access_take_key(list, value, onion, &why);
	return result == 0 ? 0 : error_set(err, why.code, "%s, line %u: %s", ACCESS_FILE, line, why.text);
}

int
access_parse(struct slice text, struct access_list *out, struct error *err)
{
	explicit_bzero(out, sizeof *out);
	if (config_scan(text, take_line, out, err) == 0)
		return 0;
	explicit_bzero(out, sizeof *out);
	return -1;
}

int
access_write(const struct access_list *list, struct buffer *out, struct error *err)
{
	char key[ACCESS_CLIENT_LINE_LEN + 1];
	int result = buffer_printf(out, err, "# written by smtorp contact grant, withdraw and key\nprivate = %s\n", list->is_private ? "yes" : "no");
	for (size_t i = 0; result == 0 && i < list->client_count; i++) {
		print_key(list->clients[i].public_key, key);
		result = buffer_printf(out, err, "client = %s %s\n", list->clients[i].name, key);
	}
	for (size_t i = 0; result == 0 && i < list->key_count; i++) {
		print_key(list->keys[i].secret_key, key);
		result = buffer_printf(out, err, "key = %s:%s\n", list->keys[i].onion, key);
	}
	explicit_bzero(key, sizeof key);
	return result;
}
