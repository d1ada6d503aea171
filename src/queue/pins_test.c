/* SPDX-License-Identifier: ISC */
#include "queue/test_queue.h"

#define F16 "abcdefghijklmnop"
#define KEY_A F16 F16 F16 "abca"
#define KEY_B "bbbbbbbb" F16 F16 "abcdefghijka"
#define KEY_C "cccccccc" F16 F16 "abcdefghijka"
#define PEER "b.onion"

static struct pins *
pins_of(struct fixture *f)
{
	return queue_pins(f->queue);
}

static struct pin
pin_of(struct fixture *f, const char *onion)
{
	struct pin pin = { 0 };
	assert_int_equal(pins_find(pins_of(f), onion, &pin, &err), 1);
	return pin;
}

static int
use(struct fixture *f, const char *key, bool is_smtorp, unsigned letters)
{
	return pins_use(pins_of(f), PEER, key, is_smtorp, letters, 1000, &err);
}

static void
the_first_key_of_a_node_is_held_to(void **state)
{
	struct fixture *f = *state;
	struct pin pin;
	assert_int_equal(pins_find(pins_of(f), PEER, &pin, &err), 0);
	assert_int_equal(use(f, KEY_A, true, 0), 0);
	close_queue(f); /* also after a restart */
	assert_int_equal(open_queue(f), 0);
	pin = pin_of(f, PEER);
	assert_string_equal(pin.fingerprint, KEY_A);
	assert_int_equal(pin.trust, PIN_FIRST_USE);
	assert_int_equal(pin.since_s, 1000);
	assert_int_equal(pin.changed_s, 0);
	assert_false(pin_is_violated(&pin, KEY_A));
	assert_true(pin_is_violated(&pin, KEY_B));
	assert_true(pin_is_violated(&pin, "")); /* nor may TLS be taken away */
	assert_int_equal(pins_find(pins_of(f), "c.onion", &pin, &err), 0);
}

static int
expect(struct fixture *f, const char *key, enum ipc_pin_trust trust)
{
	return pins_expect(pins_of(f), PEER, key, trust, 1000, &err);
}

static void
a_key_that_a_card_names_is_held_to_before_it_is_shown(void **state)
{
	struct fixture *f = *state;
	struct pin pin;
	assert_int_equal(expect(f, "", PIN_LABEL), 0); /* a card without one */
	assert_int_equal(pins_find(pins_of(f), PEER, &pin, &err), 0);
	assert_int_equal(use(f, KEY_B, false, 0), 0); /* what was noted gives way */
	assert_int_equal(expect(f, KEY_A, PIN_FIRST_USE), 0);
	pin = pin_of(f, PEER);
	assert_int_equal(pin.trust, PIN_FIRST_USE);
	assert_true(pin_is_violated(&pin, KEY_B));
	assert_false(pin_is_violated(&pin, KEY_A));
	assert_int_equal(expect(f, KEY_A, PIN_LABEL), 0); /* the owner has the card at hand */
	pin = pin_of(f, PEER);
	assert_int_equal(pin.trust, PIN_LABEL);
	assert_int_equal(pin.label_letters, IPC_FINGERPRINT_LEN);
	assert_int_equal(expect(f, KEY_C, PIN_LABEL), 1); /* no card moves what mail is held to */
	assert_string_equal(pin_of(f, PEER).fingerprint, KEY_A);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_C, 1001, &err), 0);
	assert_int_equal(expect(f, KEY_A, PIN_LABEL), 0);
	assert_string_equal(pin_of(f, PEER).shown, KEY_C); /* nor takes back what the owner is to see */
}

static void
a_key_of_another_server_is_only_noted(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(use(f, "", false, 0), 0); /* no TLS, nothing to note */
	struct pin pin;
	assert_int_equal(pins_find(pins_of(f), PEER, &pin, &err), 0);
	assert_int_equal(use(f, KEY_A, false, 0), 0);
	pin = pin_of(f, PEER);
	assert_int_equal(pin.trust, PIN_NOTED);
	assert_false(pin_is_violated(&pin, KEY_B));
	assert_false(pin_is_violated(&pin, ""));
	assert_int_equal(use(f, KEY_B, false, 0), 1);
	assert_string_equal(pin_of(f, PEER).fingerprint, KEY_B);
	assert_int_equal(use(f, KEY_B, false, 0), 0);
}

static void
a_label_that_fits_holds_to_the_whole_key(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(use(f, KEY_A, false, 8), 0);
	struct pin pin = pin_of(f, PEER);
	assert_int_equal(pin.trust, PIN_LABEL);
	assert_int_equal(pin.label_letters, 8);
	assert_string_equal(pin.fingerprint, KEY_A);
	assert_true(pin_is_violated(&pin, F16 F16 F16 "abcq")); /* which the 8 letters fit */
	assert_int_equal(use(f, KEY_A, true, 20), 0);
	assert_int_equal(use(f, KEY_A, true, 0), 0);
	pin = pin_of(f, PEER);
	assert_int_equal(pin.trust, PIN_LABEL);
	assert_int_equal(pin.label_letters, 20);
}

static void
the_owner_is_told_once_of_a_change(void **state)
{
	struct fixture *f = *state;
	struct pin pin;
	bool is_first;
	assert_int_equal(use(f, KEY_A, true, 0), 0);
	assert_int_equal(pins_next_untold(pins_of(f), &pin, &err), 0);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_B, 2000, &err), 0);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_B, 3000, &err), 0);
	assert_int_equal(pins_next_untold(pins_of(f), &pin, &err), 1);
	assert_string_equal(pin.shown, KEY_B);
	assert_string_equal(pin.fingerprint, KEY_A);
	assert_int_equal(pin.changed_s, 2000);
	assert_int_equal(pins_tell(pins_of(f), pin.id, &is_first, &err), 0);
	assert_true(is_first);
	assert_int_equal(pins_tell(pins_of(f), pin.id, &is_first, &err), 0);
	assert_false(is_first);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_C, 4000, &err), 0);
	assert_int_equal(pins_next_untold(pins_of(f), &pin, &err), 0);
	assert_string_equal(pin_of(f, PEER).shown, KEY_C); /* but it shows */
	assert_int_equal(use(f, KEY_A, true, 0), 0);        /* all is well again, */
	assert_int_equal(pin_of(f, PEER).changed_s, 0);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_B, 5000, &err), 0);
	assert_int_equal(pins_next_untold(pins_of(f), &pin, &err), 1); /* and a change is news */
	assert_int_equal(pins_forget(pins_of(f), PEER, &err), 0);
	assert_int_equal(pins_tell(pins_of(f), pin.id, &is_first, &err), 0);
	assert_false(is_first); /* it does not matter any more */
}

static int
fits(struct fixture *f, const char *label, const char *key)
{
	struct pin pin;
	bool found = pins_find(pins_of(f), PEER, &pin, &err) == 1;
	return pins_label_fits(pins_of(f), found ? &pin : NULL, slice_of_string(label), key, &err);
}

static void
what_the_owner_accepts_replaces_the_key(void **state)
{
	struct fixture *f = *state;
	struct slice none = slice_of("", 0);
	assert_int_equal(pins_accept(pins_of(f), PEER, none, 1, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(use(f, KEY_A, true, 8), 0);
	assert_int_equal(pins_accept(pins_of(f), PEER, none, 1, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(pins_violated(pins_of(f), PEER, "", 2000, &err), 0);
	assert_int_equal(pins_accept(pins_of(f), PEER, none, 1, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_B, 2000, &err), 0);
	assert_int_equal(pins_accept(pins_of(f), PEER, slice_of_string("cccccccc"), 1, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_string_equal(pin_of(f, PEER).fingerprint, KEY_A);
	assert_int_equal(fits(f, F16, KEY_B), 0);
	assert_int_equal(pins_accept(pins_of(f), PEER, slice_of_string("bbbbbbbb"), 4000, &err), 0);
	struct pin pin = pin_of(f, PEER);
	assert_string_equal(pin.fingerprint, KEY_B);
	assert_string_equal(pin.shown, "");
	assert_int_equal(pin.trust, PIN_ACCEPTED);
	assert_int_equal(pin.since_s, 4000);
	assert_int_equal(pin.changed_s, 0);
	/* addresses of before mean the new key, and no other */
	assert_int_equal(fits(f, F16, KEY_B), 1);
	assert_int_equal(fits(f, "bbbbbbbb", KEY_B), 1);
	assert_int_equal(fits(f, "cccccccc", KEY_B), 0);
	assert_int_equal(fits(f, F16, KEY_C), 0);
	assert_int_equal(fits(f, F16, KEY_A), 1); /* by the letters; but the pin is violated */
	assert_true(pin_is_violated(&pin, KEY_A));
}

static void
what_is_forgotten_begins_anew(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(pins_forget(pins_of(f), PEER, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(use(f, KEY_A, true, 0), 0);
	assert_int_equal(pins_violated(pins_of(f), PEER, KEY_B, 2000, &err), 0);
	assert_int_equal(pins_accept(pins_of(f), PEER, slice_of("", 0), 3000, &err), 0);
	assert_int_equal(pins_forget(pins_of(f), PEER, &err), 0);
	assert_int_equal(use(f, KEY_B, true, 0), 0);
	assert_int_equal(pin_of(f, PEER).trust, PIN_FIRST_USE);
	assert_int_equal(fits(f, F16, KEY_B), 0);
}

struct seen {
	char onions[8][IPC_ONION_MAX + 1];
	uint64_t last;
	size_t count, most;
};

static bool
see(void *context, const struct pin *pin)
{
	struct seen *seen = context;
	if (seen->count == seen->most)
		return false;
	strcpy(seen->onions[seen->count++], pin->onion);
	seen->last = pin->id;
	return true;
}

static void
pins_are_seen_in_order(void **state)
{
	struct fixture *f = *state;
	static const char *const onions[] = { "c.onion", "a.onion", "b.onion" };
	struct seen seen = { .most = 2 };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pins_use(pins_of(f), onions[i], KEY_A, i > 0, 0, 1, &err), 0);
	assert_int_equal(pins_look(pins_of(f), 0, see, &seen, &err), 0);
	assert_int_equal(seen.count, 2);
	seen.most = 8;
	assert_int_equal(pins_look(pins_of(f), seen.last, see, &seen, &err), 0);
	assert_int_equal(seen.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(seen.onions[i], onions[i]);
}

/* ---- the items in the queue */

static void
refuse(struct fixture *f, const char *onion, const bool *refused)
{
	struct queue_item item;
	struct buffer results;
	buffer_init(&results, 10000);
	assert_int_equal(queue_next_item(f->queue, onion, NOW, &item, &err), 1);
	for (size_t i = 0; i < item.recipient_count; i++) {
		struct pack_result r = { 0, slice_of_string(refused[i] ? "5.7.5" : ""), slice_of_string(refused[i] ? "no" : "") };
		assert_int_equal(pack_result(&results, &r, &err), 0);
	}
	assert_int_equal(queue_refuse(f->queue, onion, &item, slice_of(buffer_bytes(&results), buffer_len(&results)), &err), 0);
	buffer_finish(&results);
	queue_item_finish(&item);
}

static void
some_recipients_are_refused_and_the_others_go(void **state)
{
	struct fixture *f = *state;
	struct queue_bounce bounce;
	add(f, 3, 3, PEER, "alice@a.onion", 3, NOW);
	refuse(f, PEER, (const bool[]){ false, true, false });
	assert_int_equal(waiting(f, PEER, NOW), 2); /* at once */
	assert_int_equal(queue_next_bounce(f->queue, 0, &bounce, &err), 1);
	struct slice failures = slice_of(buffer_bytes(&bounce.failures), buffer_len(&bounce.failures)), mailbox;
	struct pack_result r;
	assert_true(pack_next_failure(&failures, &mailbox, &r));
	assert_true(slice_is(mailbox, "user1@" PEER));
	assert_int_equal(r.code, 0);
	assert_true(slice_is(r.enhanced, "5.7.5"));
	assert_false(pack_next_failure(&failures, &mailbox, &r));
	queue_bounce_finish(&bounce);
	refuse(f, PEER, (const bool[]){ true, true });
	assert_int_equal(waiting(f, PEER, NOW), 0);
	assert_int_equal(items(f), 1); /* for the bounce */
	add(f, 4, 4, PEER, "", 1, NOW);
	refuse(f, PEER, (const bool[]){ true });
	assert_int_equal(items(f), 1); /* nobody is told of a notification */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(the_first_key_of_a_node_is_held_to),
		WITH_QUEUE(a_key_that_a_card_names_is_held_to_before_it_is_shown),
		WITH_QUEUE(a_key_of_another_server_is_only_noted),
		WITH_QUEUE(a_label_that_fits_holds_to_the_whole_key),
		WITH_QUEUE(the_owner_is_told_once_of_a_change),
		WITH_QUEUE(what_the_owner_accepts_replaces_the_key),
		WITH_QUEUE(what_is_forgotten_begins_anew),
		WITH_QUEUE(pins_are_seen_in_order),
		WITH_QUEUE(some_recipients_are_refused_and_the_others_go),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
