/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <string.h>

#include "loop/stream_parts.h"

/* Early data waits in s->early until the server has said whether it took it. */
static int
resume(struct stream *s, const char *server_name, const struct tls_resumption *resumption, struct error *err)
{
	if (tlsconn_resume(s->tls, server_name, resumption, err) != 0)
		return -1;
	s->sent_early = resumption->early.len > 0;
	return 0;
}

static int
start_tls(struct stream *s, struct tls_context *context, bool is_server, const char *server_name, const char *alpn,
    const struct tls_resumption *resumption, struct error *err)
{
	struct error why;
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
	if (resumption != NULL) {
		buffer_init(&s->early, TLS_EARLY_MAX_BYTES);
		if (buffer_append(&s->early, resumption->early.data, resumption->early.len, err) != 0)
			return -1;
		if (resume(s, server_name, resumption, &why) != 0 && why.code != ERROR_INVALID) {
			if (err != NULL)
				*err = why;
			return -1;
		}
	}
	return tlsconn_handshake(s->tls, &s->in, err) < 0 ? -1 : 0;
}

int
stream_start_tls_server(struct stream *s, struct tls_context *context, const char *alpn, struct error *err)
{
	return start_tls(s, context, true, NULL, alpn, NULL, err);
}

int
stream_start_tls_client(struct stream *s, struct tls_context *context, const char *server_name, const char *alpn,
    struct error *err)
{
	return start_tls(s, context, false, server_name, alpn, NULL, err);
}

int
stream_resume_tls_client(struct stream *s, struct tls_context *context, const char *server_name, const char *alpn,
    const struct tls_resumption *resumption, struct error *err)
{
	return start_tls(s, context, false, server_name, alpn, resumption, err);
}

enum stream_early
stream_early(const struct stream *s)
{
	if (s->tls == NULL)
		return STREAM_EARLY_NONE;
	if (tlsconn_is_early(s->tls))
		return STREAM_EARLY_READING;
	if (!s->sent_early)
		return STREAM_EARLY_NONE;
	if (!tlsconn_is_ready(s->tls))
		return STREAM_EARLY_SENT;
	return s->took_early ? STREAM_EARLY_TAKEN : STREAM_EARLY_REFUSED;
}

int
stream_send_again(struct stream *s, struct error *err)
{
	assert(stream_is_tls(s) && !s->took_early && buffer_len(&s->out) == 0);
	int result = stream_write(s, buffer_bytes(&s->early), buffer_len(&s->early), err);
	buffer_finish(&s->early);
	return result;
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

bool
stream_is_resumed(const struct stream *s)
{
	return s->tls != NULL && tlsconn_is_resumed(s->tls);
}

int
stream_exporter(const struct stream *s, const char *label, unsigned char out[TLS_EXPORTER_BYTES], struct error *err)
{
	if (s->tls == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the connection is not encrypted");
	return tlsconn_exporter(s->tls, label, out, err);
}

void
stream_set_proved(struct stream *s, const unsigned char proved[TLS_PROVED_BYTES])
{
	assert(stream_is_tls(s));
	tlsconn_set_proved(s->tls, proved);
}

bool
stream_proved(const struct stream *s, unsigned char proved[TLS_PROVED_BYTES])
{
	if (s->tls != NULL)
		return tlsconn_proved(s->tls, proved);
	memset(proved, 0, TLS_PROVED_BYTES);
	return false;
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
