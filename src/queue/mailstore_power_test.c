/* SPDX-License-Identifier: ISC
 *
 * The power fails after each sync: of every file only what was synced is left, and of every folder only the
 * entries that it had when it was synced. (That all else is left as well is the other extreme: mailstore_test.c.)
 *
 * The test's own fsync(), fdatasync() and syncfs() stand before the C library's, for SQLite too. They remember what is durable
 * and write it out as a folder of its own, from which a mail store is then opened.
 */
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
#include <sys/syscall.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "ipc/pack.h"
#include "queue/mailstore.h"

#define MESSAGES 6
#define CUTS_MAX 400
#define NODES_MAX 400

/* What is durable of one file or folder. */
struct node {
	ino_t inode;
	bool is_folder;
	size_t len;           /* of a file, without the zeros at its end */
	size_t size;
	unsigned char *bytes; /* of a folder: names with NULs */
	ino_t *inodes;        /* of a folder: for each name */
	size_t count;
};

static struct {
	bool is_on;
	struct node nodes[NODES_MAX];
	size_t count;
	ino_t root;
	unsigned cuts;
	bool acknowledged[CUTS_MAX][MESSAGES]; /* when the power failed there */
	bool acknowledged_now[MESSAGES];
} power;

static const struct schedule schedule = { 30000, 4 * 3600 * 1000, 7 * 24 * 3600 * (int64_t)1000 };

/* ---- what is durable */

static struct node *
node_of(ino_t inode, bool add)
{
	for (size_t i = 0; i < power.count; i++)
		if (power.nodes[i].inode == inode)
			return &power.nodes[i];
	if (!add)
		return NULL;
	assert_true(power.count < NODES_MAX);
	power.nodes[power.count].inode = inode;
	return &power.nodes[power.count++];
}

static void
forget(struct node *n)
{
	free(n->bytes);
	free(n->inodes);
	*n = (struct node){ .inode = n->inode };
}

static void
remember_file(int fd, const struct stat *st)
{
	struct node *n = node_of(st->st_ino, true);
	char path[64];
	forget(n);
	n->size = (size_t)st->st_size;
	n->bytes = malloc(n->size + 1);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY | O_CLOEXEC); /* fd may be for writing only */
	assert_true(again >= 0);
	for (size_t at = 0; at < n->size;) {
		ssize_t got = pread(again, n->bytes + at, n->size - at, (off_t)at);
		assert_true(got > 0);
		at += (size_t)got;
	}
	close(again);
	for (n->len = n->size; n->len > 0 && n->bytes[n->len - 1] == 0;)
		n->len--;
	n->bytes = realloc(n->bytes, n->len + 1);
}

static void
remember_folder(int fd, const struct stat *st)
{
	struct node *n = node_of(st->st_ino, true);
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_non_null(dir);
	forget(n);
	n->is_folder = true;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		size_t name = strlen(e->d_name) + 1;
		n->bytes = realloc(n->bytes, n->len + name);
		memcpy(n->bytes + n->len, e->d_name, name);
		n->len += name;
		n->inodes = reallocarray(n->inodes, n->count + 1, sizeof *n->inodes);
		n->inodes[n->count++] = e->d_ino;
	}
	closedir(dir);
}

/* ---- a cut: what is durable, as a folder */

static void
restore_file(int dir_fd, const char *name, const struct node *n)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (n != NULL) { /* else it was never synced: empty */
		assert_int_equal(write(fd, n->bytes, n->len), (ssize_t)n->len);
		assert_int_equal(ftruncate(fd, (off_t)n->size), 0);
	}
	close(fd);
}

static void
restore_folder(int dir_fd, const char *name, const struct node *n, bool (*is_folder)(const char *name))
{
	assert_int_equal(mkdirat(dir_fd, name, 0700), 0);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	const char *entry = n == NULL ? NULL : (const char *)n->bytes;
	for (size_t i = 0; n != NULL && i < n->count; i++, entry += strlen(entry) + 1) {
		if (is_folder(entry))
			restore_folder(fd, entry, node_of(n->inodes[i], false), is_folder);
		else
			restore_file(fd, entry, node_of(n->inodes[i], false));
	}
	close(fd);
}

static bool
is_folder_name(const char *name)
{
	static const char *const names[] = { "journal", "queue", "staging", "Maildir", "tmp", "new", "cur" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void
cut(void)
{
	char name[32];
	assert_true(power.cuts < CUTS_MAX);
	memcpy(power.acknowledged[power.cuts], power.acknowledged_now, sizeof power.acknowledged_now);
	snprintf(name, sizeof name, "../cut%u", power.cuts++);
	restore_folder(AT_FDCWD, name, node_of(power.root, false), is_folder_name);
}

static int
sync_and_cut(int fd)
{
	struct stat st;
	if (syscall(SYS_fsync, fd) != 0)
		return -1;
	if (!power.is_on)
		return 0;
	power.is_on = false; /* what follows syncs nothing of ours */
	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode))
		remember_folder(fd, &st);
	else
		remember_file(fd, &st);
	cut();
	power.is_on = true;
	return 0;
}

int
fsync(int fd)
{
	return sync_and_cut(fd);
}

int
fdatasync(int fd)
{
	return sync_and_cut(fd);
}

/* All that there is. */
static void
remember_tree(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	if (!S_ISDIR(st.st_mode)) {
		remember_file(fd, &st);
		return;
	}
	remember_folder(fd, &st);
	const struct node *n = node_of(st.st_ino, false);
	size_t at = 0;
	for (size_t i = 0; i < n->count; i++, n = node_of(st.st_ino, false), at += strlen((const char *)n->bytes + at) + 1) {
		int entry = openat(fd, (const char *)n->bytes + at, O_RDONLY | O_CLOEXEC);
		assert_true(entry >= 0);
		remember_tree(entry);
		close(entry);
	}
}

int
syncfs(int fd)
{
	if (!power.is_on)
		return 0;
	power.is_on = false;
	remember_tree(fd);
	cut();
	power.is_on = true;
	return 0;
}

/* ---- the work during which the power fails */

static void
body_of(int i, char out[64])
{
	snprintf(out, 64, "Subject: message %c\r\n\r\n", 'a' + i);
}

static void
take(struct mailstore *s, int i)
{
	struct error err = { 0 };
	struct buffer recipients, destinations;
	char body[64];
	body_of(i, body);
	buffer_init(&recipients, 1000);
	buffer_init(&destinations, 1000);
	assert_int_equal(pack_string(&recipients, slice_of_string("bob@b.onion"), &err), 0);
	struct record r = { .type = RECORD_RECEIVED, .arrival_ms = 1700000000000,
		.reverse_path = slice_of_string("alice@a.onion"), .recipients = buffer_slice(&recipients) };
	if (i % 2 == 0) {
		assert_int_equal(record_hash(r.reverse_path, r.recipients, BODY_BORROWED(slice_of_string(body)), r.hash, &err), 0);
		assert_int_equal(mailstore_receive(s, &r, BODY_BORROWED(slice_of_string(body)), &err), 0);
	} else {
		r.type = RECORD_SUBMITTED;
		assert_int_equal(record_add_destination(&destinations, slice_of_string("b.onion"), r.recipients, &err), 0);
		r.destinations = buffer_slice(&destinations);
		assert_int_equal(mailstore_submit(s, &r, BODY_BORROWED(slice_of_string(body)), &err), 0);
	}
	buffer_finish(&recipients);
	buffer_finish(&destinations);
}

static void
process_all(struct mailstore *s)
{
	struct error err = { 0 };
	int more;
	while ((more = mailstore_process(s, &err)) == 1)
		;
	if (more != 0 || mailstore_settle(s, &err) != 0)
		fail_msg("%s", err.text);
}

static struct mailstore *
open_store(void)
{
	struct error err = { 0 };
	struct mailstore *s;
	if (mailstore_open(&schedule, &s, &err) != 0)
		fail_msg("cut %u: %s", power.cuts, err.text);
	return s;
}

static void
work(void)
{
	struct error err = { 0 };
	struct mailstore *s = open_store();
	for (int i = 0; i < MESSAGES; i += 2) {
		take(s, i);
		take(s, i + 1);
		assert_int_equal(mailstore_commit(s, &err), 0);
		power.acknowledged_now[i] = power.acknowledged_now[i + 1] = true;
		cut();
		process_all(s);
	}
	mailstore_free(s);
	s = open_store(); /* a restart, with a new part of the journal */
	process_all(s);
	mailstore_free(s);
}

/* ---- what is left after a cut */

static void
check_cut(unsigned which)
{
	struct error err = { 0 };
	char body[64], text[64];
	uint64_t items, sent = 0;
	struct mailstore *s = open_store();
	process_all(s);
	for (int i = 0; i < MESSAGES; i++) {
		body_of(i, body);
		snprintf(text, sizeof text, "%.*s\n", (int)strcspn(body, "\r"), body);
		size_t copies = i % 2 == 0 ? test_folder_count("Maildir/new", text) : test_folder_count("queue", body);
		if (copies > 1 || (copies == 0 && power.acknowledged[which][i]))
			fail_msg("cut %u: message %d has %zu copies, acknowledged %d", which, i, copies, power.acknowledged[which][i]);
		sent += i % 2 == 0 ? 0 : copies;
	}
	assert_int_equal(queue_count(mailstore_queue(s), &items, &err), 0);
	assert_int_equal(items, sent);
	assert_int_equal(test_folder_count("Maildir/new", NULL), test_folder_count("Maildir/new", "Subject: message"));
	mailstore_free(s);
}

static void
what_was_acknowledged_survives_a_power_cut_after_any_sync(void **state)
{
	(void)state;
	struct stat st;
	char name[32];
	assert_int_equal(mkdir("mail", 0700), 0);
	assert_int_equal(chdir("mail"), 0);
	assert_int_equal(stat(".", &st), 0);
	power.root = st.st_ino;
	power.is_on = true;
	work();
	power.is_on = false;
	assert_true(power.cuts > 30); /* it is really our fsync() that SQLite calls */
	for (unsigned which = 0; which < power.cuts; which++) {
		snprintf(name, sizeof name, "../cut%u", which);
		assert_int_equal(chdir(name), 0);
		check_cut(which);
	}
	for (size_t i = 0; i < power.count; i++)
		forget(&power.nodes[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_survives_a_power_cut_after_any_sync),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
