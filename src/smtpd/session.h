/* SPDX-License-Identifier: ISC
 *
 * One session of the server, as its verbs see it. Inside smtpd/ only.
 */
#pragma once

#include "base/buffer.h"
#include "loop/stream.h"
#include "onionkey/onionkey.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/sasl.h"
#include "smtpd/answer.h"
#include "smtpd/smtpd.h"
#include "smtpd/spool.h"

/* What the next octets are. */
enum session_mode {
	SESSION_COMMAND,
	SESSION_DATA,          /* content until CRLF "." CRLF */
	SESSION_CHUNK,         /* chunk_left octets of content */
	SESSION_AUTH_PLAIN,    /* the client's answer to 334 */
	SESSION_AUTH_LOGIN,
	SESSION_AUTH_PASSWORD,
	SESSION_PAUSING,       /* after wrong passwords; input stays where it is */
	SESSION_WAITING,       /* the owner decides about a message; input stays where it is */
	SESSION_STARTING_TLS,  /* nothing is read in plain any more */
	SESSION_CLOSING,       /* the last words are on their way out */
};

/* From MAIL to the end of the message. */
struct transaction {
	char reverse_path[PATH_MAILBOX_MAX + 1];
	struct buffer recipients; /* packed */
	unsigned recipient_count;
	bool is_smtputf8;         /* MAIL said so */
	bool has_utf8_address;
	bool has_begun;           /* content has come: only BDAT may follow */
	bool has_failed;          /* a chunk was refused: only RSET helps (RFC 3030 section 2) */
	enum answer problem;      /* why the content is refused: ANSWER_OK while it is not */
	uint64_t content_bytes;   /* seen, stored or not */
	int64_t begun_ms;         /* of the content, monotonic */
	struct spool spool;
	struct data_scan scan;
	struct data_decoder decoder;
};

struct session {
	struct smtpd *server;
	struct smtpd_listener *listener;
	struct session *next, **link; /* in the server's list */
	unsigned slot;                /* in the server's table */
	struct stream *stream;
	struct timer *timer;
	struct buffer out;            /* replies of this flight */
	enum session_mode mode;
	bool has_hello;
	bool is_running;              /* session_run() is on the stack */
	bool is_stopping;             /* 421 as soon as the answer is there */
	unsigned errors, refused, commands, login_tries;
	unsigned progress_bytes;      /* of content that do not count yet */
	bool has_had_card;
	unsigned tries;               /* transactions with a recipient since the last message */
	int64_t progress_ms;          /* when it got on, monotonic: fairness.c */
	bool is_evicted;              /* it goes in a moment */
	char *login;                  /* NULL: nobody */
	char proved[ONIONKEY_NAME_LEN + sizeof ".onion"]; /* which onion the client has proved to be; "": none */
	bool has_tried_proof;
	struct sasl_credentials *credentials; /* during AUTH LOGIN */
	struct transaction *transaction;      /* NULL: none */
	uint64_t transaction_id;              /* while waiting */
	const void *depends_on;
	uint64_t chunk_left;
	bool chunk_is_last;
	enum answer chunk_problem;    /* ANSWER_OK: the chunk is wanted */
};

/* session.c */
struct session *session_new(struct smtpd_listener *listener, int fd, unsigned slot);
void session_free(struct session *s);
void session_run(struct session *s);          /* works on the input, then sends what is to be sent; never frees s */
void session_reply(struct session *s, enum answer which, const char *added);
void session_refuse(struct session *s, enum answer which); /* the same, and it counts as an error */
void session_await_tls(struct session *s);    /* the stream has begun with it */
void session_close(struct session *s);        /* after the replies written so far */
void session_stop(struct session *s);         /* 421, now or after the answer that it waits for; never frees s */

/* transaction.c */
void session_ask_owner(struct session *s); /* the session waits from now on, for what is answered with its transaction_id */
struct transaction *transaction_new(struct session *s);
void transaction_reset(struct session *s);
void transaction_begin_content(struct session *s); /* from now on the message's own deadline runs; fine to call again */
/* One piece of content. Keeps it, or notes why the message is refused. */
void transaction_take(struct session *s, struct slice content);
/* Everything has come: asks the owner, or answers at once. */
void transaction_complete(struct session *s);
/* Whether so much useless content has come that reading on helps nobody. */
bool transaction_is_flood(const struct session *s, uint64_t more_bytes);

/* verb.c: one command line. */
void verb_obey(struct session *s, struct slice line);

/* verb_*.c: one command each, with its argument; and what it does with what comes after it. */
void verb_hello(struct session *s, enum command_verb verb, struct slice argument);
void verb_tls(struct session *s, struct slice argument);
bool verb_tls_is_offered(const struct session *s);
void verb_tls_on_handshake(struct session *s);
void verb_mail(struct session *s, struct slice argument);
void verb_rcpt(struct session *s, struct slice argument);
void verb_data(struct session *s, struct slice argument);
bool verb_data_take(struct session *s, struct buffer *in);
void verb_bdat(struct session *s, struct slice argument);
bool verb_bdat_take(struct session *s, struct buffer *in);
void verb_card(struct session *s, struct slice argument);
bool verb_card_write(struct buffer *out, struct slice card); /* false: it cannot be a reply, or there is no room */
void verb_auth(struct session *s, struct slice argument);
void verb_auth_answer(struct session *s, struct slice line);
void verb_auth_resume(struct session *s); /* the pause is over */
void verb_proof(struct session *s, struct slice argument);
bool verb_proof_is_offered(const struct session *s);
void verb_proof_on_handshake(struct session *s); /* what the ticket says */

/* fairness.c */
void fairness_note_progress(struct session *s);
int64_t fairness_patience_ms(const struct session *s); /* until it has to do something; may be negative */
/* Ends one that is less deserving than a newcomer, or than who asks; false: there is none. */
bool fairness_free_slot(struct smtpd_listener *listener);
bool fairness_free_spool(struct session *asking, enum spool_room room);
void fairness_bound_buffers(void *server); /* a loop_callback */

/* smtpd.c: what sessions need of it. */
struct smtpd_listener {
	struct smtpd *server;
	struct smtpd_listener *next;
	struct smtpd_config config;
	struct listener *listener; /* NULL: none */
	unsigned sessions;
	unsigned leaving; /* of them: evicted, gone in a moment */
};

struct smtpd {
	struct loop *loop;
	const struct smtpd_events *events;
	void *context;
	struct smtpd_listener *listeners;
	struct session *sessions;
	struct session **slots;
	unsigned slot_count, session_count;
	unsigned next_slot; /* where the search for a free one goes on */
	uint64_t serial;
	struct spool_budget budget;
	struct timer *relief;   /* starts when buffers have become too much */
	int64_t minute_ms;      /* tests have shorter ones */
	struct timer *stop_timer; /* runs after smtpd_stop() */
	bool is_stopping;
};

void smtpd_forget(struct session *s); /* takes it out of list and table */

static inline const struct smtpd_config *
session_config(const struct session *s)
{
	return &s->listener->config;
}

static inline bool
session_is_submission(const struct session *s)
{
	return session_config(s)->kind == SMTPD_SUBMISSION || session_config(s)->kind == SMTPD_SUBMISSIONS;
}

static inline bool
session_may_auth(const struct session *s)
{
	return session_is_submission(s) && (stream_is_tls(s->stream) || session_config(s)->allow_plain_auth);
}
