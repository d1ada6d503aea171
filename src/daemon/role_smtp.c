/* SPDX-License-Identifier: ISC
 *
 * smtorp-smtp: the roles smtp@ID and submission. Which one it is stands in the first argument; everything else comes by
 * messages.
 */
#include "daemon/role_smtp.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"

#define PEM_MAX_BYTES 65536
#define LISTENERS_OF_SUBMISSION 3

struct role_smtp role_smtp;

/* What has come until there is enough to begin with. */
static struct {
	bool has_config;
	struct buffer key, certificate;
	int listeners[LISTENER_SENDMAIL + 1];
} early;

static enum smtpd_kind
kind_of(enum ipc_listener listener)
{
	switch (listener) {
	case LISTENER_SMTP:
		return SMTPD_ONION;
	case LISTENER_SMTORP:
		return SMTPD_SMTORP;
	case LISTENER_SUBMISSION:
		return SMTPD_SUBMISSION;
	case LISTENER_SUBMISSIONS:
		return SMTPD_SUBMISSIONS;
	default:
		return SMTPD_SENDMAIL;
	}
}

static unsigned
descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= ROLE_SMTP_FILES_KEPT)
		return 0;
	return limit.rlim_cur < UINT_MAX ? (unsigned)limit.rlim_cur - ROLE_SMTP_FILES_KEPT : UINT_MAX - ROLE_SMTP_FILES_KEPT;
}

/* A large message has a descriptor beside its session's. */
static unsigned
large_max(void)
{
	unsigned most = descriptors() / 4 + 1;
	return most < SMTPD_SPOOLS_LARGE_MAX ? most : SMTPD_SPOOLS_LARGE_MAX;
}

static unsigned
sessions_max(enum smtpd_kind kind)
{
	bool is_onion = kind == SMTPD_ONION || kind == SMTPD_SMTORP;
	unsigned wanted = is_onion ? SMTPD_SESSIONS_MAX : kind == SMTPD_SENDMAIL ? ROLE_SUBMISSION_SENDMAIL_MAX
	                                                                         : ROLE_SUBMISSION_SESSIONS_MAX;
	unsigned there = descriptors() > large_max() ? descriptors() - large_max() : 0;
	unsigned most = there / (is_onion ? ROLE_SMTP_PORTS : LISTENERS_OF_SUBMISSION) + 1;
	if (most >= wanted)
		return wanted;
	log_warn("this process may open so few files that it takes %u sessions at a time on a port instead of %u: raise LimitNOFILE= "
	    "of its service, or ulimit -n", most, wanted);
	return most;
}

static void
listen_on(enum ipc_listener listener)
{
	struct smtpd_config config = { .kind = kind_of(listener), .message_max_bytes = role_smtp.message_max_bytes,
		.require_tls = role_smtp.require_tls && listener == LISTENER_SMTP,
		.allow_plain_auth = listener == LISTENER_SUBMISSION, /* the parent listens on loopback only */
		.tls = role_smtp.server_tls, .sessions_max = sessions_max(kind_of(listener)) };
	snprintf(config.hostname, sizeof config.hostname, "%s", role_smtp.hostname);
	smtpd_listen(role_smtp.server, early.listeners[listener], &config);
	early.listeners[listener] = -1;
}

static void
begin_if_complete(void)
{
	struct error err = { 0 };
	if (role_smtp.is_stopping || !early.has_config)
		return;
	if (role_smtp.server_tls == NULL) {
		if (buffer_len(&early.key) == 0 || buffer_len(&early.certificate) == 0)
			return;
		struct slice key = slice_of(buffer_bytes(&early.key), buffer_len(&early.key));
		struct slice certificate = slice_of(buffer_bytes(&early.certificate), buffer_len(&early.certificate));
		int result = tls_context_new_server(certificate, key, &role_smtp.server_tls, &err);
		explicit_bzero(early.key.data + early.key.start, key.len);
		buffer_finish(&early.key);
		buffer_finish(&early.certificate);
		if (result != 0) {
			log_error("the TLS key cannot be used: %s", err.text);
			role_quit(1);
			return;
		}
		role_smtp_server_on_tls(role_smtp.server_tls);
	}
	for (int i = LISTENER_SMTP; i <= LISTENER_SENDMAIL; i++)
		if (early.listeners[i] >= 0)
			listen_on((enum ipc_listener)i);
}

static void
take_file(struct buffer *into, int fd)
{
	struct error err = { 0 };
	buffer_finish(into);
	if (file_read_all(fd, into, &err) == 0)
		return;
	log_error("cannot read a TLS file: %s", err.text);
	role_quit(1);
}

/* Until there are keys, nobody gets a ticket. */
static void
take_ticket_keys(int fd)
{
	struct tls_ticket_key *keys = secret_new(TLS_TICKET_KEYS_MAX * sizeof *keys);
	struct error err = { 0 };
	struct buffer bytes;
	buffer_init(&bytes, TLS_TICKET_KEYS_MAX * sizeof *keys);
	int result = file_read_all(fd, &bytes, &err);
	size_t len = buffer_len(&bytes);
	if (result == 0 && (len == 0 || len % sizeof *keys != 0 || role_smtp.server_tls == NULL))
		result = error_set(&err, ERROR_INVALID, "%zu bytes", len);
	if (result == 0) {
		memcpy(keys, buffer_bytes(&bytes), len);
		result = tls_context_set_ticket_keys(role_smtp.server_tls, keys, len / sizeof *keys, &err);
	}
	if (bytes.data != NULL)
		explicit_bzero(bytes.data, bytes.capacity);
	buffer_finish(&bytes);
	secret_free(keys);
	if (result != 0)
		log_error("the keys for tickets cannot be used: %s", err.text);
}

static void
take_listener(struct ipc_message *m)
{
	int which = m->listen.listener;
	if (which < LISTENER_SMTP || which > LISTENER_SENDMAIL || early.listeners[which] >= 0)
		return;
	early.listeners[which] = m->fd;
	m->fd = -1;
}

static void
on_parent(void *context, struct ipc_message *m)
{
	(void)context;
	switch (m->type) {
	case IPC_TYPE_SMTP_CONFIG:
		early.has_config = true;
		role_smtp.message_max_bytes = m->smtp_config.message_max_bytes;
		role_smtp.require_tls = m->smtp_config.require_tls != 0;
		snprintf(role_smtp.hostname, sizeof role_smtp.hostname, "%s", m->smtp_config.onion);
		role_smtp_server_on_config(&m->smtp_config);
		role_smtp_client_on_config(m->smtp_config.onion, m->smtp_config.message_max_bytes);
		role_smtp_proof_on_config(m->smtp_config.onion);
		break;
	case IPC_TYPE_SUBMISSION_CONFIG:
		early.has_config = true;
		role_smtp.message_max_bytes = m->submission_config.message_max_bytes;
		snprintf(role_smtp.hostname, sizeof role_smtp.hostname, "localhost");
		break;
	case IPC_TYPE_TLS_KEY:
		take_file(&early.key, m->fd);
		break;
	case IPC_TYPE_TLS_CERTIFICATE:
		take_file(&early.certificate, m->fd);
		break;
	case IPC_TYPE_TICKET_KEYS:
		take_ticket_keys(m->fd);
		break;
	case IPC_TYPE_LISTEN:
		take_listener(m);
		break;
	case IPC_TYPE_LOGIN:
		role_submission_on_login(&m->login);
		break;
	case IPC_TYPE_LOGIN_REMOVE:
		role_submission_on_login_remove(m->login_remove.identity);
		break;
	default: /* the table of messages lets nothing else through */
		break;
	}
	begin_if_complete();
}

static void
on_peer(void *context, enum role peer, const char *identity, int fd)
{
	(void)context;
	if (role_smtp.role == ROLE_SUBMISSION && peer == ROLE_MAIL)
		role_submission_on_mail(identity, fd);
	else if (role_smtp.role == ROLE_SMTP && peer == ROLE_MAIL)
		role_smtp_server_on_mail(fd);
	else if (role_smtp.role == ROLE_SMTP && peer == ROLE_TOR)
		role_smtp_client_on_tor(fd);
	else if (role_smtp.role == ROLE_SMTP && peer == ROLE_SIGN)
		role_smtp_proof_on_sign(fd);
	else
		close(fd);
}

static void
on_peer_gone(void *context, enum role peer, const char *identity)
{
	(void)context;
	if (role_smtp.role == ROLE_SUBMISSION && peer == ROLE_MAIL)
		role_submission_on_login_remove(identity);
}

static void
on_stop_timer(void *context)
{
	(void)context;
	role_quit(0);
}

static void
on_stop(void *context)
{
	(void)context;
	if (role_smtp.is_stopping)
		return;
	role_smtp.is_stopping = true;
	role_smtp.stop_timer = timer_new(role_loop(), on_stop_timer, NULL);
	timer_start(role_smtp.stop_timer, SMTP_STOP_MS);
	role_smtp_client_stop();
	smtpd_stop(role_smtp.server);
}

void
role_smtp_check_stopped(void)
{
	if (role_smtp.is_stopping && smtpd_session_count(role_smtp.server) == 0 && role_smtp_client_is_idle())
		role_quit(0);
}

/* Thousands of sessions need a descriptor each. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	static const struct role_events events = { on_parent, on_peer, on_peer_gone, on_stop };
	bool is_submission = argc == 2 && strcmp(argv[1], "submission") == 0;
	if (!is_submission && (argc != 2 || strcmp(argv[1], "smtp") != 0)) {
		fprintf(stderr, "this program is started by smtorpd(8)\n");
		return 2;
	}
	raise_descriptor_limit();
	role_smtp.role = is_submission ? ROLE_SUBMISSION : ROLE_SMTP;
	buffer_init(&early.key, PEM_MAX_BYTES);
	buffer_init(&early.certificate, PEM_MAX_BYTES);
	for (int i = 0; i <= LISTENER_SENDMAIL; i++)
		early.listeners[i] = -1;
	tls_library_init();
	role_init(role_smtp.role, &events, NULL);
	role_smtp.server = smtpd_new(role_loop(), large_max(),
	    is_submission ? &role_submission_events : &role_smtp_server_events, NULL);
	int status = role_run();
	smtpd_free(role_smtp.server);
	tls_context_free(role_smtp.server_tls); /* wipes the keys: memory may be looked at later, too */
	return status;
}
