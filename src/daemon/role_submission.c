/* SPDX-License-Identifier: ISC
 *
 * The server of the role submission: the owner's mail programs, for all identities of the node.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/password.h"
#include "base/random.h"
#include "daemon/role_intake.h"
#include "daemon/role_smtp.h"
#include "smtpd/rules.h"

#define IDENTITIES_MAX 1000
#define GUESSED_LOGINS 4096

/* Wrong passwords for one login, or for several whose hashes agree. */
struct guesses {
	unsigned count;
	int64_t last_ms;
};

/* An identity: its login and its way to mail@ID. Either may be known before the other. */
struct sender {
	struct sender *next;
	char identity[IPC_NAME_MAX + 1];
	bool has_login;
	char local_part[65];
	char onion[IPC_ONION_MAX + 1];
	char password_hash[IPC_HASH_MAX + 1];
	struct role_intake mail;
};

static struct sender *senders;

/* For logins that there are and for those that there are not in the same way, or other users of the machine could find out
 * by the pauses which onions live here. The key is of this run: nobody can choose logins that share a place. */
static struct guesses guesses[GUESSED_LOGINS];
static unsigned char guesses_key[HASH_KEY_MAX_BYTES];
static bool has_guesses_key;

static struct sender *
find_identity(const char *identity)
{
	for (struct sender *each = senders; each != NULL; each = each->next)
		if (strcmp(each->identity, identity) == 0)
			return each;
	return NULL;
}

static struct sender *
find_or_make(const char *identity)
{
	struct sender *sender = find_identity(identity);
	unsigned count = 0;
	for (struct sender *each = senders; each != NULL; each = each->next)
		count++;
	if (sender != NULL || count == IDENTITIES_MAX || (sender = calloc(1, sizeof *sender)) == NULL)
		return sender;
	snprintf(sender->identity, sizeof sender->identity, "%s", identity);
	sender->mail.server = role_smtp.server;
	sender->next = senders;
	senders = sender;
	return sender;
}

/* Whose login this is: the whole address, in either case. */
static struct sender *
find_login(const char *login)
{
	struct path path;
	if (login == NULL || path_parse_mailbox(slice_of_string(login), &path) != SYNTAX_OK)
		return NULL;
	for (struct sender *each = senders; each != NULL; each = each->next)
		if (each->has_login && strcasecmp(path.local_part, each->local_part) == 0 &&
		    strcasecmp(path.domain, each->onion) == 0)
			return each;
	return NULL;
}

/* Whose mailbox the path is. The null reverse-path belongs to somebody only where there is one identity. */
static struct sender *
find_owner(const struct path *path)
{
	struct sender *found = NULL;
	unsigned logins = 0;
	for (struct sender *each = senders; each != NULL; each = each->next) {
		if (!each->has_login)
			continue;
		logins++;
		if (path_is_null(path) || rules_is_own_sender(each->onion, each->local_part, path))
			found = each;
	}
	return path_is_null(path) && logins > 1 ? NULL : found;
}

static struct guesses *
guesses_for(const char *login)
{
	struct path path;
	struct hash hash;
	char text[sizeof path.local_part + sizeof path.domain];
	unsigned char digest[16];
	if (!has_guesses_key)
		random_bytes(guesses_key, sizeof guesses_key);
	has_guesses_key = true;
	/* spelled in another way it is the same login, see find_login() */
	if (path_parse_mailbox(slice_of_string(login), &path) == SYNTAX_OK)
		snprintf(text, sizeof text, "%s@%s", path.local_part, path.domain);
	else
		text[0] = '\0';
	for (char *c = text; *c != '\0'; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	hash_init(&hash, sizeof digest, guesses_key, sizeof guesses_key);
	hash_update(&hash, text, strlen(text));
	hash_final(&hash, digest, sizeof digest);
	return &guesses[encode_from_number(digest, 4) % GUESSED_LOGINS];
}

static void
forget_old_guesses(struct guesses *g)
{
	for (int64_t now_ms = clock_monotonic_ms(); g->count > 0 && now_ms - g->last_ms >= ROLE_SUBMISSION_FORGET_MS;
	     g->last_ms += ROLE_SUBMISSION_FORGET_MS)
		g->count /= 2;
}

/* Grows with each wrong password in whatever session, and ends at some seconds: the owner, too, has to wait so long, and is never
 * locked out. */
static int64_t
login_pause_ms(void *context, const char *login)
{
	(void)context;
	struct guesses *g = guesses_for(login);
	forget_old_guesses(g);
	if (g->count < ROLE_SUBMISSION_GUESSES_FREE)
		return 0;
	unsigned doublings = g->count - ROLE_SUBMISSION_GUESSES_FREE;
	int64_t pause_ms = doublings < 16 ? INT64_C(1000) << doublings : ROLE_SUBMISSION_PAUSE_MAX_MS;
	return pause_ms < ROLE_SUBMISSION_PAUSE_MAX_MS ? pause_ms : ROLE_SUBMISSION_PAUSE_MAX_MS;
}

static void
note_guess(struct guesses *g, bool is_right)
{
	g->count = is_right ? 0 : g->count < UINT_MAX ? g->count + 1 : g->count;
	g->last_ms = clock_monotonic_ms();
}

static bool
on_login(void *context, const char *login, struct slice password)
{
	(void)context;
	struct sender *sender = find_login(login);
	bool has_password = sender != NULL && sender->password_hash[0] != '\0';
	bool is_right = password_verify(has_password ? sender->password_hash : NULL, password);
	note_guess(guesses_for(login), is_right);
	return is_right;
}

static enum smtpd_verdict
on_sender(void *context, struct smtpd_question *question)
{
	(void)context;
	const struct path *path = question->path;
	const struct sender *sender =
	    question->kind == SMTPD_SENDMAIL ? find_owner(path) : find_login(question->login);
	if (sender == NULL) {
		snprintf(question->text, ERROR_TEXT_MAX, "<%.200s>", question->mailbox);
		return SMTPD_NO_IDENTITY;
	}
	if (path_is_null(path))
		return SMTPD_ACCEPT;
	if (!rules_is_own_sender(sender->onion, sender->local_part, path)) {
		snprintf(question->text, ERROR_TEXT_MAX, "<%s@%s>", sender->local_part, sender->onion);
		return SMTPD_NOT_SENDER;
	}
	struct path plain = *path;
	snprintf(plain.domain, sizeof plain.domain, "%s", sender->onion); /* without a fingerprint, in lower case */
	path_format(&plain, question->mailbox);
	return SMTPD_ACCEPT;
}

static enum smtpd_verdict
on_recipient(void *context, struct smtpd_question *question)
{
	(void)context;
	return rules_outbound_recipient(question->path, question->mailbox, question->text);
}

static struct sender *
find_sender(enum smtpd_kind kind, const char *login, const char *reverse_path)
{
	struct path path;
	if (kind != SMTPD_SENDMAIL)
		return find_login(login);
	return path_parse_mailbox(slice_of_string(reverse_path), &path) == SYNTAX_OK ? find_owner(&path) : NULL;
}

static int
on_large(void *context, enum smtpd_kind kind, const char *login, const char *reverse_path)
{
	(void)context;
	struct sender *sender = find_sender(kind, login, reverse_path);
	return sender != NULL ? role_intake_open_file(&sender->mail) : -1;
}

static const void *
on_message(void *context, const struct smtpd_message *message)
{
	(void)context;
	struct sender *sender = find_sender(message->kind, message->login, message->reverse_path);
	if (sender != NULL)
		return role_intake_take(&sender->mail, message);
	smtpd_answer(role_smtp.server, message->transaction_id, 550, "5.7.1", "This identity was removed");
	return NULL;
}

static void
on_stopped(void *context)
{
	(void)context;
	role_smtp_check_stopped();
}

const struct smtpd_events role_submission_events = {
	.on_sender = on_sender,
	.on_recipient = on_recipient,
	.on_login = on_login,
	.login_pause_ms = login_pause_ms,
	.on_message = on_message,
	.on_large = on_large,
	.on_stopped = on_stopped,
};

void
role_submission_on_login(const struct ipc_login *login)
{
	struct sender *sender = find_or_make(login->identity);
	if (sender == NULL) {
		log_error("no room for the login of %s", login->identity);
		return;
	}
	sender->has_login = true;
	snprintf(sender->local_part, sizeof sender->local_part, "%s", login->local_part);
	snprintf(sender->onion, sizeof sender->onion, "%s", login->onion);
	snprintf(sender->password_hash, sizeof sender->password_hash, "%s", login->password_hash);
}

void
role_submission_on_login_remove(const char *identity)
{
	for (struct sender **link = &senders; *link != NULL; link = &(*link)->next) {
		struct sender *sender = *link;
		if (strcmp(sender->identity, identity) != 0)
			continue;
		role_intake_disconnect(&sender->mail);
		*link = sender->next;
		explicit_bzero(sender, sizeof *sender);
		free(sender);
		return;
	}
}

void
role_submission_on_mail(const char *identity, int fd)
{
	struct sender *sender = find_or_make(identity);
	if (sender == NULL) {
		log_error("no room for mail@%s", identity);
		close(fd);
		return;
	}
	role_intake_connect(&sender->mail, role_smtp.server, ROLE_SUBMISSION, fd);
}
