/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/parent.h"
#include "daemon/pulse.h"
#include "identity/certificate.h"
#include "identity/recovery.h"

/* Who speaks with whom. Roles of identities speak only with those of the same identity. */
static const struct {
	enum role one, other;
} links[] = {
	{ ROLE_MAIL, ROLE_SMTP },
	{ ROLE_MAIL, ROLE_TOR },
	{ ROLE_MAIL, ROLE_SUBMISSION },
	{ ROLE_MAIL, ROLE_CONTENT },
	{ ROLE_MAIL, ROLE_CONTROL },
	{ ROLE_SMTP, ROLE_TOR },
	{ ROLE_MAIL, ROLE_SIGN },
	{ ROLE_SMTP, ROLE_SIGN },
};

static const struct process_kind kind_node, kind_tor, kind_intake, kind_mail, kind_content;

/* ---- the links between roles */

static bool
are_linked(const struct role_process *a, const struct role_process *b)
{
	if (a->identity != NULL && b->identity != NULL && a->identity != b->identity)
		return false;
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		if ((links[i].one == a->role && links[i].other == b->role) ||
		    (links[i].other == a->role && links[i].one == b->role))
			return true;
	return false;
}

/* What `to` calls its peer: tor, sign, submission and control have one for each identity, the others have one. */
static const char *
name_of_peer(const struct role_process *to, const struct role_process *peer)
{
	return to->identity == NULL && peer->identity != NULL ? peer->identity->is.name : "";
}

static void
give_peer(struct role_process *to, const struct role_process *peer, int fd)
{
	struct ipc_message m = { .type = IPC_TYPE_PEER, .fd = fd, .peer.role = (uint8_t)peer->role };
	snprintf(m.peer.identity, sizeof m.peer.identity, "%s", name_of_peer(to, peer));
	parent_role_send(to, &m);
}

static int
join(struct role_process *a, struct role_process *b, struct error *err)
{
	int fds[2];
	if (channel_pair(fds, err) != 0)
		return -1;
	give_peer(a, b, fds[0]);
	give_peer(b, a, fds[1]);
	file_close(&fds[0]);
	file_close(&fds[1]);
	return 0;
}

static bool
is_role(const struct process *process)
{
	const struct process_kind *k = process->kind;
	return k == &kind_node || k == &kind_tor || k == &kind_intake || k == &kind_mail || k == &kind_content;
}

static int
join_with_partners(struct role_process *role, struct error *err)
{
	for (struct process *p = role->process.parent->processes; p != NULL; p = p->next) {
		struct role_process *other = (struct role_process *)p;
		if (is_role(p) && other->channel != NULL && are_linked(role, other) && join(role, other, err) != 0)
			return -1;
	}
	return 0;
}

static void
say_gone(struct role_process *gone)
{
	struct ipc_message m = { .type = IPC_TYPE_PEER_GONE, .fd = -1, .peer_gone.role = (uint8_t)gone->role };
	for (struct process *p = gone->process.parent->processes; p != NULL; p = p->next) {
		struct role_process *other = (struct role_process *)p;
		if (!is_role(p) || !are_linked(gone, other))
			continue;
		snprintf(m.peer_gone.identity, sizeof m.peer_gone.identity, "%s", name_of_peer(other, gone));
		parent_role_send(other, &m);
	}
}

/* ---- the channel to the role */

/* mail asks when it has no channel to a content role. One that runs nevertheless is ending, or it hangs. */
static void
need_content(struct role_process *content)
{
	content->needed = content->process.pid != 0;
	if (!content->needed)
		parent_process_want(&content->process);
	else if (!timer_is_running(content->process.timer))
		timer_start(content->process.timer, PARENT_GRACE_MS);
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct role_process *role = context;
	struct parent *parent = role->process.parent;
	switch (m->type) {
	case IPC_TYPE_READY:
		if (!role->ready) /* what it says later may be what strangers have taught it */
			role->holds = m->ready;
		role->ready = true;
		parent_notify_look(parent);
		break;
	case IPC_TYPE_PONG:
		role->unanswered = 0;
		break;
	case IPC_TYPE_TOR_STATE:
		parent_tor_on_state(parent, &m->tor_state);
		parent_notify_look(parent);
		break;
	case IPC_TYPE_SOCKS_WANTED:
		parent_tor_on_socks_wanted(parent);
		break;
	case IPC_TYPE_SERVICE_STATE:
		parent_identity_on_state(parent, &m->service_state);
		parent_notify_look(parent);
		break;
	case IPC_TYPE_STORE_STATE:
		parent_identity_on_store(role->identity, &m->store_state);
		break;
	case IPC_TYPE_NEED_CONTENT:
		if (parent->stopping || role->identity->leaving)
			break;
		need_content(&role->identity->content);
		break;
	case IPC_TYPE_OPENPGP_MADE:
		parent_openpgp_on_made(role->identity, m->openpgp_made.key);
		break;
	case IPC_TYPE_CONTROL_REQUEST:
		parent_control_on_request(parent, &m->control_request);
		break;
	case IPC_TYPE_UNLOCK:
		parent_control_on_unlock(parent, &m->unlock);
		break;
	default: /* the table of messages lets nothing else through */
		break;
	}
}

static void
on_end(void *context, const struct error *err)
{
	struct role_process *role = context;
	channel_free(role->channel);
	role->channel = NULL;
	role->ready = false;
	if (role->process.pid == 0)
		return;
	if (err->code == ERROR_CLOSED) { /* it is about to end; if not, it is none any more */
		if (!timer_is_running(role->process.timer))
			timer_start(role->process.timer, PARENT_GRACE_MS);
		return;
	}
	log_error("%s: %s", role->process.name, err->text);
	kill(role->process.pid, SIGKILL);
}

void
parent_role_send(struct role_process *role, const struct ipc_message *m)
{
	struct error err = { 0 };
	if (role->channel == NULL || channel_send(role->channel, m, &err) == 0)
		return;
	log_warn("%s cannot be told %s: %s", role->process.name, ipc_type_name(m->type), err.text);
	if (err.code != ERROR_BUSY || role->process.pid == 0)
		return;
	/* It does not read what it is told, or asks for more than it reads: what it has not heard it would never hear. */
	channel_free(role->channel);
	role->channel = NULL;
	role->ready = false;
	kill(role->process.pid, SIGKILL);
}

/* ---- starting */

void
parent_role_send_file(struct role_process *role, enum ipc_type type, int fd)
{
	const struct ipc_message m = { .type = type, .fd = fd };
	parent_role_send(role, &m);
	close(fd);
}

/* What the card names of the recovery key; "": there is none. */
static void
load_recovery(const struct role_process *role, char out[NOTICE_HASH_LEN + 1])
{
	struct error err = { 0 };
	int fd = -1;
	_Static_assert(IPC_FINGERPRINT_LEN == NOTICE_HASH_LEN, "both are SHA-256 in base32");
	if (identity_open(role->process.parent->identities_fd, role->identity->is.name, ".", &fd, &err) != 0 ||
	    recovery_load_hash(fd, out, &err) != 0)
		out[0] = '\0';
	if (err.code != ERROR_NONE && err.code != ERROR_NOT_FOUND)
		log_warn("the card of %s names no recovery key: %s", role->identity->is.name, err.text);
	file_close(&fd);
}

void
parent_role_tell_mail(struct role_process *role)
{
	const struct config *config = &role->process.parent->config;
	struct error err = { 0 };
	struct ipc_message m = { .type = IPC_TYPE_MAIL_CONFIG, .fd = -1, .mail_config = {
		.message_max_bytes = config->message_max_bytes, .keep_free_bytes = config->keep_free_bytes, .retry_first_s = config->retry_first_s,
		.retry_most_s = config->retry_most_s, .expire_s = config->expire_s,
		.delay_notice_s = config->delay_notice_s, .keep_delivered_s = config->keep_delivered_s,
		.refuse_unproved = !role->identity->is.marks_unproved,
		.encryption = (uint8_t)role->identity->is.encryption, .opens = !role->identity->is.leaves_sealed,
		.stands_by = role->identity->stands_by, .date_step_s = config->date_step_s, .stagger_s = parent_identity_stagger_s(role->process.parent) } };
	snprintf(m.mail_config.onion, sizeof m.mail_config.onion, "%s", role->identity->is.onion);
	snprintf(m.mail_config.local_part, sizeof m.mail_config.local_part, "%s", role->identity->is.local_part);
	if (identity_load_fingerprint(role->process.parent->identities_fd, role->identity->is.name, m.mail_config.tls, &err) != 0)
		log_warn("the card of %s tells no TLS key: %s", role->identity->is.name, err.text);
	load_recovery(role, m.mail_config.recovery);
	parent_role_send(role, &m);
}

static int
send_node_file(struct role_process *role, enum ipc_type type, const char *name, struct error *err)
{
	int fd = openat(role->process.parent->node_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open %s of the node", name);
	parent_role_send_file(role, type, fd);
	return 0;
}

static int
tell_submission(struct role_process *role, struct error *err)
{
	struct parent *parent = role->process.parent;
	struct ipc_message m = { .type = IPC_TYPE_SUBMISSION_CONFIG, .fd = -1,
		.submission_config.message_max_bytes = parent->config.message_max_bytes };
	parent_role_send(role, &m);
	parent_listen_send(role, LISTENER_SUBMISSION, parent->listeners.submission);
	parent_listen_send(role, LISTENER_SUBMISSIONS, parent->listeners.submissions);
	parent_listen_send(role, LISTENER_SENDMAIL, parent->listeners.sendmail);
	if (send_node_file(role, IPC_TYPE_TLS_KEY, CERTIFICATE_KEY_FILE, err) != 0 ||
	    send_node_file(role, IPC_TYPE_TLS_CERTIFICATE, CERTIFICATE_FILE, err) != 0)
		return -1;
	for (struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next) {
		struct error why = { 0 };
		if (parent_identity_is_awake(identity) && parent_identity_tell_submission(identity, &why) != 0)
			log_error("%s has no login: %s", identity->is.name, why.text);
	}
	return 0;
}

static int
tell(struct role_process *role, struct error *err)
{
	switch (role->role) {
	case ROLE_CONTROL:
		parent_listen_send(role, LISTENER_CONTROL, role->process.parent->listeners.control);
		return 0;
	case ROLE_TOR:
		parent_identity_publish_all(role->process.parent);
		return 0;
	case ROLE_SIGN:
		parent_identity_tell_sign_all(role->process.parent);
		return 0;
	case ROLE_SUBMISSION:
		return tell_submission(role, err);
	case ROLE_SMTP:
		return parent_identity_tell_smtp(role->identity, err);
	case ROLE_MAIL:
		parent_role_tell_mail(role);
		return 0;
	case ROLE_CONTENT:
		parent_openpgp_tell_content(role->identity);
		return 0;
	default:
		return 0;
	}
}

static int
spawn(struct role_process *role, int channel_fd, int control_fd, int stdin_fd, struct error *err)
{
	char program[PATH_MAX + 32], socks[PARENT_TOR_SOCKS_MAX];
	const char *arguments[3] = { program, NULL, NULL };
	const struct parent *parent = role->process.parent;
	int folder_fd = -1;
	bool is_smtp = role->role == ROLE_SMTP || role->role == ROLE_SUBMISSION;
	snprintf(program, sizeof program, "%s/smtorp-%s", role->process.parent->role_folder,
	    is_smtp ? "smtp" : ipc_role_name(role->role));
	if (is_smtp)
		arguments[1] = ipc_role_name(role->role);
	if (role->role == ROLE_TOR && parent_tor_is_system(parent)) {
		arguments[1] = socks;
		parent_tor_socks(parent, socks);
	}
	if (role->role == ROLE_MAIL && identity_open(role->process.parent->identities_fd,
	    role->identity->is.name, IDENTITY_MAIL_FOLDER, &folder_fd, err) != 0)
		return -1;
	const struct process_spawn how = { .program = program, .arguments = arguments, .fd3 = channel_fd,
		.fd4 = control_fd, .directory_fd = folder_fd, .stdin_fd = stdin_fd };
	int result = parent_process_spawn(&role->process, &how, err);
	file_close(&folder_fd);
	return result;
}

int
parent_role_start_with(struct role_process *role, int control_fd, int stdin_fd, struct error *err)
{
	static const struct channel_events events = { on_message, on_end };
	int fds[2];
	if (channel_pair(fds, err) != 0)
		return -1;
	int result = spawn(role, fds[1], control_fd, stdin_fd, err);
	file_close(&fds[1]);
	if (result != 0) {
		file_close(&fds[0]);
		return -1;
	}
	channel_free(role->channel);
	role->needed = role->ready = role->asked_to_end = false;
	role->unanswered = 0;
	role->channel = channel_new(role->process.parent->loop, fds[0], ROLE_PARENT, role->role, &events, role);
	return tell(role, err) == 0 ? join_with_partners(role, err) : -1;
}

static int
start(struct process *process, struct error *err)
{
	return parent_role_start_with((struct role_process *)process, -1, -1, err);
}

/* ---- those that hang */

static void
take_pulse(struct role_process *role)
{
	const struct ipc_message m = { .type = IPC_TYPE_PING, .fd = -1 };
	if (role->channel == NULL || role->process.ending)
		return; /* it has its time to end already */
	if (pulse_is_lost(role->unanswered, pulse_state(role->process.pid))) {
		log_error("%s has not answered for %d seconds and is killed", role->process.name, (int)(role->unanswered * (PULSE_MS / 1000)));
		kill(role->process.pid, SIGKILL);
		return;
	}
	if (role->unanswered++ == 1)
		log_warn("%s does not answer", role->process.name);
	parent_role_send(role, &m);
}

static void
on_pulse(void *context)
{
	struct parent *parent = context;
	for (struct process *p = parent->processes; p != NULL; p = p->next)
		if (is_role(p) && p->pid != 0 && !parent->stopping)
			take_pulse((struct role_process *)p);
	parent_tickets_look(parent);
	timer_start(parent->pulse, PULSE_MS);
}

void
parent_role_watch_all(struct parent *parent)
{
	parent->pulse = timer_new(parent->loop, on_pulse, parent);
	timer_start(parent->pulse, PULSE_MS);
}

/* ---- ending */

static void
on_dead(struct process *process)
{
	struct role_process *role = (struct role_process *)process;
	if (role->channel != NULL)
		channel_drain(role->channel); /* its last words, which say why */
	channel_free(role->channel);
	role->channel = NULL;
	role->ready = false;
	if (role->role == ROLE_TOR)
		parent_tor_on_role_dead(process->parent);
	if (role->needed && !process->parent->stopping && !role->identity->leaving)
		parent_process_want(process);
	if (role->identity != NULL && role->identity->leaving)
		say_gone(role);
}

static void
ask_to_end(struct process *process)
{
	struct role_process *role = (struct role_process *)process;
	const struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	if (!role->asked_to_end)
		parent_role_send(role, &m);
	role->asked_to_end = true;
}

static const struct process_kind kind_node = { start, on_dead, ask_to_end, STOP_REST, SIGKILL, false };
static const struct process_kind kind_tor = { parent_tor_system_start, on_dead, ask_to_end, STOP_REST, SIGKILL, false };
static const struct process_kind kind_intake = { start, on_dead, ask_to_end, STOP_INTAKE, SIGKILL, false };
static const struct process_kind kind_mail = { start, on_dead, ask_to_end, STOP_MAIL, SIGKILL, false };
static const struct process_kind kind_content = { start, on_dead, ask_to_end, STOP_MAIL, SIGKILL, true };

static const struct process_kind *
kind_of(enum role role)
{
	switch (role) {
	case ROLE_SMTP:
	case ROLE_SUBMISSION:
		return &kind_intake;
	case ROLE_MAIL:
		return &kind_mail;
	case ROLE_CONTENT:
		return &kind_content;
	case ROLE_TOR:
		return &kind_tor;
	default:
		return &kind_node;
	}
}

void
parent_role_init(struct role_process *role, struct parent *parent, enum role which, struct parent_identity *identity)
{
	char name[sizeof role->process.name];
	snprintf(name, sizeof name, "%s%s%s", ipc_role_name(which), identity == NULL ? "" : "@",
	    identity == NULL ? "" : identity->is.name);
	*role = (struct role_process){ .role = which, .identity = identity };
	parent_process_init(&role->process, parent, kind_of(which), name);
}

void
parent_role_finish(struct role_process *role)
{
	channel_free(role->channel);
	role->channel = NULL;
	parent_process_finish(&role->process);
}
