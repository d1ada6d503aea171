/* SPDX-License-Identifier: ISC
 *
 * smtorp-sign: the role that signs with the onion keys. The parent hands them over; mail@ID and smtp@ID ask for signatures of their own
 * identity, which is the channel's, never named in a message. Each kind of text has a form of its own (proof/context.h), and nobody
 * can have another text signed. It has nothing to do with tor's life: mail is taken, and signed, also while tor is down.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/role.h"
#include "onionkey/onionkey.h"
#include "proof/context.h"

/* An identity and its key, in memory for secrets. */
struct signer {
	struct signer *next;
	char identity[IPC_NAME_MAX + 1];
	struct onionkey key;
};

/* The channel to mail or smtp of one identity. */
struct peer {
	struct peer *next;
	enum role role;
	char identity[IPC_NAME_MAX + 1];
	struct channel *channel;
};

static struct {
	struct signer *signers;
	struct peer *peers;
} self;

/* ---- keys */

static const struct signer *
find_signer(const char *identity)
{
	for (const struct signer *s = self.signers; s != NULL; s = s->next)
		if (strcmp(s->identity, identity) == 0)
			return s;
	return NULL;
}

static void
forget(const char *identity)
{
	for (struct signer **at = &self.signers; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->identity, identity) == 0) {
			struct signer *s = *at;
			*at = s->next;
			secret_free(s);
			return;
		}
}

static int
read_key(int fd, struct onionkey *out, struct error *err)
{
	struct buffer bytes;
	buffer_init(&bytes, ONIONKEY_FILE_BYTES + 1);
	int result = file_read_all(fd, &bytes, err);
	if (result == 0)
		result = onionkey_from_file(slice_of(buffer_bytes(&bytes), buffer_len(&bytes)), out, err);
	if (bytes.data != NULL)
		explicit_bzero(bytes.data, bytes.capacity);
	buffer_finish(&bytes);
	return result;
}

static void
take_key(const struct ipc_message *m)
{
	struct error err = { 0 };
	struct signer *s = secret_new(sizeof *s);
	forget(m->sign_key.identity);
	snprintf(s->identity, sizeof s->identity, "%s", m->sign_key.identity);
	if (read_key(m->fd, &s->key, &err) != 0) {
		log_error("nothing can be signed for %s: %s", s->identity, err.text);
		secret_free(s);
		return;
	}
	s->next = self.signers;
	self.signers = s;
}

/* ---- signatures */

static void
answer(struct peer *peer, uint64_t request_id, const struct signer *s, struct slice text)
{
	unsigned char signature[ONIONKEY_SIGNATURE_BYTES];
	struct ipc_message m = { .type = IPC_TYPE_SIGNED, .fd = -1, .signed_.request_id = request_id };
	if (s != NULL && text.len > 0) {
		onionkey_sign(&s->key, text, signature);
		m.signed_.signature = slice_of(signature, sizeof signature);
	}
	channel_send(peer->channel, &m, NULL); /* when it is gone, on_peer_end() will say so */
}

static void
sign_digest(struct peer *peer, const struct ipc_sign *sign)
{
	unsigned char text[CONTEXT_TEXT_MAX];
	size_t len = sign->digest.len == CONTEXT_DIGEST_BYTES ? context_text(sign->context, sign->digest.data, text) : 0;
	answer(peer, sign->request_id, find_signer(peer->identity), slice_of(text, len));
}

static void
sign_session(struct peer *peer, const struct ipc_sign_session *sign)
{
	unsigned char text[CONTEXT_TEXT_MAX], server[ONIONKEY_PUBLIC_BYTES];
	const struct signer *s = find_signer(peer->identity);
	struct slice onion = slice_of_string(sign->server);
	size_t len = 0;
	if (onion.len > ONIONKEY_NAME_LEN)
		onion.len = ONIONKEY_NAME_LEN; /* ".onion" */
	if (s != NULL && sign->exporter.len == CONTEXT_EXPORTER_BYTES && onionkey_parse_name(onion, server, NULL) == 0)
		len = context_session_text(s->key.public_key, server, sign->exporter.data, text);
	answer(peer, sign->request_id, s, slice_of(text, len));
}

/* ---- peers */

static struct peer *
find_peer(enum role role, const char *identity)
{
	for (struct peer *p = self.peers; p != NULL; p = p->next)
		if (p->role == role && strcmp(p->identity, identity) == 0)
			return p;
	return NULL;
}

static void
remove_peer(struct peer *peer)
{
	struct peer **at = &self.peers;
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	channel_free(peer->channel);
	free(peer);
}

static void
on_peer_message(void *context, struct ipc_message *m)
{
	struct peer *peer = context;
	if (m->type == IPC_TYPE_SIGN)
		sign_digest(peer, &m->sign);
	else if (m->type == IPC_TYPE_SIGN_SESSION)
		sign_session(peer, &m->sign_session);
}

static void
on_peer_end(void *context, const struct error *err)
{
	struct peer *peer = context;
	if (err->code != ERROR_CLOSED)
		log_warn("%s@%s: %s", ipc_role_name(peer->role), peer->identity, err->text);
	remove_peer(peer); /* the parent sends a new channel when that role runs again */
}

static void
on_peer(void *context, enum role role, const char *identity, int fd)
{
	static const struct channel_events events = { on_peer_message, on_peer_end };
	(void)context;
	struct peer *peer = find_peer(role, identity);
	if (peer != NULL)
		remove_peer(peer);
	peer = calloc(1, sizeof *peer);
	if (peer == NULL || (role != ROLE_MAIL && role != ROLE_SMTP)) {
		free(peer);
		file_close(&fd);
		return;
	}
	peer->role = role;
	snprintf(peer->identity, sizeof peer->identity, "%s", identity);
	peer->channel = channel_new(role_loop(), fd, ROLE_SIGN, role, &events, peer);
	peer->next = self.peers;
	self.peers = peer;
}

static void
on_peer_gone(void *context, enum role role, const char *identity)
{
	(void)context;
	struct peer *peer = find_peer(role, identity);
	if (peer != NULL)
		remove_peer(peer);
}

/* ---- the parent */

static void
on_parent(void *context, struct ipc_message *m)
{
	(void)context;
	if (m->type == IPC_TYPE_SIGN_KEY)
		take_key(m);
	else if (m->type == IPC_TYPE_SIGN_KEY_REMOVE)
		forget(m->sign_key_remove.identity);
}

static void
on_stop(void *context)
{
	(void)context;
	role_quit(0);
}

int
main(int argc, char **argv)
{
	static const struct role_events events = { on_parent, on_peer, on_peer_gone, on_stop };
	(void)argv;
	if (argc > 1) {
		fprintf(stderr, "smtorp-sign is started by smtorpd\n");
		return 2;
	}
	onionkey_library_init();
	role_init(ROLE_SIGN, &events, NULL);
	int status = role_run();
	while (self.peers != NULL)
		remove_peer(self.peers);
	while (self.signers != NULL)
		forget(self.signers->identity);
	return status;
}
