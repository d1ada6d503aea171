/* SPDX-License-Identifier: ISC */
#include "tor/copies.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/random.h"
#include "ipc/messages.h"
#include "onionkey/onionkey.h"

/* ---- descriptors */

#define CERT_HEADER "descriptor-signing-key-cert\n-----BEGIN ED25519 CERT-----\n"
#define CERT_END "-----END ED25519 CERT-----\n"
#define CERT_TEXT_MAX 512
/* cert-spec 2.1: version, type, expiration (4), key type, key, number of extensions; then of each its length (2), type, flags and data */
#define CERT_KEY_AT 7
#define CERT_EXTENSIONS_AT (CERT_KEY_AT + COPIES_KEY_BYTES)
#define CERT_EXTENSION_AT (CERT_EXTENSIONS_AT + 1)
#define CERT_SIGNER_AT (CERT_EXTENSION_AT + 4)
#define CERT_SIGNATURE_BYTES 64
#define CERT_BYTES (CERT_SIGNER_AT + COPIES_KEY_BYTES + CERT_SIGNATURE_BYTES)
#define CERT_TYPE_SIGNING_KEY 8
#define CERT_EXTENSION_SIGNER 4

/* What stands between the two, without line ends. */
static int
find_cert(struct slice text, char out[CERT_TEXT_MAX], size_t *out_len)
{
	const unsigned char *begin = memmem(text.data, text.len, CERT_HEADER, sizeof CERT_HEADER - 1), *end;
	*out_len = 0;
	if (begin == NULL)
		return -1;
	begin += sizeof CERT_HEADER - 1;
	end = memmem(begin, (size_t)(text.data + text.len - begin), CERT_END, sizeof CERT_END - 1);
	if (end == NULL || end - begin > CERT_TEXT_MAX)
		return -1;
	for (; begin < end; begin++)
		if (*begin != '\n')
			out[(*out_len)++] = (char)*begin;
	return 0;
}

static int
parse_cert(struct slice text, struct copies_descriptor *out)
{
	char letters[CERT_TEXT_MAX];
	unsigned char cert[CERT_TEXT_MAX];
	size_t letters_len, len = sizeof cert;
	if (find_cert(text, letters, &letters_len) != 0 || encode_from_base64(cert, &len, letters, letters_len, NULL) != 0 ||
	    len != CERT_BYTES || cert[0] != 1 || cert[1] != CERT_TYPE_SIGNING_KEY || cert[CERT_EXTENSIONS_AT] != 1 ||
	    cert[CERT_EXTENSION_AT] != 0 || cert[CERT_EXTENSION_AT + 1] != COPIES_KEY_BYTES || cert[CERT_EXTENSION_AT + 2] != CERT_EXTENSION_SIGNER)
		return -1;
	memcpy(out->signing_key, cert + CERT_KEY_AT, COPIES_KEY_BYTES);
	memcpy(out->blinded_key, cert + CERT_SIGNER_AT, COPIES_KEY_BYTES);
	return 0;
}

static int
parse_revision(struct slice text, uint64_t *out)
{
	static const char word[] = "\nrevision-counter ";
	const unsigned char *at = memmem(text.data, text.len, word, sizeof word - 1), *end = text.data + text.len;
	unsigned digits = 0;
	*out = 0;
	if (at == NULL)
		return -1;
	for (at += sizeof word - 1; at < end && *at >= '0' && *at <= '9' && digits < 19; at++, digits++)
		*out = *out * 10 + (uint64_t)(*at - '0');
	return digits > 0 && at < end && *at == '\n' ? 0 : -1;
}

int
copies_parse(struct slice descriptor, struct copies_descriptor *out, struct error *err)
{
	*out = (struct copies_descriptor){ .revision = 0 };
	if (parse_cert(descriptor, out) != 0 || parse_revision(descriptor, &out->revision) != 0)
		return error_set(err, ERROR_INVALID, "this is no descriptor of an onion service of version 3");
	return 0;
}

bool
copies_is_newer(const struct copies_descriptor *shown, const struct copies_descriptor *own)
{
	return memcmp(shown->blinded_key, own->blinded_key, COPIES_KEY_BYTES) == 0 &&
	    memcmp(shown->signing_key, own->signing_key, COPIES_KEY_BYTES) != 0 && shown->revision > own->revision;
}

/* ---- watching */

struct watched {
	struct watched *next;
	struct copies *owner;
	char identity[IPC_NAME_MAX + 1];
	char onion[ONIONKEY_NAME_LEN + 1];
	struct timer *timer;
	int64_t every_ms;
	bool is_fetching; /* what is received next was asked for here, or comes in handy */
	bool removed;     /* freed when its last answer has come */
	unsigned answers_out;
	bool has_own, has_shown;
	struct copies_descriptor own, shown;
};

struct copies {
	struct loop *loop;
	struct control *control;
	copies_found *found;
	void *context;
	struct watched *first;
};

struct copies *
copies_new(struct loop *loop, struct control *control, copies_found *found, void *context)
{
	struct copies *copies = calloc(1, sizeof *copies);
	assert(copies != NULL);
	*copies = (struct copies){ .loop = loop, .control = control, .found = found, .context = context };
	return copies;
}

static void
release(struct watched *w)
{
	struct watched **at = &w->owner->first;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	timer_free(w->timer);
	free(w);
}

void
copies_free(struct copies *copies)
{
	if (copies == NULL)
		return;
	while (copies->first != NULL)
		release(copies->first);
	free(copies);
}

static struct watched *
find(struct copies *copies, const char *identity)
{
	for (struct watched *w = copies->first; w != NULL; w = w->next)
		if (!w->removed && strcmp(w->identity, identity) == 0)
			return w;
	return NULL;
}

static void
look_later(struct watched *w)
{
	w->is_fetching = false;
	timer_start(w->timer, random_jitter_ms(w->every_ms, 50));
}

/* Takes an answer with a descriptor. Whether the service is still watched. */
static bool
take_answer(struct watched *w, const struct control_reply *answer, struct copies_descriptor *out, bool *has)
{
	w->answers_out--;
	*has = answer->code == 250 && answer->line_count > 0 && copies_parse(control_reply_data(answer, 0), out, NULL) == 0;
	if (!w->removed)
		return true;
	if (w->answers_out == 0)
		release(w);
	return false;
}

static void
ask(struct watched *w, const char *what, control_callback *callback)
{
	char command[64 + ONIONKEY_NAME_LEN];
	snprintf(command, sizeof command, "%s%s", what, w->onion);
	if (control_send(w->owner->control, slice_of_string(command), callback, w, NULL) == 0)
		w->answers_out++;
	else
		look_later(w); /* tor is gone or busy */
}

/* Our own is asked for last: it may have been renewed while the other was fetched, and then it is the newer one. */
static void
on_own(void *context, const struct control_reply *answer)
{
	struct watched *w = context;
	if (!take_answer(w, answer, &w->own, &w->has_own))
		return;
	if (!w->has_own || !w->has_shown || !copies_is_newer(&w->shown, &w->own)) {
		look_later(w);
		return;
	}
	struct copies *copies = w->owner;
	char identity[sizeof w->identity];
	memcpy(identity, w->identity, sizeof identity);
	copies_unwatch(copies, identity);
	copies->found(copies->context, identity);
}

static void
on_shown(void *context, const struct control_reply *answer)
{
	struct watched *w = context;
	if (take_answer(w, answer, &w->shown, &w->has_shown))
		ask(w, "GETINFO hs/service/desc/id/", on_own);
}

static void
on_asked(void *context, const struct control_reply *answer)
{
	struct watched *w = context;
	bool has;
	struct copies_descriptor none;
	if (take_answer(w, answer, &none, &has) && answer->code != 250)
		look_later(w);
}

static void
on_time(void *context)
{
	struct watched *w = context;
	bool is_answering = w->answers_out > 0; /* a look goes on: answers of two would be taken for those of one */
	timer_start(w->timer, random_jitter_ms(w->every_ms, 50)); /* if nothing comes of it */
	if (is_answering)
		return;
	w->is_fetching = true;
	ask(w, "HSFETCH ", on_asked);
}

void
copies_watch(struct copies *copies, const char *identity, const char *onion, int64_t every_ms)
{
	if (find(copies, identity) != NULL)
		return;
	struct watched *w = calloc(1, sizeof *w);
	assert(w != NULL && strlen(identity) <= IPC_NAME_MAX);
	*w = (struct watched){ .owner = copies, .every_ms = every_ms, .next = copies->first };
	snprintf(w->identity, sizeof w->identity, "%s", identity);
	snprintf(w->onion, sizeof w->onion, "%s", onion);
	w->timer = timer_new(copies->loop, on_time, w);
	copies->first = w;
	look_later(w);
}

void
copies_unwatch(struct copies *copies, const char *identity)
{
	struct watched *w = find(copies, identity);
	if (w == NULL)
		return;
	w->removed = true;
	timer_stop(w->timer);
	if (w->answers_out == 0)
		release(w);
}

void
copies_take_event(struct copies *copies, struct slice words)
{
	struct slice kind, action, onion;
	if (!control_reply_next_word(&words, &kind) || !control_reply_next_word(&words, &action) || !slice_is(kind, "HS_DESC") ||
	    !slice_is(action, "RECEIVED") || !control_reply_next_word(&words, &onion))
		return;
	for (struct watched *w = copies->first; w != NULL; w = w->next)
		if (!w->removed && w->is_fetching && slice_is_nocase(onion, w->onion)) {
			w->is_fetching = false;
			ask(w, "GETINFO hs/client/desc/id/", on_shown);
			return;
		}
}
