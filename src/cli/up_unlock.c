/* SPDX-License-Identifier: ISC */
#include "cli/up_unlock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "cli/unlock.h"

struct up_unlock {
	struct up_unlock *next;
	char name[IDENTITY_NAME_MAX + 1];
	unsigned char key[LOCK_KEY_BYTES];
};

/* Whether it is locked, and then its file. What cannot be read is left to the node, whose log says why. */
static bool
load_lock(int identities_fd, const char *name, struct identity *identity, struct lock *lock)
{
	int fd = -1;
	if (identity_load(identities_fd, name, identity, NULL) != 0 || identity_open(identities_fd, name, ".", &fd, NULL) != 0)
		return false;
	bool is_locked = lock_look(fd) == LOCK_WHOLE && lock_load(fd, lock, NULL) == 0;
	file_close(&fd);
	return is_locked;
}

static void
ask_one(const struct identity *identity, const struct lock *lock, struct up_unlock **keys)
{
	struct unlocked *unlocked = unlock_new();
	bool is_left;
	int status = unlock_ask_or_leave(identity, lock, unlocked, &is_left);
	if (status == CLI_OK && !is_left) {
		struct up_unlock *one = secret_new(sizeof *one);
		snprintf(one->name, sizeof one->name, "%s", identity->name);
		memcpy(one->key, unlocked->key, sizeof one->key);
		one->next = *keys;
		*keys = one;
	}
	unlock_free(unlocked);
}

struct up_unlock *
up_unlock_ask(const struct paths *paths)
{
	struct up_unlock *keys = NULL;
	struct identity identity;
	struct lock lock;
	size_t count = 0;
	int fd;
	if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1 || identity_open_all(paths->data, false, &fd, NULL) != 0)
		return NULL;
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	if (names != NULL && identity_list(fd, names, IDENTITIES_MAX, &count, NULL) != 0)
		count = 0;
	for (size_t i = 0; i < count; i++)
		if (load_lock(fd, names[i], &identity, &lock))
			ask_one(&identity, &lock, &keys); /* what failed was said, and stays locked */
	free(names);
	file_close(&fd);
	return keys;
}

void
up_unlock_tell(struct up_unlock *keys, const struct paths *paths, void (*say)(void *context, const char *text),
    void *context)
{
	struct error err;
	for (const struct up_unlock *one = keys; one != NULL; one = one->next)
		if (unlock_tell_node(paths, one->name, one->key, &err) != 0)
			say(context, err.text);
	up_unlock_free(keys);
}

void
up_unlock_free(struct up_unlock *keys)
{
	while (keys != NULL) {
		struct up_unlock *next = keys->next;
		secret_free(keys);
		keys = next;
	}
}
