/* SPDX-License-Identifier: ISC */
#include "tor/services.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tor/upload.h"

#define DETAIL_MAX 128

struct service {
	struct service *next;
	struct services *owner;
	char identity[IPC_NAME_MAX + 1];
	char onion[ONIONKEY_NAME_LEN + 1];
	char *add_without_pow;  /* the command for a tor without proof of work, wiped after the first answer */
	bool added, removed;    /* removed: freed when its last answer has come */
	unsigned answers_out;
	enum ipc_publication state;
	unsigned uploaded;
	char detail[DETAIL_MAX + 1];
	struct upload upload;
};

struct services {
	struct control *control;
	services_callback *callback;
	void *context;
	struct service *first;
	unsigned count;
};

static void
wipe_command(struct service *s)
{
	if (s->add_without_pow == NULL)
		return;
	explicit_bzero(s->add_without_pow, strlen(s->add_without_pow));
	free(s->add_without_pow);
	s->add_without_pow = NULL;
}

static void
release(struct service *s)
{
	wipe_command(s);
	free(s);
}

static void
tell(struct service *s, enum ipc_publication state, const char *detail)
{
	unsigned uploaded = upload_done_count(&s->upload);
	if (s->removed || (s->state == state && s->uploaded == uploaded && strcmp(s->detail, detail) == 0))
		return;
	s->state = state;
	s->uploaded = uploaded;
	snprintf(s->detail, sizeof s->detail, "%s", detail);
	s->owner->callback(s->owner->context, s->identity, state, uploaded, s->detail);
}

/* PUBLISHED as soon as most directories have the descriptor. It stays so until none has it any more: a directory
 * less is no event for a person. */
static void
judge(struct service *s)
{
	char detail[DETAIL_MAX];
	unsigned done = upload_done_count(&s->upload), failed = upload_failed_count(&s->upload), all = s->upload.count;
	if (done * 2 > all || (done > 0 && s->state == SERVICE_PUBLISHED)) {
		snprintf(detail, sizeof detail, "%u of %u directories have it", done, all);
		tell(s, SERVICE_PUBLISHED, detail);
	} else if (failed > 0 && failed == all) {
		snprintf(detail, sizeof detail, "none of %u directories took the descriptor; tor tries again", all);
		tell(s, SERVICE_WAITING, detail);
	} else {
		snprintf(detail, sizeof detail, "being published: %u of %u directories have it", done, all);
		tell(s, SERVICE_WAITING, detail);
	}
}

struct services *
services_new(struct control *control, services_callback *callback, void *context)
{
	struct services *services = calloc(1, sizeof *services);
	assert(services != NULL);
	*services = (struct services){ .control = control, .callback = callback, .context = context };
	return services;
}

void
services_free(struct services *services)
{
	if (services == NULL)
		return;
	for (struct service *s = services->first, *next; s != NULL; s = next) {
		next = s->next;
		release(s);
	}
	free(services);
}

static struct service *
find(struct services *services, const char *identity)
{
	for (struct service *s = services->first; s != NULL; s = s->next)
		if (!s->removed && strcmp(s->identity, identity) == 0)
			return s;
	return NULL;
}

static const struct service *
find_onion(const struct services *services, const char *onion)
{
	for (const struct service *s = services->first; s != NULL; s = s->next)
		if (!s->removed && strcmp(s->onion, onion) == 0)
			return s;
	return NULL;
}

static void
unlink_and_release(struct service *s)
{
	struct service **at = &s->owner->first;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->owner->count--;
	release(s);
}

static void
on_added(void *context, const struct control_reply *answer)
{
	struct service *s = context;
	char text[DETAIL_MAX + 1];
	struct slice why = control_reply_text(answer, 0);
	s->answers_out--;
	/* 512 and 513: an argument that this tor does not know */
	if ((answer->code == 512 || answer->code == 513) && s->add_without_pow != NULL && !s->removed) {
		struct slice command = slice_of_string(s->add_without_pow);
		struct error err = { 0 };
		if (control_send(s->owner->control, command, on_added, s, &err) == 0)
			s->answers_out++;
		else
			tell(s, SERVICE_FAILED, err.text);
		wipe_command(s);
		return;
	}
	wipe_command(s);
	if (s->removed) {
		if (s->answers_out == 0)
			unlink_and_release(s);
		return;
	}
	if (answer->code != 250) {
		snprintf(text, sizeof text, "tor refused the service (%u): %.*s", answer->code, (int)why.len,
		    (const char *)why.data);
		tell(s, SERVICE_FAILED, text);
		return;
	}
	s->added = true;
	tell(s, SERVICE_WAITING, "waiting for tor to publish it");
}

/* Arguments cannot be quoted in ADD_ONION, so there are paths that tor cannot be told. */
static int
check_path(const char *path, struct error *err)
{
	bool fine = path[0] == '/';
	for (const char *p = path; *p != '\0'; p++)
		fine = fine && *p > ' ' && *p < 0x7f && *p != '"' && *p != '\'';
	if (!fine)
		return error_set(err, ERROR_INVALID, "tor can take no spaces, quotes or letters beyond ASCII in the path of a "
		    "service's socket; choose another SMTORP_HOME");
	return 0;
}

/* A command with its key, or NULL. The caller wipes it. */
static char *
make_command(const struct onionkey *key, const char *path_25, const char *path_465, const char *pow)
{
	char blob[ONIONKEY_CONTROL_LEN + 1], *command = malloc(CONTROL_COMMAND_MAX_BYTES + 1);
	if (command == NULL)
		return NULL;
	onionkey_control_blob(key, blob);
	snprintf(command, CONTROL_COMMAND_MAX_BYTES + 1,
	    "ADD_ONION %s Flags=DiscardPK MaxStreams=%d%s Port=25,unix:%s Port=465,unix:%s", blob,
	    SERVICES_STREAMS_OF_CIRCUIT_MAX, pow, path_25, path_465);
	explicit_bzero(blob, sizeof blob);
	return command;
}

static int
send_add(struct service *s, const struct onionkey *key, const char *path_25, const char *path_465, struct error *err)
{
	int result = -1;
	char *command = make_command(key, path_25, path_465, " PoWDefensesEnabled=1");
	s->add_without_pow = make_command(key, path_25, path_465, "");
	if (command == NULL || s->add_without_pow == NULL)
		error_set(err, ERROR_NO_MEMORY, "out of memory");
	else
		result = control_send(s->owner->control, slice_of_string(command), on_added, s, err);
	if (command != NULL)
		explicit_bzero(command, strlen(command));
	free(command);
	return result;
}

int
services_add(struct services *services, const char *identity, const struct onionkey *key, const char *path_25,
    const char *path_465, struct error *err)
{
	assert(strlen(identity) <= IPC_NAME_MAX);
	if (strlen(path_25) > IPC_PATH_MAX || strlen(path_465) > IPC_PATH_MAX)
		return error_set(err, ERROR_INVALID, "the path of a service's socket is too long");
	if (check_path(path_25, err) != 0 || check_path(path_465, err) != 0)
		return -1;
	services_remove(services, identity);
	char onion[ONIONKEY_NAME_LEN + 1];
	onionkey_name(key->public_key, onion);
	const struct service *other = find_onion(services, onion);
	if (other != NULL)
		return error_set(err, ERROR_EXISTS, "the identity %s has the same onion key; delete one of them",
		    other->identity);
	if (services->count >= SERVICES_MAX)
		return error_set(err, ERROR_BUSY, "there are %d onion services already", SERVICES_MAX);
	struct service *s = calloc(1, sizeof *s);
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	s->owner = services;
	strcpy(s->identity, identity);
	memcpy(s->onion, onion, sizeof onion);
	if (send_add(s, key, path_25, path_465, err) != 0) {
		release(s);
		return -1;
	}
	s->answers_out = 1;
	s->next = services->first;
	services->first = s;
	services->count++;
	return 0;
}

static void
on_deleted(void *context, const struct control_reply *answer)
{
	(void)answer; /* 552: it was not there, because it could not be added */
	struct service *s = context;
	if (--s->answers_out == 0)
		unlink_and_release(s);
}

void
services_remove(struct services *services, const char *identity)
{
	struct service *s = find(services, identity);
	if (s == NULL)
		return;
	char command[32 + ONIONKEY_NAME_LEN];
	snprintf(command, sizeof command, "DEL_ONION %s", s->onion);
	s->removed = true;
	if (s->state == SERVICE_FAILED && s->answers_out == 0) {
		unlink_and_release(s); /* tor never had it */
		return;
	}
	if (control_send(services->control, slice_of_string(command), on_deleted, s, NULL) == 0)
		s->answers_out++;
	else if (s->answers_out == 0)
		unlink_and_release(s); /* the connection has ended, and the service with it */
}

void
services_take_event(struct services *services, struct slice words, int64_t now_ms)
{
	struct upload_event event;
	if (!upload_parse(words, &event))
		return;
	for (struct service *s = services->first; s != NULL; s = s->next)
		if (!s->removed && s->added && slice_is_nocase(event.onion, s->onion)) {
			upload_take(&s->upload, &event, now_ms);
			judge(s);
			return;
		}
}
