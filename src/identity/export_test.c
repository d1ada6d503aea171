/* SPDX-License-Identifier: ISC */
#include "base/test_folder.h"

#include <stdio.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "identity/export.h"
#include "identity/import.h"
#include "identity/recovery.h"
#include "identity/tickets.h"

#define CHEAP ((struct seal_cost){ 1, SEAL_MEMORY_KIB_MIN })
#define PASSPHRASE slice_of_string("correct horse")
#define MESSAGE "mail/Maildir/cur/1:2,S"

static int here, there; /* the identities of two nodes */

static int
set_up(void **state)
{
	struct identity made;
	struct error err;
	(void)state;
	if (identity_open_all("here", true, &here, &err) != 0 || identity_open_all("there", true, &there, &err) != 0 ||
	    identity_create(here, "alice", "Alice", slice_of_string("secret word"), "2026-01-31", &made, &err) != 0)
		return -1;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(here);
	close(there);
	return file_remove_tree(AT_FDCWD, "here", NULL) | file_remove_tree(AT_FDCWD, "there", NULL) |
	    file_remove_tree(AT_FDCWD, "out", NULL);
}

static void
put_mail(void)
{
	static const char *const folders[] = { "mail/Maildir", "mail/Maildir/cur", "mail/Maildir/new", "mail/queue" };
	static char text[200000];
	struct error err;
	int dir;
	memset(text, 'x', sizeof text);
	assert_int_equal(identity_open(here, "alice", ".", &dir, &err), 0);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		assert_int_equal(mkdirat(dir, folders[i], 0700), 0);
	int fd = openat(dir, MESSAGE, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(file_write_all(fd, text, sizeof text, &err), 0);
	struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1600000000 } };
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	close(dir);
}

static int
write_out(struct error *err)
{
	int fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int result = export_identity(here, "alice", fd, PASSPHRASE, CHEAP, NULL, err);
	close(fd);
	return result;
}

static int
read_in(int identities_fd, const char *name, struct identity *out, struct error *err)
{
	int fd = open("out", O_RDONLY);
	int result = import_identity(identities_fd, name, fd, PASSPHRASE, NULL, out, err);
	close(fd);
	return result;
}

static unsigned
count(int dir_fd)
{
	unsigned found = 0;
	DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY));
	while (readdir(dir) != NULL)
		found++;
	closedir(dir);
	return found - 2;
}

static void
an_exported_identity_is_imported_whole(void **state)
{
	struct identity before, after;
	struct error err;
	struct stat st;
	char hash[PASSWORD_HASH_MAX];
	int dir;
	(void)state;
	put_mail();
	assert_int_equal(identity_open(here, "alice", ".", &dir, &err), 0);
	assert_int_equal(file_replace(dir, TICKETS_FILE, "x", 1, 0600, &err), 0); /* this one stays */
	close(dir);
	assert_int_equal(write_out(&err), 0);
	assert_int_equal(identity_load(here, "alice", &before, &err), 0);
	if (read_in(there, NULL, &after, &err) != 0)
		fail_msg("%s", err.text);
	assert_memory_equal(&before, &after, sizeof before);
	assert_int_equal(identity_load(there, "alice", &after, &err), 0);
	assert_memory_equal(&before, &after, sizeof before);
	assert_int_equal(identity_load_password_hash(there, "alice", hash, &err), 0);
	assert_true(password_verify(hash, slice_of_string("secret word")));
	assert_int_equal(identity_open(there, "alice", ".", &dir, &err), 0);
	assert_int_equal(fstatat(dir, MESSAGE, &st, 0), 0);
	assert_int_equal(st.st_size, 200000);
	assert_int_equal(st.st_mtime, 1600000000);
	assert_int_equal(st.st_mode, S_IFREG | 0600); /* whatever it was */
	assert_int_equal(fstatat(dir, "mail/queue", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(fstatat(dir, TICKETS_FILE, &st, 0), -1);
	assert_int_equal(fstatat(dir, RECOVERY_FILE, &st, 0), -1); /* it is in the file, and does not come out of it */
	close(dir);
	assert_int_equal(unlink("here/identities/alice/" TICKETS_FILE), 0);
	assert_int_equal(unlink("here/identities/alice/" RECOVERY_FILE), 0);
	int compared = system("diff -r here/identities/alice there/identities/alice");
	assert_int_equal(compared, 0);
}

/* They are of this machine; and whoever puts them into a file wants something of whoever reads it. */
static void
sessions_with_peers_are_left_behind(void **state)
{
	static const char *const names[] = { "mail/sessions.db", "mail/sessions.db-wal", "mail/Maildir/sessions.db" };
	struct identity identity;
	struct error err;
	struct stat st;
	int dir;
	(void)state;
	put_mail();
	assert_int_equal(identity_open(here, "alice", ".", &dir, &err), 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		close(openat(dir, names[i], O_WRONLY | O_CREAT, 0600));
	close(dir);
	assert_int_equal(write_out(&err), 0);
	assert_int_equal(read_in(there, NULL, &identity, &err), 0);
	assert_int_equal(identity_open(there, "alice", ".", &dir, &err), 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(fstatat(dir, names[i], &st, 0) == 0, i == 2);
	close(dir);
}

static void
an_identity_gets_another_name_but_no_second_copy(void **state)
{
	struct identity after;
	struct error err;
	(void)state;
	assert_int_equal(write_out(&err), 0);
	assert_int_equal(read_in(there, "work", &after, &err), 0);
	assert_string_equal(after.name, "work");
	assert_int_equal(read_in(there, "work", &after, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	assert_int_equal(read_in(there, "home", &after, &err), -1); /* the address is there */
	assert_int_equal(err.code, ERROR_EXISTS);
	assert_non_null(strstr(err.text, "work"));
	assert_int_equal(read_in(there, "../x", &after, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(count(there), 1);
}

static void
nothing_is_left_of_a_file_that_is_cut_off(void **state)
{
	struct identity after;
	struct error err;
	struct stat st;
	(void)state;
	put_mail();
	assert_int_equal(write_out(&err), 0);
	assert_int_equal(stat("out", &st), 0);
	for (off_t len = st.st_size - 1; len > 0; len -= 30000) {
		assert_int_equal(truncate("out", len), 0);
		assert_int_equal(read_in(there, NULL, &after, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_int_equal(count(there), 0);
	}
}

static void
links_and_sockets_are_not_exported(void **state)
{
	struct error err;
	int dir;
	(void)state;
	assert_int_equal(identity_open(here, "alice", ".", &dir, &err), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "mail/link"), 0);
	assert_int_equal(write_out(&err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_non_null(strstr(err.text, "mail/link"));
	close(dir);
}

/* A file that opens with the passphrase and says what its maker wants. */
static void
seal_entries(const struct archive_entry *entries, const char *const *bytes)
{
	unsigned char head[ARCHIVE_FIXED_BYTES + ARCHIVE_PATH_MAX];
	struct error err;
	size_t len;
	int fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct seal_writer *w = seal_writer_new(fd, PASSPHRASE, CHEAP, &err);
	for (size_t i = 0;; i++) {
		assert_int_equal(archive_encode(&entries[i], head, &len, &err), 0);
		assert_int_equal(seal_write(w, head, len, &err), 0);
		assert_int_equal(seal_write(w, bytes[i], strlen(bytes[i]), &err), 0);
		if (entries[i].type == ARCHIVE_END)
			break;
	}
	assert_int_equal(seal_finish(w, &err), 0);
	seal_writer_free(w);
	close(fd);
}

static void
what_does_not_belong_together_is_no_identity(void **state)
{
	static const struct archive_entry files[][4] = {
		{ { ARCHIVE_NAME, "alice", 0, 0 }, { ARCHIVE_END, "", 0, 0 } },
		{ { ARCHIVE_NAME, "Not A Name", 0, 0 }, { ARCHIVE_END, "", 0, 0 } },
		{ { ARCHIVE_NAME, "alice", 0, 0 }, { ARCHIVE_FILE, "mail/x", 0, 1 }, { ARCHIVE_END, "", 0, 0 } },
		{ { ARCHIVE_NAME, "alice", 0, 0 }, { ARCHIVE_FILE, "x", 0, 1 }, { ARCHIVE_FOLDER, "x", 0, 0 }, { ARCHIVE_END, "", 0, 0 } },
		{ { ARCHIVE_NAME, "alice", 0, 0 }, { ARCHIVE_FILE, "x", 0, 1 }, { ARCHIVE_FILE, "x/y", 0, 1 }, { ARCHIVE_END, "", 0, 0 } },
	};
	static const char *const bytes[][4] = { { "", "" }, { "", "" }, { "", "x", "" }, { "", "x", "", "" }, { "", "x", "y", "" } };
	struct identity after;
	struct error err;
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		seal_entries(files[i], bytes[i]);
		assert_int_equal(read_in(there, NULL, &after, &err), -1);
		assert_int_equal(count(there), 0);
	}
}

static void
a_key_of_another_address_or_a_foreign_hash_is_refused(void **state)
{
	static const char foreign[] = "$argon2id$v=19$m=4194304,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
	unsigned char seed[32] = { 7 }, file[ONIONKEY_FILE_BYTES];
	struct onionkey key;
	struct identity after;
	struct error err;
	int dir;
	(void)state;
	assert_int_equal(identity_open(here, "alice", ".", &dir, &err), 0);
	assert_int_equal(renameat(dir, "password", dir, "mail/password"), 0);
	assert_int_equal(file_replace(dir, "password", foreign, strlen(foreign), 0600, &err), 0);
	assert_int_equal(write_out(&err), 0);
	assert_int_equal(read_in(there, NULL, &after, &err), -1);
	assert_non_null(strstr(err.text, "password"));
	assert_int_equal(renameat(dir, "mail/password", dir, "password"), 0);
	onionkey_from_seed(seed, &key);
	onionkey_to_file(&key, file);
	assert_int_equal(file_replace(dir, "onion.key", file, sizeof file, 0600, &err), 0);
	assert_int_equal(write_out(&err), 0);
	assert_int_equal(read_in(there, NULL, &after, &err), -1);
	assert_non_null(strstr(err.text, "onion key"));
	assert_int_equal(count(there), 0);
	close(dir);
}

static bool
at_once(void)
{
	return true;
}

static void
both_can_be_interrupted(void **state)
{
	struct identity after;
	struct error err;
	(void)state;
	int fd = open("out", O_RDWR | O_CREAT, 0600);
	assert_int_equal(export_identity(here, "alice", fd, PASSPHRASE, CHEAP, at_once, &err), -1);
	assert_int_equal(err.code, ERROR_TIMEOUT);
	close(fd);
	assert_int_equal(write_out(&err), 0);
	fd = open("out", O_RDONLY);
	assert_int_equal(import_identity(there, NULL, fd, PASSPHRASE, at_once, &after, &err), -1);
	assert_int_equal(err.code, ERROR_TIMEOUT);
	assert_int_equal(count(there), 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_exported_identity_is_imported_whole),
		TEST(sessions_with_peers_are_left_behind),
		TEST(an_identity_gets_another_name_but_no_second_copy),
		TEST(nothing_is_left_of_a_file_that_is_cut_off),
		TEST(links_and_sockets_are_not_exported),
		TEST(what_does_not_belong_together_is_no_identity),
		TEST(a_key_of_another_address_or_a_foreign_hash_is_refused),
		TEST(both_can_be_interrupted),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
