/* SPDX-License-Identifier: ISC
 *
 * The folders Waiting and Delivered of the real executable (its path is the argument), also when it dies.
 */
#include <dirent.h>
#include <errno.h>

#include "daemon/test_mail.h"

static const char message[] = "Subject: out\r\n\r\nHello\r\n";

#define WAITING "Maildir/.Waiting/cur"
#define DELIVERED "Maildir/.Delivered/cur"

static void
make_folders(void)
{
	static const char *const names[] = { "Maildir/.Waiting", WAITING, "Maildir/.Delivered", DELIVERED };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(mkdir(names[i], 0700), 0);
}

/* A copy with this mark is asked for. */
static void
expect_note(struct mail_process *p, const char *mark)
{
	struct ipc_message m = next_to_content(p, IPC_TYPE_COMPOSE_NOTE);
	assert_string_equal(m.compose_note.mark, mark);
}

/* A message to bob waits and is shown, in a process that has died since. */
static void
begin_with_one_that_waits(struct mail_process *p)
{
	kill_process(p);
	keep_delivered_s = 3600;
	launch(p);
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	make_folders();
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_OFFLINE);
	expect_note(p, "offline");
	await_files(WAITING, "Subject: copy", 1);
	kill_process(p);
}

static void
deliver_to_bob(struct mail_process *p)
{
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	assert_true(slice_is(m.deliver.body, SIGNED "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	answer_delivery(p, session, m.deliver.delivery_id, 250);
}

static void
what_waits_is_shown_and_moves(void **state)
{
	struct mail_process *p = *state;
	begin_with_one_that_waits(p);
	launch(p);
	deliver_to_bob(p);
	give_content(p);
	expect_note(p, "");
	await_files(DELIVERED, "Subject: copy", 1);
	await_files(WAITING, NULL, 0);
	await_files("queue", NULL, 0);
	keep_delivered_s = 0; /* and none is kept any more */
	kill_process(p);
	launch(p);
	await_files(DELIVERED, NULL, 0);
}

/* The process dies between writing the copy and forgetting about it. */
static void
a_copy_that_is_in_delivered_is_not_written_again(void **state)
{
	struct mail_process *p = *state;
	char from[400], to[400];
	begin_with_one_that_waits(p);
	DIR *dir = opendir(WAITING);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.') {
			snprintf(from, sizeof from, WAITING "/%s", entry->d_name);
			snprintf(to, sizeof to, DELIVERED "/%s", entry->d_name);
		}
	closedir(dir);
	launch(p);
	deliver_to_bob(p);
	give_content(p);
	struct ipc_message m = test_role_next(&p->role, p->content, IPC_TYPE_COMPOSE_NOTE);
	assert_string_equal(m.compose_note.mark, "");
	assert_int_equal(link(from, to), 0);
	kill_process(p);
	launch(p);
	await_files("queue", NULL, 0); /* without any content */
	await_files(WAITING, NULL, 0);
	assert_int_equal(test_folder_count(DELIVERED, NULL), 1);
	keep_delivered_s = 0;
}

static void
a_large_message_is_shown_without_its_content(void **state)
{
	struct mail_process *p = *state;
	char *large = malloc(LARGE_BYTES);
	assert_non_null(large);
	memset(large, 'x', LARGE_BYTES);
	memcpy(large, "Subject: large\r\n\r\n", 18);
	submit(p, 1, "bob@" BOB, slice_of(large, LARGE_BYTES));
	free(large);
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_OFFLINE);
	struct ipc_message m = test_role_next(&p->role, p->content, IPC_TYPE_COMPOSE_NOTE);
	assert_int_equal(m.fd, -1); /* nothing of it travels but what is inline */
	assert_true(m.compose_note.is_cut && m.compose_note.body.len == IPC_BODY_INLINE_MAX);
	assert_memory_equal(m.compose_note.body.data, SIGNED "Prepared: yes\r\nSubject: large\r\n", 31 + strlen(SIGNED));
	assert_non_null(memmem(m.compose_note.text.data, m.compose_note.text.len, "(3.0 MiB)", 9));
}

/* Whatever the owner does to the folders, it is no matter for the mail. */
static void
folders_that_are_none_hold_nothing_up(void **state)
{
	struct mail_process *p = *state;
	kill_process(p);
	keep_delivered_s = 3600;
	assert_true(mkdir("Maildir", 0700) == 0 || errno == EEXIST);
	assert_int_equal(mknod("Maildir/.Waiting", S_IFREG | 0600, 0), 0);
	assert_int_equal(mknod("Maildir/.Delivered", S_IFREG | 0600, 0), 0);
	launch(p);
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_OFFLINE);
	deliver_to_bob(p);
	await_files_of(p, "queue", NULL, 0);
	keep_delivered_s = 0;
}

int
main(int argc, char **argv)
{
#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)
	const struct CMUnitTest tests[] = {
		WITH_MAIL(what_waits_is_shown_and_moves),
		WITH_MAIL(a_copy_that_is_in_delivered_is_not_written_again),
		WITH_MAIL(a_large_message_is_shown_without_its_content),
		WITH_MAIL(folders_that_are_none_hold_nothing_up),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
