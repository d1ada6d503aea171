/* SPDX-License-Identifier: ISC
 *
 * Watches for a second copy of an identity: two tors that publish one onion service fight for its descriptor, the last one wins, and tor
 * tells neither of them. So now and then the descriptor of each service is fetched from a directory that has taken ours, and compared with it.
 *
 * What is compared (rend-spec-v3 2.4): the key that signs the descriptor, which each publisher draws for itself for each time period; the blinded key,
 * by which descriptors of one period are known; and the revision counter, which grows with the time of publication and which everybody who has the
 * onion key computes in the same way. A descriptor of the same period with another signing key and a greater counter was published by somebody else,
 * after ours. One with a smaller counter may be of our own last run.
 *
 * tor does not always tell our own descriptor: in half of each time period (from its start to the next shared random value) GETINFO hs/service/desc
 * gives that of the period before, which nobody fetches any more. So ours is learned in the same way, right after a directory has taken it, and again
 * whenever it is published again. Whoever publishes in the moment between is noticed after our next publication, an hour or two later.
 *
 * Times are random, and each service's its own, so that the fetches of two identities do not go together.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "tor/control.h"

#define COPIES_KEY_BYTES 32

struct copies_descriptor {
	unsigned char blinded_key[COPIES_KEY_BYTES], signing_key[COPIES_KEY_BYTES];
	uint64_t revision;
};

/* Reads a descriptor's outer layer. ERROR_INVALID. */
int copies_parse(struct slice descriptor, struct copies_descriptor *out, struct error *err);

/* Whether shown was published by another than own, after it. */
bool copies_is_newer(const struct copies_descriptor *shown, const struct copies_descriptor *own);

struct copies;

/* A second copy of the identity was published after ours. The service is not watched any more. */
typedef void copies_found(void *context, const char *identity);

/* control is borrowed. */
struct copies *copies_new(struct loop *loop, struct control *control, copies_found *found, void *context);
void copies_free(struct copies *copies); /* takes NULL */

/* onion: 56 letters. every_ms: from one look to the next, half of that to one and a half. One that is watched already goes on being so. */
void copies_watch(struct copies *copies, const char *identity, const char *onion, int64_t every_ms);
void copies_unwatch(struct copies *copies, const char *identity);

/* To be called with the words of each HS_DESC event (control-spec 4.1.25). */
void copies_take_event(struct copies *copies, struct slice words);
