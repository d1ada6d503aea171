/* SPDX-License-Identifier: ISC
 *
 * role_hostile_test ROLE PROGRAM [SEED [ROUNDS]]: the real executable of a role among peers that are all hostile. What breaks the rules costs
 * the channel; what keeps them, at whatever time, hurts nobody: the role neither ends nor hangs nor keeps what it was sent.
 * (The parent among hostile roles: tests/system/test_hostile_roles.py.)
 */
#include "base/test_folder.h"
#include "daemon/test_hostile.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "loop/test_certificate.h"
#include "onionkey/onionkey.h"

#define PEERS_MAX 6
#define FLOOD 5000
#define SETTLE 200

struct hostile;

/* A role and who may speak with it, besides the parent. */
struct target {
	const char *name, *argument;
	enum role own;
	enum role peers[PEERS_MAX];
	const char *identity; /* what it calls its peers */
	void (*begin)(struct hostile *h);
	bool ends_with_channel;
};

struct hostile {
	struct test_role role;
	const struct target *target;
	size_t count;
	int fds[PEERS_MAX], silent[3]; /* silent: ends that nobody reads */
	enum ipc_type last;
};

static const struct target *target;
static const char *program;
static unsigned rounds = 3000;

/* ---- each role as its parent starts it */

static void
tell(struct hostile *h, const struct ipc_message *m)
{
	test_role_send(h->role.parent, m);
}

static void
begin_mail(struct hostile *h)
{
	struct ipc_message m = { .type = IPC_TYPE_MAIL_CONFIG, .fd = -1, .mail_config = { .onion = HOSTILE_ONION,
		.local_part = "alice", .message_max_bytes = 4 << 20, .retry_first_s = 1, .retry_most_s = 1, .expire_s = 3600,
		.keep_delivered_s = 60 } };
	tell(h, &m);
	assert_int_equal(test_role_next(&h->role, h->role.parent, IPC_TYPE_STORE_STATE).store_state.state, STORE_WORKS);
}

static int
listen_somewhere(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void
give(struct hostile *h, struct ipc_message m, int fd)
{
	m.fd = fd;
	tell(h, &m);
	close(fd);
}

static void
begin_sessions(struct hostile *h)
{
	bool is_smtp = h->target->own == ROLE_SMTP;
	struct ipc_message config = { .type = is_smtp ? IPC_TYPE_SMTP_CONFIG : IPC_TYPE_SUBMISSION_CONFIG, .fd = -1 };
	if (is_smtp)
		config.smtp_config = (struct ipc_smtp_config){ .onion = HOSTILE_ONION, .local_part = "alice",
			.message_max_bytes = 4 << 20 };
	else
		config.submission_config.message_max_bytes = 4 << 20;
	give(h, (struct ipc_message){ .type = IPC_TYPE_TLS_KEY }, hostile_memory(test_key_pem, 0));
	give(h, (struct ipc_message){ .type = IPC_TYPE_TLS_CERTIFICATE }, hostile_memory(test_certificate_pem, 0));
	tell(h, &config);
	give(h, (struct ipc_message){ .type = IPC_TYPE_LISTEN, .listen.listener = is_smtp ? LISTENER_SMTP : LISTENER_SENDMAIL },
	    listen_somewhere());
}

static void
begin_control(struct hostile *h)
{
	give(h, (struct ipc_message){ .type = IPC_TYPE_LISTEN, .listen.listener = LISTENER_CONTROL }, listen_somewhere());
}

static void
begin_nothing(struct hostile *h)
{
	(void)h;
}

static void
begin_sign(struct hostile *h)
{
	static const unsigned char seed[32] = "a seed for a test, no secret";
	struct ipc_message m = { .type = IPC_TYPE_SIGN_KEY, .sign_key.identity = "alice" };
	unsigned char file[ONIONKEY_FILE_BYTES];
	struct onionkey key;
	onionkey_from_seed(seed, &key);
	onionkey_to_file(&key, file);
	assert_int_equal(file_sealed_memory(file, sizeof file, &m.fd, NULL), 0);
	test_role_send(h->role.parent, &m);
	file_close(&m.fd);
}

static const struct target targets[] = {
	{ "mail", NULL, ROLE_MAIL, { ROLE_SMTP, ROLE_SUBMISSION, ROLE_TOR, ROLE_CONTROL, ROLE_CONTENT, ROLE_SIGN }, "", begin_mail, false },
	{ "smtp", "smtp", ROLE_SMTP, { ROLE_MAIL, ROLE_TOR }, "", begin_sessions, false },
	{ "submission", "submission", ROLE_SUBMISSION, { ROLE_MAIL }, "alice", begin_sessions, false },
	{ "content", NULL, ROLE_CONTENT, { ROLE_MAIL }, "", begin_nothing, true },
	{ "tor", NULL, ROLE_TOR, { ROLE_MAIL, ROLE_SMTP }, "alice", begin_nothing, false },
	{ "sign", NULL, ROLE_SIGN, { ROLE_MAIL, ROLE_SMTP }, "alice", begin_sign, false },
	{ "control", NULL, ROLE_CONTROL, { ROLE_MAIL }, "alice", begin_control, false },
};

/* What tor would answer to the first three commands; it is ready, and says nothing more. */
static void
play_tor(struct hostile *h)
{
	static const char answers[] = "250 OK\r\n250-version=0.4.99.1\r\n"
	    "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n250 OK\r\n250 DisableNetwork=1\r\n";
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	h->silent[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 100);
	close(fds[0]);
	assert_int_equal(send(h->silent[0], answers, sizeof answers - 1, 0), sizeof answers - 1);
	if (fds[1] == 4)
		fcntl(4, F_SETFD, 0);
	else
		dup2(fds[1], 4);
	h->silent[1] = fds[1] == 4 ? -1 : fds[1];
}

static void
launch(struct hostile *h)
{
	h->silent[0] = h->silent[1] = -1;
	if (h->target->own == ROLE_TOR)
		play_tor(h);
	test_role_start(&h->role, program, h->target->argument);
	if (h->target->own == ROLE_TOR)
		close(4);
	file_close(&h->silent[1]);
	h->target->begin(h);
}

/* A new channel to one of its peers, in the place of the old one. */
static void
connect_peer(struct hostile *h, size_t i)
{
	file_close(&h->fds[i]);
	if (h->target->ends_with_channel) {
		if (h->role.pid != 0)
			assert_in_range(test_role_wait(&h->role), 0, 1);
		launch(h);
	}
	h->fds[i] = test_role_give_peer(&h->role, h->target->peers[i], h->target->identity);
}

static int
start(void **state)
{
	if (mkdir("own", 0700) != 0 || chdir("own") != 0)
		return -1;
	struct hostile *h = calloc(1, sizeof *h);
	h->target = target;
	for (size_t i = 0; i < PEERS_MAX; i++)
		h->fds[i] = -1;
	while (h->count < PEERS_MAX && target->peers[h->count] != 0)
		h->count++;
	if (!target->ends_with_channel)
		launch(h);
	for (size_t i = 0; i < h->count; i++)
		connect_peer(h, i);
	*state = h;
	return 0;
}

static int
finish(void **state)
{
	struct hostile *h = *state;
	test_role_kill(&h->role);
	for (size_t i = 0; i < h->count; i++)
		file_close(&h->fds[i]);
	file_close(&h->silent[0]);
	free(h);
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "own", NULL);
}

/* ---- looking at it */

static void
assert_lives(struct hostile *h)
{
	int status;
	if (waitpid(h->role.pid, &status, WNOHANG) == 0)
		return;
	h->role.pid = 0;
	fail_msg("%s ended with status %x after %s", h->target->name, (unsigned)status, ipc_type_name(h->last));
}

static void
expect_closed(struct hostile *h, size_t i, const char *after)
{
	ssize_t n;
	do
		n = recv(h->fds[i], h->role.received, sizeof h->role.received, 0);
	while (n > 0);
	if (n < 0 && errno != ECONNRESET)
		fail_msg("%s does not close the channel to %s after %s", h->target->name, ipc_role_name(h->target->peers[i]), after);
	if (!h->target->ends_with_channel)
		assert_lives(h);
	connect_peer(h, i);
}

/* It takes from each of its peers what comes, and does what there is to do with it: it does not hang. */
static void
assert_serves(struct hostile *h)
{
	for (size_t i = 0; i < h->count; i++) {
		connect_peer(h, i);
		assert_true(hostile_send(h->fds[i], "?", 1, NULL, 0));
		expect_closed(h, i, "a message of one byte");
	}
}

/* How many it holds, when all its channels are fresh; 0 when only root may look, or it would end with the channel. */
static size_t
descriptors_of(struct hostile *h)
{
	char path[64];
	size_t count = 0, last = h->count - 1;
	if (h->target->ends_with_channel)
		return 0;
	assert_serves(h);
	assert_true(hostile_send(h->fds[last], "?", 1, NULL, 0)); /* it has all that was sent before when it closes that */
	while (recv(h->fds[last], h->role.received, sizeof h->role.received, 0) > 0)
		;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)h->role.pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		char link[512] = "";
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);
		count += n > 0 && strstr(link, "/own/journal/") == NULL; /* how many of these is mail's own business */
	}
	if (dir != NULL)
		closedir(dir);
	connect_peer(h, last);
	return count;
}

/* Takes what has come on a socket; false when it was closed. */
static bool
hear(struct hostile *h, int socket_fd, void (*then)(struct hostile *h, const struct ipc_message *m))
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	for (;;) {
		struct iovec iov = { h->role.received, sizeof h->role.received };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space };
		struct ipc_message m;
		ssize_t n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		assert_int_equal(ipc_decode(h->role.received, (size_t)n, &m, NULL), 0);
		if (CMSG_FIRSTHDR(&msg) != NULL)
			memcpy(&m.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof m.fd);
		hostile_learn(&m);
		if (then != NULL)
			then(h, &m);
		file_close(&m.fd);
	}
}

/* What the parent would do. */
static void
be_parent(struct hostile *h, const struct ipc_message *m)
{
	if (m->type == IPC_TYPE_SOCKS_WANTED) {
		struct ipc_message answer = { .type = IPC_TYPE_SOCKS_CONNECTION, .fd = -1, .socks_connection.errnum = ECONNREFUSED };
		if (hostile_below(2) == 0)
			answer.fd = hostile_pair(SOCK_STREAM);
		tell(h, &answer);
		file_close(&answer.fd);
	}
}

/* ---- the tests */

static bool
may_send(const struct hostile *h, size_t i, int type, bool has_fd)
{
	return ipc_is_allowed((enum ipc_type)type, h->target->peers[i], h->target->own, has_fd);
}

/* The bytes of any message of this type. */
static struct slice
make(struct hostile *h, int type, struct buffer *out)
{
	struct ipc_message m = { .type = (enum ipc_type)type, .fd = -1 };
	h->last = m.type;
	do {
		buffer_finish(out);
		buffer_init(out, IPC_MESSAGE_MAX);
		hostile_fill(&m);
	} while (ipc_encode(&m, out, NULL) != 0); /* all fields at their longest are too long for one message */
	return slice_of(buffer_bytes(out), buffer_len(out));
}

static void
attack(struct hostile *h, size_t i, struct slice bytes, const int *fds, size_t count, const char *name)
{
	assert_true(hostile_send(h->fds[i], bytes.data, bytes.len, fds, count));
	expect_closed(h, i, name);
}

static void
malformed_messages_cost_the_channel(void **state)
{
	struct hostile *h = *state;
	struct buffer bytes;
	unsigned char longer[IPC_MESSAGE_MAX + 1] = { 0 };
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	for (size_t i = 0; i < h->count; i++) {
		attack(h, i, slice_of(longer, sizeof longer), NULL, 0, "too long a message");
		attack(h, i, slice_of("\xff\xff", 2), NULL, 0, "a type that is none");
		attack(h, i, slice_of("", 0), NULL, 0, "a message of no bytes");
		for (int type = IPC_TYPE_NONE + 1; type < IPC_TYPE_COUNT; type++) {
			if (!may_send(h, i, type, false) && !may_send(h, i, type, true))
				continue;
			struct slice whole = make(h, type, &bytes);
			int fd = hostile_descriptor(0);
			size_t count = may_send(h, i, type, true) ? 1 : 0;
			attack(h, i, slice_of(whole.data, whole.len - 1), &fd, count, "a message that was cut off");
			attack(h, i, slice_of(whole.data, whole.len / 2), &fd, count, "half a message");
			if (whole.len < IPC_MESSAGE_MAX) {
				memcpy(longer, whole.data, whole.len);
				attack(h, i, slice_of(longer, whole.len + 1), &fd, count, "a message with more behind it");
			}
			close(fd);
		}
	}
	buffer_finish(&bytes);
	assert_serves(h);
}

static void
messages_of_others_cost_the_channel(void **state)
{
	struct hostile *h = *state;
	struct buffer bytes;
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	for (size_t i = 0; i < h->count; i++)
		for (int type = IPC_TYPE_NONE + 1; type < IPC_TYPE_COUNT; type++) {
			int fd = hostile_descriptor(0);
			if (!may_send(h, i, type, false))
				attack(h, i, make(h, type, &bytes), NULL, 0, ipc_type_name((enum ipc_type)type));
			if (!may_send(h, i, type, true))
				attack(h, i, make(h, type, &bytes), &fd, 1, ipc_type_name((enum ipc_type)type));
			close(fd);
		}
	buffer_finish(&bytes);
	assert_serves(h);
}

static void
descriptors_in_heaps_cost_the_channel(void **state)
{
	struct hostile *h = *state;
	struct buffer bytes;
	int fds[TEST_SEND_DESCRIPTORS_MAX];
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		fds[i] = STDIN_FILENO;
	size_t before = descriptors_of(h);
	for (size_t i = 0; i < h->count; i++)
		for (int type = IPC_TYPE_NONE + 1; type < IPC_TYPE_COUNT; type++)
			if (may_send(h, i, type, false) || may_send(h, i, type, true)) {
				attack(h, i, make(h, type, &bytes), fds, 2, ipc_type_name((enum ipc_type)type));
				attack(h, i, make(h, type, &bytes), fds, TEST_SEND_DESCRIPTORS_MAX, ipc_type_name((enum ipc_type)type));
			}
	buffer_finish(&bytes);
	assert_serves(h);
	assert_int_equal(descriptors_of(h), before);
}

/* One message of the table with any content, at a time when nobody asked for it. */
static bool
say_something(struct hostile *h, size_t i)
{
	struct ipc_message m = { .fd = -1 };
	int first = (int)hostile_below(IPC_TYPE_COUNT), type = first; /* NONE is among them, and never allowed */
	while (!may_send(h, i, type, false) && !may_send(h, i, type, true))
		if ((type = (type + 1) % IPC_TYPE_COUNT) == first)
			return true; /* who may only listen */
	m.type = (enum ipc_type)type;
	bool may_lack = may_send(h, i, (int)m.type, false), may_have = may_send(h, i, (int)m.type, true);
	h->last = m.type;
	if (may_have && (!may_lack || hostile_below(2) == 0))
		m.fd = hostile_descriptor(hostile_below(HOSTILE_DESCRIPTORS));
	hostile_fill(&m);
	bool is_sent = hostile_send_message(h->fds[i], &m);
	if (hostile_below(4) == 0)
		hostile_send_message(h->fds[i], &m); /* and once more */
	file_close(&m.fd);
	return is_sent;
}

static void
allowed_messages_at_any_time_hurt_nobody(void **state)
{
	struct hostile *h = *state;
	size_t before = descriptors_of(h);
	unsigned sent = 0;
	for (unsigned round = 0; round < rounds; round++) {
		size_t i = hostile_below((unsigned)h->count);
		struct pollfd room = { h->fds[i], POLLOUT, 0 };
		sent += say_something(h, i);
		poll(&room, 1, TEST_ROLE_DEADLINE_S * 1000);
		if (!h->target->ends_with_channel)
			assert_lives(h);
		for (size_t each = 0; each < h->count; each++)
			if (!hear(h, h->fds[each], NULL))
				connect_peer(h, each);
		hear(h, h->role.parent, be_parent);
	}
	assert_serves(h);
	size_t after = descriptors_of(h);
	for (unsigned n = 0; after > before && n < SETTLE; n++) /* mail still had messages that content was to look at */
		after = descriptors_of(h);
	assert_true(sent > rounds / 2);
	if (after > before)
		fail_msg("%s keeps %zu descriptors, and had %zu", h->target->name, after, before);
}

/* Somebody who writes and never reads keeps the role from nobody else. */
static void
a_flood_hurts_nobody(void **state)
{
	struct hostile *h = *state;
	for (size_t i = 0; i < h->count; i++) {
		for (unsigned n = 0; n < FLOOD; n++)
			say_something(h, i);
		for (size_t other = 0; other < h->count; other++)
			if (other != i) {
				connect_peer(h, other);
				assert_true(hostile_send(h->fds[other], "?", 1, NULL, 0));
				expect_closed(h, other, "a message of one byte");
			}
		connect_peer(h, i);
	}
	assert_serves(h);
}

static void
it_ends_when_it_is_asked_to(void **state)
{
	struct hostile *h = *state;
	const struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	for (unsigned round = 0; round < 100 && !h->target->ends_with_channel; round++)
		say_something(h, hostile_below((unsigned)h->count));
	tell(h, &m);
	assert_int_equal(test_role_wait(&h->role), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(malformed_messages_cost_the_channel, start, finish),
		cmocka_unit_test_setup_teardown(messages_of_others_cost_the_channel, start, finish),
		cmocka_unit_test_setup_teardown(descriptors_in_heaps_cost_the_channel, start, finish),
		cmocka_unit_test_setup_teardown(allowed_messages_at_any_time_hurt_nobody, start, finish),
		cmocka_unit_test_setup_teardown(a_flood_hurts_nobody, start, finish),
		cmocka_unit_test_setup_teardown(it_ends_when_it_is_asked_to, start, finish),
	};
	for (size_t i = 0; i < sizeof targets / sizeof targets[0] && argc >= 3; i++)
		if (strcmp(targets[i].name, argv[1]) == 0)
			target = &targets[i];
	if (target == NULL)
		return 2;
	program = realpath(argv[2], NULL);
	if (argc > 3)
		hostile_seed = strtoull(argv[3], NULL, 10) | 1;
	if (argc > 4)
		rounds = (unsigned)atoi(argv[4]);
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
