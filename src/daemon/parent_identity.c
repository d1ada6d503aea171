/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "config/exits.h"
#include "daemon/parent.h"
#include "identity/certificate.h"
#include "identity/tickets.h"
#include "tor/access.h"

struct parent_identity *
parent_identity_find(struct parent *parent, const char *name)
{
	struct parent_identity *identity = parent->identities;
	while (identity != NULL && strcmp(identity->is.name, name) != 0)
		identity = identity->next;
	return identity;
}

/* ---- its sockets: <runtime>/onion/NAME/25 and 465 */

static int
open_socket(const struct parent_identity *identity, const char *port, char path[IPC_PATH_MAX + 1], int *out_fd,
    struct error *err)
{
	int n = snprintf(path, IPC_PATH_MAX + 1, "%s/onion/%s/%s", identity->parent->paths.runtime, identity->is.name, port);
	if (n < 0 || n > IPC_PATH_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the path of the runtime folder is too long");
	return parent_listen_unix(path, out_fd, err);
}

static int
open_sockets(struct parent_identity *identity, struct error *err)
{
	int onion_fd = -1, folder_fd = -1;
	int result = 0;
	onion_fd = openat(identity->parent->runtime_fd, "onion", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (onion_fd < 0)
		result = error_set_errno(err, errno, "cannot open the folder of the sockets");
	if (result == 0)
		result = file_open_private_dir(onion_fd, identity->is.name, &folder_fd, err);
	if (result == 0)
		result = open_socket(identity, "25", identity->path_25, &identity->listen_25, err);
	if (result == 0)
		result = open_socket(identity, "465", identity->path_465, &identity->listen_465, err);
	if (result == 0)
		result = parent_tor_system_share(identity->parent, folder_fd, err);
	file_close(&folder_fd);
	file_close(&onion_fd);
	return result;
}

static void
remove_sockets(struct parent_identity *identity)
{
	struct error err = { 0 };
	int onion_fd = openat(identity->parent->runtime_fd, "onion", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	file_close(&identity->listen_25);
	file_close(&identity->listen_465);
	if (onion_fd >= 0 && file_remove_tree(onion_fd, identity->is.name, &err) != 0)
		log_warn("%s", err.text);
	file_close(&onion_fd);
}

#define STAGGER_MOST_S (10 * 60)

/* ---- the identity */

/* Who may find it, if there is a file about that. */
static int
tell_tor_access(struct parent_identity *identity, bool *has_access, struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_SERVICE_ACCESS, .fd = -1 };
	struct error why = { 0 };
	*has_access = identity_open(identity->parent->identities_fd, identity->is.name, ACCESS_FILE, &m.fd, &why) == 0;
	if (!*has_access && why.code != ERROR_NOT_FOUND)
		return error_set(err, why.code, "%s", why.text);
	snprintf(m.service_access.identity, sizeof m.service_access.identity, "%s", identity->is.name);
	if (*has_access)
		parent_role_send(&identity->parent->tor.role, &m);
	file_close(&m.fd);
	return 0;
}

static void
stand_by(struct parent_identity *identity)
{
	identity->stands_by = true;
	identity->state = SERVICE_STANDBY;
	snprintf(identity->detail, sizeof identity->detail, "another copy of it is published; smtorp identity takeover %s", identity->is.name);
}

static int
tell_tor(struct parent_identity *identity, struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_SERVICE_ADD, .fd = -1 };
	bool has_access = false;
	if (identity->stands_by) {
		stand_by(identity);
		return 0;
	}
	if (tell_tor_access(identity, &has_access, err) != 0 || parent_lock_open_key(identity, IDENTITY_ONION_KEY_FILE, &m.fd, err) != 0)
		return -1;
	snprintf(m.service_add.identity, sizeof m.service_add.identity, "%s", identity->is.name);
	m.service_add.has_access = has_access;
	m.service_add.watch_s = identity->parent->config.watch_copies_s;
	snprintf(m.service_add.path_25, sizeof m.service_add.path_25, "%s", identity->path_25);
	snprintf(m.service_add.path_465, sizeof m.service_add.path_465, "%s", identity->path_465);
	parent_role_send(&identity->parent->tor.role, &m);
	identity->is_with_tor = identity->parent->tor.role.channel != NULL;
	file_close(&m.fd);
	return 0;
}

static void
publish(struct parent_identity *identity)
{
	struct error err = { 0 };
	if (parent_identity_is_awake(identity) && !identity->is_with_tor && tell_tor(identity, &err) != 0)
		log_error("%s is not published: %s", identity->is.name, err.text);
}

static void
on_publish(void *context)
{
	publish(context);
}

uint32_t
parent_identity_stagger_s(const struct parent *parent)
{
	uint64_t count = 0;
	for (const struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next)
		count += parent_identity_is_awake(identity);
	uint64_t all_s = count * parent->config.stagger_s;
	return count < 2 ? 0 : all_s < STAGGER_MOST_S ? (uint32_t)all_s : STAGGER_MOST_S;
}

void
parent_identity_publish_all(struct parent *parent)
{
	int64_t within_ms = (int64_t)parent_identity_stagger_s(parent) * 1000;
	bool is_ready = parent->tor.bootstrap_percent == 100;
	for (struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next) {
		if (within_ms == 0)
			publish(identity);
		else if (is_ready && parent_identity_is_awake(identity)) /* before, tor would keep them, and publish all at once */
			timer_start(identity->publish, (int64_t)(random_u64() % (uint64_t)within_ms));
	}
}

static void
free_one(struct parent_identity *identity)
{
	if (identity == NULL)
		return;
	parent_role_finish(&identity->mail);
	parent_role_finish(&identity->smtp);
	parent_role_finish(&identity->content);
	timer_free(identity->publish);
	remove_sockets(identity);
	secrets_free(identity->secrets);
	tickets_free(identity->tickets);
	free(identity);
}

bool
parent_identity_is_awake(const struct parent_identity *identity)
{
	return !identity->leaving && !identity->is_locked;
}

static int
add(struct parent *parent, const char *name, struct error *err)
{
	struct parent_identity *identity = calloc(1, sizeof *identity);
	if (identity == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	identity->parent = parent;
	identity->listen_25 = identity->listen_465 = -1;
	int result = identity_load(parent->identities_fd, name, &identity->is, err);
	if (result == 0) {
		parent_log_hide_identity(parent, &identity->is);
		result = parent_lock_look(identity, err);
	}
	if (result != 0 || (!identity->is_locked && open_sockets(identity, err) != 0)) {
		free_one(identity);
		return -1;
	}
	identity->stands_by = identity_stands_by(parent->identities_fd, name);
	identity->publish = timer_new(parent->loop, on_publish, identity);
	parent_role_init(&identity->mail, parent, ROLE_MAIL, identity);
	parent_role_init(&identity->smtp, parent, ROLE_SMTP, identity);
	parent_role_init(&identity->content, parent, ROLE_CONTENT, identity);
	identity->next = parent->identities;
	parent->identities = identity;
	return 0;
}

int
parent_identity_load_all(struct parent *parent, struct error *err)
{
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	size_t count = 0;
	if (names == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	int result = identity_list(parent->identities_fd, names, IDENTITIES_MAX, &count, err);
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct error why = { 0 };
		parent_log_hide(parent, names[i]);
		if (add(parent, names[i], &why) != 0)
			log_error("the identity %s is left out: %s", names[i], why.text);
	}
	free(names);
	return result;
}

static void
tell_sign(struct parent_identity *identity)
{
	struct error err = { 0 };
	struct ipc_message m = { .type = IPC_TYPE_SIGN_KEY, .fd = -1 };
	snprintf(m.sign_key.identity, sizeof m.sign_key.identity, "%s", identity->is.name);
	if (parent_lock_open_key(identity, IDENTITY_ONION_KEY_FILE, &m.fd, &err) == 0)
		parent_role_send(&identity->parent->sign, &m);
	else
		log_error("%s cannot sign: %s", identity->is.name, err.text);
	file_close(&m.fd);
}

void
parent_identity_tell_sign_all(struct parent *parent)
{
	for (struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next)
		if (parent_identity_is_awake(identity))
			tell_sign(identity);
}

static void
start(struct parent_identity *identity)
{
	if (!parent_identity_is_awake(identity))
		return;
	if (identity->parent->sign.channel != NULL) /* else it is told all when it begins */
		tell_sign(identity);
	parent_process_want(&identity->mail.process);
	parent_process_want(&identity->smtp.process);
}

void
parent_identity_start_all(struct parent *parent)
{
	for (struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next)
		start(identity);
}

int
parent_identity_wake(struct parent_identity *identity, struct error *err)
{
	if (open_sockets(identity, err) != 0) {
		remove_sockets(identity);
		return -1;
	}
	identity->is_locked = false;
	identity->state = SERVICE_WAITING;
	identity->detail[0] = '\0';
	start(identity);
	return tell_tor(identity, err);
}

static int
load_new(struct parent *parent, const char *name, struct error *err)
{
	if (identity_check_name(name, err) != 0 || add(parent, name, err) != 0)
		return -1;
	struct parent_identity *identity = parent->identities;
	start(identity);
	return identity->is_locked ? 0 : tell_tor(identity, err);
}

int
parent_identity_load(struct parent *parent, const char *name, struct error *err)
{
	struct parent_identity *identity = parent_identity_find(parent, name);
	if (identity != NULL && identity->leaving)
		return error_set(err, ERROR_BUSY, "the identity %s is just being stopped: try again", name);
	if (identity == NULL) {
		if (load_new(parent, name, err) != 0)
			return -1;
		identity = parent->identities;
	} else {
		bool was_locked = identity->is_locked;
		parent_lock_look_again(identity);
		if (was_locked && !identity->is_locked && parent_identity_wake(identity, err) != 0)
			return -1;
		parent_openpgp_tell_content(identity); /* they may be others now */
		parent_role_tell_mail(&identity->mail); /* so may the recovery key */
	}
	if (identity->is_locked)
		return 0;
	if (parent_identity_tell_submission(identity, err) != 0)
		return -1;
	return parent_dovecot_write_passwd(parent, err);
}

int
parent_identity_look_at_access(struct parent *parent, const char *name, struct error *err)
{
	const struct ipc_message again = { .type = IPC_TYPE_NETWORK, .fd = -1 };
	struct parent_identity *identity = parent_identity_find(parent, name);
	if (identity == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the node runs no identity %s", name);
	if (!identity->is_with_tor || identity->stands_by) /* then it is told when that is there */
		return 0;
	if (tell_tor(identity, err) != 0)
		return -1;
	parent_role_send(&identity->mail, &again); /* an onion may be found now */
	return 0;
}

int
parent_identity_take_over(struct parent *parent, const char *name, struct error *err)
{
	struct parent_identity *identity = parent_identity_find(parent, name);
	if (identity == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the node runs no identity %s", name);
	if (identity_set_standby(parent->identities_fd, name, false, err) != 0)
		return -1;
	identity->stands_by = false;
	parent_role_tell_mail(&identity->mail);
	if (identity->is_locked || identity->leaving)
		return 0;
	identity->state = SERVICE_WAITING;
	identity->detail[0] = '\0';
	return tell_tor(identity, err);
}

int
parent_identity_unload(struct parent *parent, const char *name, uint64_t request_id, struct error *err)
{
	struct parent_identity *identity = parent_identity_find(parent, name);
	if (identity == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the node runs no identity %s", name);
	if (identity->leaving)
		return error_set(err, ERROR_BUSY, "the identity %s is being stopped already", name);
	identity->leaving = true;
	timer_stop(identity->publish);
	identity->leave_request_id = request_id;
	if (identity->is_locked) {
		parent_sweep_soon(parent);
		return 0;
	}
	struct ipc_message m = { .type = IPC_TYPE_SERVICE_REMOVE, .fd = -1 };
	snprintf(m.service_remove.identity, sizeof m.service_remove.identity, "%s", identity->is.name);
	parent_role_send(&parent->tor.role, &m);
	m.type = IPC_TYPE_SIGN_KEY_REMOVE;
	snprintf(m.sign_key_remove.identity, sizeof m.sign_key_remove.identity, "%s", identity->is.name);
	parent_role_send(&parent->sign, &m);
	m.type = IPC_TYPE_LOGIN_REMOVE;
	snprintf(m.login_remove.identity, sizeof m.login_remove.identity, "%s", identity->is.name);
	parent_role_send(&parent->submission, &m);
	parent_process_end(&identity->smtp.process);
	parent_process_end(&identity->mail.process);
	parent_process_end(&identity->content.process);
	/* Its IMAP sessions end with the Dovecot that serves them; those of others come back by themselves. */
	identity->leave_dovecot_pid = parent->dovecot.program.pid;
	struct error why = { 0 };
	if (parent_dovecot_write_passwd(parent, &why) != 0)
		log_error("%s", why.text);
	if (parent->dovecot.enabled)
		parent_process_renew(&parent->dovecot.program);
	parent_sweep_soon(parent);
	return 0;
}

static bool
is_gone(const struct parent_identity *identity)
{
	const struct process *dovecot = &identity->parent->dovecot.program;
	return identity->leaving && identity->mail.process.pid == 0 && identity->smtp.process.pid == 0 &&
	    identity->content.process.pid == 0 && (dovecot->pid == 0 || dovecot->pid != identity->leave_dovecot_pid);
}

void
parent_identity_sweep(struct parent *parent)
{
	struct parent_identity **at = &parent->identities;
	while (*at != NULL) {
		struct parent_identity *identity = *at;
		if (!is_gone(identity)) {
			at = &identity->next;
			continue;
		}
		*at = identity->next;
		uint64_t request_id = identity->leave_request_id;
		char name[sizeof identity->is.name];
		struct error err = { 0 };
		bool comes_back = identity->comes_back;
		snprintf(name, sizeof name, "%s", identity->is.name);
		log_info("%s is stopped", name);
		free_one(identity);
		int result = comes_back ? add(parent, name, &err) : 0;
		parent_control_answer(parent, request_id, result == 0 ? NULL : &err);
	}
}

void
parent_identity_free_all(struct parent *parent)
{
	while (parent->identities != NULL) {
		struct parent_identity *identity = parent->identities;
		parent->identities = identity->next;
		free_one(identity);
	}
}

/* ---- what roles have to know about it */

static int
send_file(struct role_process *role, enum ipc_type type, const char *name, struct error *err)
{
	int fd = -1;
	if (parent_lock_open_key(role->identity, name, &fd, err) != 0)
		return -1;
	parent_role_send_file(role, type, fd);
	return 0;
}

int
parent_identity_tell_smtp(struct parent_identity *identity, struct error *err)
{
	const struct config *config = &identity->parent->config;
	struct ipc_message m = { .type = IPC_TYPE_SMTP_CONFIG, .fd = -1, .smtp_config = {
		.message_max_bytes = config_shown_max_bytes(config), .require_tls = config->require_starttls } };
	snprintf(m.smtp_config.onion, sizeof m.smtp_config.onion, "%s", identity->is.onion);
	snprintf(m.smtp_config.local_part, sizeof m.smtp_config.local_part, "%s", identity->is.local_part);
	parent_role_send(&identity->smtp, &m);
	if (send_file(&identity->smtp, IPC_TYPE_TLS_KEY, CERTIFICATE_KEY_FILE, err) != 0 ||
	    send_file(&identity->smtp, IPC_TYPE_TLS_CERTIFICATE, CERTIFICATE_FILE, err) != 0 ||
	    parent_tickets_tell_smtp(identity, err) != 0)
		return -1;
	parent_listen_send(&identity->smtp, LISTENER_SMTP, identity->listen_25);
	parent_listen_send(&identity->smtp, LISTENER_SMTORP, identity->listen_465);
	return 0;
}

int
parent_identity_password(const struct parent_identity *identity, char out[PASSWORD_HASH_MAX], struct error *err)
{
	const char *name = identity->is.name;
	if (identity_load_password_hash(identity->parent->identities_fd, name, out, err) != 0)
		return -1;
	/* It goes into Dovecot's passwd file, where ':' and white space would have a meaning. */
	if (strncmp(out, "$argon2id$", 10) == 0 && strpbrk(out, ": \t\r\n") == NULL)
		return 0;
	explicit_bzero(out, PASSWORD_HASH_MAX);
	return error_set(err, ERROR_INVALID, "identity %s has no usable password: set one with `smtorp identity password %s`",
	    name, name);
}

int
parent_identity_tell_submission(struct parent_identity *identity, struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_LOGIN, .fd = -1 };
	_Static_assert(sizeof m.login.password_hash >= PASSWORD_HASH_MAX, "a hash fits in the message");
	if (parent_identity_password(identity, m.login.password_hash, err) != 0)
		return -1;
	snprintf(m.login.identity, sizeof m.login.identity, "%s", identity->is.name);
	snprintf(m.login.local_part, sizeof m.login.local_part, "%s", identity->is.local_part);
	snprintf(m.login.onion, sizeof m.login.onion, "%s", identity->is.onion);
	parent_role_send(&identity->parent->submission, &m);
	explicit_bzero(&m, sizeof m);
	return 0;
}

void
parent_identity_on_state(struct parent *parent, const struct ipc_service_state *state)
{
	struct parent_identity *identity = parent_identity_find(parent, state->identity);
	struct error err = { 0 };
	if (identity == NULL || identity->is_locked)
		return;
	if (state->state == SERVICE_STANDBY) {
		stand_by(identity);
		parent_process_renew(&identity->smtp.process); /* peers would go on delivering here by the circuits that stand */
		if (identity_set_standby(parent->identities_fd, identity->is.name, true, &err) != 0)
			log_error("%s", err.text); /* it would be published again when the node is started next */
		parent_role_tell_mail(&identity->mail);
		return;
	}
	identity->state = state->state <= SERVICE_FAILED ? (enum ipc_publication)state->state : SERVICE_FAILED;
	identity->uploaded = state->uploaded;
	snprintf(identity->detail, sizeof identity->detail, "%s", state->detail);
}

static bool
all_are_damaged(const struct parent *parent)
{
	for (const struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next)
		if (!identity->leaving && identity->store != STORE_DAMAGED)
			return false;
	return true;
}

void
parent_identity_on_store(struct parent_identity *identity, const struct ipc_store_state *state)
{
	struct parent *parent = identity->parent;
	identity->store = state->state <= STORE_DAMAGED ? (enum ipc_store_condition)state->state : STORE_OPENING;
	snprintf(identity->trouble, sizeof identity->trouble, "%s", state->text);
	parent->has_worked |= identity->store == STORE_WORKS || identity->store == STORE_FULL;
	if (identity->trouble[0] != '\0')
		log_error("%s: %s", identity->is.name, identity->trouble);
	if (parent->has_worked || !all_are_damaged(parent))
		return;
	parent->exit_status = EXITS_DATABASE_DAMAGED;
	parent_stop(parent);
}

void
parent_identity_nothing_published(struct parent *parent)
{
	for (struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next) {
		if (identity->is_locked)
			continue;
		identity->is_with_tor = false;
		timer_stop(identity->publish);
		identity->uploaded = 0;
		if (identity->stands_by)
			continue;
		identity->state = SERVICE_WAITING;
		snprintf(identity->detail, sizeof identity->detail, "tor is being started");
	}
}
