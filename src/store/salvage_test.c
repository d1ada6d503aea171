/* SPDX-License-Identifier: ISC */
#include "base/test_folder.h"

#include <sys/stat.h>

#include "base/encode.h"
#include "store/journal.h"
#include "store/salvage.h"

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
	write_file("staging/0000000000000008", "Subject: staged\n\ntext\n");
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
	size_t count = 0;
	int fd = make_folder("whole");
	assert_int_equal(salvage_mail(fd, "damaged-1", &count, &err), 0);
	assert_int_equal(count, 3);
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
	assert_int_equal(salvage_mail(fd, "damaged-1", &count, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	close(fd);
	assert_int_equal(chdir(test_folder), 0);
}

static void
an_interrupted_one_puts_nothing_there_twice(void **state)
{
	(void)state;
	struct error err = { 0 };
	size_t count;
	int fd = make_folder("again");
	write_file("damaged-1", "in the way of the folder, which is found late");
	assert_int_equal(salvage_mail(fd, "damaged-1/x", &count, &err), -1);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", NULL), 3);
	assert_int_equal(access("mail.db", F_OK), 0);
	assert_int_equal(salvage_mail(fd, "damaged-2", &count, &err), 0);
	assert_int_equal(test_folder_count("Maildir/.Recovered/new", NULL), 3);
	close(fd);
	assert_int_equal(chdir(test_folder), 0);
}

static void
an_empty_folder_has_nothing(void **state)
{
	(void)state;
	size_t count = 9;
	assert_int_equal(mkdir("empty", 0700), 0);
	int fd = open("empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(salvage_mail(fd, "damaged-1", &count, NULL), 0);
	assert_int_equal(count, 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_recovered_and_kept),
		cmocka_unit_test(an_interrupted_one_puts_nothing_there_twice),
		cmocka_unit_test(an_empty_folder_has_nothing),
	};
	return cmocka_run_group_tests_name("store/salvage", tests, test_folder_make, test_folder_remove);
}
