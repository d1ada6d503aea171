/* SPDX-License-Identifier: ISC
 *
 * Bodies that change after they were handed to the real executable: what mail@ID keeps is what it copied, whole or not at
 * all.
 */
#include "daemon/test_mail.h"

#include <stdio.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "proof/onionsig.h"

#define BODY_BYTES (512 * 1024)
#define CHANGED_WHILE_READ 60
#define FILES_MOST 2000 /* descriptors of mail@ID, more than sockets hold */

static char *text; /* BODY_BYTES */

static int
make_text(void **state)
{
	(void)state;
	text = malloc(BODY_BYTES + 1);
	memset(text, 'x', BODY_BYTES);
	text[BODY_BYTES] = '\0';
	memcpy(text, "Subject: original\r\n\r\n", 21);
	return test_folder_make(state);
}

static int
free_text(void **state)
{
	free(text);
	return test_folder_remove(state);
}

/* smtp@ID or submission hands over what is in fd; the answer is the caller's to await. */
static void
hand_over(int socket_fd, const char *reverse_path, const char *recipient, uint64_t id, int fd)
{
	struct buffer recipients;
	pack_one(&recipients, recipient);
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = fd, .intake = { .transaction_id = id,
		.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients)) } };
	strcpy(m.intake.reverse_path, reverse_path);
	test_role_send(socket_fd, &m);
	buffer_finish(&recipients);
}

static int
spool_file(struct mail_process *p)
{
	const struct ipc_message wanted = { .type = IPC_TYPE_SPOOL_WANTED, .fd = -1 };
	test_role_send(p->smtp, &wanted);
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SPOOL_FILE);
	assert_true(m.fd >= 0);
	return m.fd;
}

static int
memory(int seals)
{
	int fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(file_write_all(fd, text, BODY_BYTES, NULL), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
overwrite(int fd)
{
	char *other = malloc(BODY_BYTES);
	memset(other, 'y', BODY_BYTES);
	memcpy(other, "Subject: another!\r\n\r\n", 21);
	assert_int_equal(pwrite(fd, other, BODY_BYTES, 0), BODY_BYTES);
	assert_int_equal(ftruncate(fd, BODY_BYTES - 1000), 0);
	free(other);
}

static void
a_file_changed_after_the_answer_changes_nothing(void **state)
{
	struct mail_process *p = *state;
	int fds[] = { spool_file(p), memory(0) };
	assert_int_equal(file_write_all(fds[0], text, BODY_BYTES, NULL), 0);
	for (int i = 0; i < 2; i++) {
		hand_over(p->smtp, i == 0 ? "bob@" BOB : "", "alice@" OWN, (uint64_t)i, fds[i]);
		expect_done(p, p->smtp, (uint64_t)i, 250);
		overwrite(fds[i]);
	}
	await_files("Maildir/new", "Subject: original\n\nxxx", 2);
	stop(p);
	launch(p); /* nor is anything read again */
	await_files("Maildir/new", "Subject: original\n\nxxx", 2);
	assert_int_equal(test_folder_count("Maildir/new", "another"), 0);
	assert_int_equal(test_folder_count("Maildir/new", "yyy"), 0);
	close(fds[0]);
	close(fds[1]);
}

/* A process that writes to the file all the time, and makes it shorter. */
static pid_t
keep_changing(int fd)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	for (unsigned i = 0;; i++) {
		if (pwrite(fd, text, BODY_BYTES - i % 5000, 0) < 0 || pwrite(fd, "zzz", 3, 1000 + i % 100000) < 0 ||
		    ftruncate(fd, i % 3 == 0 ? BODY_BYTES / 2 : BODY_BYTES) != 0)
			_exit(1);
		if (getppid() == 1)
			_exit(0);
	}
}

static void
a_file_that_changes_while_it_is_read_breaks_nothing(void **state)
{
	struct mail_process *p = *state;
	unsigned kept = 0;
	int fd = spool_file(p);
	assert_int_equal(file_write_all(fd, text, BODY_BYTES, NULL), 0);
	pid_t changer = keep_changing(fd);
	for (unsigned i = 0; i < CHANGED_WHILE_READ; i++) {
		char sender[16];
		snprintf(sender, sizeof sender, "bob@%u", i); /* so that none is taken for a repetition */
		hand_over(p->smtp, sender, "alice@" OWN, i, fd);
		struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_INTAKE_DONE);
		kept += m.intake_done.code == 250;
		if (m.intake_done.code != 250)
			assert_in_range(m.intake_done.code, 400, 599);
	}
	kill(changer, SIGKILL);
	waitpid(changer, NULL, 0);
	receive_text(p, 1000, "Subject: an honest one\r\n\r\n");
	expect_done(p, p->smtp, 1000, 250);
	await_files("Maildir/new", NULL, kept + 1);
	stop(p);
	launch(p); /* the journal was whole */
	receive_text(p, 1001, "Subject: another honest one\r\n\r\n");
	expect_done(p, p->smtp, 1001, 250);
	await_files("Maildir/new", NULL, kept + 2);
	close(fd);
}

/* content finds the sender of what is in the file proved; then it is changed, if changed >= 0. to_open: it is to be opened, too. */
static void
judge(struct mail_process *p, bool to_open, int changed)
{
	struct hash_sha256 hash;
	unsigned char digest[HASH_SHA256_BYTES];
	char *seen = malloc(BODY_BYTES);
	give_content(p);
	struct ipc_message m = next_to_content(p, IPC_TYPE_CHECK), result = { .type = IPC_TYPE_CHECKED, .fd = -1 };
	assert_int_equal(pread(m.fd, seen, BODY_BYTES, 0), BODY_BYTES);
	file_close(&m.fd);
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, seen, BODY_BYTES);
	hash_sha256_final(&hash, digest);
	if (changed >= 0)
		assert_int_equal(pwrite(changed, "!", 1, BODY_BYTES - 1), 1);
	result.checked.request_id = m.check.request_id;
	result.checked.code = 250;
	result.checked.verdict = ONIONSIG_PROVED;
	result.checked.has_more = to_open;
	result.checked.digest = slice_of(digest, sizeof digest);
	strcpy(result.checked.sender, "bob@" BOB);
	test_role_send(p->content, &result);
	free(seen);
}

/* Of a letter of bob's with this last letter. */
static void
hand_over_letter(struct mail_process *p, int fd, uint64_t id, char last)
{
	static const char letter[] = "From: bob@" BOB "\r\nSubject: ";
	assert_int_equal(pwrite(fd, text, BODY_BYTES, 0), BODY_BYTES);
	assert_int_equal(pwrite(fd, letter, sizeof letter - 1, 0), sizeof letter - 1);
	assert_int_equal(pwrite(fd, &last, 1, BODY_BYTES - 1), 1);
	hand_over(p->smtp, "bob@" BOB, "alice@" OWN, id, fd);
}

/* Whoever has taken over smtp@ID may hand over a letter of bob's, and change it when its signature was found good. */
static void
what_is_kept_is_what_was_judged(void **state)
{
	static const unsigned char other[IPC_DIGEST_BYTES];
	struct mail_process *p = *state;
	int fd = spool_file(p);
	hand_over_letter(p, fd, 1, 'a');
	judge(p, false, fd);
	expect_done(p, p->smtp, 1, 451);
	hand_over_letter(p, fd, 2, 'b'); /* it was another when it was opened */
	judge(p, true, -1);
	struct ipc_message m = next_to_content(p, IPC_TYPE_OPEN), result = { .type = IPC_TYPE_OPENED, .fd = -1 };
	file_close(&m.fd);
	result.opened.request_id = m.open.request_id;
	result.opened.code = 250;
	result.opened.digest = slice_of(other, sizeof other);
	result.opened.body = slice_of_string("Subject: other\r\n\r\n");
	test_role_send(p->content, &result);
	expect_done(p, p->smtp, 2, 451);
	hand_over_letter(p, fd, 3, 'c');
	judge(p, false, -1);
	expect_done(p, p->smtp, 3, 250);
	await_files("Maildir/new", "SMTorP-Verdict: proved", 1);
	await_files("Maildir/new", NULL, 1);
	close(fd);
}

/* Mapping it would be to wait for SIGBUS. */
static void
memory_that_may_shrink_is_refused(void **state)
{
	struct mail_process *p = *state;
	static const int seals[] = { F_SEAL_WRITE, F_SEAL_GROW | F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW };
	for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
		int fd = memory(seals[i]);
		hand_over(p->smtp, "bob@" BOB, "alice@" OWN, i, fd);
		struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_INTAKE_DONE);
		assert_int_equal(m.intake_done.code, 451);
		close(fd);
	}
	assert_int_equal(test_folder_count("Maildir/new", NULL), 0);
}

/* content: answers PREPARE_INTO and PREPARE with the file that it got, and keeps the descriptor. */
static int
prepare_in_file(struct mail_process *p)
{
	give_content(p);
	struct ipc_message into = test_role_next(&p->role, p->content, IPC_TYPE_PREPARE_INTO);
	struct ipc_message m = test_role_next(&p->role, p->content, IPC_TYPE_PREPARE);
	file_close(&m.fd);
	assert_int_equal(file_write_all(into.fd, text, BODY_BYTES, NULL), 0);
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = into.fd, .content_result = {
		.request_id = m.prepare.request_id, .code = 250, .flags = BODY_8BIT } };
	begin_field(&m, &result);
	test_role_send(p->content, &result);
	sign(p);
	return into.fd;
}

/* What leaves stays the same at every try, whatever content does later. */
static void
a_result_changed_by_content_afterwards_changes_nothing(void **state)
{
	struct mail_process *p = *state;
	int fd = spool_file(p);
	assert_int_equal(file_write_all(fd, text, BODY_BYTES, NULL), 0);
	hand_over(p->submission, "alice@" OWN, "bob@" BOB, 1, fd);
	int result_fd = prepare_in_file(p);
	expect_done(p, p->submission, 1, 250);
	overwrite(result_fd);
	overwrite(fd);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	struct body body;
	assert_int_equal(body_take_any(&m, m.deliver.body, 8 * 1024 * 1024, &body, NULL), 0);
	assert_int_equal(body_len(&body), strlen(SIGNED) + BODY_BYTES);
	char *sent = malloc(BODY_BYTES);
	assert_int_equal(body_read(&body, strlen(SIGNED), sent, BODY_BYTES, NULL), 0);
	assert_memory_equal(sent, text, BODY_BYTES);
	/* smtp@ID has the queue's file for this, and cannot change it either */
	assert_true(body.fd < 0 || (fcntl(body.fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
	free(sent);
	body_finish(&body);
	close(fd);
	close(result_fd);
}

/* smtp@ID asks for files and never reads: what is left is for others. */
static void
a_peer_that_hoards_files_leaves_some_to_others(void **state)
{
	struct mail_process *p = *state;
	const struct ipc_message wanted = { .type = IPC_TYPE_SPOOL_WANTED, .fd = -1 };
	kill_process(p);
	*p = (struct mail_process){ .tor = -1, .content = -1, .control = -1 };
	test_role_start_limited(&p->role, program, NULL, FILES_MOST);
	configure(p, false);
	assert_int_equal(test_role_next(&p->role, p->role.parent, IPC_TYPE_STORE_STATE).store_state.state, STORE_WORKS);
	p->smtp = test_role_give_peer(&p->role, ROLE_SMTP, "");
	p->submission = test_role_give_peer(&p->role, ROLE_SUBMISSION, "");
	p->sign = test_role_give_peer(&p->role, ROLE_SIGN, "");
	for (unsigned i = 0; i < 2 * FILES_MOST; i++)
		test_role_send(p->smtp, &wanted);
	submit(p, 1, "bob@" BOB, slice_of_string(text));
}

#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_MAIL(a_file_changed_after_the_answer_changes_nothing),
		WITH_MAIL(a_file_that_changes_while_it_is_read_breaks_nothing),
		WITH_MAIL(what_is_kept_is_what_was_judged),
		WITH_MAIL(memory_that_may_shrink_is_refused),
		WITH_MAIL(a_result_changed_by_content_afterwards_changes_nothing),
		WITH_MAIL(a_peer_that_hoards_files_leaves_some_to_others),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, make_text, free_text);
}
