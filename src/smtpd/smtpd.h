/* SPDX-License-Identifier: ISC
 *
 * The SMTP server (RFC 5321 with PIPELINING, 8BITMIME, SMTPUTF8, SIZE, CHUNKING, ENHANCEDSTATUSCODES, STARTTLS and, for
 * submission and for onions that prove themselves, AUTH): sessions on listening sockets, each on a stream.
 *
 * The server speaks and holds messages while they come in. Who may send to whom, whose password is right and where a
 * message goes is asked of its owner by the callbacks below. Nothing that it says names a program, a machine, a
 * date or anybody but the one host name it is given.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/tls.h"
#include "smtp/path.h"

struct smtpd;
struct smtpd_listener;

enum smtpd_kind {
	SMTPD_ONION = 1,   /* onion port 25: plain, STARTTLS */
	SMTPD_SMTORP,      /* onion port 465: TLS from the first byte, ALPN smtorp/1 */
	SMTPD_SUBMISSION,  /* loopback: plain, STARTTLS, AUTH */
	SMTPD_SUBMISSIONS, /* loopback: TLS from the first byte, AUTH */
	SMTPD_SENDMAIL,    /* Unix socket of this process's own user (others are turned away): no AUTH */
};

/* What bounds one session. All sessions of a server share SMTPD_SPOOL_MAX_BYTES of memory for messages on
 * their way in; what is large goes to files, which share SMTPD_SPOOL_FILES_MAX_BYTES of disk. When there is no slot, memory or
 * disk left, the session that has got on least is ended for one that comes anew or gets on (fairness.c), unless all have got on
 * within the last seconds. smtorp.conf(5) has all of this in a table. */
#define SMTPD_RECIPIENTS_MAX 100         /* a transaction; then 452 (RFC 5321 section 4.5.3.1.8) */
#define SMTPD_REFUSED_MAX 200            /* recipients refused in a session; then 421 */
#define SMTPD_ERRORS_MAX 20              /* commands that were no use; then 421 */
#define SMTPD_COMMANDS_MAX 5000          /* commands since the last message was taken; then 421 */
#define SMTPD_LOGIN_TRIES_MAX 5
#define SMTPD_TRIES_MAX 3                /* transactions since the last message that count as getting on */
#define SMTPD_TIMEOUT_MINUTES 5          /* for each command, each 16 KiB of a message, and each answer of the owner */
#define SMTPD_TLS_MINUTES 1              /* for a handshake */
#define SMTPD_GRACE_S 10                 /* who got on within it is not ended for others */
#define SMTPD_PROGRESS_MINUTES 15        /* from one time it got on to the next */
#define SMTPD_MESSAGE_MINUTES 10         /* for a message, and more for what has come of it: */
#define SMTPD_SLOWEST_BYTES_PER_S 256
#define SMTPD_SPOOL_MAX_BYTES ((uint64_t)128 * 1024 * 1024)
#define SMTPD_SPOOL_FILES_MAX_BYTES ((uint64_t)1024 * 1024 * 1024)
#define SMTPD_SPOOLS_LARGE_MAX 1024      /* messages of more than 64 KiB on their way in: each has a descriptor */
#define SMTPD_BUFFERS_MAX_BYTES ((size_t)64 * 1024 * 1024) /* replies that are not fetched, commands that came too early */
#define SMTPD_SESSIONS_MAX 6000          /* the default for sessions_max */

struct smtpd_config {
	enum smtpd_kind kind;
	char hostname[PATH_DOMAIN_MAX + 1]; /* the one name it says: the own onion, or "localhost" */
	uint64_t message_max_bytes;
	bool require_tls;                   /* no mail before STARTTLS */
	bool allow_plain_auth;              /* AUTH without TLS: the listener is on loopback */
	struct tls_context *tls;            /* borrowed; NULL: no TLS */
	unsigned sessions_max;              /* of this listener; with more the least deserving, or the newcomer, is told 421 */
};

enum smtpd_verdict {
	SMTPD_ACCEPT = 0,
	SMTPD_NO_MAILBOX,  /* 550 5.1.1: nobody of that name here */
	SMTPD_FOREIGN,     /* 550 5.7.1: another domain, whichever, existing or not */
	SMTPD_NOT_ONION,   /* 550 5.7.1: submission carries mail to onions only */
	SMTPD_BAD_ADDRESS, /* 550 5.1.3: text says what is wrong with it */
	SMTPD_NOT_SENDER,  /* 550 5.7.1: not the sender's own address; text is the one that is */
	SMTPD_NO_IDENTITY, /* 550 5.7.1: the sender belongs to nobody here */
	SMTPD_TRY_LATER,   /* 451 4.3.0 */
};

/* What a callback is asked about. */
struct smtpd_question {
	enum smtpd_kind kind;
	const char *login;        /* who has logged in; NULL: nobody */
	const char *reverse_path; /* of the transaction, formatted; NULL in on_sender */
	const struct path *path;  /* the one in question */
	char *mailbox;            /* in: path formatted; may be replaced: what the message will carry; PATH_MAILBOX_MAX + 1 */
	char *text;               /* out, for verdicts that have one; ERROR_TEXT_MAX bytes */
};

/* A whole message. Everything is borrowed until on_message returns. */
struct smtpd_message {
	uint64_t transaction_id;
	enum smtpd_kind kind;
	const char *login;        /* NULL: nobody has logged in */
	const char *proved;       /* the onion, with ".onion", that the client has proved to be; "": none */
	const char *reverse_path; /* "" for the null reverse-path */
	struct slice recipients;  /* packed (ipc/pack.h), at least one */
	bool has_8bit;            /* octets >= 0x80 in it */
	bool is_smtputf8;         /* UTF-8 in envelope or header */
	struct slice body;        /* all of it when it is small, else empty and */
	int fd;                   /* a sealed memfd or a file of on_large that holds it; else -1 */
};

struct smtpd_events {
	/* May this be the reverse-path, and this a recipient? Called from the loop, many times. */
	enum smtpd_verdict (*on_sender)(void *context, struct smtpd_question *question);
	enum smtpd_verdict (*on_recipient)(void *context, struct smtpd_question *question);
	/* Is this the login's password? NULL where there is no AUTH. */
	bool (*on_login)(void *context, const char *login, struct slice password);
	/* A message has come in whole. smtpd_answer() must follow, from inside or later; the session waits for it. Returns
	 * what the answer will depend on, for smtpd_answer_all(); may be NULL. */
	const void *(*on_message)(void *context, const struct smtpd_message *message);
	/* The last session has ended after smtpd_stop(). The server may be freed here. */
	void (*on_stopped)(void *context);
	/* A message of this sender has grown large: an empty file for it (the server's from now on), or -1 when there is none now;
	 * then it is asked again when more has come. May be NULL. */
	int (*on_large)(void *context, enum smtpd_kind kind, const char *login, const char *reverse_path);
	/* A client asks for the onion's card. smtpd_answer_card() must follow, from inside or later; the rest as for on_message. NULL: there is
	 * no such command. */
	const void *(*on_card)(void *context, uint64_t transaction_id);
	/* How long to wait before on_login is asked, because of what went before. May be NULL. */
	int64_t (*login_pause_ms)(void *context, const char *login);
};

/* events is borrowed. large_max: messages of more than 64 KiB that may come in at a time. Bounds all streams' buffers of the loop. */
struct smtpd *smtpd_new(struct loop *loop, unsigned large_max, const struct smtpd_events *events, void *context);
void smtpd_free(struct smtpd *server); /* closes everything at once; takes NULL */

/* Serves on a listening socket (owned from now on). fd -1: only what smtpd_serve() brings. The listener lives as long as the
 * server. config is copied. */
struct smtpd_listener *smtpd_listen(struct smtpd *server, int fd, const struct smtpd_config *config);
void smtpd_serve(struct smtpd_listener *listener, int fd); /* one connected socket, owned from now on */

/* The answer to a message: an SMTP reply (code 2yz, 4yz or 5yz; enhanced "x.y.z" or ""). A transaction whose session is
 * gone in the meantime is no error. */
void smtpd_answer(struct smtpd *server, uint64_t transaction_id, unsigned code, const char *enhanced, const char *text);

/* The card (doc/spec/cards.md), whole lines of it; empty: there is none now. It goes out as lines of a reply. */
#define SMTPD_CARD_BYTES 8192
void smtpd_answer_card(struct smtpd *server, uint64_t transaction_id, struct slice card);

/* The same answer, 451 4.3.0, to every message that depends on what on_message has returned: it is gone. */
void smtpd_answer_all(struct smtpd *server, const void *depends_on);

/* Takes no more connections, tells the sessions 421 (those that wait for an answer get it first, for three
 * seconds), then fires on_stopped from the loop. */
void smtpd_stop(struct smtpd *server);

unsigned smtpd_session_count(const struct smtpd *server);
