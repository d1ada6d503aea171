/* SPDX-License-Identifier: ISC */
#include "loop/tls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <limits.h>
#include <stdlib.h>

#include "loop/tlsconn.h"

/* Private keys are there, in locked memory: the own one, and those of handshakes, of which each takes 64 bytes at most. When it is
 * full, handshakes fail, so there is room for twice the sessions that a role may have. */
#define PRIVATE_HEAP_BYTES (2 * 1024 * 1024)
#define PRIVATE_HEAP_STEP 32

void
tls_library_init(void)
{
	CRYPTO_secure_malloc_init(PRIVATE_HEAP_BYTES, PRIVATE_HEAP_STEP); /* before anything else; not locked where the system lets nobody */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL) != 1)
		abort();
}

/* Stated here rather than left to the machine's openssl.cnf: what a node offers must not tell which machine it is. */
#define CIPHER_SUITES "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256:P-384"

/* Every TLS 1.3 record is filled up to a multiple of this. What varies by some octets, as the signature of the handshake
 * does, has one length then. */
#define RECORD_BLOCK_BYTES 64

struct tls_context {
	SSL_CTX *ctx;
};

int
tls_error(struct error *err, enum error_code code, const char *what)
{
	unsigned long number = ERR_peek_last_error();
	const char *reason = number == 0 ? NULL : ERR_reason_error_string(number);
	error_set(err, code, "%s: %s", what, reason == NULL ? "no reason given" : reason);
	ERR_clear_error();
	return -1;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
    void *context)
{
	(void)context;
	const char *accepted = tlsconn_wanted_alpn(SSL_get_app_data(ssl));
	if (accepted == NULL || SSL_version(ssl) < TLS1_3_VERSION)
		return SSL_TLSEXT_ERR_NOACK;
	size_t len = strlen(accepted);
	const SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
	for (unsigned at = 0; at < in_len; at += 1u + in[at]) {
		if (in[at] == len && at + 1 + len <= in_len && memcmp(in + at + 1, accepted, len) == 0) {
			*out = in + at + 1;
			*out_len = (unsigned char)len;
			if (SSL_CTX_get_app_data(ctx) != NULL)
				SSL_set_num_tickets(ssl, 1);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int
new_context(const SSL_METHOD *method, struct tls_context **out, struct error *err)
{
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	struct tls_context *context = calloc(1, sizeof *context);
	SSL_CTX *ctx = SSL_CTX_new(method);
	if (context == NULL || ctx == NULL)
		goto fail;
	context->ctx = ctx;
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_max_proto_version(ctx, 0) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_block_padding(ctx, RECORD_BLOCK_BYTES) != 1 || SSL_CTX_set_ciphersuites(ctx, CIPHER_SUITES) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1 || SSL_CTX_set1_groups_list(ctx, GROUPS) != 1)
		goto fail;
	*out = context;
	return 0;
fail:
	SSL_CTX_free(ctx);
	free(context);
	return tls_error(err, ERROR_NO_MEMORY, "cannot prepare TLS");
}

static int
use_certificate(SSL_CTX *ctx, struct slice pem, struct error *err)
{
	BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	int result = 0;
	if (certificate == NULL || SSL_CTX_use_certificate(ctx, certificate) != 1)
		result = tls_error(err, ERROR_INVALID, "this is no usable TLS certificate");
	X509_free(certificate);
	BIO_free(bio);
	return result;
}

/* Never asks a terminal for a passphrase. */
static int
no_passphrase(char *buf, int size, int writing, void *context)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static int
use_key(SSL_CTX *ctx, struct slice pem, struct error *err)
{
	BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	int result = 0;
	if (key == NULL || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		result = tls_error(err, ERROR_INVALID, "this is no usable TLS key");
	else if (SSL_CTX_check_private_key(ctx) != 1)
		result = tls_error(err, ERROR_INVALID, "the TLS key does not belong to the certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	return result;
}

int
tls_context_new_server(struct slice certificate_pem, struct slice key_pem, struct tls_context **out, struct error *err)
{
	struct tls_context *context = NULL;
	if (new_context(TLS_server_method(), &context, err) != 0)
		return -1;
	SSL_CTX_set_options(context->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_alpn_select_cb(context->ctx, choose_alpn, NULL);
	if (use_certificate(context->ctx, certificate_pem, err) != 0 || use_key(context->ctx, key_pem, err) != 0) {
		tls_context_free(context);
		return -1;
	}
	*out = context;
	return 0;
}

int
tls_context_new_client(struct tls_context **out, struct error *err)
{
	if (new_context(TLS_client_method(), out, err) != 0)
		return -1;
	SSL_CTX_set_verify((*out)->ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode((*out)->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb((*out)->ctx, tls_session_on_new);
	return 0;
}

void
tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	tls_tickets_free(SSL_CTX_get_app_data(context->ctx));
	SSL_CTX_free(context->ctx);
	free(context);
}

SSL_CTX *
tls_context_get(struct tls_context *context)
{
	return context->ctx;
}

int
tls_key_hash(X509 *certificate, unsigned char hash[32], struct error *err)
{
	if (certificate == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the other side showed no certificate");
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	if (len <= 0)
		return tls_error(err, ERROR_PROTOCOL, "the certificate's key cannot be read");
	SHA256(der, (size_t)len, hash);
	OPENSSL_free(der);
	return 0;
}

int
tls_context_key_hash(const struct tls_context *context, unsigned char hash[32], struct error *err)
{
	return tls_key_hash(SSL_CTX_get0_certificate(context->ctx), hash, err);
}
