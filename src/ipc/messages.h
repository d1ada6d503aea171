/* SPDX-License-Identifier: ISC
 *
 * Every message that two roles may exchange: this table is the whole of it.
 *
 * A row is M(NAME, name, FROM, TO, DESCRIPTOR, FIELDS). FROM and TO are sets of roles; a
 * message that comes from any other role breaks the channel. DESCRIPTOR says whether a file
 * descriptor comes along (FD_NONE, FD_ALWAYS, FD_MAY). FIELDS is a list of
 *   U8(name) U16(name) U32(name) U64(name)   numbers, little-endian on the wire
 *   STR(name, max)                           text of at most max bytes without NUL
 *   BYTES(name, max)                         bytes of at most max
 * from which the struct ipc_<name> and its codec are made (codec.c).
 *
 * Recipients travel packed (ipc/pack.h). A body of at most IPC_BODY_INLINE_MAX bytes travels in
 * `body`; a longer one as a sealed memfd or a file, with an empty `body` (ipc/body.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum role {
	ROLE_PARENT = 1 << 0,
	ROLE_TOR = 1 << 1,
	ROLE_SMTP = 1 << 2,
	ROLE_SUBMISSION = 1 << 3,
	ROLE_MAIL = 1 << 4,
	ROLE_CONTENT = 1 << 5,
	ROLE_CONTROL = 1 << 6,
	ROLE_SIGN = 1 << 7,
	ROLE_LOG = 1 << 8, /* has no channel, and is in no message */
};

#define IPC_BODY_INLINE_MAX 65536
#define IPC_RECIPIENTS_MAX 65536 /* packed */
#define IPC_ROWS_MAX (2 * 65536) /* one row at least */
#define IPC_NAME_MAX 32          /* an identity's local name */
#define IPC_ONION_MAX 62         /* 56 letters and ".onion" */
#define IPC_IDS_MAX 32768        /* a threads_map */
#define IPC_MAILBOX_MAX 320      /* RFC 5321 4.5.3.1, with a fingerprint label */
#define IPC_TEXT_MAX 480
#define IPC_HASH_MAX 160
#define IPC_PATH_MAX 108
#define IPC_KEY_BYTES 32
#define IPC_HINT_MAX 200
#define IPC_OPENPGP_MADE_MAX 4096
#define IPC_KEY_HASH_BYTES 32
#define IPC_DIGEST_BYTES 32
#define IPC_FIELD_MAX 32768       /* an Onion-Signature, and an Autocrypt before it */
#define IPC_SIGNATURE_BYTES 64
#define IPC_PUBLIC_KEY_MAX 10240  /* OpenPGP, binary, as it comes with Autocrypt */
#define IPC_KEYS_MAX 65536        /* packed */
#define IPC_FINDINGS_MAX 65536    /* packed */
#define IPC_CONTACT_NAME_MAX 128
#define IPC_NOTE_MAX 4096         /* the owner's words to somebody */
#define IPC_FINGERPRINT_LEN 52   /* the hash in base32 */
#define IPC_OPENPGP_FINGERPRINT_LEN 40 /* in hex */
#define IPC_CARD_MAX 8192
#define IPC_CARD_KEY_MAX 5120
#define IPC_CARD_NAME_MAX 128
#define IPC_INVITATION_BYTES 16
#define IPC_RESUME_MAX 4096      /* a TLS session to be resumed: with the peer's certificate and ticket some 1.2 KiB */

#define ALL_ROLES (ROLE_TOR | ROLE_SMTP | ROLE_SUBMISSION | ROLE_MAIL | ROLE_CONTENT | ROLE_CONTROL | ROLE_SIGN)

/* ---- parent to everybody */
#define IPC_PEER(U8, U16, U32, U64, STR, BYTES) U8(role) STR(identity, IPC_NAME_MAX)
#define IPC_PEER_GONE(U8, U16, U32, U64, STR, BYTES) U8(role) STR(identity, IPC_NAME_MAX)
/* The machine woke up, or has another network, or clock: what waits for the network is worth a try. reconnect: connections
 * of before are dead, most likely. */
#define IPC_NETWORK(U8, U16, U32, U64, STR, BYTES) U8(reconnect)
#define IPC_STOP(U8, U16, U32, U64, STR, BYTES) /* finish within five seconds */
#define IPC_READY(U8, U16, U32, U64, STR, BYTES) U8(seccomp) U8(landlock) /* struct sandbox_holds */

/* Answered at once: who does not is stuck. */
#define IPC_PING(U8, U16, U32, U64, STR, BYTES)
#define IPC_PONG(U8, U16, U32, U64, STR, BYTES)

/* ---- what a role must know before it begins; sent first, and once, but for MAIL_CONFIG: again when recovery or stands_by may have changed, and
 * nothing else is looked at then */
#define IPC_SMTP_CONFIG(U8, U16, U32, U64, STR, BYTES) \
	STR(onion, IPC_ONION_MAX) STR(local_part, 64) U64(message_max_bytes) U8(require_tls)
#define IPC_MAIL_CONFIG(U8, U16, U32, U64, STR, BYTES) \
	STR(onion, IPC_ONION_MAX) STR(local_part, 64) U64(message_max_bytes) U64(keep_free_bytes) U32(retry_first_s) U32(retry_most_s) \
	U32(expire_s) U32(delay_notice_s) U32(keep_delivered_s) U32(stagger_s) /* after tor is there */ \
	U8(refuse_unproved) /* mail that claims an onion as its sender and does not prove it */ \
	U8(encryption) U8(opens) /* enum ipc_encryption; what is encrypted is opened when it comes */ \
	U32(date_step_s) /* dates that leave are cut to it */ \
	STR(tls, IPC_FINGERPRINT_LEN) STR(recovery, IPC_FINGERPRINT_LEN) /* for its card (card/card.h); "": there is none */ \
	U8(stands_by) /* another copy of the identity is the one that is published */
#define IPC_SUBMISSION_CONFIG(U8, U16, U32, U64, STR, BYTES) U64(message_max_bytes)
/* listener: see enum ipc_listener. tls key and certificate: PEM files opened for reading. */
#define IPC_LISTEN(U8, U16, U32, U64, STR, BYTES) U8(listener)
#define IPC_TLS_KEY(U8, U16, U32, U64, STR, BYTES)
#define IPC_TLS_CERTIFICATE(U8, U16, U32, U64, STR, BYTES)
/* The keys of the identity's tickets (identity/tickets.h), the newest first, in a pipe; again whenever there is a new one. */
#define IPC_TICKET_KEYS(U8, U16, U32, U64, STR, BYTES)
#define IPC_LOGIN(U8, U16, U32, U64, STR, BYTES) \
	STR(identity, IPC_NAME_MAX) STR(local_part, 64) STR(onion, IPC_ONION_MAX) STR(password_hash, IPC_HASH_MAX)
#define IPC_LOGIN_REMOVE(U8, U16, U32, U64, STR, BYTES) STR(identity, IPC_NAME_MAX)

/* ---- parent and tor */
/* The descriptor is the identity's onion key file; the paths are the sockets that tor connects to. has_access: the identity has a file
 * about who finds it and whom it finds (tor/access.h), which came with SERVICE_ACCESS just before: without it nothing is published. */
#define IPC_SERVICE_ADD(U8, U16, U32, U64, STR, BYTES) \
	STR(identity, IPC_NAME_MAX) STR(path_25, IPC_PATH_MAX) STR(path_465, IPC_PATH_MAX) U8(has_access) \
	U32(watch_s) /* how often to look for a second copy of the identity; 0: never */
#define IPC_SERVICE_ACCESS(U8, U16, U32, U64, STR, BYTES) STR(identity, IPC_NAME_MAX)
#define IPC_SERVICE_REMOVE(U8, U16, U32, U64, STR, BYTES) STR(identity, IPC_NAME_MAX)
/* hint: what the owner can do about it that it goes no further; may be empty. */
#define IPC_TOR_STATE(U8, U16, U32, U64, STR, BYTES) \
	U8(bootstrap_percent) STR(version, 64) STR(phase, 128) STR(hint, IPC_HINT_MAX)
#define IPC_SERVICE_STATE(U8, U16, U32, U64, STR, BYTES) \
	STR(identity, IPC_NAME_MAX) U8(state) U32(uploaded) STR(detail, 128) /* enum ipc_publication */

/* A connection to tor's SOCKS port, which the role cannot make. Each WANTED is answered once, in order; without a descriptor,
 * errnum says why there is none now. */
#define IPC_SOCKS_WANTED(U8, U16, U32, U64, STR, BYTES)
#define IPC_SOCKS_CONNECTION(U8, U16, U32, U64, STR, BYTES) U32(errnum)

/* ---- signatures by the onion key: whose, says the channel */
/* The descriptor is the identity's onion key file. */
#define IPC_SIGN_KEY(U8, U16, U32, U64, STR, BYTES) STR(identity, IPC_NAME_MAX)
#define IPC_SIGN_KEY_REMOVE(U8, U16, U32, U64, STR, BYTES) STR(identity, IPC_NAME_MAX)
#define IPC_SIGN(U8, U16, U32, U64, STR, BYTES) U64(request_id) U8(context) BYTES(digest, IPC_DIGEST_BYTES) /* enum context of proof/context.h */
/* That this TLS session is with the identity as a client, and with that onion as the server. */
#define IPC_SIGN_SESSION(U8, U16, U32, U64, STR, BYTES) U64(request_id) STR(server, IPC_ONION_MAX) BYTES(exporter, IPC_DIGEST_BYTES)
/* Each of those two is answered once; without a signature when there is no key. */
#define IPC_SIGNED(U8, U16, U32, U64, STR, BYTES) U64(request_id) BYTES(signature, IPC_SIGNATURE_BYTES)

/* ---- OpenPGP keys: the first that content hears. The descriptor is the file openpgp.key, or a pipe with its bytes; without one the
 * identity, which is older than such keys, has none: content makes one for it, which the parent keeps. */
#define IPC_OPENPGP_KEY(U8, U16, U32, U64, STR, BYTES) STR(local_part, 64) STR(onion, IPC_ONION_MAX) STR(created, 10)
#define IPC_OPENPGP_MADE(U8, U16, U32, U64, STR, BYTES) BYTES(key, IPC_OPENPGP_MADE_MAX)

/* ---- mail tells the parent how its folder is, whenever that changes */
#define IPC_STORE_STATE(U8, U16, U32, U64, STR, BYTES) U8(state) STR(text, IPC_TEXT_MAX) /* enum ipc_store_condition */

/* ---- dialling: mail asks tor, tor hands the socket to smtp */
#define IPC_DIAL(U8, U16, U32, U64, STR, BYTES) U64(session_id) STR(onion, IPC_ONION_MAX) U16(port)
#define IPC_DIAL_CANCEL(U8, U16, U32, U64, STR, BYTES) U64(session_id)
#define IPC_DIAL_FAILED(U8, U16, U32, U64, STR, BYTES) \
	U64(session_id) U8(reason) STR(text, IPC_TEXT_MAX) /* enum ipc_dial_reason */
/* What the client of a session on port 465 says first goes out before the peer has answered (tor's optimistic data): tor asks smtp for it
 * when the circuit stands, and tells with the connection how much of it was sent. No answer, no matter. A dial may be made more than
 * once: each attempt has a number, and a flight of its own. */
#define IPC_FLIGHT_WANTED(U8, U16, U32, U64, STR, BYTES) U64(session_id) U32(attempt)
#define IPC_FLIGHT(U8, U16, U32, U64, STR, BYTES) U64(session_id) U32(attempt) BYTES(bytes, IPC_BODY_INLINE_MAX)
#define IPC_CONNECTED(U8, U16, U32, U64, STR, BYTES) U64(session_id) U32(attempt) U32(sent_bytes)

/* ---- client sessions: mail orders, smtp carries out */
/* resume: what SESSION_TICKET brought of a session before, which is continued if the peer wants to; or nothing. */
#define IPC_SESSION_START(U8, U16, U32, U64, STR, BYTES) \
	U64(session_id) STR(onion, IPC_ONION_MAX) U8(mode) BYTES(resume, IPC_RESUME_MAX) /* enum ipc_session_mode */
/* key: SHA-256 of the SubjectPublicKeyInfo that the peer's certificate showed; empty without TLS. early: the peer has said nothing
 * yet; a message that is handed over now goes as early data, to the holder of the key or nobody. turn: counts up; a session may be
 * ready once more, which takes back a message that has no DELIVERED. */
#define IPC_SESSION_READY(U8, U16, U32, U64, STR, BYTES) \
	U64(session_id) U32(turn) U8(tls) U8(early) U64(size_max_bytes) BYTES(key, IPC_KEY_HASH_BYTES)
/* The peer's newest ticket, by which its next session can be resumed. */
#define IPC_SESSION_TICKET(U8, U16, U32, U64, STR, BYTES) U64(session_id) BYTES(resume, IPC_RESUME_MAX)
#define IPC_SESSION_END(U8, U16, U32, U64, STR, BYTES) \
	U64(session_id) U8(reason) U16(code) STR(text, IPC_TEXT_MAX) /* enum ipc_end_reason */
/* Asks the peer of a session that is ready, and not early, for its onion's card (doc/spec/cards.md), which is read by content. Answered once, unless the session
 * ends; empty: it has none, or does not speak smtorp/1; is_later: or none at the moment, and may have one in a later session. */
#define IPC_FETCH_CARD(U8, U16, U32, U64, STR, BYTES) U64(session_id)
#define IPC_CARD_FETCHED(U8, U16, U32, U64, STR, BYTES) U64(session_id) U8(is_later) BYTES(card, IPC_CARD_MAX)
/* A peer asks for the onion's card. Each WANTED is answered once; empty: there is none now. */
#define IPC_CARD_WANTED(U8, U16, U32, U64, STR, BYTES) U64(transaction_id)
#define IPC_CARD_GIVEN(U8, U16, U32, U64, STR, BYTES) U64(transaction_id) BYTES(card, IPC_CARD_MAX)
#define IPC_SESSION_QUIT(U8, U16, U32, U64, STR, BYTES) U64(session_id)
#define IPC_DELIVER(U8, U16, U32, U64, STR, BYTES) \
	U64(session_id) U32(turn) U64(delivery_id) STR(reverse_path, IPC_MAILBOX_MAX) BYTES(recipients, IPC_RECIPIENTS_MAX) \
	U8(flags) BYTES(body, IPC_BODY_INLINE_MAX) /* enum ipc_body_flags; turn: of the SESSION_READY that it answers */
#define IPC_DELIVERED(U8, U16, U32, U64, STR, BYTES) \
	U64(session_id) U64(delivery_id) BYTES(results, IPC_RECIPIENTS_MAX) /* pack_result for each recipient, in order */

/* ---- intake: a server session has a whole message; mail answers when it is durable. proved: the onion, with ".onion", that the client has proved
 * to be in its session (doc/spec/proof.md, section 6); "": none */
#define IPC_INTAKE(U8, U16, U32, U64, STR, BYTES) \
	U64(transaction_id) STR(reverse_path, IPC_MAILBOX_MAX) STR(proved, IPC_ONION_MAX) BYTES(recipients, IPC_RECIPIENTS_MAX) U8(flags) \
	BYTES(body, IPC_BODY_INLINE_MAX)
#define IPC_INTAKE_DONE(U8, U16, U32, U64, STR, BYTES) \
	U64(transaction_id) U16(code) STR(enhanced, 16) STR(text, IPC_TEXT_MAX)

/* For a message that is coming in and too large for memory: an empty file, which is nobody else's. What it takes is gone
 * when it is closed. The full file comes back in INTAKE. SPOOL_FILE without a descriptor: there is none now. */
#define IPC_SPOOL_WANTED(U8, U16, U32, U64, STR, BYTES)
#define IPC_SPOOL_FILE(U8, U16, U32, U64, STR, BYTES)

/* ---- content: pure functions over messages */
#define IPC_NEED_CONTENT(U8, U16, U32, U64, STR, BYTES) /* mail asks parent to start its content role */
/* Makes a submitted message fit to leave for one onion: identity's own From, Bcc gone, Date and Message-ID there. id_letters: of its
 * Message-ID; ids: what stands for those that it refers to (mime/threads.h). to: the onion; "": it is not to be signed. */
#define IPC_PREPARE(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(local_part, 64) STR(onion, IPC_ONION_MAX) STR(to, IPC_ONION_MAX) STR(id_letters, 26) U64(now_s) U32(date_step_s) \
	BYTES(ids, IPC_IDS_MAX) BYTES(body, IPC_BODY_INLINE_MAX)
/* Comes before the PREPARE or SEAL of a message in a file: an empty file, in which the result is to be. */
#define IPC_PREPARE_INTO(U8, U16, U32, U64, STR, BYTES) U64(request_id)
/* Encrypts what PREPARE has made for nobody (to ""), and signs it inside, and makes it ready for the onion `to`; what the mail program has encrypted or
 * signed stays as it is. keys: of all recipients, packed; the own one is always among them. how: enum ipc_seal_how. */
#define IPC_SEAL(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(local_part, 64) STR(onion, IPC_ONION_MAX) STR(to, IPC_ONION_MAX) U64(now_s) U8(how) \
	BYTES(keys, IPC_KEYS_MAX) BYTES(body, IPC_BODY_INLINE_MAX)
/* Composes a delivery status notification (RFC 3464) about the message in body. will_end_s: 0: it was given up; else when it
 * will be, and the notice says that it is late. */
#define IPC_COMPOSE_DSN(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(onion, IPC_ONION_MAX) STR(recipient, IPC_MAILBOX_MAX) U64(now_s) U64(arrival_s) \
	U64(will_end_s) BYTES(failures, IPC_RECIPIENTS_MAX) BYTES(body, IPC_BODY_INLINE_MAX) /* failures: pack_failure each */
/* Composes a copy of the message in body, or of its beginning, for the owner's eyes (mime/note.h). */
#define IPC_COMPOSE_NOTE(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(is_cut) STR(mark, 128) BYTES(text, IPC_RECIPIENTS_MAX) BYTES(body, IPC_BODY_INLINE_MAX)
/* Who wrote a message that came in for onion, proved by its Onion-Signature (proof/onionsig.h)? */
#define IPC_CHECK(U8, U16, U32, U64, STR, BYTES) U64(request_id) STR(onion, IPC_ONION_MAX) BYTES(body, IPC_BODY_INLINE_MAX)
/* The identity's own card (card/card.h), but for its end: the digest is for CONTEXT_CARD. */
#define IPC_COMPOSE_CARD(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(kind) STR(local_part, 64) STR(onion, IPC_ONION_MAX) STR(tls, IPC_FINGERPRINT_LEN) \
	STR(recovery, IPC_FINGERPRINT_LEN) U64(day_s) U64(sequence) /* enum card_kind */
/* Looks for a card in a text, and checks it and its key. The result's body is a CARD_FACTS as ipc_encode() writes it. */
#define IPC_CHECK_CARD(U8, U16, U32, U64, STR, BYTES) U64(request_id) BYTES(text, IPC_BODY_INLINE_MAX)
/* Each is answered once, by the message that follows; those without one by CONTENT_RESULT. has_more: it is encrypted, or signed with OpenPGP,
 * or a proved sender has put something into it that is for the node. key: the sender's, from the field Autocrypt, as it was at signed_s; only with a
 * verdict that proves it. text: what is wrong. */
#define IPC_CHECKED(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U16(code) STR(text, IPC_TEXT_MAX) U8(verdict) STR(sender, IPC_MAILBOX_MAX) U8(has_more) \
	BYTES(key, IPC_PUBLIC_KEY_MAX) STR(fingerprint, IPC_OPENPGP_FINGERPRINT_LEN) U64(signed_s) \
	BYTES(digest, IPC_DIGEST_BYTES) /* enum onionsig_verdict; digest: SHA-256 of what was read of a file, to which others may still write; else empty */
/* Decrypts a message that came in, and verifies its OpenPGP signature. sender: who is proved to have sent it, or ""; keys: which are known to be theirs, packed. */
#define IPC_OPEN(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(onion, IPC_ONION_MAX) STR(sender, IPC_MAILBOX_MAX) BYTES(keys, IPC_KEYS_MAX) BYTES(body, IPC_BODY_INLINE_MAX)
/* body: what the mailbox is to have, only if it was encrypted and could be opened. findings: what is in it for the node; pack_string() of a kind (a digit: enum
 * ipc_finding) and of its octets, each. */
#define IPC_OPENED(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U16(code) STR(text, IPC_TEXT_MAX) U8(encryption) U8(signature) STR(fingerprint, IPC_OPENPGP_FINGERPRINT_LEN) \
	BYTES(findings, IPC_FINDINGS_MAX) BYTES(body, IPC_BODY_INLINE_MAX) BYTES(digest, IPC_DIGEST_BYTES) /* enum pgpmime_encryption, pgpmime_signature; as CHECKED */
/* field, digest: of what is for an onion: the fields that are to stand before the body, the last of them an Onion-Signature without its signature, and what is to
 * be signed (proof/onionsig.h). Else empty. sealed: it is encrypted now. */
#define IPC_CONTENT_RESULT(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U16(code) STR(enhanced, 16) STR(text, IPC_TEXT_MAX) U8(flags) BYTES(body, IPC_BODY_INLINE_MAX) \
	BYTES(field, IPC_FIELD_MAX) BYTES(digest, IPC_DIGEST_BYTES) U8(is_sealed)

/* ---- control: the owner's commands; parent answers with any number of rows and one end */
#define IPC_CONTROL_REQUEST(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(verb) STR(identity, IPC_NAME_MAX) /* enum ipc_control_verb */
/* The key that opens the identity's locked secrets (identity/lock.h): useless to whoever has not their file. */
#define IPC_UNLOCK(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(identity, IPC_NAME_MAX) BYTES(key, IPC_KEY_BYTES)
#define IPC_STATUS_ROLE(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(role) STR(identity, IPC_NAME_MAX) U32(pid) U32(restarts) U8(ready) \
	U8(seccomp) U8(landlock) U32(silent_s) /* since it has not answered; 0: it does */
#define IPC_STATUS_PROGRAM(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(name, 32) U32(pid) U32(restarts) U8(seccomp) /* tor, dovecot: the parent's filter; log: its own */
/* control: of a tor that is not ours, else empty. network_event: what happened last to the machine, so long ago; empty: nothing. */
#define IPC_STATUS_TOR(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(bootstrap_percent) U8(bridges) STR(version, 64) STR(phase, 128) \
	STR(control, 128) STR(hint, IPC_HINT_MAX) STR(network_event, 64) U32(network_event_s)
/* How many files each process may open, and how many would do for all sessions that a role may have. */
#define IPC_STATUS_LIMITS(U8, U16, U32, U64, STR, BYTES) U64(request_id) U32(open_files) U32(open_files_wanted)
#define IPC_STATUS_ENDPOINT(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(name, 32) STR(host, 64) U16(port) STR(path, IPC_PATH_MAX)
#define IPC_STATUS_IDENTITY(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(identity, IPC_NAME_MAX) STR(onion, IPC_ONION_MAX) U8(state) U32(uploaded) STR(detail, 128) \
	U8(store) STR(trouble, IPC_TEXT_MAX) STR(path_25, IPC_PATH_MAX) STR(path_465, IPC_PATH_MAX)
#define IPC_CONTROL_END(U8, U16, U32, U64, STR, BYTES) U64(request_id) U8(error) STR(text, IPC_TEXT_MAX)

/* ---- the owner looks into an identity's queue: any number of rows and one end */
/* item: LIST: begins after it; SHOW and CANCEL: this one; RETRY: this one, or all if 0. limit: rows, for LIST. */
#define IPC_QUEUE_REQUEST(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(verb) U64(item) U32(limit) /* enum ipc_queue_verb */
/* text: the peer's or tor's own words, if any. recipients: pack_failure() each, with the last answer (code 0: none);
 * those of LIST come without texts. recipient_count is more than what is packed when that would be too much. */
#define IPC_QUEUE_ROW(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U64(item) STR(onion, IPC_ONION_MAX) STR(reverse_path, IPC_MAILBOX_MAX) U64(size_bytes) \
	U64(arrival_s) U32(tries) U64(next_s) U8(reason) STR(text, IPC_TEXT_MAX) U32(recipient_count) \
	BYTES(recipients, IPC_RECIPIENTS_MAX) /* enum ipc_wait_reason; next_s: wall clock, 0: no try will come */
/* Rows as ipc_encode() writes them, each with its length (32 bits) before it: one message for many of a long list. */
#define IPC_QUEUE_ROWS(U8, U16, U32, U64, STR, BYTES) BYTES(rows, IPC_ROWS_MAX)
/* The same with the TLS keys of other onions. LIST begins after a pin's number; the others are about onion. ACCEPT with a
 * label: only if the key that is shown now fits it. The answer ends with QUEUE_END. */
#define IPC_PIN_REQUEST(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(verb) U64(after) U32(limit) STR(onion, IPC_ONION_MAX) STR(label, IPC_FINGERPRINT_LEN) \
	/* enum ipc_pin_verb */
/* changed_s: 0: it is as it should be; else shown is the other key, "": none. Times are of the wall clock. */
#define IPC_PIN_ROW(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) STR(onion, IPC_ONION_MAX) STR(fingerprint, IPC_FINGERPRINT_LEN) U8(trust) U8(label_letters) \
	U64(since_s) U64(changed_s) STR(shown, IPC_FINGERPRINT_LEN) /* enum ipc_pin_trust */
/* About cards: the identity's own, or one in a text of the owner's. Answered by one CARD_FACTS, and QUEUE_END. */
#define IPC_CARD_REQUEST(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(verb) BYTES(text, IPC_BODY_INLINE_MAX) BYTES(secret, IPC_INVITATION_BYTES) /* enum ipc_card_verb */
/* A card whose signature was checked: struct card, with its OpenPGP key's fingerprint and the card as it is written. */
#define IPC_CARD_FACTS(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(kind) STR(address, IPC_MAILBOX_MAX) STR(onion, IPC_ONION_MAX) STR(name, IPC_CARD_NAME_MAX) \
	STR(tls, IPC_FINGERPRINT_LEN) STR(recovery, IPC_FINGERPRINT_LEN) U64(day_s) U64(sequence) \
	STR(fingerprint, IPC_OPENPGP_FINGERPRINT_LEN) BYTES(key, IPC_CARD_KEY_MAX) BYTES(card, IPC_CARD_MAX) \
	BYTES(secret, IPC_INVITATION_BYTES) U64(until_s) /* of the invitation that it was asked for */
/* The same with the address book (contacts/contacts.h, whose values how and detail have). LIST begins after a contact's number; the others are about address.
 * detail: what comes with a contact (enum ipc_contact_detail). how: of ADD and GIVE_KEY. VERIFY, ACCEPT and REFUSE name a key by its
 * fingerprint, GIVE_KEY brings one along, in public and binary; ACCEPT and REFUSE without one are about those who were introduced, whom PROPOSALS
 * lists. INTRODUCE sends the contact's card to somebody, with a note. NOTIFY sends the notice in note to everybody; FOLLOW: the contact's onion has moved
 * to `to`; CARRY: the addresses in note, each on a line (LF), are their carriers. The answer ends with QUEUE_END. */
#define IPC_CONTACT_REQUEST(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(verb) U64(after) U32(limit) U8(detail) STR(address, IPC_MAILBOX_MAX) STR(name, IPC_CONTACT_NAME_MAX) U8(how) \
	STR(fingerprint, IPC_OPENPGP_FINGERPRINT_LEN) BYTES(key, IPC_PUBLIC_KEY_MAX) STR(to, IPC_MAILBOX_MAX) BYTES(note, IPC_NOTE_MAX) \
	/* enum ipc_contact_verb */
/* Of a contact: state is how far it is trusted, changed_s when it was heard of, checked_s since when a key of it was verified, count how many introduce
 * the key that counts. The keys of a contact, who has introduced it, and its carriers follow its row: name and what is not said of them is empty.
 * by: who introduced, or carries. A proposal's name is the person's own. checked_s of a key: when it was compared. Times are of the wall clock, 0: never. */
#define IPC_CONTACT_ROW(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(kind) STR(address, IPC_MAILBOX_MAX) STR(name, IPC_CONTACT_NAME_MAX) U8(how) U8(state) U8(is_stranger) \
	STR(fingerprint, IPC_OPENPGP_FINGERPRINT_LEN) STR(by, IPC_MAILBOX_MAX) U64(since_s) U64(signed_s) U64(changed_s) U64(checked_s) U32(count) \
	U32(held) BYTES(key, IPC_PUBLIC_KEY_MAX) \
	U8(fate) STR(moved, IPC_MAILBOX_MAX) STR(moved_other, IPC_MAILBOX_MAX) \
	U8(encryption) /* enum ipc_contact_kind; fate: enum contacts_fate; encryption: enum contacts_encryption */
/* count: items shown or changed. next: what the item of the following LIST is to be, 0: nothing follows. */
#define IPC_QUEUE_END(U8, U16, U32, U64, STR, BYTES) \
	U64(request_id) U8(error) STR(text, IPC_TEXT_MAX) U64(count) U64(next) /* enum error_code */

#define IPC_MESSAGES(M) \
	M(PEER, peer, ROLE_PARENT, ALL_ROLES, FD_ALWAYS, IPC_PEER) \
	M(PEER_GONE, peer_gone, ROLE_PARENT, ALL_ROLES, FD_NONE, IPC_PEER_GONE) \
	M(STOP, stop, ROLE_PARENT, ALL_ROLES, FD_NONE, IPC_STOP) \
	M(NETWORK, network, ROLE_PARENT, ROLE_TOR | ROLE_MAIL, FD_NONE, IPC_NETWORK) \
	M(READY, ready, ALL_ROLES, ROLE_PARENT, FD_NONE, IPC_READY) \
	M(SMTP_CONFIG, smtp_config, ROLE_PARENT, ROLE_SMTP, FD_NONE, IPC_SMTP_CONFIG) \
	M(MAIL_CONFIG, mail_config, ROLE_PARENT, ROLE_MAIL, FD_NONE, IPC_MAIL_CONFIG) \
	M(SUBMISSION_CONFIG, submission_config, ROLE_PARENT, ROLE_SUBMISSION, FD_NONE, IPC_SUBMISSION_CONFIG) \
	M(LISTEN, listen, ROLE_PARENT, ROLE_SMTP | ROLE_SUBMISSION | ROLE_CONTROL, FD_ALWAYS, IPC_LISTEN) \
	M(TLS_KEY, tls_key, ROLE_PARENT, ROLE_SMTP | ROLE_SUBMISSION, FD_ALWAYS, IPC_TLS_KEY) \
	M(TLS_CERTIFICATE, tls_certificate, ROLE_PARENT, ROLE_SMTP | ROLE_SUBMISSION, FD_ALWAYS, IPC_TLS_CERTIFICATE) \
	M(TICKET_KEYS, ticket_keys, ROLE_PARENT, ROLE_SMTP, FD_ALWAYS, IPC_TICKET_KEYS) \
	M(LOGIN, login, ROLE_PARENT, ROLE_SUBMISSION, FD_NONE, IPC_LOGIN) \
	M(LOGIN_REMOVE, login_remove, ROLE_PARENT, ROLE_SUBMISSION, FD_NONE, IPC_LOGIN_REMOVE) \
	M(SERVICE_ADD, service_add, ROLE_PARENT, ROLE_TOR, FD_ALWAYS, IPC_SERVICE_ADD) \
	M(SERVICE_ACCESS, service_access, ROLE_PARENT, ROLE_TOR, FD_ALWAYS, IPC_SERVICE_ACCESS) \
	M(SERVICE_REMOVE, service_remove, ROLE_PARENT, ROLE_TOR, FD_NONE, IPC_SERVICE_REMOVE) \
	M(TOR_STATE, tor_state, ROLE_TOR, ROLE_PARENT, FD_NONE, IPC_TOR_STATE) \
	M(SERVICE_STATE, service_state, ROLE_TOR, ROLE_PARENT, FD_NONE, IPC_SERVICE_STATE) \
	M(SIGN_KEY, sign_key, ROLE_PARENT, ROLE_SIGN, FD_ALWAYS, IPC_SIGN_KEY) \
	M(SIGN_KEY_REMOVE, sign_key_remove, ROLE_PARENT, ROLE_SIGN, FD_NONE, IPC_SIGN_KEY_REMOVE) \
	M(OPENPGP_KEY, openpgp_key, ROLE_PARENT, ROLE_CONTENT, FD_MAY, IPC_OPENPGP_KEY) \
	M(OPENPGP_MADE, openpgp_made, ROLE_CONTENT, ROLE_PARENT, FD_NONE, IPC_OPENPGP_MADE) \
	M(SIGN, sign, ROLE_MAIL, ROLE_SIGN, FD_NONE, IPC_SIGN) \
	M(SIGN_SESSION, sign_session, ROLE_SMTP, ROLE_SIGN, FD_NONE, IPC_SIGN_SESSION) \
	M(SIGNED, signed_, ROLE_SIGN, ROLE_MAIL | ROLE_SMTP, FD_NONE, IPC_SIGNED) \
	M(STORE_STATE, store_state, ROLE_MAIL, ROLE_PARENT, FD_NONE, IPC_STORE_STATE) \
	M(DIAL, dial, ROLE_MAIL, ROLE_TOR, FD_NONE, IPC_DIAL) \
	M(DIAL_CANCEL, dial_cancel, ROLE_MAIL, ROLE_TOR, FD_NONE, IPC_DIAL_CANCEL) \
	M(DIAL_FAILED, dial_failed, ROLE_TOR, ROLE_MAIL, FD_NONE, IPC_DIAL_FAILED) \
	M(FLIGHT_WANTED, flight_wanted, ROLE_TOR, ROLE_SMTP, FD_NONE, IPC_FLIGHT_WANTED) \
	M(FLIGHT, flight, ROLE_SMTP, ROLE_TOR, FD_NONE, IPC_FLIGHT) \
	M(CONNECTED, connected, ROLE_TOR, ROLE_SMTP, FD_ALWAYS, IPC_CONNECTED) \
	M(SESSION_START, session_start, ROLE_MAIL, ROLE_SMTP, FD_NONE, IPC_SESSION_START) \
	M(SESSION_READY, session_ready, ROLE_SMTP, ROLE_MAIL, FD_NONE, IPC_SESSION_READY) \
	M(FETCH_CARD, fetch_card, ROLE_MAIL, ROLE_SMTP, FD_NONE, IPC_FETCH_CARD) \
	M(CARD_FETCHED, card_fetched, ROLE_SMTP, ROLE_MAIL, FD_NONE, IPC_CARD_FETCHED) \
	M(CARD_WANTED, card_wanted, ROLE_SMTP, ROLE_MAIL, FD_NONE, IPC_CARD_WANTED) \
	M(CARD_GIVEN, card_given, ROLE_MAIL, ROLE_SMTP, FD_NONE, IPC_CARD_GIVEN) \
	M(SESSION_END, session_end, ROLE_SMTP, ROLE_MAIL, FD_NONE, IPC_SESSION_END) \
	M(SESSION_QUIT, session_quit, ROLE_MAIL, ROLE_SMTP, FD_NONE, IPC_SESSION_QUIT) \
	M(DELIVER, deliver, ROLE_MAIL, ROLE_SMTP, FD_MAY, IPC_DELIVER) \
	M(DELIVERED, delivered, ROLE_SMTP, ROLE_MAIL, FD_NONE, IPC_DELIVERED) \
	M(INTAKE, intake, ROLE_SMTP | ROLE_SUBMISSION, ROLE_MAIL, FD_MAY, IPC_INTAKE) \
	M(INTAKE_DONE, intake_done, ROLE_MAIL, ROLE_SMTP | ROLE_SUBMISSION, FD_NONE, IPC_INTAKE_DONE) \
	M(SPOOL_WANTED, spool_wanted, ROLE_SMTP | ROLE_SUBMISSION, ROLE_MAIL, FD_NONE, IPC_SPOOL_WANTED) \
	M(SPOOL_FILE, spool_file, ROLE_MAIL, ROLE_SMTP | ROLE_SUBMISSION, FD_MAY, IPC_SPOOL_FILE) \
	M(NEED_CONTENT, need_content, ROLE_MAIL, ROLE_PARENT, FD_NONE, IPC_NEED_CONTENT) \
	M(PREPARE_INTO, prepare_into, ROLE_MAIL, ROLE_CONTENT, FD_ALWAYS, IPC_PREPARE_INTO) \
	M(PREPARE, prepare, ROLE_MAIL, ROLE_CONTENT, FD_MAY, IPC_PREPARE) \
	M(SEAL, seal, ROLE_MAIL, ROLE_CONTENT, FD_MAY, IPC_SEAL) \
	M(CHECK, check, ROLE_MAIL, ROLE_CONTENT, FD_MAY, IPC_CHECK) \
	M(CHECKED, checked, ROLE_CONTENT, ROLE_MAIL, FD_NONE, IPC_CHECKED) \
	M(OPEN, open, ROLE_MAIL, ROLE_CONTENT, FD_MAY, IPC_OPEN) \
	M(OPENED, opened, ROLE_CONTENT, ROLE_MAIL, FD_MAY, IPC_OPENED) \
	M(COMPOSE_DSN, compose_dsn, ROLE_MAIL, ROLE_CONTENT, FD_MAY, IPC_COMPOSE_DSN) \
	M(COMPOSE_NOTE, compose_note, ROLE_MAIL, ROLE_CONTENT, FD_MAY, IPC_COMPOSE_NOTE) \
	M(COMPOSE_CARD, compose_card, ROLE_MAIL, ROLE_CONTENT, FD_NONE, IPC_COMPOSE_CARD) \
	M(CHECK_CARD, check_card, ROLE_MAIL, ROLE_CONTENT, FD_NONE, IPC_CHECK_CARD) \
	M(CONTENT_RESULT, content_result, ROLE_CONTENT, ROLE_MAIL, FD_MAY, IPC_CONTENT_RESULT) \
	M(CONTROL_REQUEST, control_request, ROLE_CONTROL, ROLE_PARENT, FD_NONE, IPC_CONTROL_REQUEST) \
	M(UNLOCK, unlock, ROLE_CONTROL, ROLE_PARENT, FD_NONE, IPC_UNLOCK) \
	M(STATUS_ROLE, status_role, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_STATUS_ROLE) \
	M(STATUS_PROGRAM, status_program, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_STATUS_PROGRAM) \
	M(STATUS_TOR, status_tor, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_STATUS_TOR) \
	M(STATUS_LIMITS, status_limits, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_STATUS_LIMITS) \
	M(STATUS_ENDPOINT, status_endpoint, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_STATUS_ENDPOINT) \
	M(STATUS_IDENTITY, status_identity, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_STATUS_IDENTITY) \
	M(CONTROL_END, control_end, ROLE_PARENT, ROLE_CONTROL, FD_NONE, IPC_CONTROL_END) \
	M(QUEUE_REQUEST, queue_request, ROLE_CONTROL, ROLE_MAIL, FD_NONE, IPC_QUEUE_REQUEST) \
	M(QUEUE_ROW, queue_row, ROLE_MAIL, ROLE_CONTROL, FD_NONE, IPC_QUEUE_ROW) \
	M(QUEUE_ROWS, queue_rows, ROLE_MAIL, ROLE_CONTROL, FD_NONE, IPC_QUEUE_ROWS) \
	M(PIN_REQUEST, pin_request, ROLE_CONTROL, ROLE_MAIL, FD_NONE, IPC_PIN_REQUEST) \
	M(PIN_ROW, pin_row, ROLE_MAIL, ROLE_CONTROL, FD_NONE, IPC_PIN_ROW) \
	M(CARD_REQUEST, card_request, ROLE_CONTROL, ROLE_MAIL, FD_NONE, IPC_CARD_REQUEST) \
	M(CARD_FACTS, card_facts, ROLE_MAIL, ROLE_CONTROL, FD_NONE, IPC_CARD_FACTS) \
	M(CONTACT_REQUEST, contact_request, ROLE_CONTROL, ROLE_MAIL, FD_NONE, IPC_CONTACT_REQUEST) \
	M(CONTACT_ROW, contact_row, ROLE_MAIL, ROLE_CONTROL, FD_NONE, IPC_CONTACT_ROW) \
	M(QUEUE_END, queue_end, ROLE_MAIL, ROLE_CONTROL, FD_NONE, IPC_QUEUE_END) \
	M(SOCKS_WANTED, socks_wanted, ROLE_TOR, ROLE_PARENT, FD_NONE, IPC_SOCKS_WANTED) \
	M(SOCKS_CONNECTION, socks_connection, ROLE_PARENT, ROLE_TOR, FD_MAY, IPC_SOCKS_CONNECTION) \
	M(PING, ping, ROLE_PARENT, ALL_ROLES, FD_NONE, IPC_PING) \
	M(PONG, pong, ALL_ROLES, ROLE_PARENT, FD_NONE, IPC_PONG) \
	M(SESSION_TICKET, session_ticket, ROLE_SMTP, ROLE_MAIL, FD_NONE, IPC_SESSION_TICKET)

enum ipc_listener {
	LISTENER_SMTP = 1,        /* onion port 25: plain, STARTTLS */
	LISTENER_SMTORP = 2,      /* onion port 465: TLS from the first byte, ALPN smtorp/1 */
	LISTENER_SUBMISSION = 3,  /* loopback: plain, STARTTLS, AUTH */
	LISTENER_SUBMISSIONS = 4, /* loopback: TLS from the first byte, AUTH */
	LISTENER_SENDMAIL = 5,    /* Unix socket of the owner: no AUTH, the reverse-path chooses the identity */
	LISTENER_CONTROL = 6,     /* Unix socket of the owner: JSON lines */
};

enum ipc_store_condition {
	STORE_OPENING = 0, /* nothing was said yet */
	STORE_WORKS = 1,
	STORE_FULL = 2,    /* new mail is refused for now; goes away by itself */
	STORE_DAMAGED = 3, /* the database; nothing is taken or sent until somebody mends it */
};

enum ipc_publication {
	SERVICE_WAITING = 0,
	SERVICE_PUBLISHED = 1,
	SERVICE_FAILED = 2,
	SERVICE_LOCKED = 3, /* only the parent says so: nothing of it runs until its secrets are unlocked */
	SERVICE_STANDBY = 4, /* not published, because another copy of the identity is */
};

enum ipc_dial_reason {
	DIAL_REASON_OTHER = 0,       /* temporary */
	DIAL_REASON_NO_DESCRIPTOR,   /* F0: offline for hours, or never existed */
	DIAL_REASON_OFFLINE,         /* F2: offline since recently */
	DIAL_REASON_RENDEZVOUS,      /* F3, F7: try again */
	DIAL_REASON_AUTHORIZATION,   /* F4, F5: needs a client authorisation key */
	DIAL_REASON_BAD_ADDRESS,     /* F6: permanent */
	DIAL_REASON_PORT_REFUSED,    /* 05: the service has no such port */
	DIAL_REASON_TIMEOUT,
	DIAL_REASON_TOR_DOWN,        /* tor is not running or not bootstrapped */
};

enum ipc_session_mode {
	SESSION_SMTORP = 1, /* TLS at once; mail only if ALPN smtorp/1 was agreed */
	SESSION_SMTP = 2,   /* port 25; STARTTLS when offered */
};

enum ipc_end_reason {
	SESSION_END_QUIT = 0,        /* after SESSION_QUIT, orderly */
	SESSION_END_LOST,            /* the connection broke; what had no DELIVERED is unknown */
	SESSION_END_NOT_SMTORP,      /* TLS worked, the peer did not select smtorp/1: go to port 25 */
	SESSION_END_REFUSED,         /* the peer refused the session: code and text say how */
	SESSION_END_PROTOCOL,        /* the peer does not speak SMTP as it must */
	SESSION_END_TIMEOUT,
};

enum ipc_body_flags {
	BODY_8BIT = 1 << 0,     /* octets >= 0x80 in the body: BODY=8BITMIME */
	BODY_SMTPUTF8 = 1 << 1, /* UTF-8 in the envelope or header: SMTPUTF8 */
	BODY_WAITS = 1 << 7,    /* in the queue only: it is sealed to the own key, until those of its recipients are known */
};

/* Whether mail is encrypted when it leaves. */
enum ipc_encryption {
	ENCRYPTION_PREFERRED = 0, /* whenever there is a key of every recipient */
	ENCRYPTION_REQUIRED,      /* or not sent */
	ENCRYPTION_NONE,
};

enum ipc_seal_how {
	SEAL_PLAIN = 0,     /* only ready for the onion: there are no keys */
	SEAL_ENCRYPT = 1,
	SEAL_OPEN_FIRST = 2, /* a flag: it is sealed to the own key, and has waited for the keys of others */
	SEAL_ALL = 4,       /* a flag: also around what the mail program has signed */
};

/* What a message may bring for the node. */
enum ipc_finding { FINDING_CARD = 1, FINDING_NOTICE, FINDING_INVITATION };

enum ipc_control_verb {
	CONTROL_STATUS = 1,
	CONTROL_IDENTITY_LOAD = 2,   /* a new folder, or a changed password: take it in */
	CONTROL_IDENTITY_UNLOAD = 3, /* stop everything of it, so that the folder can be removed */
	CONTROL_STOP = 4,
	CONTROL_IDENTITY_LOCK = 5,   /* stop everything of it and forget its secrets; UNLOCK brings it back */
	CONTROL_IDENTITY_ACCESS = 6, /* its file "access" was changed */
	CONTROL_IDENTITY_TAKEOVER = 7, /* publish it here again, after SERVICE_STANDBY */
};

enum ipc_queue_verb { QUEUE_VERB_LIST = 1, QUEUE_VERB_SHOW, QUEUE_VERB_RETRY, QUEUE_VERB_CANCEL };

enum ipc_pin_verb { PIN_VERB_LIST = 1, PIN_VERB_SHOW, PIN_VERB_ACCEPT, PIN_VERB_FORGET };

/* ADD: takes whom the card is about, and their key, into the address book; text: the card. IN_PERSON: and the owner has it from the person. INVITE: the own card, with
 * a secret for one guest. ADD_INVITED: as IN_PERSON, and whoever has given the owner this secret is greeted with it. */
enum ipc_card_verb { CARD_VERB_SHOW = 1, CARD_VERB_SHOW_ONION, CARD_VERB_CHECK, CARD_VERB_ADD, CARD_VERB_ADD_IN_PERSON, CARD_VERB_INVITE, CARD_VERB_ADD_INVITED };
enum ipc_contact_verb {
	CONTACT_VERB_LIST = 1, CONTACT_VERB_SHOW, CONTACT_VERB_ADD, CONTACT_VERB_RENAME, CONTACT_VERB_DELETE, CONTACT_VERB_VERIFY,
	CONTACT_VERB_ACCEPT, CONTACT_VERB_REFUSE, CONTACT_VERB_GIVE_KEY, CONTACT_VERB_PROPOSALS, CONTACT_VERB_INTRODUCE,
	CONTACT_VERB_NOTIFY, CONTACT_VERB_FOLLOW, CONTACT_VERB_ENCRYPT, /* how: enum contacts_encryption */
	CONTACT_VERB_CARRY,
};

enum ipc_contact_detail { CONTACT_PEOPLE = 0, CONTACT_HISTORY, CONTACT_KEY_THAT_COUNTS }; /* the last with its bytes */

enum ipc_contact_kind { CONTACT_ROW_CONTACT = 1, CONTACT_ROW_KEY, CONTACT_ROW_INTRODUCTION, CONTACT_ROW_PROPOSAL, CONTACT_ROW_CARRIER };

/* Why a message waits. The numbers are kept in databases: add at the end. */
enum ipc_wait_reason {
	WAIT_REASON_NEW = 0,       /* not tried yet */
	WAIT_REASON_DIALLING,
	WAIT_REASON_DELIVERING,
	WAIT_REASON_TOR_DOWN,
	WAIT_REASON_NO_DESCRIPTOR, /* offline for hours, or never existed */
	WAIT_REASON_OFFLINE,       /* since recently */
	WAIT_REASON_RENDEZVOUS,
	WAIT_REASON_AUTHORIZATION,
	WAIT_REASON_BAD_ADDRESS,
	WAIT_REASON_PORT_REFUSED,
	WAIT_REASON_TIMEOUT,
	WAIT_REASON_LOST,          /* the connection broke */
	WAIT_REASON_REFUSED,       /* the peer refused the session */
	WAIT_REASON_PROTOCOL,
	WAIT_REASON_REPLY,         /* the peer answered 4yz for the recipients */
	WAIT_REASON_FAILED,        /* for good: the notification to its sender is being written */
	WAIT_REASON_OTHER,
	WAIT_REASON_KEY,           /* held: the peer shows another TLS key than before */
	WAIT_REASON_COUNT,
};

/* Why the TLS key of another onion is taken for its own. The numbers are kept in databases, and a greater one is more. */
enum ipc_pin_trust {
	PIN_NOTED = 0, /* a server on port 25: another key would be noted as well */
	PIN_FIRST_USE, /* the first that it showed; with this and the following no other key gets mail */
	PIN_LABEL,     /* an address named it */
	PIN_ACCEPTED,  /* the owner has said so */
	PIN_TRUST_COUNT,
};

/* ---- the structs, made from the table */
#define IPC_STRUCT_U8(name) uint8_t name;
#define IPC_STRUCT_U16(name) uint16_t name;
#define IPC_STRUCT_U32(name) uint32_t name;
#define IPC_STRUCT_U64(name) uint64_t name;
#define IPC_STRUCT_STR(name, max) char name[(max) + 1];
#define IPC_STRUCT_BYTES(name, max) struct slice name;
#define IPC_STRUCT(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) \
	struct ipc_##name { \
		FIELDS(IPC_STRUCT_U8, IPC_STRUCT_U16, IPC_STRUCT_U32, IPC_STRUCT_U64, IPC_STRUCT_STR, IPC_STRUCT_BYTES) \
	};
IPC_MESSAGES(IPC_STRUCT)
#undef IPC_STRUCT

#define IPC_ENUM(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) IPC_TYPE_##NAME,
enum ipc_type { IPC_TYPE_NONE, IPC_MESSAGES(IPC_ENUM) IPC_TYPE_COUNT };
#undef IPC_ENUM

#define IPC_MEMBER(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) struct ipc_##name name;
struct ipc_message {
	enum ipc_type type;
	int fd; /* -1, or a descriptor: the receiver that wants to keep it sets this to -1, else it is closed */
	union {
		IPC_MESSAGES(IPC_MEMBER)
	};
};
#undef IPC_MEMBER
