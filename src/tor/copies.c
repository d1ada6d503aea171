/* SPDX-License-Identifier: ISC */
#include "tor/copies.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/random.h"
#include "ipc/messages.h"
#include "onionkey/onionkey.h"
#include "tor/holders.h"

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
	bool removed; /* freed when its last answer has come */
	unsigned answers_out;
	struct holders holders;
	char current[HOLDERS_DESCRIPTOR_LEN + 1];     /* the descriptor that everybody fetches now; "": not known */
	bool is_looking;                              /* what comes from this directory next was asked for here */
	unsigned char asked[HSDESC_DIRECTORY_BYTES];
	unsigned times_seen;                          /* ours; 0: not since it was published last, 1: it may be something older, 2: for sure */
	struct copies_descriptor own;
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

/* ---- a look */

static void
look_later(struct watched *w)
{
	w->is_looking = false;
	timer_start(w->timer, random_jitter_ms(w->every_ms, 50));
}

static void
look_at_once(struct watched *w)
{
	w->is_looking = false;
	timer_start(w->timer, 0);
}

/* Whether the service is still watched when an answer comes. */
static bool
take_answer(struct watched *w)
{
	w->answers_out--;
	if (!w->removed)
		return true;
	if (w->answers_out == 0)
		release(w);
	return false;
}

static void
ask(struct watched *w, const char *command, control_callback *callback)
{
	if (control_send(w->owner->control, slice_of_string(command), callback, w, NULL) == 0)
		w->answers_out++;
	else
		look_later(w); /* tor is gone or busy */
}

static void
tell_found(struct watched *w)
{
	struct copies *copies = w->owner;
	char identity[sizeof w->identity];
	memcpy(identity, w->identity, sizeof identity);
	copies_unwatch(copies, identity);
	copies->found(copies->context, identity);
}

/* What came from a directory that had taken ours is ours or newer. So whatever is newer than that, with no word of ours being published again,
 * is somebody else's. Two looks must agree on what is ours: an answer to somebody else's question may have been on its way for longer. */
static void
judge(struct watched *w, const struct copies_descriptor *shown)
{
	if (w->times_seen == 2 && copies_is_newer(shown, &w->own)) {
		tell_found(w);
		return;
	}
	bool is_first = w->times_seen == 0, is_same = memcmp(shown->signing_key, w->own.signing_key, COPIES_KEY_BYTES) == 0;
	if (w->times_seen < 2) {
		w->times_seen = !is_first && is_same ? 2 : 1;
		w->own = *shown;
	}
	if (is_first)
		look_at_once(w);
	else
		look_later(w);
}

static void
on_shown(void *context, const struct control_reply *answer)
{
	struct watched *w = context;
	struct copies_descriptor shown;
	if (!take_answer(w) || !w->is_looking)
		return;
	if (answer->code == 250 && answer->line_count > 0 && copies_parse(control_reply_data(answer, 0), &shown, NULL) == 0)
		judge(w, &shown);
	else
		look_later(w);
}

static void
on_asked(void *context, const struct control_reply *answer)
{
	struct watched *w = context;
	if (!take_answer(w) || answer->code == 250)
		return;
	holders_forget(&w->holders, w->asked);
	look_later(w);
}

static void
on_time(void *context)
{
	struct watched *w = context;
	timer_start(w->timer, random_jitter_ms(w->every_ms, 50)); /* if nothing comes of it */
	if (w->answers_out > 0) /* a look goes on: answers of two would be taken for those of one */
		return;
	w->is_looking = false;
	int64_t now_ms = clock_monotonic_ms();
	const struct holder *holder = holders_ask(&w->holders, w->current, now_ms);
	if (holder == NULL)
		holder = holders_ask(&w->holders, "", now_ms); /* which tells what is current */
	if (holder == NULL)
		return;
	char directory[ENCODE_HEX_LEN(HSDESC_DIRECTORY_BYTES) + 1], command[128 + ONIONKEY_NAME_LEN];
	w->is_looking = true;
	memcpy(w->asked, holder->directory, sizeof w->asked);
	encode_hex(directory, w->asked, sizeof w->asked);
	snprintf(command, sizeof command, "HSFETCH %s SERVER=%s", w->onion, directory);
	ask(w, command, on_asked);
}

/* ---- what tor tells */

/* Of a period that has begun, or the one that is known. Whether it is that. */
static bool
take_current(struct watched *w, struct slice descriptor)
{
	if (slice_is(descriptor, w->current))
		return true;
	slice_to_string(descriptor, w->current, sizeof w->current);
	w->times_seen = 0;
	return false;
}

static void
take_answer_of_directory(struct watched *w, const struct hsdesc_event *event)
{
	if (!w->is_looking || memcmp(event->directory, w->asked, sizeof w->asked) != 0 || event->descriptor.len != HOLDERS_DESCRIPTOR_LEN)
		return;
	bool is_as_before = take_current(w, event->descriptor);
	if (event->action == HSDESC_RECEIVED && holders_is_sure(&w->holders, event->directory, event->descriptor)) {
		char command[64 + ONIONKEY_NAME_LEN];
		snprintf(command, sizeof command, "GETINFO hs/client/desc/id/%s", w->onion);
		ask(w, command, on_shown);
	} else if (is_as_before)
		look_later(w);
	else
		look_at_once(w);
}

static void
take_upload(struct watched *w, const struct hsdesc_event *event)
{
	if (event->action == HSDESC_UPLOAD) {
		if (slice_is(event->descriptor, w->current))
			w->times_seen = 0;
		w->is_looking = false; /* what is on its way may be older */
	}
	if (w->times_seen < 2 && !w->is_looking)
		look_at_once(w);
}

static void
take_event(struct watched *w, const struct hsdesc_event *event)
{
	holders_take(&w->holders, event, clock_monotonic_ms());
	if (event->action == HSDESC_RECEIVED || event->action == HSDESC_FETCH_FAILED)
		take_answer_of_directory(w, event);
	else
		take_upload(w, event);
}

void
copies_take_event(struct copies *copies, struct slice words)
{
	struct hsdesc_event event;
	if (!hsdesc_parse(words, &event))
		return;
	for (struct watched *w = copies->first; w != NULL; w = w->next)
		if (!w->removed && slice_is_nocase(event.onion, w->onion)) {
			take_event(w, &event);
			return;
		}
}

/* ---- which */

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
