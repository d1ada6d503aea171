/* SPDX-License-Identifier: ISC
 *
 * AUTH SMTORP-ONION (doc/spec/proof.md, section 6): on port 465 a client proves which onion it is. What is proved goes into the
 * session's tickets, and is known from the first octet on when a session is gone on with. Whoever proves nothing, or proves it wrongly, is a
 * stranger, and may do what strangers may.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "proof/session.h"
#include "smtpd/session.h"

/* In a ticket: this, the public key, zeros. */
#define NOTE_VERSION 1
static_assert(1 + ONIONKEY_PUBLIC_BYTES <= TLS_PROVED_BYTES, "it fits");

bool
verb_proof_is_offered(const struct session *s)
{
	return session_config(s)->kind == SMTPD_SMTORP && stream_alpn(s->stream) != NULL;
}

static void
set_proved(struct session *s, const unsigned char client[ONIONKEY_PUBLIC_BYTES])
{
	char name[ONIONKEY_NAME_LEN + 1];
	onionkey_name(client, name);
	snprintf(s->proved, sizeof s->proved, "%s.onion", name);
}

void
verb_proof_on_handshake(struct session *s)
{
	unsigned char note[TLS_PROVED_BYTES];
	s->proved[0] = '\0';
	s->has_tried_proof = false;
	if (verb_proof_is_offered(s) && stream_proved(s->stream, note) && note[0] == NOTE_VERSION) {
		set_proved(s, note + 1);
		log_info("a peer goes on with a session in which it has proved which onion it is");
	}
}

/* For which onion it has to be: our own. */
static int
own_key(const struct session *s, unsigned char key[ONIONKEY_PUBLIC_BYTES])
{
	struct slice name = slice_of_string(session_config(s)->hostname);
	if (name.len > ONIONKEY_NAME_LEN)
		name.len = ONIONKEY_NAME_LEN; /* ".onion" */
	return onionkey_parse_name(name, key, NULL);
}

static void
check(struct session *s, struct slice base64)
{
	unsigned char server[ONIONKEY_PUBLIC_BYTES], client[ONIONKEY_PUBLIC_BYTES], exporter[TLS_EXPORTER_BYTES];
	unsigned char note[TLS_PROVED_BYTES] = { NOTE_VERSION };
	static_assert(TLS_EXPORTER_BYTES == CONTEXT_EXPORTER_BYTES, "the same thing");
	s->has_tried_proof = true;
	if (own_key(s, server) != 0 || stream_exporter(s->stream, SESSION_PROOF_LABEL, exporter, NULL) != 0 ||
	    session_proof_check(base64, server, exporter, client, NULL) != 0) {
		log_info("a peer has proved nothing: it stays a stranger");
		session_refuse(s, ANSWER_PROOF_WRONG);
		return;
	}
	memcpy(note + 1, client, sizeof client);
	stream_set_proved(s->stream, note);
	set_proved(s, client);
	log_info("a peer has proved which onion it is");
	session_reply(s, ANSWER_AUTH_OK, NULL);
}

void
verb_proof(struct session *s, struct slice argument)
{
	struct slice mechanism, initial;
	command_next_word(&argument, &mechanism);
	command_next_word(&argument, &initial);
	if (!s->has_hello)
		session_refuse(s, ANSWER_SAY_HELLO);
	else if (!slice_is_nocase(mechanism, SESSION_PROOF_MECHANISM))
		session_refuse(s, ANSWER_PROOF_MECHANISM);
	else if (initial.len == 0 || argument.len > 0)
		session_refuse(s, ANSWER_AUTH_MALFORMED);
	else if (s->has_tried_proof || s->proved[0] != '\0' || s->transaction != NULL)
		session_refuse(s, ANSWER_PROOF_AGAIN);
	else
		check(s, initial);
}
