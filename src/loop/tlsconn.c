/* SPDX-License-Identifier: ISC */
#include "loop/tlsconn.h"

#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX_BYTES 16384
#define KEPT_MAX_BYTES (1024 * 1024)
/* Tickets that are tried for one client, who has one of us at most, in both of his hellos if there are two. Each costs as much as a part of a
 * handshake, and takes only some octets. */
#define TICKETS_TRIED_MAX 4
/* Messages of handshakes, once TLS stands: new keys, tickets, wishes to begin anew. Nobody needs many, and each costs as much as a part of a
 * handshake without being one for loop_may_handshake(). */
#define LATE_MESSAGES_MAX 64
/* A server gives one ticket; one that gives more is heard some times. */
#define SESSIONS_MAX 4
/* Of early data that is skipped, since the ticket is not ours or not in time, OpenSSL counts the encrypted octets. */
#define EARLY_TAKEN_MAX_BYTES (TLS_EARLY_MAX_BYTES + TLS_EARLY_MAX_BYTES / 8)

struct tlsconn {
	SSL *ssl;
	struct buffer *wire;
	struct buffer kept;         /* bytes from the network that nobody could take yet, before what is lent */
	const unsigned char *lent;
	size_t lent_len;
	const char *alpn;           /* wanted */
	struct buffer session;      /* what the server lets a client go on with */
	unsigned sessions;          /* how many it gave */
	unsigned tickets;           /* how many the client showed */
	unsigned late_messages;
	struct tls_hello hello;
	bool ready;
	bool is_server;
	bool is_early;              /* ready, but the client has not finished the handshake */
	bool has_proved;
	unsigned char proved[TLS_PROVED_BYTES]; /* by the client, on this connection */
	bool reads_early;           /* a server that has not seen the end of the early data, or that there is none */
};

/* ---- the BIO between OpenSSL and the buffers: it keeps nothing itself */

static int
bio_read(BIO *bio, char *out, size_t wanted, size_t *got)
{
	struct tlsconn *tls = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	bool from_kept = buffer_len(&tls->kept) > 0;
	size_t there = from_kept ? buffer_len(&tls->kept) : tls->lent_len;
	if (there == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	*got = wanted < there ? wanted : there;
	memcpy(out, from_kept ? buffer_bytes(&tls->kept) : tls->lent, *got);
	/* With TLS 1.2 the client's second flight is partly encrypted, and looks like anything. */
	bool may_be_hello = tls->is_server && !tls->ready && SSL_version(tls->ssl) != TLS1_2_VERSION;
	if ((may_be_hello && !tls_hello_may_go_on(&tls->hello, (unsigned char *)out, *got)) || tls->late_messages > LATE_MESSAGES_MAX)
		return 0;
	if (from_kept) {
		buffer_consume(&tls->kept, *got);
	} else {
		tls->lent += *got;
		tls->lent_len -= *got;
	}
	return 1;
}

static int
bio_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
	struct tlsconn *tls = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (buffer_append(tls->wire, bytes, len, NULL) != 0)
		return 0;
	*written = len;
	return 1;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *
new_bio(struct tlsconn *tls)
{
	static BIO_METHOD *method;
	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
		if (method == NULL || BIO_meth_set_read_ex(method, bio_read) != 1 ||
		    BIO_meth_set_write_ex(method, bio_write) != 1 || BIO_meth_set_ctrl(method, bio_ctrl) != 1)
			return NULL;
	}
	BIO *bio = BIO_new(method);
	if (bio != NULL) {
		BIO_set_data(bio, tls);
		BIO_set_init(bio, 1);
	}
	return bio;
}

/* ---- connections */

void
tlsconn_forget_session(struct tlsconn *tls)
{
	if (tls->session.data != NULL)
		explicit_bzero(tls->session.data, tls->session.capacity);
	buffer_finish(&tls->session);
}

/* OpenSSL's, for each record and message. */
static void
on_message(int is_written, int version, int type, const void *bytes, size_t len, SSL *ssl, void *context)
{
	struct tlsconn *tls = context;
	(void)version;
	(void)bytes;
	(void)len;
	(void)ssl;
	tls->late_messages += !is_written && type == SSL3_RT_HANDSHAKE && tls->ready && !tls->is_early;
}

static int
prepare_client(struct tlsconn *tls, const char *server_name)
{
	SSL_set_connect_state(tls->ssl);
	if (server_name != NULL && SSL_set_tlsext_host_name(tls->ssl, server_name) != 1)
		return -1;
	if (tls->alpn == NULL)
		return 0;
	unsigned char protocols[256];
	size_t len = strlen(tls->alpn);
	assert(len > 0 && len < sizeof protocols);
	protocols[0] = (unsigned char)len;
	memcpy(protocols + 1, tls->alpn, len);
	return SSL_set_alpn_protos(tls->ssl, protocols, (unsigned)len + 1) == 0 ? 0 : -1; /* this one is upside down */
}

/* Tickets, and the early data that they allow, are for one protocol: without it the options of the context stand, which know neither. */
static void
prepare_server(struct tlsconn *tls, struct tls_context *context)
{
	SSL_set_accept_state(tls->ssl);
	if (tls->alpn == NULL || !tls_context_has_tickets(context))
		return;
	SSL_clear_options(tls->ssl, SSL_OP_NO_TICKET);
	SSL_set_max_early_data(tls->ssl, TLS_EARLY_MAX_BYTES);
	SSL_set_recv_max_early_data(tls->ssl, EARLY_TAKEN_MAX_BYTES);
	tls->reads_early = true;
}

int
tlsconn_resume(struct tlsconn *tls, const char *server_name, const struct tls_resumption *resumption, struct error *err)
{
	SSL_SESSION *session;
	struct tls_session_info info;
	size_t written;
	if (tls_session_read(resumption->session, &info, err) != 0 ||
	    tls_session_use(resumption->session, server_name, tls->alpn, resumption->key_hash, &session, err) != 0)
		return -1;
	if (resumption->early.len > info.early_max_bytes) {
		SSL_SESSION_free(session);
		return error_set(err, ERROR_INVALID, "the session allows %zu bytes of early data, not %zu", info.early_max_bytes,
		    resumption->early.len);
	}
	int result = SSL_set_session(tls->ssl, session);
	SSL_SESSION_free(session);
	if (result != 1)
		return tls_error(err, ERROR_INVALID, "the session cannot be used");
	if (resumption->early.len == 0)
		return 0;
	ERR_clear_error();
	if (SSL_write_early_data(tls->ssl, resumption->early.data, resumption->early.len, &written) != 1)
		return tls_error(err, ERROR_PROTOCOL, "cannot send early data");
	return 0;
}

int
tlsconn_new(struct tls_context *context, bool is_server, const char *server_name, const char *alpn,
    struct buffer *wire, struct tlsconn **out, struct error *err)
{
	struct tlsconn *tls = calloc(1, sizeof *tls);
	if (tls == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	buffer_init(&tls->kept, KEPT_MAX_BYTES);
	buffer_init(&tls->session, TLS_SESSION_MAX_BYTES);
	tls->wire = wire;
	tls->alpn = alpn;
	tls->ssl = SSL_new(tls_context_get(context));
	BIO *bio = new_bio(tls);
	if (tls->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		goto fail;
	}
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_msg_callback(tls->ssl, on_message);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	tls->is_server = is_server;
	if (is_server)
		prepare_server(tls, context);
	else if (prepare_client(tls, server_name) != 0)
		goto fail;
	*out = tls;
	return 0;
fail:
	tlsconn_free(tls);
	return tls_error(err, ERROR_NO_MEMORY, "cannot begin TLS");
}

void
tlsconn_free(struct tlsconn *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	buffer_finish(&tls->kept);
	tlsconn_forget_session(tls);
	free(tls);
}

void
tlsconn_feed(struct tlsconn *tls, const void *bytes, size_t len)
{
	assert(tls->lent_len == 0);
	tls->lent = bytes;
	tls->lent_len = len;
}

int
tlsconn_keep(struct tlsconn *tls, struct error *err)
{
	size_t len = tls->lent_len;
	tls->lent_len = 0;
	return buffer_append(&tls->kept, tls->lent, len, err);
}

size_t
tlsconn_kept_bytes(const struct tlsconn *tls)
{
	return tls->kept.capacity;
}

void
tlsconn_drop_kept(struct tlsconn *tls)
{
	buffer_finish(&tls->kept);
}

static unsigned char scratch[RECORD_MAX_BYTES]; /* not on the stack, which the compiler would clear each time */

static int
take_scratch(struct buffer *plain, size_t len, struct error *err)
{
	int result = buffer_append(plain, scratch, len, err);
	explicit_bzero(scratch, len); /* it may be a password */
	return result;
}

/* A part of it: 1 when some was appended to plain, 0 when no more has come, -1. Afterwards reads_early tells whether more may come. */
static int
read_early(struct tlsconn *tls, struct buffer *plain, struct error *err)
{
	assert(plain != NULL);
	size_t room = plain->max - buffer_len(plain), got;
	ERR_clear_error();
	int result = SSL_read_early_data(tls->ssl, scratch, room < sizeof scratch ? room : sizeof scratch, &got);
	if (result == SSL_READ_EARLY_DATA_SUCCESS)
		return take_scratch(plain, got, err) == 0 ? 1 : -1;
	if (result == SSL_READ_EARLY_DATA_FINISH) {
		tls->reads_early = false;
		return 0;
	}
	return SSL_get_error(tls->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : tls_error(err, ERROR_PROTOCOL, "the TLS handshake failed");
}

/* 1: finished; 0: needs more bytes; -1. */
static int
do_handshake(struct tlsconn *tls, struct error *err)
{
	ERR_clear_error();
	int result = SSL_do_handshake(tls->ssl);
	if (result == 1)
		return 1;
	if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ)
		return 0;
	return tls_error(err, ERROR_PROTOCOL, "the TLS handshake failed");
}

int
tlsconn_handshake(struct tlsconn *tls, struct buffer *plain, struct error *err)
{
	if (tls->ready)
		return 1;
	if (tls->reads_early) {
		if (read_early(tls, plain, err) < 0)
			return -1;
		if (tls->reads_early) {
			/* Ours is said when it is accepted: data may go in both directions. */
			tls->ready = tls->is_early = SSL_get_early_data_status(tls->ssl) == SSL_EARLY_DATA_ACCEPTED;
			return tls->ready ? 1 : 0;
		}
	}
	int result = do_handshake(tls, err);
	tls->ready = result == 1;
	return result;
}

bool
tlsconn_is_ready(const struct tlsconn *tls)
{
	return tls->ready;
}

bool
tlsconn_is_early(const struct tlsconn *tls)
{
	return tls->is_early;
}

bool
tlsconn_took_early(const struct tlsconn *tls)
{
	return tls->ready && SSL_get_early_data_status(tls->ssl) == SSL_EARLY_DATA_ACCEPTED;
}

bool
tlsconn_may_try_ticket(struct tlsconn *tls)
{
	return tls->tickets++ < TICKETS_TRIED_MAX;
}

struct buffer *
tlsconn_session(struct tlsconn *tls)
{
	return &tls->session;
}

void
tlsconn_on_session(struct tlsconn *tls, SSL_SESSION *session)
{
	if (tls->is_server || tls->sessions++ >= SESSIONS_MAX || tlsconn_alpn(tls) == NULL)
		return;
	tlsconn_forget_session(tls);
	tls_session_save(session, &tls->session);
}

bool
tlsconn_is_resumed(const struct tlsconn *tls)
{
	return tls->ready && SSL_session_reused(tls->ssl);
}

int
tlsconn_exporter(const struct tlsconn *tls, const char *label, unsigned char out[TLS_EXPORTER_BYTES], struct error *err)
{
	if (tlsconn_alpn(tls) == NULL || tls->is_early)
		return error_set(err, ERROR_NOT_FOUND, "this connection has nothing that a proof can be bound to");
	if (SSL_export_keying_material(tls->ssl, out, TLS_EXPORTER_BYTES, label, strlen(label), NULL, 0, 0) != 1)
		return tls_error(err, ERROR_PROTOCOL, "nothing can be bound to this connection");
	return 0;
}

void
tlsconn_set_proved(struct tlsconn *tls, const unsigned char proved[TLS_PROVED_BYTES])
{
	assert(tls->is_server && tls->ready && !tls->is_early);
	memcpy(tls->proved, proved, sizeof tls->proved);
	tls->has_proved = true;
	/* The ticket of the handshake has gone out without it. OpenSSL sends this one before the next octets. */
	if (tlsconn_alpn(tls) != NULL && SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls->ssl)) != NULL)
		SSL_new_session_ticket(tls->ssl);
	ERR_clear_error();
}

/* Of a ticket only what this connection really goes on with: one that was opened and not used has proved nothing. */
bool
tlsconn_proved(const struct tlsconn *tls, unsigned char proved[TLS_PROVED_BYTES])
{
	static const unsigned char nothing[TLS_PROVED_BYTES];
	void *noted = NULL;
	size_t len = 0;
	SSL_SESSION *session = SSL_get_session(tls->ssl);
	memset(proved, 0, TLS_PROVED_BYTES);
	if (!tls->is_server)
		return false;
	if (tls->has_proved)
		memcpy(proved, tls->proved, TLS_PROVED_BYTES);
	else if (session != NULL && SSL_session_reused(tls->ssl) && SSL_SESSION_get0_ticket_appdata(session, &noted, &len) == 1 &&
	    len >= TLS_PROVED_BYTES)
		memcpy(proved, noted, TLS_PROVED_BYTES);
	return memcmp(proved, nothing, TLS_PROVED_BYTES) != 0;
}

/* Reads early data until there is no more, then finishes the handshake. 1: it is finished; 0: needs more bytes, or room; -1. */
static int
finish_early(struct tlsconn *tls, struct buffer *plain, struct error *err)
{
	while (tls->reads_early) {
		if (buffer_len(plain) == plain->max)
			return 0;
		int result = read_early(tls, plain, err);
		if (result < 0 || (result == 0 && tls->reads_early))
			return result;
	}
	int result = do_handshake(tls, err);
	tls->is_early = result == 0;
	return result;
}

int
tlsconn_read(struct tlsconn *tls, struct buffer *plain, struct error *err)
{
	if (tls->is_early) {
		int result = finish_early(tls, plain, err);
		if (result < 0)
			return -1;
		if (result == 0)
			return buffer_len(plain) == plain->max ? 0 : 1;
	}
	for (;;) {
		size_t room = plain->max - buffer_len(plain), got;
		if (room == 0)
			return 0;
		ERR_clear_error();
		int result = SSL_read_ex(tls->ssl, scratch, room < sizeof scratch ? room : sizeof scratch, &got);
		if (result == 1) {
			if (take_scratch(plain, got, err) != 0)
				return -1;
			continue;
		}
		switch (SSL_get_error(tls->ssl, result)) {
		case SSL_ERROR_WANT_READ:
			return 1;
		case SSL_ERROR_ZERO_RETURN:
			return error_set(err, ERROR_CLOSED, "the other side closed the connection");
		default:
			return tls_error(err, ERROR_PROTOCOL, "TLS broke");
		}
	}
}

int
tlsconn_write(struct tlsconn *tls, const void *bytes, size_t len, struct error *err)
{
	size_t written;
	ERR_clear_error();
	if ((tls->is_early ? SSL_write_early_data(tls->ssl, bytes, len, &written) : SSL_write_ex(tls->ssl, bytes, len, &written)) == 1)
		return 0;
	return tls_error(err, ERROR_PROTOCOL, "cannot encrypt");
}

void
tlsconn_close(struct tlsconn *tls)
{
	ERR_clear_error();
	if (!tls->is_early)
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

const char *
tlsconn_wanted_alpn(const struct tlsconn *tls)
{
	return tls->alpn;
}

const char *
tlsconn_alpn(const struct tlsconn *tls)
{
	const unsigned char *agreed;
	unsigned len;
	SSL_get0_alpn_selected(tls->ssl, &agreed, &len);
	if (!tls->ready || len == 0 || tls->alpn == NULL || SSL_version(tls->ssl) < TLS1_3_VERSION)
		return NULL;
	/* OpenSSL lets a server choose only what was offered, and we offer and accept one. */
	return len == strlen(tls->alpn) && memcmp(agreed, tls->alpn, len) == 0 ? tls->alpn : NULL;
}

int
tlsconn_peer_key_hash(const struct tlsconn *tls, unsigned char hash[32], struct error *err)
{
	return tls_key_hash(tls->ready ? SSL_get0_peer_certificate(tls->ssl) : NULL, hash, err);
}

const char *
tlsconn_version(const struct tlsconn *tls)
{
	return SSL_get_version(tls->ssl);
}

const char *
tlsconn_cipher(const struct tlsconn *tls)
{
	return SSL_get_cipher_name(tls->ssl);
}

int
tlsconn_peer_certificate(const struct tlsconn *tls, struct buffer *der, struct error *err)
{
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	unsigned char *bytes = NULL;
	if (certificate == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the other side showed no certificate");
	int len = i2d_X509(certificate, &bytes);
	if (len <= 0)
		return tls_error(err, ERROR_PROTOCOL, "the certificate cannot be read");
	int result = buffer_append(der, bytes, (size_t)len, err);
	OPENSSL_free(bytes);
	return result;
}

int
tlsconn_renegotiate(struct tlsconn *tls, struct error *err)
{
	ERR_clear_error();
	if (SSL_renegotiate(tls->ssl) != 1)
		return tls_error(err, ERROR_PROTOCOL, "this connection knows no renegotiation");
	tls->ready = false;
	return tlsconn_handshake(tls, NULL, err) < 0 ? -1 : 0;
}
