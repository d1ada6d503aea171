/* SPDX-License-Identifier: ISC
 *
 * Dovecot runs as our own user, from a configuration that is written anew at every start. It sees the mail folders
 * by the identity's name, which the passwd file gives for the login (its address).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/parent.h"
#include "identity/certificate.h"

#define CONF_MAX_BYTES 32768
#define PASSWD_MAX_BYTES (IDENTITIES_MAX * 1024)
#define NAME_MAX_BYTES 64

struct owner {
	char user[NAME_MAX_BYTES], group[NAME_MAX_BYTES];
};

static int
find_owner(struct owner *out, struct error *err)
{
	const struct passwd *user = getpwuid(geteuid());
	const struct group *group = getgrgid(getegid());
	if (user == NULL || group == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the user or group of this process has no name, which Dovecot needs: add "
		    "them, or set imap.program = none");
	snprintf(out->user, sizeof out->user, "%s", user->pw_name);
	snprintf(out->group, sizeof out->group, "%s", group->gr_name);
	return 0;
}

/* A quoted value of dovecot.conf. Where Dovecot expands %u and the like, doubled '%' stand for themselves. */
static void
quote(const char *text, bool doubles_percent, char *out, size_t size)
{
	size_t n = 0;
	for (; *text != '\0' && n + 3 < size; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		if (*text == '%' && doubles_percent)
			out[n++] = '%';
		out[n++] = *text;
	}
	out[n] = '\0';
}

static const char conf_form[] =
    "# Made by smtorpd at every start; changes are lost.\n"
    "base_dir = %1$s/dovecot/base\n"
    "state_dir = %1$s/dovecot/base\n"
    "log_path = /dev/stderr\n"
    "info_log_path = /dev/null\n"
    "log_timestamp = \"dovecot: \"\n" /* base/logline.h */
    "protocols = imap\n"
    "default_internal_user = %2$s\n"
    "default_internal_group = %3$s\n"
    "default_login_user = %2$s\n"
    "default_process_limit = 20\n"
    "default_client_limit = 500\n"
    "import_environment = TZ LANG DOVECOT_HOSTNAME\n"
    "first_valid_uid = %4$u\n"
    "first_valid_gid = %5$u\n"
    "mail_uid = %4$u\n"
    "mail_gid = %5$u\n"
    "mail_home = \"%6$s/identities/%%u/mail\"\n"
    "mail_location = maildir:~/Maildir\n"
    "mailbox_list_index = no\n"
    "mailbox_idle_check_interval = 10 secs\n" /* if inotify gives out: new mail is told by it within milliseconds */
    "login_greeting = ready\n"
    "login_trusted_networks =\n"
    "auth_mechanisms = plain login\n"
    "auth_username_chars =\n" /* all that a local part may have; it never becomes part of a path */
    "disable_plaintext_auth = no\n" /* loopback only */
    "auth_failure_delay = 2 secs\n"
    "mail_max_userip_connections = 40\n" /* they all come from loopback: an identity's mail programs together */
    "ssl = yes\n"
    "ssl_min_protocol = TLSv1.2\n"
    "ssl_cert = <tls.crt\n"
    "ssl_key = <tls.key\n"
    "passdb {\n"
    "  driver = passwd-file\n"
    "  args = %1$s/dovecot/passwd\n"
    "}\n"
    "userdb {\n"
    "  driver = static\n"
    "  args = uid=%4$u gid=%5$u\n"
    "}\n"
    "namespace inbox {\n"
    "  inbox = yes\n"
    "  separator = /\n"
    "  mailbox Drafts {\n"
    "    special_use = \\Drafts\n"
    "    auto = subscribe\n"
    "  }\n"
    "  mailbox Sent {\n"
    "    special_use = \\Sent\n"
    "    auto = subscribe\n"
    "  }\n"
    "  mailbox Trash {\n"
    "    special_use = \\Trash\n"
    "    auto = subscribe\n"
    "  }\n"
    "  mailbox Junk {\n"
    "    special_use = \\Junk\n"
    "    auto = subscribe\n"
    "  }\n"
    "  mailbox Waiting {\n" /* the node writes these two */
    "    auto = subscribe\n"
    "  }\n"
    "  mailbox Delivered {\n"
    "    auto = subscribe\n"
    "  }\n"
    "}\n"
    "service imap-login {\n"
    "  chroot =\n"
    "  service_count = 0\n"
    "  client_limit = 400\n"
    "  process_limit = 2\n"
    "  inet_listener imap {\n"
    "    address = %7$s\n"
    "    port = %8$u\n"
    "  }\n"
    "  inet_listener imaps {\n"
    "    address = %9$s\n"
    "    port = %10$u\n"
    "    ssl = yes\n"
    "  }\n"
    "}\n"
    "service imap {\n"
    "  process_limit = 200\n"
    "}\n"
    "service anvil {\n"
    "  chroot =\n"
    "}\n"
    "service stats {\n"
    "  chroot =\n"
    "}\n"
    "service imap-urlauth-login {\n"
    "  chroot =\n"
    "}\n"
    "service director {\n"
    "  chroot =\n"
    "}\n"
    "service old-stats {\n"
    "  chroot =\n"
    "}\n";

static int
write_conf(struct parent *parent, int folder_fd, struct error *err)
{
	struct owner owner;
	struct buffer text;
	char data[2 * PATHS_MAX];
	const struct config *config = &parent->config;
	if (find_owner(&owner, err) != 0)
		return -1;
	quote(parent->paths.data, true, data, sizeof data);
	buffer_init(&text, CONF_MAX_BYTES);
	int result = buffer_printf(&text, err, conf_form, parent->paths.runtime, owner.user, owner.group,
	    (unsigned)geteuid(), (unsigned)getegid(), data, config->imap.host, (unsigned)parent->dovecot.imap_port,
	    config->imaps.host, (unsigned)parent->dovecot.imaps_port);
	if (result == 0)
		result = file_replace(folder_fd, "dovecot.conf", buffer_bytes(&text), buffer_len(&text), 0600, err);
	buffer_finish(&text);
	return result;
}

/* Dovecot wants its own folder readable by all; it lies in one that is not. The certificate is linked, so that
 * dovecot.conf can name it without its path, which may hold any letters. */
static int
prepare_folder(struct parent *parent, int folder_fd, struct error *err)
{
	if (file_remove_tree(folder_fd, "base", err) != 0) /* with the process number of one that was killed */
		return -1;
	if (mkdirat(folder_fd, "base", 0700) != 0 || fchmodat(folder_fd, "base", 0755, 0) != 0)
		return error_set_errno(err, errno, "cannot prepare Dovecot's folder");
	static const char *const names[] = { CERTIFICATE_KEY_FILE, CERTIFICATE_FILE };
	char target[PATHS_MAX + 32];
	for (size_t i = 0; i < 2; i++) {
		snprintf(target, sizeof target, "%s/node/%s", parent->paths.data, names[i]);
		if (symlinkat(target, folder_fd, names[i]) != 0 && errno != EEXIST)
			return error_set_errno(err, errno, "cannot prepare Dovecot's folder");
	}
	return 0;
}

/* ---- the passwd file */

static int
add_login(const struct parent_identity *identity, struct buffer *out, struct error *err)
{
	char login[ADDRESS_MAX + 1], hash[PASSWORD_HASH_MAX];
	if (parent_identity_password(identity, hash, err) != 0)
		return -1;
	snprintf(login, sizeof login, "%s@%s", identity->is.local_part, identity->is.onion);
	for (char *p = login; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p); /* Dovecot looks for logins in small letters */
	int result = buffer_printf(out, err, "%s:{ARGON2ID}%s::::::user=%s\n", login, hash, identity->is.name);
	explicit_bzero(hash, sizeof hash);
	return result;
}

/* Dovecot reads the file again when its time, in seconds, differs. */
static void
make_time_differ(struct parent_dovecot *dovecot, int folder_fd)
{
	int64_t now_s = clock_wall_s();
	dovecot->passwd_s = now_s > dovecot->passwd_s ? now_s : dovecot->passwd_s + 1;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = dovecot->passwd_s } };
	if (utimensat(folder_fd, "passwd", times, AT_SYMLINK_NOFOLLOW) != 0)
		log_warn("Dovecot may see a changed password late: the time of its passwd file cannot be set");
}

int
parent_dovecot_write_passwd(struct parent *parent, struct error *err)
{
	if (!parent->dovecot.enabled)
		return 0;
	int folder_fd = -1;
	struct buffer text;
	buffer_init(&text, PASSWD_MAX_BYTES);
	int result = file_open_private_dir(parent->runtime_fd, "dovecot", &folder_fd, err);
	for (const struct parent_identity *i = parent->identities; result == 0 && i != NULL; i = i->next) {
		struct error why = { 0 };
		if (parent_identity_is_awake(i) && add_login(i, &text, &why) != 0)
			log_error("%s has no login: %s", i->is.name, why.text);
	}
	if (result == 0)
		result = file_replace(folder_fd, "passwd", buffer_bytes(&text), buffer_len(&text), 0600, err);
	if (result == 0)
		make_time_differ(&parent->dovecot, folder_fd);
	explicit_bzero((void *)(uintptr_t)buffer_bytes(&text), buffer_len(&text));
	buffer_finish(&text);
	file_close(&folder_fd);
	return result;
}

/* ---- the process */

static int
start(struct process *process, struct error *err)
{
	struct parent *parent = process->parent;
	char program[PATH_MAX], conf[PATHS_MAX + 32];
	int folder_fd = -1;
	if (parent_setup_find_program(parent->config.dovecot_program, "imap.program", program, err) != 0 ||
	    file_open_private_dir(parent->runtime_fd, "dovecot", &folder_fd, err) != 0)
		return -1;
	int result = write_conf(parent, folder_fd, err);
	if (result == 0)
		result = prepare_folder(parent, folder_fd, err);
	file_close(&folder_fd);
	if (result != 0 || parent_dovecot_write_passwd(parent, err) != 0)
		return -1;
	snprintf(conf, sizeof conf, "%s/dovecot/dovecot.conf", parent->paths.runtime);
	const char *const arguments[] = { program, "-F", "-c", conf, NULL };
	const struct process_spawn how = { .program = program, .arguments = arguments, .fd3 = -1, .fd4 = -1,
		.directory_fd = -1, .has_children = true };
	return parent_process_spawn(process, &how, err);
}

static void
ask_to_end(struct process *process)
{
	kill(process->pid, SIGTERM);
}

/* Ports are found by binding them once, both at a time; Dovecot binds them itself. */
static int
find_ports(struct parent *parent, struct error *err)
{
	struct parent_dovecot *dovecot = &parent->dovecot;
	int imap_fd = -1, imaps_fd = -1;
	int result = parent_listen_bind(&parent->config.imap, "imap.listen", &imap_fd, &dovecot->imap_port, err);
	if (result == 0)
		result = parent_listen_bind(&parent->config.imaps, "imaps.listen", &imaps_fd, &dovecot->imaps_port, err);
	file_close(&imap_fd);
	file_close(&imaps_fd);
	return result;
}

int
parent_dovecot_init(struct parent *parent, struct error *err)
{
	static const struct process_kind kind = { start, NULL, ask_to_end, STOP_REST, SIGKILL, false };
	struct parent_dovecot *dovecot = &parent->dovecot;
	char program[PATH_MAX];
	if (strcmp(parent->config.dovecot_program, "none") == 0)
		return 0;
	if (parent_setup_find_program(parent->config.dovecot_program, "imap.program", program, err) != 0 ||
	    find_ports(parent, err) != 0)
		return -1;
	dovecot->enabled = true;
	parent_process_init(&dovecot->program, parent, &kind, "dovecot");
	return 0;
}

void
parent_dovecot_finish(struct parent *parent)
{
	parent_process_finish(&parent->dovecot.program);
}
