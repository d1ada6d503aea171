/* SPDX-License-Identifier: ISC */
#include <assert.h>

#include "loop/stream_parts.h"

static int
start_tls(struct stream *s, struct tls_context *context, bool is_server, const char *server_name, const char *alpn,
    struct error *err)
{
	assert(s->tls == NULL);
	if (s->state != OPEN)
		return error_set(err, ERROR_CLOSED, "the connection is closed");
	if (buffer_len(&s->in) > 0)
		return error_set(err, ERROR_PROTOCOL, "plain bytes came behind STARTTLS");
	if (tlsconn_new(context, is_server, server_name, alpn, &s->wire, &s->tls, err) != 0)
		return -1;
	s->wire.max = s->output_max_bytes + STREAM_SEND_STEP_BYTES + STREAM_TLS_EXTRA_BYTES;
	buffer_init(&s->out, s->output_max_bytes);
	loop_at_round_end(s->loop, &s->round);
	return tlsconn_handshake(s->tls, err) < 0 ? -1 : 0;
}

int
stream_start_tls_server(struct stream *s, struct tls_context *context, const char *alpn, struct error *err)
{
	return start_tls(s, context, true, NULL, alpn, err);
}

int
stream_start_tls_client(struct stream *s, struct tls_context *context, const char *server_name, const char *alpn,
    struct error *err)
{
	return start_tls(s, context, false, server_name, alpn, err);
}

bool
stream_is_tls(const struct stream *s)
{
	return s->tls != NULL && tlsconn_is_ready(s->tls);
}

const char *
stream_alpn(const struct stream *s)
{
	return s->tls == NULL ? NULL : tlsconn_alpn(s->tls);
}

int
stream_peer_key_hash(const struct stream *s, unsigned char hash[32], struct error *err)
{
	if (s->tls == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the connection is not encrypted");
	return tlsconn_peer_key_hash(s->tls, hash, err);
}

const char *
stream_tls_version(const struct stream *s)
{
	return stream_is_tls(s) ? tlsconn_version(s->tls) : "";
}

const char *
stream_tls_cipher(const struct stream *s)
{
	return stream_is_tls(s) ? tlsconn_cipher(s->tls) : "";
}

int
stream_peer_certificate(const struct stream *s, struct buffer *der, struct error *err)
{
	if (!stream_is_tls(s))
		return error_set(err, ERROR_NOT_FOUND, "the connection is not encrypted");
	return tlsconn_peer_certificate(s->tls, der, err);
}

int
stream_renegotiate(struct stream *s, struct error *err)
{
	assert(stream_is_tls(s) && buffer_len(&s->out) == 0);
	if (s->state != OPEN)
		return error_set(err, ERROR_CLOSED, "the connection is closed");
	loop_at_round_end(s->loop, &s->round);
	return tlsconn_renegotiate(s->tls, err);
}
