/* SPDX-License-Identifier: ISC */
#include "cli/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/header.h"
#include "identity/lock.h"

struct choice {
	int identities_fd;
	size_t taken; /* which name */
	char (*names)[IDENTITY_NAME_MAX + 1];
	size_t count;
	char *out;
	bool is_found;
};

static int
take_from(void *context, struct slice text, struct error *err)
{
	struct choice *choice = context;
	struct address address;
	struct identity identity;
	(void)err;
	if (choice->is_found || text.len > SENDER_MAX || address_parse(text, &address, NULL) != 0)
		return 0;
	for (size_t i = 0; i < choice->count; i++)
		if (identity_load(choice->identities_fd, choice->names[i], &identity, NULL) == 0 &&
		    strcmp(identity.onion, address.onion) == 0 &&
		    address_is_mailbox(slice_of_string(address.local_part), identity.local_part)) {
			memcpy(choice->out, text.data, text.len);
			choice->out[text.len] = '\0';
			choice->is_found = true;
			choice->taken = i;
			return 0;
		}
	return 0;
}

static int
take_only_identity(struct choice *choice, struct error *err)
{
	struct identity identity;
	if (choice->count > 1)
		return error_set(err, ERROR_NOT_FOUND,
		    "there are several identities and From: is none of them: say which one with -f ADDRESS");
	if (choice->count == 0)
		return error_set(err, ERROR_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	if (identity_load(choice->identities_fd, choice->names[0], &identity, err) != 0)
		return -1;
	snprintf(choice->out, SENDER_MAX + 1, "%s@%s", identity.local_part, identity.onion);
	return 0;
}

int
sender_choose(const struct paths *paths, struct slice header, char out[SENDER_MAX + 1], struct error *err)
{
	struct choice choice = { .identities_fd = -1, .out = out };
	int result = -1;
	choice.names = calloc(IDENTITIES_MAX, sizeof *choice.names);
	if (choice.names == NULL)
		return error_set(err, ERROR_NO_MEMORY, "not enough memory");
	if (identity_open_all(paths->data, false, &choice.identities_fd, err) != 0) {
		if (err->code == ERROR_NOT_FOUND)
			take_only_identity(&choice, err);
		goto out;
	}
	if (identity_list(choice.identities_fd, choice.names, IDENTITIES_MAX, &choice.count, err) != 0)
		goto out;
	header_addresses(header, "From", take_from, &choice, NULL);
	result = choice.is_found ? 0 : take_only_identity(&choice, err);
out:
	file_close(&choice.identities_fd);
	free(choice.names);
	return result;
}

bool
sender_has_passphrase(const struct paths *paths, const char *sender, char name[IDENTITY_NAME_MAX + 1])
{
	char address[SENDER_MAX + 1];
	struct choice choice = { .identities_fd = -1, .out = address };
	int dir_fd = -1;
	bool result = false;
	choice.names = calloc(IDENTITIES_MAX, sizeof *choice.names);
	if (choice.names != NULL && identity_open_all(paths->data, false, &choice.identities_fd, NULL) == 0 &&
	    identity_list(choice.identities_fd, choice.names, IDENTITIES_MAX, &choice.count, NULL) == 0)
		take_from(&choice, slice_of_string(sender), NULL);
	if (choice.is_found && identity_open(choice.identities_fd, choice.names[choice.taken], ".", &dir_fd, NULL) == 0) {
		result = lock_look(dir_fd) != LOCK_NONE;
		snprintf(name, IDENTITY_NAME_MAX + 1, "%s", choice.names[choice.taken]);
	}
	file_close(&dir_fd);
	file_close(&choice.identities_fd);
	free(choice.names);
	return result;
}
