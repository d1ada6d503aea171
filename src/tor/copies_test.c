/* SPDX-License-Identifier: ISC
 *
 * The dialogue with a tor that answers as we like. (With a real tor: tests/system/test_copies.py.)
 */
#include <poll.h>

#include "base/encode.h"
#include "tor/copies.h"
#include "tor/test_control.h"

#define NAME "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define EVERY_MS 1 /* less than the dialogue of one look may take */
#define RELAY "0112233445566778899AABBCCDDEEFF001122334"
#define NOW "nownownownownownownownownownownownownownown"
#define NEXT "nextnextnextnextnextnextnextnextnextnextnex"
#define UPLOAD(descriptor) "650 HS_DESC UPLOAD " NAME " UNKNOWN $" RELAY "~relay " descriptor " HSDIR_INDEX=00\r\n"
#define UPLOADED "650 HS_DESC UPLOADED " NAME " UNKNOWN $" RELAY "~relay\r\n"
#define RECEIVED(descriptor) "650 HS_DESC RECEIVED " NAME " NO_AUTH $" RELAY "~relay " descriptor "\r\n"
#define FETCH_FAILED(descriptor) "650 HS_DESC FAILED " NAME " NO_AUTH $" RELAY "~relay " descriptor " REASON=NOT_FOUND\r\n"
#define ASKS "HSFETCH " NAME " SERVER=" RELAY "\r\n"
#define ASKS_SHOWN "GETINFO hs/client/desc/id/" NAME "\r\n"

static struct copies *copies;
static unsigned found;

static void
on_event(void *context, const struct control_reply *event)
{
	(void)context;
	copies_take_event(copies, control_reply_text(event, 0));
}

static void
on_found(void *context, const char *identity)
{
	(void)context;
	assert_string_equal(identity, "alice");
	found++;
}

/* Until something was said to tor; the loop has its own deadline: the test's. */
static void
wait_for_words(void)
{
	char octet;
	while (recv(tor_fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
		settle();
}

static int
set_up(void **state)
{
	(void)state;
	static const struct control_events events = { on_event, on_control_end };
	if (connect_control(&events) != 0)
		return -1;
	copies = copies_new(loop, control, on_found, NULL);
	found = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	copies_free(copies);
	disconnect_control();
	return 0;
}

static void
write_descriptor(char period, char publisher, unsigned revision, char *out, size_t room)
{
	unsigned char cert[140] = { 1, 8, [6] = 1, [39] = 1, [41] = 32, [42] = 4 };
	char letters[ENCODE_BASE64_LEN(sizeof cert) + 1];
	memset(cert + 7, publisher, 32);
	memset(cert + 44, period, 32);
	encode_base64(letters, cert, sizeof cert);
	snprintf(out, room, "hs-descriptor 3\r\ndescriptor-lifetime 180\r\ndescriptor-signing-key-cert\r\n-----BEGIN ED25519 CERT-----\r\n"
	    "%.64s\r\n%.64s\r\n%s\r\n-----END ED25519 CERT-----\r\nrevision-counter %u\r\nsuperencrypted\r\n", letters, letters + 64, letters + 128,
	    revision);
}

static void
tor_shows(char period, char publisher, unsigned revision)
{
	char descriptor[1024], answer[2048];
	write_descriptor(period, publisher, revision, descriptor, sizeof descriptor);
	snprintf(answer, sizeof answer, "250+hs/client/desc/id/" NAME "=\r\n%s.\r\n250 OK\r\n", descriptor);
	tor_says(answer);
}

/* One look: what a directory has. */
static void
look(char period, char publisher, unsigned revision)
{
	wait_for_words();
	tor_hears(ASKS);
	tor_says("250 OK\r\n" RECEIVED(NOW));
	tor_hears(ASKS_SHOWN);
	tor_shows(period, publisher, revision);
}

/* Ours, by publisher a with revision 7. */
static void
publish(void)
{
	tor_says(UPLOAD(NOW) UPLOADED);
	look('p', 'a', 7);
	look('p', 'a', 7);
}

static void
forget(void)
{
	copies_unwatch(copies, "alice");
	settle();
	char rest[2048];
	if (read(tor_fd, rest, sizeof rest) > 0) /* it may have begun the next look */
		tor_says("250 OK\r\n");
}

static void
a_copy_that_was_published_later_is_found(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 2; i++) {
		copies_watch(copies, "alice", NAME, EVERY_MS);
		publish();
		assert_int_equal(found, i - 1);
		look('p', 'b', 8);
		assert_int_equal(found, i);
		tor_hears(""); /* and is not watched any more */
	}
}

static void
a_look_that_outlasts_its_time_ends(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	publish();
	wait_for_words();
	tor_hears(ASKS);
	poll(NULL, 0, 3 * EVERY_MS); /* the next would be due */
	settle();
	tor_says("250 OK\r\n" RECEIVED(NOW));
	tor_hears(ASKS_SHOWN);
	poll(NULL, 0, 3 * EVERY_MS);
	settle();
	tor_shows('p', 'b', 8);
	assert_int_equal(found, 1);
}

static void
our_own_and_older_ones_are_none(void **state)
{
	(void)state;
	static const struct { char period, publisher; unsigned revision; } table[] = {
		{ 'p', 'a', 7 }, { 'p', 'a', 9 }, { 'p', 'b', 6 }, { 'p', 'b', 7 }, { 'q', 'b', 9 } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		copies_watch(copies, "alice", NAME, EVERY_MS);
		publish();
		look(table[i].period, table[i].publisher, table[i].revision);
		assert_int_equal(found, 0);
		forget();
	}
}

static void
nothing_is_asked_before_a_directory_has_taken_ours(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	tor_says(UPLOAD(NOW) UPLOAD(NEXT) UPLOADED);
	tor_hears("");
	tor_says(UPLOADED);
	look('p', 'a', 7);
}

static void
what_is_published_again_is_learned_again(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	publish();
	wait_for_words();
	tor_hears(ASKS);
	tor_says("250 OK\r\n" UPLOAD(NOW) UPLOADED RECEIVED(NOW)); /* which may be from before */
	look('p', 'c', 8); /* tor has drawn another key */
	look('p', 'c', 8);
	look('p', 'c', 9);
	assert_int_equal(found, 0);
	look('p', 'b', 9);
	assert_int_equal(found, 1);
}

static void
two_looks_agree_on_what_is_ours(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	tor_says(UPLOAD(NOW) UPLOADED);
	look('p', 'z', 5); /* what had been on its way for long */
	look('p', 'a', 7);
	assert_int_equal(found, 0);
	look('p', 'a', 7);
	look('p', 'b', 8);
	assert_int_equal(found, 1);
}

static void
a_new_time_period_has_its_own_descriptor(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	publish();
	tor_says(UPLOAD(NEXT) UPLOADED);
	wait_for_words();
	tor_hears(ASKS);
	tor_says("250 OK\r\n" RECEIVED(NEXT)); /* the period has begun */
	tor_hears(ASKS_SHOWN);
	tor_shows('q', 'd', 20);
	for (unsigned i = 0; i < 2; i++) {
		wait_for_words();
		tor_hears(ASKS);
		tor_says("250 OK\r\n" RECEIVED(NEXT));
		tor_hears(ASKS_SHOWN);
		assert_int_equal(found, 0);
		tor_shows('q', i == 0 ? 'd' : 'b', 20 + i);
	}
	assert_int_equal(found, 1);
}

static void
what_cannot_be_had_is_asked_for_again_later(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	publish();
	wait_for_words();
	tor_hears(ASKS);
	tor_says("250 OK\r\n" FETCH_FAILED(NOW));
	wait_for_words();
	tor_hears(ASKS);
	tor_says("250 OK\r\n" RECEIVED(NOW));
	tor_hears(ASKS_SHOWN);
	tor_says("250+hs/client/desc/id/" NAME "=\r\nnonsense\r\n.\r\n250 OK\r\n");
	assert_int_equal(found, 0);
	look('p', 'b', 8);
	assert_int_equal(found, 1);
}

static void
a_directory_that_tor_does_not_know_is_forgotten(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	tor_says(UPLOAD(NOW) UPLOADED);
	wait_for_words();
	tor_hears(ASKS);
	tor_says("552 no such relay\r\n");
	tor_hears("");
	publish();
}

static void
nobody_is_told_of_what_is_watched_no_more(void **state)
{
	(void)state;
	copies_watch(copies, "alice", NAME, EVERY_MS);
	publish();
	wait_for_words();
	tor_hears(ASKS);
	tor_says("250 OK\r\n" RECEIVED(NOW));
	tor_hears(ASKS_SHOWN);
	copies_unwatch(copies, "alice");
	tor_shows('p', 'b', 8);
	tor_hears("");
	assert_int_equal(found, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_that_was_published_later_is_found),
		TEST(a_look_that_outlasts_its_time_ends),
		TEST(our_own_and_older_ones_are_none),
		TEST(nothing_is_asked_before_a_directory_has_taken_ours),
		TEST(what_is_published_again_is_learned_again),
		TEST(two_looks_agree_on_what_is_ours),
		TEST(a_new_time_period_has_its_own_descriptor),
		TEST(what_cannot_be_had_is_asked_for_again_later),
		TEST(a_directory_that_tor_does_not_know_is_forgotten),
		TEST(nobody_is_told_of_what_is_watched_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
