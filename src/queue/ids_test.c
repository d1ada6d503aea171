/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "queue/ids.h"
#include "store/salvage.h"
#include "store/schema.h"

#define ONION "efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"

struct identity {
	struct database *db;
	struct ids *ids;
};

static void
open_identity(const char *path, struct identity *out)
{
	assert_int_equal(database_open(path, true, schema_versions, SCHEMA_VERSIONS, &out->db, NULL), 0);
	assert_int_equal(ids_open(out->db, &out->ids, NULL), 0);
}

static void
close_identity(struct identity *identity)
{
	ids_free(identity->ids);
	database_close(identity->db);
}

static int
enter(void **state)
{
	(void)state;
	return mkdir("ids", 0700) != 0 || chdir("ids") != 0 ? -1 : 0;
}

static int
leave(void **state)
{
	(void)state;
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "ids", NULL);
}

/* What a message with these fields leaves with: "letters", and the map as text. Remembered when it is accepted. */
static void
send_message(struct identity *identity, const char *message, bool is_accepted, char letters[27], char map[4096])
{
	struct ids_leaving leaving;
	assert_int_equal(ids_leave(identity->ids, slice_of_string(message), ONION, &leaving, NULL), 0);
	strcpy(letters, leaving.letters);
	assert_int_equal(strspn(letters, "abcdefghijklmnopqrstuvwxyz234567"), THREADS_LETTERS);
	slice_to_string(slice_of(buffer_bytes(&leaving.map), buffer_len(&leaving.map)), map, 4096);
	if (is_accepted)
		assert_int_equal(ids_keep(identity->ids, slice_of(buffer_bytes(&leaving.kept), buffer_len(&leaving.kept)), NULL), 0);
	ids_leaving_finish(&leaving);
}

static int
receive(struct identity *identity, const char *message)
{
	struct ids_received received;
	ids_find_received(identity->ids, slice_of_string(message), &received);
	return ids_receive(identity->ids, &received, NULL);
}

static void
restore(struct identity *identity, const char *message, bool has_message_id, char out[4096])
{
	struct buffer front;
	size_t replaced;
	buffer_init(&front, THREADS_RESTORED_MAX_BYTES);
	assert_int_equal(ids_restore(identity->ids, slice_of_string(message), slice_of("", 0), has_message_id, &front, &replaced, NULL), 0);
	snprintf(out, 4096, "%.*s%s", (int)buffer_len(&front), (const char *)buffer_bytes(&front), message + replaced);
	buffer_finish(&front);
}

static void
an_own_id_has_one_name_outside_that_tells_nothing(void **state)
{
	(void)state;
	struct identity alice, work;
	char first[27], again[27], other[27], map[4096], field[4096];
	open_identity("alice.db", &alice);
	open_identity("work.db", &work);
	send_message(&alice, "Message-ID: <1@laptop>\r\n\r\n", false, first, map);
	send_message(&alice, "Message-ID: <1@laptop>\r\n\r\n", true, again, map);
	assert_string_equal(first, again); /* also while nothing is written down */
	close_identity(&alice);
	open_identity("alice.db", &alice);
	send_message(&alice, "Message-ID: <1@laptop>\r\n\r\n", true, again, map);
	assert_string_equal(first, again);
	send_message(&alice, "Message-ID: <2@laptop>\r\n\r\n", true, other, map);
	assert_string_not_equal(first, other);
	send_message(&work, "Message-ID: <1@laptop>\r\n\r\n", true, other, map);
	assert_string_not_equal(first, other); /* another identity */
	/* a reply to it */
	send_message(&alice, "Message-ID: <3@laptop>\r\nIn-Reply-To: <1@laptop>\r\n\r\n", true, other, map);
	snprintf(field, sizeof field, "<1@laptop> <%s@" ONION ">\n", first);
	assert_string_equal(map, field);
	close_identity(&alice);
	close_identity(&work);
}

static void
answers_find_their_way_back(void **state)
{
	(void)state;
	struct identity alice, work;
	char letters[27], map[4096], answer[4096], back[4096];
	open_identity("alice.db", &alice);
	open_identity("work.db", &work);
	send_message(&alice, "Message-ID: <1@laptop>\r\n\r\n", true, letters, map);
	snprintf(answer, sizeof answer, "Message-ID: <%s@" ONION ">\r\nReferences: <%s@" ONION ">\r\n\r\ntext", letters, letters);
	restore(&alice, answer, true, back);
	assert_string_equal(back, "Message-ID: <1@laptop>\r\nReferences: <1@laptop>\r\n\r\ntext");
	restore(&alice, answer, false, back);
	assert_int_equal(memcmp(back, answer, 100), 0); /* the stranger's own */
	assert_non_null(strstr(back, "References: <1@laptop>\r\n"));
	restore(&work, answer, true, back);
	assert_string_equal(back, answer);
	close_identity(&alice);
	close_identity(&work);
}

static void
what_was_received_stays_and_all_else_is_named_anew(void **state)
{
	(void)state;
	struct identity alice, work;
	char letters[27], map[4096];
	open_identity("alice.db", &alice);
	open_identity("work.db", &work);
	assert_int_equal(receive(&alice, "Message-ID: <1@bob>\r\nReferences: <0@carol>\r\n\r\n<9@x>"), 0);
	send_message(&alice, "References: <0@carol> <1@bob> <0@carol> <9@x>\r\n\r\n", true, letters, map);
	assert_ptr_equal(strstr(map, "<0@carol> <0@carol>\n<1@bob> <1@bob>\n<9@x> <"), map);
	assert_non_null(strstr(map, "@" ONION ">\n"));
	/* the same answer, written by mistake as somebody else: neither can be told from what was never seen */
	send_message(&work, "References: <0@carol> <1@bob>\r\n\r\n", true, letters, map);
	assert_null(strstr(map, "> <0@carol>"));
	assert_null(strstr(map, "> <1@bob>"));
	close_identity(&alice);
	close_identity(&work);
}

static void
a_stranger_can_have_only_some_ids_remembered(void **state)
{
	(void)state;
	struct identity alice;
	char letters[27], map[4096];
	static const char references[] = "References: <1@b> <2@b> <3@b> <4@b> <5@b> <6@b> <7@b> <8@b>\r\n";
	char message[200];
	open_identity("alice.db", &alice);
	snprintf(message, sizeof message, "Message-ID: <9@b>\r\nIn-Reply-To: <0@b> <8@b>\r\n%s\r\n", references);
	assert_int_equal(receive(&alice, message), 0);
	snprintf(message, sizeof message, "In-Reply-To: <9@b> <0@b>\r\n%s\r\n", references);
	send_message(&alice, message, true, letters, map);
	for (int i = 0; i < 10; i++) {
		char line[32];
		snprintf(line, sizeof line, "<%d@b> <%d@b>\n", i, i);
		assert_int_equal(strstr(map, line) != NULL, i <= 1 || i >= 6);
	}
	close_identity(&alice);
}

static void
what_a_stranger_claims_changes_no_name(void **state)
{
	(void)state;
	struct identity alice;
	char letters[27], again[27], map[4096], forged[4096], back[4096];
	open_identity("alice.db", &alice);
	send_message(&alice, "Message-ID: <1@laptop>\r\n\r\n", true, letters, map);
	snprintf(forged, sizeof forged, "Message-ID: <%s@" ONION ">\r\nIn-Reply-To: <%s@" ONION ">\r\n\r\n", letters, letters);
	assert_int_equal(receive(&alice, forged), 0);
	restore(&alice, forged, false, back);
	assert_non_null(strstr(back, "In-Reply-To: <1@laptop>\r\n"));
	send_message(&alice, "Message-ID: <1@laptop>\r\n\r\n", true, again, map);
	assert_string_equal(letters, again);
	close_identity(&alice);
}

static void
a_message_without_an_id_gets_a_random_one(void **state)
{
	(void)state;
	struct identity alice;
	char letters[27], other[27], map[4096], message[4096], back[4096];
	open_identity("alice.db", &alice);
	send_message(&alice, "Subject: x\r\n\r\n", true, letters, map);
	send_message(&alice, "Subject: x\r\n\r\n", true, other, map);
	assert_string_not_equal(letters, other);
	snprintf(message, sizeof message, "References: <%s@" ONION ">\r\n\r\n", letters);
	restore(&alice, message, true, back);
	assert_string_equal(back, message);
	send_message(&alice, message, true, other, map);
	const size_t len = THREADS_LETTERS + 1 + strlen(ONION) + 2; /* it is public: it stays */
	assert_int_equal(strncmp(map, message + strlen("References: "), len), 0);
	assert_int_equal(strncmp(map + len + 1, message + strlen("References: "), len), 0);
	close_identity(&alice);
}

static void
the_longest_thread_fits(void **state)
{
	(void)state;
	struct identity alice;
	struct ids_leaving leaving;
	static char message[64000];
	char *at = message;
	open_identity("alice.db", &alice);
	for (int i = 0; i < 60; i++) {
		at += sprintf(at, "%s: <%02d", i == 0 ? "Message-ID" : i < 10 ? "In-Reply-To" : "References", i);
		memset(at, 'x', 250 - 4);
		at += 250 - 4;
		at += sprintf(at, ">\r\n");
	}
	assert_int_equal(ids_leave(alice.ids, slice_of_string(message), ONION, &leaving, NULL), 0);
	assert_int_equal(ids_keep(alice.ids, slice_of(buffer_bytes(&leaving.kept), buffer_len(&leaving.kept)), NULL), 0);
	ids_leaving_finish(&leaving);
	assert_int_equal(receive(&alice, message), 0);
	assert_int_equal(ids_leave(alice.ids, slice_of_string(message), ONION, &leaving, NULL), 0);
	ids_leaving_finish(&leaving);
	close_identity(&alice);
}

enum { SENT = 3000 };

/* How many of the messages that were sent an answer still finds. */
static int
count_restored(struct identity *alice, char letters[SENT][27])
{
	char message[4096], back[4096];
	int count = 0;
	for (int i = 0; i < SENT; i++) {
		snprintf(message, sizeof message, "References: <%.26s@" ONION ">\r\n\r\n", letters[i]);
		restore(alice, message, false, back);
		count += strstr(back, "@laptop>") != NULL;
	}
	return count;
}

static void
a_repair_keeps_what_can_be_read(void **state)
{
	(void)state;
	static char letters[SENT][27];
	for (int is_damaged = 0; is_damaged < 2; is_damaged++) {
		struct identity alice;
		struct stat st;
		char map[4096], message[100], again[27];
		struct salvage_report messages;
		open_identity("mail.db", &alice);
		assert_int_equal(database_begin(alice.db, NULL), 0);
		for (int i = 0; i < SENT; i++) {
			snprintf(message, sizeof message, "Message-ID: <%d@laptop>\r\n\r\n", i);
			send_message(&alice, message, true, letters[i], map);
		}
		assert_int_equal(database_commit(alice.db, NULL), 0);
		close_identity(&alice);
		int fd = open("mail.db", O_RDWR | O_CLOEXEC), dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0 && dir_fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 40 * 4096);
		memset(map, 0xff, sizeof map);
		if (is_damaged) /* a page of the table, behind the first one of each other table */
			assert_int_equal(pwrite(fd, map, sizeof map, st.st_size / 4096 * 3 / 4 * 4096), sizeof map);
		close(fd);
		assert_int_equal(salvage_mail(dir_fd, is_damaged ? "two" : "one", &messages, NULL), 0);
		close(dir_fd);
		assert_int_equal(access("salvaged.db", F_OK), -1);
		assert_int_equal(access("mail.db.new", F_OK), -1);
		open_identity("mail.db", &alice); /* which is whole */
		int count = count_restored(&alice, letters);
		assert_true(is_damaged ? count >= SENT / 2 && count < SENT : count == SENT);
		send_message(&alice, "Message-ID: <7@laptop>\r\n\r\n", true, again, map);
		assert_string_equal(again, letters[7]);
		close_identity(&alice);
		assert_int_equal(unlink("mail.db"), 0);
	}
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_own_id_has_one_name_outside_that_tells_nothing, enter, leave),
		cmocka_unit_test_setup_teardown(answers_find_their_way_back, enter, leave),
		cmocka_unit_test_setup_teardown(what_was_received_stays_and_all_else_is_named_anew, enter, leave),
		cmocka_unit_test_setup_teardown(a_stranger_can_have_only_some_ids_remembered, enter, leave),
		cmocka_unit_test_setup_teardown(what_a_stranger_claims_changes_no_name, enter, leave),
		cmocka_unit_test_setup_teardown(a_message_without_an_id_gets_a_random_one, enter, leave),
		cmocka_unit_test_setup_teardown(the_longest_thread_fits, enter, leave),
		cmocka_unit_test_setup_teardown(a_repair_keeps_what_can_be_read, enter, leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
