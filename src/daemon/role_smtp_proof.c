/* SPDX-License-Identifier: ISC
 *
 * Proofs of who we are, for sessions of smtp@ID as a client: the role sign has the key, and answers at once. Where it is not there, mail
 * goes as that of a stranger.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/role_smtp.h"
#include "proof/session.h"

static struct {
	struct channel *sign;
	unsigned char own_key[ONIONKEY_PUBLIC_BYTES];
	bool has_own_key;
} self;

static void
on_message(void *context, struct ipc_message *m)
{
	char proof[sizeof SESSION_PROOF_MECHANISM " " + SESSION_PROOF_LEN], base64[SESSION_PROOF_LEN + 1];
	(void)context;
	if (m->type != IPC_TYPE_SIGNED)
		return;
	if (m->signed_.signature.len != ONIONKEY_SIGNATURE_BYTES || !self.has_own_key) {
		role_smtp_client_prove(m->signed_.request_id, NULL);
		return;
	}
	session_proof_write(self.own_key, m->signed_.signature.data, base64);
	snprintf(proof, sizeof proof, "%s %s", SESSION_PROOF_MECHANISM, base64);
	role_smtp_client_prove(m->signed_.request_id, proof);
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	if (err->code != ERROR_CLOSED)
		log_error("%s", err->text);
	if (err->code == ERROR_BUSY)
		role_quit(1); /* see channel.h */
	channel_free(self.sign);
	self.sign = NULL; /* the parent sends a new one when that role runs again */
	role_smtp_client_prove_nothing();
}

void
role_smtp_proof_on_config(const char *own_onion)
{
	struct slice name = slice_of_string(own_onion);
	if (name.len > ONIONKEY_NAME_LEN)
		name.len = ONIONKEY_NAME_LEN; /* ".onion" */
	self.has_own_key = onionkey_parse_name(name, self.own_key, NULL) == 0;
}

void
role_smtp_proof_on_sign(int fd)
{
	static const struct channel_events events = { on_message, on_end };
	channel_free(self.sign);
	role_smtp_client_prove_nothing(); /* who asked the one before */
	self.sign = channel_new(role_loop(), fd, ROLE_SMTP, ROLE_SIGN, &events, NULL);
}

int
role_smtp_proof_ask(uint64_t session_id, const char *server, const unsigned char exporter[TLS_EXPORTER_BYTES])
{
	struct ipc_message m = { .type = IPC_TYPE_SIGN_SESSION, .fd = -1, .sign_session = {
		.request_id = session_id, .exporter = slice_of(exporter, TLS_EXPORTER_BYTES) } };
	snprintf(m.sign_session.server, sizeof m.sign_session.server, "%s", server);
	return self.sign != NULL && self.has_own_key ? channel_send(self.sign, &m, NULL) : -1;
}
