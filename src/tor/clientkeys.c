/* SPDX-License-Identifier: ISC */
#include "tor/clientkeys.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/log.h"
#include "ipc/messages.h"

struct owner {
	struct owner *next;
	char identity[IPC_NAME_MAX + 1];
	struct access_list *access;
};

struct clientkeys {
	struct control *control;
	struct owner *first;
};

struct clientkeys *
clientkeys_new(struct control *control)
{
	struct clientkeys *keys = calloc(1, sizeof *keys);
	assert(keys != NULL);
	keys->control = control;
	return keys;
}

static void
release(struct owner *owner)
{
	access_free(owner->access);
	free(owner);
}

void
clientkeys_free(struct clientkeys *keys)
{
	if (keys == NULL)
		return;
	while (keys->first != NULL) {
		struct owner *owner = keys->first;
		keys->first = owner->next;
		release(owner);
	}
	free(keys);
}

static const struct access_key *
find(const struct access_list *access, const char *onion)
{
	for (size_t i = 0; i < access->key_count; i++)
		if (strncasecmp(access->keys[i].onion, onion, ACCESS_ONION_LEN) == 0) /* names are dialled in either case */
			return &access->keys[i];
	return NULL;
}

/* Anybody's key for the onion. */
static const struct access_key *
find_any(const struct clientkeys *keys, const char *onion)
{
	const struct access_key *key = NULL;
	for (const struct owner *owner = keys->first; owner != NULL && key == NULL; owner = owner->next)
		key = find(owner->access, onion);
	return key;
}

bool
clientkeys_may_dial(const struct clientkeys *keys, const char *identity, const char *onion)
{
	for (const struct owner *owner = keys->first; owner != NULL; owner = owner->next)
		if (strcmp(owner->identity, identity) == 0 && find(owner->access, onion) != NULL)
			return true;
	return find_any(keys, onion) == NULL;
}

static void
on_answer(void *context, const struct control_reply *answer)
{
	(void)context;
	if (answer->code / 10 != 25)
		log_warn("tor does not take a key for a private onion (%u): who owns the onion can make another with `smtorp contact grant`",
		    answer->code);
}

static int
tell_tor(struct clientkeys *keys, const struct access_key *key, struct error *err)
{
	char letters[ENCODE_BASE64_LEN(ACCESS_KEY_BYTES) + 1], command[sizeof "ONION_CLIENT_AUTH_ADD  x25519:" + ACCESS_ONION_LEN + sizeof letters];
	encode_base64(letters, key->secret_key, ACCESS_KEY_BYTES);
	snprintf(command, sizeof command, "ONION_CLIENT_AUTH_ADD %s x25519:%s", key->onion, letters);
	int result = control_send(keys->control, slice_of_string(command), on_answer, NULL, err);
	explicit_bzero(letters, sizeof letters);
	explicit_bzero(command, sizeof command);
	return result;
}

/* Takes from tor the keys that nobody has any more, or gives it that of somebody else. */
static int
drop_all(struct clientkeys *keys, const struct access_list *access, struct error *err)
{
	for (size_t i = 0; i < access->key_count; i++) {
		const struct access_key *other = find_any(keys, access->keys[i].onion);
		char command[sizeof "ONION_CLIENT_AUTH_REMOVE " + ACCESS_ONION_LEN];
		snprintf(command, sizeof command, "ONION_CLIENT_AUTH_REMOVE %s", access->keys[i].onion);
		int result = other != NULL ? tell_tor(keys, other, err) : control_send(keys->control, slice_of_string(command), NULL, NULL, err);
		if (result != 0)
			return -1;
	}
	return 0;
}

static void
forget(struct clientkeys *keys, const char *identity, struct access_list **out)
{
	for (struct owner **at = &keys->first; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->identity, identity) == 0) {
			struct owner *owner = *at;
			*at = owner->next;
			*out = owner->access;
			owner->access = NULL;
			release(owner);
			return;
		}
}

static int
remember(struct clientkeys *keys, const char *identity, const struct access_list *access, struct error *err)
{
	struct owner *owner = calloc(1, sizeof *owner);
	if (owner == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	snprintf(owner->identity, sizeof owner->identity, "%s", identity);
	owner->access = access_new();
	*owner->access = *access;
	owner->next = keys->first;
	keys->first = owner;
	for (size_t i = 0; i < access->key_count; i++)
		if (tell_tor(keys, &access->keys[i], err) != 0)
			return -1;
	return 0;
}

int
clientkeys_set(struct clientkeys *keys, const char *identity, const struct access_list *access, struct error *err)
{
	struct access_list *before = NULL;
	forget(keys, identity, &before);
	int result = access != NULL && access->key_count > 0 ? remember(keys, identity, access, err) : 0;
	if (result == 0 && before != NULL)
		result = drop_all(keys, before, err);
	access_free(before);
	return result;
}
