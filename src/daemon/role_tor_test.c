/* SPDX-License-Identifier: ISC
 *
 * smtorp-tor with a real tor on a private network (testnet/): this program plays the parent, mail@ID and smtp@ID.
 * It wants SMTORP_TESTNET, the folder of a running network, and SMTORP_SOURCE, the source tree; without the
 * first its tests are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "ipc/channel.h"
#include "onionkey/onionkey.h"
#include "tor/endpoint.h"
#include "tor/torrc.h"

#define DEADLINE_MS 90000

/* What the roles said last. */
static struct {
	struct ipc_tor_state tor;
	struct ipc_service_state service;
	unsigned tor_states, services, connected, failed, ends;
	uint64_t connected_id;
	int connected_fd;
	struct ipc_dial_failed dial_failed;
} seen;

static char directory[64];
static struct loop *loop;
static struct timer *deadline;
static bool overdue;
static pid_t tor_pid, role_pid;
static struct channel *parent, *mail, *smtp;
static int listening_25, listening_465;
static struct onionkey key;
static char onion[ONIONKEY_NAME_LEN + sizeof ".onion"];
static uint64_t next_session = 1;

/* ---- waiting */

static void
on_deadline(void *context)
{
	(void)context;
	overdue = true;
	loop_stop(loop);
}

static void
wait_until(bool (*is_so)(void), const char *what)
{
	overdue = false;
	timer_start(deadline, DEADLINE_MS);
	while (!is_so() && !overdue)
		loop_run(loop);
	timer_stop(deadline);
	if (overdue)
		fail_msg("waited too long: %s", what);
}

/* What the role cannot do itself. */
static void
give_socks(void)
{
	char socks[128];
	struct endpoint endpoint;
	struct ipc_message m = { .type = IPC_TYPE_SOCKS_CONNECTION };
	snprintf(socks, sizeof socks, "%s/socks", directory);
	assert_int_equal(endpoint_parse(socks, &endpoint, NULL), 0);
	m.fd = endpoint_connect(&endpoint);
	m.socks_connection.errnum = (uint32_t)errno;
	assert_int_equal(channel_send(parent, &m, NULL), 0);
	file_close(&m.fd);
}

static void
on_message(void *context, struct ipc_message *m)
{
	(void)context;
	switch (m->type) {
	case IPC_TYPE_TOR_STATE:
		seen.tor = m->tor_state;
		seen.tor_states++;
		break;
	case IPC_TYPE_SERVICE_STATE:
		seen.service = m->service_state;
		seen.services++;
		break;
	case IPC_TYPE_CONNECTED:
		seen.connected_id = m->connected.session_id;
		file_close(&seen.connected_fd);
		seen.connected_fd = m->fd;
		m->fd = -1;
		seen.connected++;
		break;
	case IPC_TYPE_DIAL_FAILED:
		seen.dial_failed = m->dial_failed;
		seen.failed++;
		break;
	case IPC_TYPE_SOCKS_WANTED:
		give_socks();
		break;
	default:
		break;
	}
	loop_stop(loop);
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	(void)err;
	seen.ends++;
	loop_stop(loop);
}

static const struct channel_events channel_events = { on_message, on_end };

/* ---- processes */

static void
write_torrc(const char *path, const char *data, const char *socks)
{
	char command[512], line[1024];
	struct buffer text;
	buffer_init(&text, 65536);
	assert_int_equal(torrc_write(data, socks, &text, NULL), 0);
	snprintf(command, sizeof command, "exec '%s/testnet/testnet' conf '%s'", getenv("SMTORP_SOURCE"),
	    getenv("SMTORP_TESTNET"));
	FILE *conf = popen(command, "re");
	assert_non_null(conf);
	while (fgets(line, sizeof line, conf) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		assert_memory_equal(line, "tor.extra = ", 12);
		assert_int_equal(torrc_add_line(line + 12, &text, NULL), 0);
	}
	assert_int_equal(pclose(conf), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, buffer_bytes(&text), buffer_len(&text), NULL), 0);
	close(fd);
	buffer_finish(&text);
}

/* Starts a program with fd_3 (or /dev/null when it is -1) and fd_4 as its descriptors 3 and 4. */
static pid_t
spawn(const char *const *argv, int fd_3, int fd_4)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int three = fcntl(fd_3 >= 0 ? fd_3 : open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, 10);
	int four = fcntl(fd_4, F_DUPFD_CLOEXEC, 10);
	dup2(three, 3);
	dup2(four, 4);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	perror(argv[0]);
	_exit(127);
}

static void
start_both(void)
{
	char data[128], socks[128], rc[128], exe[4096];
	int control[2], channel[2];
	snprintf(data, sizeof data, "%s/data", directory);
	snprintf(socks, sizeof socks, "%s/socks", directory);
	snprintf(rc, sizeof rc, "%s/torrc", directory);
	write_torrc(rc, data, socks);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
	assert_int_equal(channel_pair(channel, NULL), 0);
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 16);
	assert_true(n > 0);
	exe[n] = '\0';
	strcpy(strrchr(exe, '/') + 1, "smtorp-tor");
	tor_pid = spawn((const char *const[]){ "tor", "--defaults-torrc", "/dev/null", "-f", rc, "__OwningControllerFD", "4",
	    NULL }, -1, control[1]);
	role_pid = spawn((const char *const[]){ exe, NULL }, channel[1], control[0]);
	close(control[0]);
	close(control[1]);
	close(channel[1]);
	parent = channel_new(loop, channel[0], ROLE_PARENT, ROLE_TOR, &channel_events, NULL);
}

static int
exit_status_of(pid_t *pid)
{
	int status = -1;
	pid_t got;
	alarm(DEADLINE_MS / 1000);
	do
		got = waitpid(*pid, &status, 0);
	while (got < 0 && errno == EINTR);
	alarm(0);
	assert_true(got == *pid);
	*pid = 0;
	return status;
}

static void
end_process(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		exit_status_of(pid);
	}
}

/* ---- the other roles */

static struct channel *
connect_role(enum role role, const char *identity)
{
	int fds[2];
	struct ipc_message m = { .type = IPC_TYPE_PEER };
	assert_int_equal(channel_pair(fds, NULL), 0);
	m.fd = fds[1];
	m.peer.role = role;
	strcpy(m.peer.identity, identity);
	assert_int_equal(channel_send(parent, &m, NULL), 0);
	close(fds[1]);
	return channel_new(loop, fds[0], role, ROLE_TOR, &channel_events, NULL);
}

static int
listen_at(const char *name, char path[IPC_PATH_MAX + 1])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(path, IPC_PATH_MAX + 1, "%s/%s", directory, name);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void
add_service(const char *identity)
{
	unsigned char file[ONIONKEY_FILE_BYTES];
	char path[96];
	struct ipc_message m = { .type = IPC_TYPE_SERVICE_ADD };
	strcpy(m.service_add.identity, identity);
	snprintf(m.service_add.path_25, sizeof m.service_add.path_25, "%s/25", directory);
	snprintf(m.service_add.path_465, sizeof m.service_add.path_465, "%s/465", directory);
	snprintf(path, sizeof path, "%s/onion.key", directory);
	onionkey_to_file(&key, file);
	m.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(m.fd >= 0);
	assert_int_equal(file_write_all(m.fd, file, sizeof file, NULL), 0);
	assert_int_equal(channel_send(parent, &m, NULL), 0);
	close(m.fd);
}

static uint64_t
dial(const char *name, uint16_t port)
{
	struct ipc_message m = { .type = IPC_TYPE_DIAL, .fd = -1 };
	m.dial.session_id = next_session++;
	m.dial.port = port;
	strcpy(m.dial.onion, name);
	seen.connected = seen.failed = 0;
	assert_int_equal(channel_send(mail, &m, NULL), 0);
	return m.dial.session_id;
}

static bool
dial_ended(void)
{
	return seen.connected + seen.failed > 0;
}

static bool
role_ended(void)
{
	return seen.ends > 0;
}

static bool
is_bootstrapped(void)
{
	return seen.tor.bootstrap_percent == 100;
}

static bool
is_published(void)
{
	return seen.service.state == SERVICE_PUBLISHED;
}

static bool
service_said(void)
{
	return seen.services > 0;
}

/* ---- the tests, in this order */

static void
reports_the_bootstrap(void **state)
{
	(void)state;
	start_both();
	wait_until(is_bootstrapped, "tor's bootstrap");
	assert_true(seen.tor_states > 1);
	assert_memory_equal(seen.tor.version, "0.4.", 4);
	assert_true(strlen(seen.tor.phase) > 0);
}

static void
publishes_a_service(void **state)
{
	(void)state;
	add_service("alice");
	wait_until(is_published, "the publication");
	assert_string_equal(seen.service.identity, "alice");
	assert_true(seen.service.uploaded > 0);
}

static int
accept_within_deadline(int listening_fd)
{
	struct pollfd p = { .fd = listening_fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void
assert_arrives(int from, int to, const char *text)
{
	char got[64] = "";
	size_t len = 0;
	assert_int_equal(file_write_all(from, text, strlen(text), NULL), 0);
	while (len < strlen(text)) {
		struct pollfd p = { .fd = to, .events = POLLIN };
		assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		ssize_t n = read(to, got + len, strlen(text) - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_string_equal(got, text);
}

/* A descriptor that was published a moment ago may not be found yet: mail would try again, and so do we. */
static void
dial_until_connected(uint16_t port)
{
	uint64_t session_id;
	unsigned tries = 0;
	do {
		session_id = dial(onion, port);
		wait_until(dial_ended, "the dial");
		if (seen.failed > 0 && (seen.dial_failed.reason != DIAL_REASON_NO_DESCRIPTOR || ++tries == 20))
			fail_msg("reason %u: %s", seen.dial_failed.reason, seen.dial_failed.text);
	} while (seen.failed > 0);
	assert_true(seen.connected_id == session_id);
}

static void
dials_and_loses_no_byte(void **state)
{
	(void)state;
	mail = connect_role(ROLE_MAIL, "alice");
	smtp = connect_role(ROLE_SMTP, "alice");
	static const struct {
		uint16_t port;
		int *listening;
	} table[] = { { 25, &listening_25 }, { 465, &listening_465 } };
	for (size_t i = 0; i < 2; i++) {
		dial_until_connected(table[i].port);
		int server = accept_within_deadline(*table[i].listening);
		assert_arrives(server, seen.connected_fd, "220 first\r\n");
		assert_arrives(seen.connected_fd, server, "EHLO bob\r\n");
		assert_arrives(server, seen.connected_fd, "250 hello\r\n");
		assert_true((fcntl(seen.connected_fd, F_GETFL) & O_NONBLOCK) != 0);
		close(server);
		file_close(&seen.connected_fd);
	}
}

static void
refuses_what_is_no_mail_to_an_onion(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t port;
	} table[] = {
		{ NULL, 80 }, { NULL, 0 }, { "example.org", 25 }, { "localhost", 25 }, { "127.0.0.1", 25 },
		{ "expyuzz4wqqyqhjn.onion", 25 },
		{ "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sie.onion", 25 }, { ".onion", 25 }, { "", 25 },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		dial(table[i].name == NULL ? onion : table[i].name, table[i].port);
		wait_until(dial_ended, "a refusal");
		assert_int_equal(seen.failed, 1);
		assert_int_equal(seen.dial_failed.reason, DIAL_REASON_BAD_ADDRESS);
	}
}

static void
says_that_an_onion_is_not_published(void **state)
{
	(void)state;
	unsigned char seed[32];
	struct onionkey other;
	char name[ONIONKEY_NAME_LEN + sizeof ".onion"];
	random_bytes(seed, sizeof seed);
	onionkey_from_seed(seed, &other);
	onionkey_name(other.public_key, name);
	strcat(name, ".onion");
	dial(name, 25);
	wait_until(dial_ended, "a failure");
	assert_int_equal(seen.failed, 1);
	assert_int_equal(seen.dial_failed.reason, DIAL_REASON_NO_DESCRIPTOR);
	name[ONIONKEY_NAME_LEN] = '\0';
	assert_null(strstr(seen.dial_failed.text, name));
}

static void
a_cancelled_dial_does_not_connect(void **state)
{
	(void)state;
	struct ipc_message m = { .type = IPC_TYPE_DIAL_CANCEL, .fd = -1 };
	kill(tor_pid, SIGSTOP); /* or it may be faster than we are, with the circuit that it has */
	m.dial_cancel.session_id = dial(onion, 465);
	assert_int_equal(channel_send(mail, &m, NULL), 0);
	uint64_t second = dial(onion, 25);
	kill(tor_pid, SIGCONT);
	wait_until(dial_ended, "the dial behind it");
	assert_int_equal(seen.connected, 1);
	assert_true(seen.connected_id == second);
	close(accept_within_deadline(listening_25));
	struct pollfd p = { .fd = listening_465, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void
a_service_that_takes_no_connection_is_told(void **state)
{
	(void)state;
	file_close(&listening_465);
	dial(onion, 465);
	wait_until(dial_ended, "the refusal");
	assert_int_equal(seen.failed, 1);
	assert_int_equal(seen.dial_failed.reason, DIAL_REASON_PORT_REFUSED);
}

static void
two_identities_cannot_have_one_key(void **state)
{
	(void)state;
	seen.services = 0;
	add_service("bob");
	wait_until(service_said, "a word about the service");
	assert_string_equal(seen.service.identity, "bob");
	assert_int_equal(seen.service.state, SERVICE_FAILED);
}

static void
ends_when_tor_dies(void **state)
{
	(void)state;
	seen.ends = 0;
	kill(tor_pid, SIGKILL);
	exit_status_of(&tor_pid);
	wait_until(role_ended, "the end of the role");
	int status = exit_status_of(&role_pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	channel_free(parent);
	channel_free(mail);
	channel_free(smtp);
	parent = mail = smtp = NULL;
}

static void
tor_ends_with_its_role(void **state)
{
	(void)state;
	memset(&seen.tor, 0, sizeof seen.tor);
	start_both();
	wait_until(is_bootstrapped, "tor's second bootstrap");
	struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	assert_int_equal(channel_send(parent, &m, NULL), 0);
	int status = exit_status_of(&role_pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = exit_status_of(&tor_pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	channel_free(parent);
	parent = NULL;
}

static int
set_up(void **state)
{
	(void)state;
	unsigned char seed[32];
	char path[IPC_PATH_MAX + 1];
	strcpy(directory, "/tmp/smtorp-role-tor-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	seen.connected_fd = -1;
	signal(SIGPIPE, SIG_IGN);
	random_init();
	random_bytes(seed, sizeof seed);
	onionkey_from_seed(seed, &key);
	onionkey_name(key.public_key, onion);
	strcat(onion, ".onion");
	loop = loop_new();
	deadline = timer_new(loop, on_deadline, NULL);
	listening_25 = listen_at("25", path);
	listening_465 = listen_at("465", path);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	end_process(&role_pid);
	end_process(&tor_pid);
	channel_free(parent);
	channel_free(mail);
	channel_free(smtp);
	timer_free(deadline);
	loop_free(loop);
	file_close(&listening_25);
	file_close(&listening_465);
	return file_remove_tree(AT_FDCWD, directory, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_the_bootstrap),
		cmocka_unit_test(publishes_a_service),
		cmocka_unit_test(dials_and_loses_no_byte),
		cmocka_unit_test(refuses_what_is_no_mail_to_an_onion),
		cmocka_unit_test(says_that_an_onion_is_not_published),
		cmocka_unit_test(a_cancelled_dial_does_not_connect),
		cmocka_unit_test(a_service_that_takes_no_connection_is_told),
		cmocka_unit_test(two_identities_cannot_have_one_key),
		cmocka_unit_test(ends_when_tor_dies),
		cmocka_unit_test(tor_ends_with_its_role),
	};
	if (getenv("SMTORP_TESTNET") == NULL || getenv("SMTORP_SOURCE") == NULL) {
		fprintf(stderr, "SMTORP_TESTNET and SMTORP_SOURCE are not set: nothing to test with\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
