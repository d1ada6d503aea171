/* SPDX-License-Identifier: ISC
 *
 * smtorp-sign: the role that signs with the onion keys. The parent hands them over; mail@ID and smtp@ID ask for signatures of their own
 * identity, which is the channel's, never named in a message. Each kind of text has a form of its own (proof/context.h), and nobody
 * can have another text signed. What cannot be taken back, moves and revocations, no role may ask for: the owner's command signs it.
 * It has nothing to do with tor's life: mail is taken, and signed, also while tor is down.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/role_peers.h"
#include "onionkey/onionkey.h"
#include "proof/context.h"

/* An identity and its key, in memory for secrets. */
struct signer {
	struct signer *next;
	char identity[IPC_NAME_MAX + 1];
	struct onionkey key;
};

static struct signer *signers;

/* ---- keys */

static const struct signer *
find_signer(const char *identity)
{
	for (const struct signer *s = signers; s != NULL; s = s->next)
		if (strcmp(s->identity, identity) == 0)
			return s;
	return NULL;
}

static void
forget(const char *identity)
{
	for (struct signer **at = &signers; *at != NULL; at = &(*at)->next)
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
	s->next = signers;
	signers = s;
}

/* ---- signatures */

static void
answer(struct role_peer *peer, uint64_t request_id, const struct signer *s, struct slice text)
{
	unsigned char signature[ONIONKEY_SIGNATURE_BYTES];
	struct ipc_message m = { .type = IPC_TYPE_SIGNED, .fd = -1, .signed_.request_id = request_id };
	if (s != NULL && text.len > 0) {
		onionkey_sign(&s->key, text, signature);
		m.signed_.signature = slice_of(signature, sizeof signature);
	}
	channel_send(peer->channel, &m, NULL); /* when it is gone, role_peers.c sees to it */
}

static void
sign_digest(struct role_peer *peer, const struct ipc_sign *sign)
{
	unsigned char text[CONTEXT_TEXT_MAX];
	bool is_for_roles = sign->context == CONTEXT_MESSAGE || sign->context == CONTEXT_CARD;
	size_t len = is_for_roles && sign->digest.len == CONTEXT_DIGEST_BYTES ? context_text(sign->context, sign->digest.data, text) : 0;
	answer(peer, sign->request_id, find_signer(peer->identity), slice_of(text, len));
}

static void
sign_session(struct role_peer *peer, const struct ipc_sign_session *sign)
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

static void
on_peer_message(struct role_peer *peer, struct ipc_message *m)
{
	if (m->type == IPC_TYPE_SIGN)
		sign_digest(peer, &m->sign);
	else if (m->type == IPC_TYPE_SIGN_SESSION)
		sign_session(peer, &m->sign_session);
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
	static const struct role_events events = { on_parent, role_peers_come, role_peers_go, on_stop };
	struct role_peers peers = { .own = ROLE_SIGN, .on_message = on_peer_message };
	(void)argv;
	if (argc > 1) {
		fprintf(stderr, "smtorp-sign is started by smtorpd\n");
		return 2;
	}
	onionkey_library_init();
	role_init(ROLE_SIGN, &events, &peers);
	int status = role_run();
	role_peers_finish(&peers);
	while (signers != NULL)
		forget(signers->identity);
	return status;
}
