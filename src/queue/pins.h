/* SPDX-License-Identifier: ISC
 *
 * The TLS keys that other onions have shown, and which of them mail is held to (doc/spec/pins.md). One row for each
 * onion, by the fingerprint of its key in full. Times are seconds of the wall clock. Every change is part of the
 * caller's transaction if there is one, unless it says otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "address/address.h"
#include "base/error.h"
#include "base/slice.h"
#include "ipc/messages.h"
#include "store/database.h"

#define PINS_FINGERPRINT_SIZE (IPC_FINGERPRINT_LEN + 1)

struct pins;

struct pin {
	uint64_t id;
	char onion[IPC_ONION_MAX + 1];
	char fingerprint[PINS_FINGERPRINT_SIZE];
	enum ipc_pin_trust trust;
	unsigned label_letters;             /* of the longest label that has fitted; 0: none did */
	int64_t since_s;                    /* when this key was taken for the onion's */
	int64_t changed_s;                  /* when another was shown first; 0: it is as it should be */
	char shown[PINS_FINGERPRINT_SIZE];  /* that other one; "" when none was shown */
};

int pins_open(struct database *db, struct pins **out, struct error *err);
void pins_free(struct pins *pins); /* takes NULL */

/* 1: *out is filled; 0: nothing is known of this onion. */
int pins_find(struct pins *pins, const char *onion, struct pin *out, struct error *err);

/* Whether a session in which this key ("": none) was shown may carry no mail. */
bool pin_is_violated(const struct pin *pin, const char *key);

/* Whether an address with this label may have mail over a session with this key: it fits the key, or one that the owner
 * has since accepted this key for. pin is that of the onion, NULL: there is none. 1, 0 or -1. */
int pins_label_fits(struct pins *pins, const struct pin *pin, struct slice label, const char *key, struct error *err);

/* Mail goes to the onion over a session with this key: takes it for the onion's own, if it is the first; raises the
 * trust in it. label_letters: of the longest label of the recipients. Writes nothing when nothing changes. Not for a key
 * that violates the pin. 1: there was another one, which was only noted; 0; -1. */
int pins_use(struct pins *pins, const char *onion, const char *key, bool is_smtorp, unsigned label_letters,
    int64_t now_s, struct error *err);

/* The onion's key has signed that this is its TLS key (a card): mail is held to it as if it had been shown, with PIN_FIRST_USE, or stood in full in an
 * address, with PIN_LABEL. 1: mail is held to another one already, which stays; 0; -1. */
int pins_expect(struct pins *pins, const char *onion, const char *key, enum ipc_pin_trust trust, int64_t now_s, struct error *err);

/* The onion shows a key that violates its pin. */
int pins_violated(struct pins *pins, const char *onion, const char *shown, int64_t now_s, struct error *err);

/* The owner's orders. accept: the key that is shown now is the onion's; label, if not empty, must fit it: ERROR_DENIED.
 * Makes its own transaction. ERROR_NOT_FOUND; ERROR_INVALID: there is nothing to accept. */
int pins_accept(struct pins *pins, const char *onion, struct slice label, int64_t now_s, struct error *err);
int pins_forget(struct pins *pins, const char *onion, struct error *err); /* its own transaction; ERROR_NOT_FOUND */

/* Called for each pin above an id, in their order; false ends it. It must not change the pins. */
typedef bool pins_take(void *context, const struct pin *pin);
int pins_look(struct pins *pins, uint64_t after, pins_take *take, void *context, struct error *err);

/* A violation of which the owner has not been told. 1: *out is filled; 0: there is none. */
int pins_next_untold(struct pins *pins, struct pin *out, struct error *err);
/* The owner is told now, unless that has been done, or has become needless: then *is_first is false. */
int pins_tell(struct pins *pins, uint64_t id, bool *is_first, struct error *err);
