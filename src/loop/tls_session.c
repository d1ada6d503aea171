/* SPDX-License-Identifier: ISC */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/clock.h"
#include "loop/tlsconn.h"

/* What a server may say when it gave the ticket is its own; we believe no more than RFC 8446 allows. */
static int64_t
lifetime_s(const SSL_SESSION *session)
{
	unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(session);
	return hint < TLS_TICKET_LIFETIME_S ? (int64_t)hint : TLS_TICKET_LIFETIME_S;
}

static int
parse(struct slice bytes, SSL_SESSION **out, struct error *err)
{
	const unsigned char *at = bytes.data;
	if (bytes.len == 0 || bytes.len > TLS_SESSION_MAX_BYTES)
		return error_set(err, ERROR_INVALID, "a TLS session has 1 to %d bytes, not %zu", TLS_SESSION_MAX_BYTES, bytes.len);
	SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)bytes.len);
	if (session == NULL)
		return tls_error(err, ERROR_INVALID, "the TLS session is damaged");
	if (at != (const unsigned char *)bytes.data + bytes.len || SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION ||
	    SSL_SESSION_get0_cipher(session) == NULL || !SSL_SESSION_has_ticket(session) || SSL_SESSION_get_time(session) < 0) {
		SSL_SESSION_free(session);
		return error_set(err, ERROR_INVALID, "this is no TLS 1.3 session with a ticket");
	}
	*out = session;
	return 0;
}

static int
look(SSL_SESSION *session, struct tls_session_info *out, struct error *err)
{
	uint32_t early = SSL_SESSION_get_max_early_data(session);
	*out = (struct tls_session_info){ .early_max_bytes = early < TLS_EARLY_MAX_BYTES ? early : TLS_EARLY_MAX_BYTES,
		.expires = SSL_SESSION_get_time(session) + lifetime_s(session) };
	if (tls_key_hash(SSL_SESSION_get0_peer(session), out->key_hash, err) != 0)
		return err->code == ERROR_INVALID ? -1 : error_set(err, ERROR_INVALID, "the TLS session has no certificate");
	return 0;
}

int
tls_session_read(struct slice bytes, struct tls_session_info *out, struct error *err)
{
	SSL_SESSION *session = NULL;
	struct error why;
	if (parse(bytes, &session, err) != 0)
		return -1;
	int result = look(session, out, &why);
	SSL_SESSION_free(session);
	if (result != 0 && err != NULL)
		*err = why;
	return result;
}

/* OpenSSL would end a connection whose session knows another name or protocol, so that is found before. */
static bool
fits(SSL_SESSION *session, const char *server_name, const char *alpn)
{
	const unsigned char *agreed;
	size_t len;
	const char *name = SSL_SESSION_get0_hostname(session);
	SSL_SESSION_get0_alpn_selected(session, &agreed, &len);
	if (name != NULL && (server_name == NULL || strcmp(name, server_name) != 0))
		return false;
	return alpn != NULL && len == strlen(alpn) && memcmp(agreed, alpn, len) == 0;
}

int
tls_session_use(struct slice bytes, const char *server_name, const char *alpn, const unsigned char *key_hash,
    SSL_SESSION **out, struct error *err)
{
	SSL_SESSION *session = NULL;
	struct tls_session_info info;
	struct error why;
	int64_t now = clock_wall_s();
	if (parse(bytes, &session, err) != 0)
		return -1;
	if (look(session, &info, &why) != 0)
		error_set(err, ERROR_INVALID, "%s", why.text);
	else if (!fits(session, server_name, alpn))
		error_set(err, ERROR_INVALID, "the TLS session was with another service");
	else if (now < SSL_SESSION_get_time(session) || now >= info.expires)
		error_set(err, ERROR_INVALID, "the TLS session is too old, or the clock was set back");
	else if (key_hash != NULL && memcmp(info.key_hash, key_hash, sizeof info.key_hash) != 0)
		error_set(err, ERROR_INVALID, "the TLS session was with another key");
	else {
		*out = session;
		return 0;
	}
	SSL_SESSION_free(session);
	return -1;
}

void
tls_session_save(SSL_SESSION *session, struct buffer *out)
{
	int len = i2d_SSL_SESSION(session, NULL);
	unsigned char *at = len <= 0 || len > TLS_SESSION_MAX_BYTES ? NULL : buffer_reserve(out, (size_t)len, NULL);
	if (at == NULL)
		return; /* the server's certificate or ticket is large: no session, then */
	i2d_SSL_SESSION(session, &at);
	buffer_commit(out, (size_t)len);
}

/* OpenSSL gives every session that may be gone on with; it stays the owner of it. */
int
tls_session_on_new(SSL *ssl, SSL_SESSION *session)
{
	if (SSL_version(ssl) == TLS1_3_VERSION)
		tlsconn_on_session(SSL_get_app_data(ssl), session);
	return 0;
}
