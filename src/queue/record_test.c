/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ipc/pack.h"
#include "queue/record.h"

static void
pack(struct buffer *list, const char *one, const char *two)
{
	buffer_init(list, 1000);
	assert_int_equal(pack_string(list, slice_of_string(one), NULL), 0);
	if (two != NULL)
		assert_int_equal(pack_string(list, slice_of_string(two), NULL), 0);
}

/* Encodes, decodes into *back (which borrows from *bytes), and sees that no shorter head passes for another. */
static void
go_round(const struct record *r, struct buffer *bytes, struct record *back)
{
	struct error err = { 0 };
	buffer_init(bytes, 10000);
	assert_int_equal(record_encode(r, bytes, &err), 0);
	const unsigned char *p = buffer_bytes(bytes);
	size_t len = (size_t)(p[0] | p[1] << 8);
	assert_int_equal(buffer_len(bytes), len + 4);
	for (size_t cut = 0; cut < 9 + 2 + 2; cut++)
		assert_int_equal(record_decode(r->type, slice_of(p + 4, cut), back, &err), -1);
	assert_int_equal(record_decode(r->type, slice_of(p + 4, len), back, &err), 0);
	assert_int_equal(back->flags, r->flags);
	assert_true(back->arrival_ms == r->arrival_ms);
	assert_true(slice_is(back->reverse_path, "alice@a.onion"));
}

static void
records_survive_the_trip(void **state)
{
	(void)state;
	struct buffer one, two, destinations, positions, bytes;
	struct record back;
	struct slice onion, recipients;
	uint32_t position;
	pack(&one, "bob@b.onion", NULL);
	pack(&two, "carol@c.onion", "carol+x@c.onion");
	struct record r = { .flags = 3, .arrival_ms = 1700000000123, .reverse_path = slice_of_string("alice@a.onion") };

	r.type = RECORD_RECEIVED;
	r.recipients = buffer_slice(&two);
	r.hash[0] = 1;
	r.hash[31] = 2;
	go_round(&r, &bytes, &back);
	assert_memory_equal(back.hash, r.hash, sizeof r.hash);
	assert_int_equal(back.recipients.len, buffer_len(&two));
	buffer_finish(&bytes);

	buffer_init(&destinations, 1000);
	assert_int_equal(record_add_destination(&destinations, slice_of_string("b.onion"), buffer_slice(&one), NULL), 0);
	assert_int_equal(record_add_destination(&destinations, slice_of_string("c.onion"), buffer_slice(&two), NULL), 0);
	assert_int_equal(record_add_destination(&destinations, slice_of_string("d.onion"), slice_of("", 0), NULL), -1);
	r.type = RECORD_SUBMITTED;
	r.destinations = buffer_slice(&destinations);
	r.ids = slice_of_string("<1@a.onion> <1@host>\n");
	go_round(&r, &bytes, &back);
	assert_true(slice_is(back.ids, "<1@a.onion> <1@host>\n"));
	r.ids = slice_of("", 0);
	assert_true(record_next_destination(&back.destinations, &onion, &recipients));
	assert_true(slice_is(onion, "b.onion"));
	assert_int_equal(recipients.len, buffer_len(&one));
	assert_true(record_next_destination(&back.destinations, &onion, &recipients));
	assert_true(slice_is(onion, "c.onion"));
	assert_memory_equal(recipients.data, buffer_bytes(&two), buffer_len(&two));
	assert_false(record_next_destination(&back.destinations, &onion, &recipients));
	assert_int_equal(back.destinations.len, 0);
	buffer_finish(&bytes);

	buffer_init(&positions, 1000);
	assert_int_equal(record_add_position(&positions, 0, NULL), 0);
	assert_int_equal(record_add_position(&positions, 0x01020304, NULL), 0);
	r.type = RECORD_BOUNCE;
	r.item = 0x0102030405060708;
	r.positions = buffer_slice(&positions);
	go_round(&r, &bytes, &back);
	assert_true(back.item == r.item);
	assert_true(record_next_position(&back.positions, &position) && position == 0);
	assert_true(record_next_position(&back.positions, &position) && position == 0x01020304);
	assert_false(record_next_position(&back.positions, &position));
	buffer_finish(&bytes);
	buffer_finish(&positions);
	buffer_finish(&destinations);
	buffer_finish(&one);
	buffer_finish(&two);
}

static void
cut_destinations_are_seen(void **state)
{
	(void)state;
	struct buffer two, destinations;
	struct slice onion, recipients;
	pack(&two, "carol@c.onion", "carol+x@c.onion");
	buffer_init(&destinations, 1000);
	assert_int_equal(record_add_destination(&destinations, slice_of_string("c.onion"), buffer_slice(&two), NULL), 0);
	for (size_t cut = 1; cut < buffer_len(&destinations); cut++) {
		struct slice list = slice_of(buffer_bytes(&destinations), cut);
		assert_false(record_next_destination(&list, &onion, &recipients));
		assert_int_equal(list.len, cut);
	}
	buffer_finish(&destinations);
	buffer_finish(&two);
}

static void
the_hash_is_of_sender_recipients_and_bytes(void **state)
{
	(void)state;
	struct buffer forth, back, other, split;
	unsigned char first[32], hash[32];
	struct slice alice = slice_of_string("alice@a.onion"), body = slice_of_string("body");
	pack(&forth, "bob@b.onion", "carol@c.onion");
	pack(&back, "carol@c.onion", "bob@b.onion");
	pack(&other, "bob@b.onion", NULL);
	pack(&split, "bob@b.onioncarol@c.onion", NULL);
	assert_int_equal(record_hash(alice, buffer_slice(&forth), BODY_BORROWED(body), first, NULL), 0);
	assert_int_equal(record_hash(alice, buffer_slice(&back), BODY_BORROWED(body), hash, NULL), 0);
	assert_memory_equal(first, hash, sizeof hash);
	assert_int_equal(record_hash(alice, buffer_slice(&other), BODY_BORROWED(body), hash, NULL), 0);
	assert_memory_not_equal(first, hash, sizeof hash);
	assert_int_equal(record_hash(alice, buffer_slice(&split), BODY_BORROWED(body), hash, NULL), 0);
	assert_memory_not_equal(first, hash, sizeof hash);
	assert_int_equal(record_hash(slice_of_string(""), buffer_slice(&forth), BODY_BORROWED(body), hash, NULL), 0);
	assert_memory_not_equal(first, hash, sizeof hash);
	assert_int_equal(record_hash(alice, buffer_slice(&forth), BODY_BORROWED(slice_of_string("Body")), hash, NULL), 0);
	assert_memory_not_equal(first, hash, sizeof hash);
	assert_int_equal(record_hash(alice, slice_of("x", 1), BODY_BORROWED(body), hash, NULL), -1);
	assert_int_equal(record_hash(alice, slice_of("", 0), BODY_BORROWED(body), hash, NULL), -1);
	buffer_finish(&forth);
	buffer_finish(&back);
	buffer_finish(&other);
	buffer_finish(&split);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_survive_the_trip),
		cmocka_unit_test(cut_destinations_are_seen),
		cmocka_unit_test(the_hash_is_of_sender_recipients_and_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
