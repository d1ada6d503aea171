/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/random.h"
#include "identity/identity.h"
#include "onionkey/onionkey.h"

#define PASSWORD slice_of_string("correct horse")

struct fixture {
	char folder[64];
	int identities_fd;
};

static int
set_up(void **state)
{
	static struct fixture f;
	char data[128];
	struct error err;
	strcpy(f.folder, "/tmp/smtorp-identity-XXXXXX");
	assert_non_null(mkdtemp(f.folder));
	snprintf(data, sizeof data, "%s/a/b", f.folder);
	assert_int_equal(identity_open_all(data, false, &f.identities_fd, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(identity_open_all(data, true, &f.identities_fd, &err), 0);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	close(f->identities_fd);
	return file_remove_tree(AT_FDCWD, f->folder, NULL);
}

static void
create(struct fixture *f, const char *name, struct identity *out)
{
	struct error err;
	if (identity_create(f->identities_fd, name, "Alice", PASSWORD, "2026-01-31", out, &err) != 0)
		fail_msg("%s", err.text);
}

static unsigned
count_entries(int dir_fd)
{
	unsigned count = 0;
	DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2;
}

static void
what_was_created_is_loaded(void **state)
{
	struct fixture *f = *state;
	struct identity made, loaded;
	struct error err;
	char hash[PASSWORD_HASH_MAX];
	create(f, "work", &made);
	assert_int_equal(identity_load(f->identities_fd, "work", &loaded, &err), 0);
	assert_memory_equal(&made, &loaded, sizeof made);
	assert_string_equal(loaded.local_part, "Alice");
	assert_string_equal(loaded.created, "2026-01-31");
	assert_int_equal(identity_load_password_hash(f->identities_fd, "work", hash, &err), 0);
	assert_true(password_verify(hash, PASSWORD));
	assert_false(password_verify(hash, slice_of_string("wrong")));
}

static void
the_onion_key_belongs_to_the_name(void **state)
{
	struct fixture *f = *state;
	struct identity made;
	struct error err;
	struct onionkey key;
	struct buffer file;
	char name[ONIONKEY_NAME_LEN + 1];
	int fd;
	create(f, "work", &made);
	buffer_init(&file, ONIONKEY_FILE_BYTES);
	assert_int_equal(identity_open(f->identities_fd, "work", IDENTITY_ONION_KEY_FILE, &fd, &err), 0);
	assert_int_equal(file_read_all(fd, &file, &err), 0);
	assert_int_equal(onionkey_from_file(slice_of(buffer_bytes(&file), buffer_len(&file)), &key, &err), 0);
	onionkey_name(key.public_key, name);
	assert_memory_equal(name, made.onion, ONIONKEY_NAME_LEN);
	close(fd);
	buffer_finish(&file);
}

static void
all_files_are_for_the_owner_only(void **state)
{
	struct fixture *f = *state;
	static const char *const files[] = { "identity.conf", "onion.key", "openpgp.key", "tls.key", "tls.crt", "password" };
	static const char *const folders[] = { ".", "mail" };
	struct identity made;
	struct stat st;
	int dir;
	create(f, "work", &made);
	assert_int_equal(identity_open(f->identities_fd, "work", ".", &dir, NULL), 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		assert_int_equal(fstatat(dir, files[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0600);
	}
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		assert_int_equal(fstatat(dir, folders[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode, S_IFDIR | 0700);
	}
	assert_int_equal(count_entries(dir), 9);
	close(dir);
}

static void
a_name_is_taken_once(void **state)
{
	struct fixture *f = *state;
	struct identity first, second;
	struct error err;
	create(f, "work", &first);
	assert_int_equal(identity_create(f->identities_fd, "work", "bob", PASSWORD, "2026-01-31", &second, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	assert_int_equal(identity_load(f->identities_fd, "work", &second, &err), 0);
	assert_memory_equal(&first, &second, sizeof first);
	assert_int_equal(count_entries(f->identities_fd), 1);
}

static void
names_and_local_parts_are_checked(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = { "", ".", "..", "-a", "A", "a/b", "a.b", "a b", "../a", "\xc3\xab",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct identity identity;
	struct error err;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(identity_create(f->identities_fd, bad[i], "a", PASSWORD, "2026-01-31", &identity, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_int_equal(identity_load(f->identities_fd, bad[i], &identity, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_int_equal(identity_remove(f->identities_fd, bad[i], &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	assert_int_equal(identity_create(f->identities_fd, "a", "a\nonion = x", PASSWORD, "2026-01-31", &identity, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(identity_create(f->identities_fd, "a", "a", slice_of("", 0), "2026-01-31", &identity, &err), -1);
	assert_int_equal(count_entries(f->identities_fd), 0); /* nothing half-made stays */
	create(f, "a", &identity);
	create(f, "0-abcdefghijklmnopqrstuvwxyz-123", &identity);
}

static void
the_list_is_sorted_and_leaves_out_what_is_no_identity(void **state)
{
	struct fixture *f = *state;
	struct identity identity;
	struct error err;
	char names[3][IDENTITY_NAME_MAX + 1];
	size_t count;
	assert_int_equal(identity_list(f->identities_fd, names, 3, &count, &err), 0);
	assert_int_equal(count, 0);
	create(f, "zoo", &identity);
	create(f, "alice", &identity);
	create(f, "m-2", &identity);
	assert_int_equal(mkdirat(f->identities_fd, ".half-made", 0700), 0);
	assert_int_equal(mkdirat(f->identities_fd, "Backup", 0700), 0);
	assert_int_equal(identity_list(f->identities_fd, names, 3, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(names[0], "alice");
	assert_string_equal(names[1], "m-2");
	assert_string_equal(names[2], "zoo");
	assert_int_equal(identity_list(f->identities_fd, names, 2, &count, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void
nothing_is_left_of_what_was_removed_or_half_made(void **state)
{
	struct fixture *f = *state;
	struct identity identity;
	struct error err;
	create(f, "work", &identity);
	create(f, "home", &identity);
	assert_int_equal(mkdirat(f->identities_fd, ".abcdefghijklmnop", 0700), 0); /* as a crash leaves it */
	assert_int_equal(identity_remove(f->identities_fd, "work", &err), 0);
	assert_int_equal(identity_load(f->identities_fd, "work", &identity, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(identity_remove(f->identities_fd, "work", &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	create(f, "work", &identity);
	assert_int_equal(count_entries(f->identities_fd), 2);
}

static void
a_damaged_folder_is_told(void **state)
{
	struct fixture *f = *state;
	static const char *const confs[] = { "", "local-part = a\n", "onion = x.onion\nlocal-part = a\n", "rubbish",
		"local-part = a b\nonion = 25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion\n" };
	struct identity identity;
	struct error err;
	int dir;
	create(f, "work", &identity);
	assert_int_equal(identity_open(f->identities_fd, "work", ".", &dir, &err), 0);
	for (size_t i = 0; i < sizeof confs / sizeof confs[0]; i++) {
		assert_int_equal(file_replace(dir, "identity.conf", confs[i], strlen(confs[i]), 0600, &err), 0);
		assert_int_equal(identity_load(f->identities_fd, "work", &identity, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_non_null(strstr(err.text, "damaged"));
	}
	assert_int_equal(fchmod(dir, 0755), 0);
	assert_int_equal(identity_load(f->identities_fd, "work", &identity, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	close(dir);
}

static void
an_identity_is_made_of_a_key_that_there_is(void **state)
{
	struct fixture *f = *state;
	unsigned char seed[32] = { 1, 2, 3 };
	struct onionkey key;
	struct identity made, loaded;
	struct error err;
	char name[ONIONKEY_NAME_LEN + 1];
	onionkey_from_seed(seed, &key);
	onionkey_name(key.public_key, name);
	assert_int_equal(identity_create_from_key(f->identities_fd, "old", "Alice", &key, PASSWORD, "2026-01-31", &made, &err), 0);
	assert_int_equal(identity_load(f->identities_fd, "old", &loaded, &err), 0);
	assert_memory_equal(&made, &loaded, sizeof made);
	assert_memory_equal(loaded.onion, name, ONIONKEY_NAME_LEN);
	assert_int_equal(identity_create_from_key(f->identities_fd, "copy", "bob", &key, PASSWORD, "2026-01-31", &made, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	assert_non_null(strstr(err.text, "old"));
	assert_int_equal(count_entries(f->identities_fd), 1);
}

static void
passwords_are_changed_and_generated(void **state)
{
	struct fixture *f = *state;
	struct identity identity;
	struct error err;
	char password[IDENTITY_PASSWORD_LEN + 1], other[IDENTITY_PASSWORD_LEN + 1], hash[PASSWORD_HASH_MAX];
	identity_generate_password(password);
	identity_generate_password(other);
	assert_string_not_equal(password, other);
	assert_int_equal(strlen(password), IDENTITY_PASSWORD_LEN);
	assert_int_equal(strspn(password, "abcdefghijklmnopqrstuvwxyz234567-"), IDENTITY_PASSWORD_LEN);
	assert_true(password[5] == '-' && password[11] == '-' && password[17] == '-');
	create(f, "work", &identity);
	assert_int_equal(identity_set_password(f->identities_fd, "work", slice_of_string(password), &err), 0);
	assert_int_equal(identity_load_password_hash(f->identities_fd, "work", hash, &err), 0);
	assert_true(password_verify(hash, slice_of_string(password)));
	assert_false(password_verify(hash, PASSWORD));
	assert_int_equal(identity_set_password(f->identities_fd, "home", slice_of_string(password), &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_created_is_loaded),
		TEST(the_onion_key_belongs_to_the_name),
		TEST(all_files_are_for_the_owner_only),
		TEST(a_name_is_taken_once),
		TEST(names_and_local_parts_are_checked),
		TEST(the_list_is_sorted_and_leaves_out_what_is_no_identity),
		TEST(nothing_is_left_of_what_was_removed_or_half_made),
		TEST(a_damaged_folder_is_told),
		TEST(an_identity_is_made_of_a_key_that_there_is),
		TEST(passwords_are_changed_and_generated),
	};
	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
