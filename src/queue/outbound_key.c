/* SPDX-License-Identifier: ISC
 *
 * The TLS key of a session, held against the peer's pin and against the labels of addresses, before an octet of a
 * message leaves (doc/spec/pins.md).
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "queue/dispatch_internal.h"

#define REFUSAL_BYTES 512 /* a packed refusal takes less */

static const char wrong_key[] = "Nothing was sent, because the server that answers has another TLS key than this address names. "
    "Either the address is wrong, or somebody in possession of the onion's key, or in between, answers in its place. Do not send it "
    "again to a shorter address.";
static const char no_key[] = "Nothing was sent, because this address names a TLS key and the server that answers shows none. Either "
    "the address is wrong, or somebody in possession of the onion's key, or in between, answers in its place. Do not send it "
    "again to a shorter address.";

static struct queue *
queue_of(struct outbound *s)
{
	return mailstore_queue(s->dispatch->mailstore);
}

void
outbound_set_key(struct outbound *s, struct slice hash)
{
	static_assert(ENCODE_BASE32_LEN(IPC_KEY_HASH_BYTES) < sizeof s->key, "it fits");
	s->key[0] = '\0';
	if (hash.len == IPC_KEY_HASH_BYTES)
		encode_base32(s->key, hash.data, hash.len);
}

int
outbound_find_resumable(struct outbound *s, struct session_kept *out, struct error *err)
{
	struct pin pin;
	if (s->port != PEERS_PORT_SMTORP)
		return 0;
	int found = pins_find(queue_pins(queue_of(s)), s->onion, &pin, err);
	if (found < 0)
		return -1;
	if (found == 0 || pin.trust == PIN_NOTED || pin.changed_s != 0) {
		sessions_forget(s->dispatch->resumable, s->onion);
		return 0;
	}
	return sessions_find(s->dispatch->resumable, s->onion, pin.fingerprint, clock_wall_s(), out);
}

int
outbound_has_wrong_key(struct outbound *s, struct error *err)
{
	struct pin pin;
	int found = pins_find(queue_pins(queue_of(s)), s->onion, &pin, err);
	if (found != 1)
		return found;
	if (!pin_is_violated(&pin, s->key))
		return 0;
	log_warn("an onion shows another TLS key than the one that its mail is held to");
	return pins_violated(queue_pins(queue_of(s)), s->onion, s->key, clock_wall_s(), err) != 0 ? -1 : 1;
}

/* ---- labels */

int
outbound_pack_for_wire(const struct outbound *s, const struct queue_item *item, struct buffer *out, struct error *err)
{
	struct slice list = slice_of(buffer_bytes(&item->recipients), buffer_len(&item->recipients)), mailbox;
	while (pack_next(&list, &mailbox)) {
		char plain[IPC_MAILBOX_MAX + 1];
		size_t label_len = address_label_of(mailbox, s->onion).len, onion_len = strlen(s->onion);
		if (label_len > 0 && mailbox.len <= IPC_MAILBOX_MAX) {
			size_t front = mailbox.len - label_len - 1 - onion_len;
			memcpy(plain, mailbox.data, front);
			memcpy(plain + front, s->onion, onion_len);
			mailbox = slice_of(plain, front + onion_len);
		}
		if (pack_string(out, mailbox, err) != 0)
			return -1;
	}
	return 0;
}

/* A result for each recipient: without a status where the label fits, or there is none. 0, or -1. */
static int
judge(struct outbound *s, const struct queue_item *item, const struct pin *pin, struct buffer *results, size_t *refused,
    size_t *longest, struct error *err)
{
	const struct pack_result leave = { 0 };
	const struct pack_result refuse = { 0, slice_of_string("5.7.5"),
		slice_of_string(s->key[0] != '\0' ? wrong_key : no_key) };
	struct slice list = slice_of(buffer_bytes(&item->recipients), buffer_len(&item->recipients)), mailbox;
	while (pack_next(&list, &mailbox)) {
		struct slice label = address_label_of(mailbox, s->onion);
		int fits = label.len == 0 ? 1 : pins_label_fits(queue_pins(queue_of(s)), pin, label, s->key, err);
		if (fits < 0 || pack_result(results, fits ? &leave : &refuse, err) != 0)
			return -1;
		*refused += !fits;
		if (fits && label.len > *longest && address_label_fits(label, s->key))
			*longest = label.len;
	}
	return 0;
}

enum outbound_fitness
outbound_check_item(struct outbound *s, const struct queue_item *item, struct error *err)
{
	struct pins *pins = queue_pins(queue_of(s));
	struct buffer results;
	struct pin pin;
	size_t refused = 0, longest = 0;
	enum outbound_fitness fitness = OUTBOUND_CHECK_FAILED;
	int found = pins_find(pins, s->onion, &pin, err);
	if (found < 0)
		return OUTBOUND_CHECK_FAILED;
	if (found == 1 && pin_is_violated(&pin, s->key))
		return OUTBOUND_KEY_IS_OLD;
	buffer_init(&results, (item->recipient_count + 1) * REFUSAL_BYTES);
	if (judge(s, item, found == 1 ? &pin : NULL, &results, &refused, &longest, err) != 0)
		goto out;
	if (refused > 0 && s->is_early) {
		fitness = OUTBOUND_KEY_IS_OLD; /* before this is said to anybody, the peer shows what key it has now */
		goto out;
	}
	if (refused > 0) {
		log_warn("an address names another TLS key than the onion shows: it gets nothing");
		if (queue_refuse(queue_of(s), s->onion, item, slice_of(buffer_bytes(&results), buffer_len(&results)), err) == 0)
			fitness = OUTBOUND_REFUSED_SOME;
		goto out;
	}
	int used = pins_use(pins, s->onion, s->key, s->port == PEERS_PORT_SMTORP, (unsigned)longest, clock_wall_s(), err);
	if (used > 0)
		log_info("a server on port 25 has another TLS key than before; that is only noted");
	if (used >= 0)
		fitness = OUTBOUND_ITEM_FITS;
out:
	buffer_finish(&results);
	return fitness;
}
