/* SPDX-License-Identifier: ISC */
#include "tor/services.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/random.h"
#include "tor/upload.h"

#define DETAIL_MAX 128

struct service {
	struct service *next;
	struct services *owner;
	char identity[IPC_NAME_MAX + 1];
	char onion[ONIONKEY_NAME_LEN + 1];
	unsigned char asked[HASH_SHA256_BYTES]; /* what tor was asked for */
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
		snprintf(detail, sizeof detail, "%u of %u directories have it so far", done, all);
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

/* V3Auth wants one client at least: where nobody may find the service, it is one that is nobody. */
static int
append_clients(struct buffer *command, const struct access_list *access, struct error *err)
{
	unsigned char nobody[ACCESS_KEY_BYTES];
	char letters[ACCESS_KEY_LEN + 1];
	size_t count = access->client_count;
	random_bytes(nobody, sizeof nobody);
	for (size_t i = 0; i < count || i == 0; i++) {
		encode_base32(letters, count == 0 ? nobody : access->clients[i].public_key, ACCESS_KEY_BYTES);
		if (buffer_printf(command, err, " ClientAuthV3=%s", letters) != 0)
			return -1;
	}
	return 0;
}

/* A command with its key, or NULL. The caller wipes it. */
static char *
make_command(const struct onionkey *key, const struct services_paths *paths, const struct access_list *access, const char *pow)
{
	char blob[ONIONKEY_CONTROL_LEN + 1], *text = NULL;
	bool is_private = access != NULL && access->is_private;
	struct buffer command;
	buffer_init(&command, CONTROL_COMMAND_MAX_BYTES);
	onionkey_control_blob(key, blob);
	/* Room for all of it at once: a buffer that grows leaves copies of the key behind. */
	if (buffer_reserve(&command, CONTROL_COMMAND_MAX_BYTES, NULL) != NULL &&
	    buffer_printf(&command, NULL, "ADD_ONION %s Flags=DiscardPK%s MaxStreams=%d%s Port=25,unix:%s Port=465,unix:%s", blob,
	    is_private ? ",V3Auth" : "", SERVICES_STREAMS_OF_CIRCUIT_MAX, pow, paths->port_25, paths->port_465) == 0 &&
	    (!is_private || append_clients(&command, access, NULL) == 0))
		text = strndup((const char *)buffer_bytes(&command), buffer_len(&command));
	if (command.data != NULL)
		explicit_bzero(command.data, command.capacity);
	buffer_finish(&command);
	explicit_bzero(blob, sizeof blob);
	return text;
}

static int
send_add(struct service *s, const struct onionkey *key, const struct services_paths *paths, const struct access_list *access,
    struct error *err)
{
	int result = -1;
	char *command = make_command(key, paths, access, " PoWDefensesEnabled=1");
	s->add_without_pow = make_command(key, paths, access, "");
	if (command == NULL || s->add_without_pow == NULL)
		error_set(err, ERROR_NO_MEMORY, "out of memory");
	else
		result = control_send(s->owner->control, slice_of_string(command), on_added, s, err);
	if (command != NULL)
		explicit_bzero(command, strlen(command));
	free(command);
	return result;
}

/* What makes a service another one. */
static void
digest(const struct onionkey *key, const struct services_paths *paths, const struct access_list *access,
    unsigned char out[HASH_SHA256_BYTES])
{
	struct hash_sha256 hash;
	bool is_private = access != NULL && access->is_private;
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, key->public_key, sizeof key->public_key);
	hash_sha256_update(&hash, paths->port_25, strlen(paths->port_25) + 1);
	hash_sha256_update(&hash, paths->port_465, strlen(paths->port_465) + 1);
	hash_sha256_update(&hash, is_private ? "private" : "public", 6 + is_private);
	for (size_t i = 0; is_private && i < access->client_count; i++)
		hash_sha256_update(&hash, access->clients[i].public_key, ACCESS_KEY_BYTES);
	hash_sha256_final(&hash, out);
}

int
services_add(struct services *services, const char *identity, const struct onionkey *key, const struct services_paths *paths,
    const struct access_list *access, struct error *err)
{
	assert(strlen(identity) <= IPC_NAME_MAX);
	if (strlen(paths->port_25) > IPC_PATH_MAX || strlen(paths->port_465) > IPC_PATH_MAX)
		return error_set(err, ERROR_INVALID, "the path of a service's socket is too long");
	if (check_path(paths->port_25, err) != 0 || check_path(paths->port_465, err) != 0)
		return -1;
	unsigned char asked[HASH_SHA256_BYTES];
	struct service *same = find(services, identity);
	digest(key, paths, access, asked);
	if (same != NULL && same->state != SERVICE_FAILED && memcmp(same->asked, asked, sizeof asked) == 0)
		return 0;
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
	memcpy(s->asked, asked, sizeof asked);
	if (send_add(s, key, paths, access, err) != 0) {
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
	struct hsdesc_event event;
	if (!hsdesc_parse(words, &event))
		return;
	for (struct service *s = services->first; s != NULL; s = s->next)
		if (!s->removed && s->added && slice_is_nocase(event.onion, s->onion)) {
			upload_take(&s->upload, &event, now_ms);
			judge(s);
			return;
		}
}

const char *
services_onion(struct services *services, const char *identity)
{
	const struct service *s = find(services, identity);
	return s == NULL ? NULL : s->onion;
}
