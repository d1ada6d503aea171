/* SPDX-License-Identifier: ISC */
#include "base/test_folder.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "store/database.h"
#include "store/journal.h"
#include "store/salvage.h"
#include "store/schema.h"

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
append(struct journal *j, uint32_t head_bytes, const char *head, const char *body)
{
	uint64_t sequence;
	unsigned char raw[4];
	encode_number(raw, head_bytes, 4);
	const struct slice parts[] = { slice_of(raw, 4), slice_of_string(head), slice_of_string(body) };
	assert_int_equal(journal_append(j, 1, 1, parts, 3, &sequence, NULL), 0);
}

/* A mail folder as it may be found, below the test's folder. Returns its descriptor. */
static int
make_folder(const char *name)
{
	struct journal *j;
	assert_int_equal(mkdir(name, 0700), 0);
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), journal_fd = -1;
	assert_int_equal(fchdir(fd), 0);
	assert_int_equal(mkdir("queue", 0700), 0);
	assert_int_equal(mkdir("staging", 0700), 0);
	write_file("mail.db", "junk");
	write_file("queue/0000000000000007", "Subject: queued\r\n\r\ntext\r\n");
	write_file("queue/strange", "not a message");
	write_file("staging/1700000000.M123000Q8Rabc.local,S=23,W=26", "Subject: staged\n\ntext\n");
	assert_int_equal(file_open_private_dir(fd, "journal", &journal_fd, NULL), 0);
	assert_int_equal(journal_open(journal_fd, 0, &j, NULL), 0);
	append(j, 4, "head", "Subject: journal\r\n\r\ntext\r\n");
	append(j, 4000000, "head", "a head that is longer than the record");
	assert_int_equal(journal_commit(j, NULL), 0);
	journal_free(j);
	close(journal_fd);
	return fd;
}

static void
everything_is_recovered_and_kept(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct salvage_report report;
	int fd = make_folder("whole");
	assert_int_equal(salvage_mail(fd, "damaged-1", &report, &err), 0);
	assert_int_equal(report.recovered, 3);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", NULL), 3);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", "Subject: queued\n\ntext\n"), 1);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", "Subject: staged\n\ntext\n"), 1);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", "Subject: journal\n\ntext\n"), 1);
	assert_int_equal(test_folder_count("Maildir/.Recovered/tmp", NULL), 0);
	assert_int_equal(test_folder_count("Maildir", "Recovered\n"), 1);
	assert_int_equal(access("damaged-1/mail.db", F_OK), 0);
	assert_int_equal(test_folder_count("damaged-1/queue", NULL), 2);
	assert_int_equal(access("mail.db", F_OK), -1);
	assert_int_equal(access("journal", F_OK), -1);
	assert_int_equal(salvage_mail(fd, "damaged-1", &report, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	close(fd);
	assert_int_equal(chdir(test_folder), 0);
}

static void
an_interrupted_one_puts_nothing_there_twice(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct salvage_report report;
	int fd = make_folder("again");
	write_file("damaged-1", "in the way of the folder, which is found late");
	assert_int_equal(salvage_mail(fd, "damaged-1/x", &report, &err), -1);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", NULL), 3);
	assert_int_equal(access("mail.db", F_OK), 0);
	assert_int_equal(salvage_mail(fd, "damaged-2", &report, &err), 0);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", NULL), 3);
	close(fd);
	assert_int_equal(chdir(test_folder), 0);
}

/* ---- what is damaged itself */

#define RECORDS 5

#define FORMER 300

static bool is_used_again; /* the segment, so that records of its former use stand behind those that count */

static struct journal *
use_before(struct journal *j, int journal_fd)
{
	for (int i = 0; i < FORMER; i++)
		append(j, 4, "head", "Subject: delivered\r\n\r\ntext\r\n");
	assert_int_equal(journal_commit(j, NULL), 0);
	journal_free(j);
	assert_int_equal(journal_open(journal_fd, FORMER + 1, &j, NULL), 0);
	return j;
}

/* A folder whose journal has one segment with five messages; overwrites len bytes of it at offset. Returns the folder. */
static int
make_damaged(const char *name, off_t offset, size_t len)
{
	struct journal *j;
	char body[64], junk[64];
	assert_int_equal(mkdir(name, 0700), 0);
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), journal_fd = -1;
	assert_int_equal(fchdir(fd), 0);
	assert_int_equal(file_open_private_dir(fd, "journal", &journal_fd, NULL), 0);
	assert_int_equal(journal_open(journal_fd, 0, &j, NULL), 0);
	if (is_used_again)
		j = use_before(j, journal_fd);
	for (int i = 0; i < RECORDS; i++) {
		snprintf(body, sizeof body, "Subject: number %d\r\n\r\ntext\r\n", i);
		append(j, 4, "head", body);
	}
	assert_int_equal(journal_commit(j, NULL), 0);
	journal_free(j);
	close(journal_fd);
	int segment_fd = open(is_used_again ? "journal/0000000000000002" : "journal/0000000000000001", O_RDWR | O_CLOEXEC);
	memset(junk, 'x', sizeof junk);
	assert_int_equal(pwrite(segment_fd, junk, len, offset), (ssize_t)len);
	close(segment_fd);
	return fd;
}

static struct salvage_report
salvage_and_leave(int fd)
{
	struct salvage_report report;
	struct error err = { 0 };
	if (salvage_mail(fd, "damaged-1", &report, &err) != 0)
		fail_msg("%s", err.text);
	close(fd);
	return report;
}

static void
only_the_damaged_record_of_a_journal_is_lost(void **state)
{
	(void)state;
	const size_t record = 64 + 40; /* 4 + 4 + 29, padded */
	for (int which = 0; which < RECORDS; which++)
		for (off_t at = 0; at < (off_t)record - 4; at += 24) {
			char name[32], lost[64];
			snprintf(name, sizeof name, "record-%d-%d-%d", is_used_again, which, (int)at);
			int fd = make_damaged(name, 64 + which * (off_t)record + at, 4);
			struct salvage_report report = salvage_and_leave(fd);
			assert_int_equal(report.recovered, RECORDS - 1);
			assert_int_equal(report.lost, 1);
			snprintf(lost, sizeof lost, "Subject: number %d\n\ntext\n", which);
			assert_int_equal(test_folder_count("Maildir/.Recovered/new", lost), 0);
			assert_int_equal(test_folder_count("damaged-1/journal", NULL), 1);
			assert_int_equal(chdir(test_folder), 0);
		}
}

static void
records_are_found_behind_a_damaged_header_but_not_without_what_proves_them(void **state)
{
	(void)state;
	for (off_t at = 0; at < 64; at += 8) {
		char name[32];
		snprintf(name, sizeof name, "header-%d-%d", is_used_again, (int)at);
		struct salvage_report report = salvage_and_leave(make_damaged(name, at, 8));
		bool is_salt = at == 32 || at == 40;
		assert_int_equal(report.recovered, is_salt ? 0 : RECORDS);
		if (is_salt)
			assert_true(report.lost >= RECORDS);
		else
			assert_int_equal(report.lost, 0);
		assert_int_equal(chdir(test_folder), 0);
	}
}

static void
what_a_former_use_has_left_is_neither_recovered_nor_lost(void **state)
{
	is_used_again = true;
	only_the_damaged_record_of_a_journal_is_lost(state);
	records_are_found_behind_a_damaged_header_but_not_without_what_proves_them(state);
	is_used_again = false;
}

/* What is there only to be filled again was delivered long ago. */
static void
nothing_is_recovered_from_a_spare(void **state)
{
	(void)state;
	struct journal *j;
	int journal_fd = -1;
	assert_int_equal(mkdir("spare", 0700), 0);
	int fd = open("spare", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_open_private_dir(fd, "journal", &journal_fd, NULL), 0);
	assert_int_equal(journal_open(journal_fd, 0, &j, NULL), 0);
	journal_free(use_before(j, journal_fd));
	close(journal_fd);
	assert_int_equal(test_folder_count("spare/journal", NULL), 1);
	struct salvage_report report = salvage_and_leave(fd);
	assert_int_equal(report.recovered, 0);
	assert_int_equal(report.lost, 0);
}

static void
what_cannot_be_opened_or_was_cut_does_not_hold_up_the_rest(void **state)
{
	(void)state;
	int fd = make_folder("obstacles");
	write_file("journal/00000000000000ff", "short");
	assert_int_equal(symlink("nowhere", "queue/0000000000000005"), 0);
	struct salvage_report report = salvage_and_leave(fd);
	assert_int_equal(report.recovered, 3);
	assert_int_equal(report.lost, 2);
	assert_int_equal(chdir(test_folder), 0);
}

static void
with_a_whole_database_only_set_aside_parts_are_moved(void **state)
{
	(void)state;
	struct database *db;
	int fd = make_damaged("aside", 0, 8);
	assert_int_equal(database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &db, NULL), 0);
	database_close(db);
	assert_int_equal(mkdir("queue", 0700), 0);
	write_file("queue/0000000000000007", "Subject: queued\r\n\r\ntext\r\n");
	assert_int_equal(rename("journal/0000000000000001", "journal/0000000000000001.damaged"), 0);
	struct salvage_report report = salvage_and_leave(fd);
	assert_true(report.is_whole);
	assert_int_equal(report.recovered, RECORDS);
	assert_int_equal(access("damaged-1/0000000000000001.damaged", F_OK), 0);
	assert_int_equal(access("journal/0000000000000001.damaged", F_OK), -1);
	assert_int_equal(access("queue/0000000000000007", F_OK), 0);
	assert_int_equal(access("mail.db", F_OK), 0);
	assert_int_equal(access("salvaged.db", F_OK), -1);
	assert_int_equal(chdir(test_folder), 0);
}

static void
an_empty_folder_has_nothing(void **state)
{
	(void)state;
	struct salvage_report report;
	assert_int_equal(mkdir("empty", 0700), 0);
	int fd = open("empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(salvage_mail(fd, "damaged-1", &report, NULL), 0);
	assert_int_equal(report.recovered, 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_recovered_and_kept),
		cmocka_unit_test(an_interrupted_one_puts_nothing_there_twice),
		cmocka_unit_test(only_the_damaged_record_of_a_journal_is_lost),
		cmocka_unit_test(records_are_found_behind_a_damaged_header_but_not_without_what_proves_them),
		cmocka_unit_test(what_a_former_use_has_left_is_neither_recovered_nor_lost),
		cmocka_unit_test(nothing_is_recovered_from_a_spare),
		cmocka_unit_test(what_cannot_be_opened_or_was_cut_does_not_hold_up_the_rest),
		cmocka_unit_test(with_a_whole_database_only_set_aside_parts_are_moved),
		cmocka_unit_test(an_empty_folder_has_nothing),
	};
	return cmocka_run_group_tests_name("store/salvage", tests, test_folder_make, test_folder_remove);
}
