/* SPDX-License-Identifier: ISC
 *
 * The executable smtorp-smtp: the roles smtp@ID (server and client for one identity) and submission (server for the owner's
 * mail programs). What the two share, and the seams between its files. Inside daemon/ only.
 */
#pragma once

#include "daemon/role.h"
#include "loop/tls.h"
#include "smtpd/smtpd.h"

/* Sessions of a server must leave room: a descriptor that mail or tor hands over and that finds none is lost, and the channel
 * with it. */
#define ROLE_SMTP_FILES_KEPT 128
#define ROLE_SMTP_PORTS 2
#define ROLE_SMTP_FILES_WANTED (ROLE_SMTP_FILES_KEPT + SMTPD_SPOOLS_LARGE_MAX + ROLE_SMTP_PORTS * SMTPD_SESSIONS_MAX)
#define ROLE_SUBMISSION_SESSIONS_MAX 200 /* for each of its ports: mail programs of one person or a few */
#define ROLE_SUBMISSION_SENDMAIL_MAX 1000 /* on the socket for smtorp-sendmail */
#define ROLE_SUBMISSION_GUESSES_FREE 5   /* wrong passwords for a login before there is a pause, of a second, then of two, four ... */
#define ROLE_SUBMISSION_PAUSE_MAX_MS (15 * 1000) /* mail programs have the patience */
#define ROLE_SUBMISSION_FORGET_MS (10 * 60 * 1000) /* after which half of the wrong ones are forgotten */
#define SMTP_STOP_MS 4000 /* less than the five seconds that the parent waits */

struct role_smtp {
	enum role role;
	struct smtpd *server;
	struct tls_context *server_tls;
	char hostname[PATH_DOMAIN_MAX + 1];
	uint64_t message_max_bytes;
	bool require_tls;
	bool is_stopping;
	struct timer *stop_timer;
};
extern struct role_smtp role_smtp;

/* role_smtp.c: one of the parts has nothing left to do; ends the process when none has, after STOP. */
void role_smtp_check_stopped(void);

/* role_smtp_server.c, role_submission.c: the events of the server in each role. */
extern const struct smtpd_events role_smtp_server_events;
extern const struct smtpd_events role_submission_events;

/* role_smtp_server.c: the one mail@ID of smtp@ID. */
void role_smtp_server_on_config(const struct ipc_smtp_config *config);
void role_smtp_server_on_mail(int fd);
void role_smtp_server_on_tls(const struct tls_context *tls); /* what strangers are shown */
struct channel *role_smtp_server_mail(void); /* NULL: it is gone */

/* role_smtp_client.c */
void role_smtp_client_on_config(const char *own_onion, uint64_t message_max_bytes);
void role_smtp_client_on_tor(int fd);
void role_smtp_client_on_mail_message(struct ipc_message *m);
void role_smtp_client_on_mail_gone(void); /* whoever ordered the sessions knows nothing of them any more */
void role_smtp_client_stop(void);
bool role_smtp_client_is_idle(void);

void role_smtp_client_prove(uint64_t session_id, const char *proof); /* smtpc_session_prove() */
void role_smtp_client_prove_nothing(void);                           /* for all that wait for it */

/* role_smtp_proof.c: sign, and what it is asked. An answer goes to role_smtp_client_prove(), later; -1: there will be none. */
void role_smtp_proof_on_config(const char *own_onion);
void role_smtp_proof_on_sign(int fd);
int role_smtp_proof_ask(uint64_t session_id, const char *server, const unsigned char exporter[TLS_EXPORTER_BYTES]);

/* role_submission.c */
void role_submission_on_login(const struct ipc_login *login);
void role_submission_on_login_remove(const char *identity);
void role_submission_on_mail(const char *identity, int fd);
