/* SPDX-License-Identifier: ISC
 *
 * A server's tickets (RFC 8446 section 4.6.1, in the form of RFC 5077 section 4): the server remembers nothing, the ticket holds the
 * session, encrypted with a key that only this server has.
 */
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/secret.h"
#include "loop/tlsconn.h"

/* What the session in a ticket takes, as OpenSSL encodes it: numbers are shorter at times, and secrets of other cipher suites are. The difference
 * is made up behind TLS_PROVED_BYTES, so that each ticket has the same length. */
#define SESSION_BYTES 320

struct tls_tickets {
	size_t count;
	struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
};

void
tls_tickets_free(struct tls_tickets *tickets)
{
	secret_free(tickets);
}

bool
tls_context_has_tickets(struct tls_context *context)
{
	return SSL_CTX_get_app_data(tls_context_get(context)) != NULL;
}

static int
set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
	char digest[] = "sha256";
	unsigned char copy[sizeof key->mac];
	memcpy(copy, key->mac, sizeof copy);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy, sizeof copy),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	int result = EVP_MAC_CTX_set_params(mac, params);
	explicit_bzero(copy, sizeof copy);
	return result;
}

/* A ticket begins with eight random octets and a keyed hash of them, not with a name of the key: peers of two identities could see that both
 * got new keys at the same time. */
#define NAME_RANDOM_BYTES 8

static bool
hash_name(const struct tls_ticket_key *key, const unsigned char *random, unsigned char hash[EVP_MAX_MD_SIZE])
{
	return HMAC(EVP_sha256(), key->name, sizeof key->name, random, NAME_RANDOM_BYTES, hash, NULL) != NULL;
}

static bool
make_name(const struct tls_ticket_key *key, unsigned char name[16])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	if (RAND_bytes(name, NAME_RANDOM_BYTES) != 1 || !hash_name(key, name, hash))
		return false;
	memcpy(name + NAME_RANDOM_BYTES, hash, 16 - NAME_RANDOM_BYTES);
	return true;
}

static const struct tls_ticket_key *
find_key(const struct tls_tickets *tickets, const unsigned char name[16])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	for (size_t i = 0; i < tickets->count; i++)
		if (hash_name(&tickets->keys[i], name, hash) && CRYPTO_memcmp(hash, name + NAME_RANDOM_BYTES, 16 - NAME_RANDOM_BYTES) == 0)
			return &tickets->keys[i];
	return NULL;
}

/* OpenSSL's: -1 error, 0 no ticket or not ours, 1. */
static int
on_key(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts)
{
	const struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	if (tickets == NULL || tickets->count == 0 || SSL_version(ssl) != TLS1_3_VERSION)
		return 0;
	const struct tls_ticket_key *key = encrypts ? &tickets->keys[0] : find_key(tickets, name);
	if (key == NULL)
		return 0;
	if (encrypts && (!make_name(key, name) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1 ||
	    EVP_EncryptInit_ex(cipher, aes, NULL, key->cipher, iv) != 1))
		return -1;
	if (!encrypts && EVP_DecryptInit_ex(cipher, aes, NULL, key->cipher, iv) != 1)
		return -1;
	return set_mac(mac, key) == 1 ? 1 : -1;
}

/* Fills the session up to SESSION_BYTES. 0: no ticket can be given. */
static int
on_ticket_made(SSL *ssl, void *context)
{
	(void)context;
	unsigned char filling[SESSION_BYTES] = { 0 };
	SSL_SESSION *session = SSL_get_session(ssl);
	tlsconn_proved(SSL_get_app_data(ssl), filling); /* zeros when there is nothing */
	size_t filled = TLS_PROVED_BYTES;
	/* A longer filling may need a longer count before it: then again. */
	for (int i = 0; i < 4; i++) {
		if (SSL_SESSION_set1_ticket_appdata(session, filling, filled) != 1)
			return 0;
		int len = i2d_SSL_SESSION(session, NULL);
		if (len == SESSION_BYTES)
			return 1;
		if (len <= 0 || len > SESSION_BYTES + (int)(filled - TLS_PROVED_BYTES))
			break;
		filled = filled + SESSION_BYTES - (size_t)len;
	}
	return 0;
}

/* Whatever came, the client gets a new one: so no ticket needs to be used twice. */
static SSL_TICKET_RETURN
on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len, SSL_TICKET_STATUS status, void *context)
{
	(void)session;
	(void)name;
	(void)name_len;
	(void)context;
	if (!tlsconn_may_try_ticket(SSL_get_app_data(ssl)))
		return SSL_TICKET_RETURN_ABORT;
	return status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
}

/* After the version is known, before anything is said: with TLS 1.2 there are no tickets, not even empty ones. */
static int
on_version(SSL *ssl, void *context)
{
	(void)context;
	if (SSL_version(ssl) != TLS1_3_VERSION)
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	return 1;
}

/* The keys as they are used with this certificate: a server that gets another TLS key takes none of its old tickets, or peers who remember
 * the key would not notice while they go on with their sessions. */
static bool
bind_key(struct tls_ticket_key *key, const unsigned char certificate[32])
{
	struct {
		unsigned char *bytes;
		int len;
	} parts[] = { { key->name, sizeof key->name }, { key->cipher, sizeof key->cipher }, { key->mac, sizeof key->mac } };
	unsigned char bound[EVP_MAX_MD_SIZE];
	bool is_done = true;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0] && is_done; i++) {
		is_done = HMAC(EVP_sha256(), parts[i].bytes, parts[i].len, certificate, 32, bound, NULL) != NULL;
		memcpy(parts[i].bytes, bound, (size_t)parts[i].len);
	}
	explicit_bzero(bound, sizeof bound);
	return is_done;
}

int
tls_context_set_ticket_keys(struct tls_context *context, const struct tls_ticket_key *keys, size_t count, struct error *err)
{
	SSL_CTX *ctx = tls_context_get(context);
	struct tls_tickets *tickets = SSL_CTX_get_app_data(ctx);
	unsigned char certificate[32];
	assert(count >= 1 && count <= TLS_TICKET_KEYS_MAX);
	if (tls_context_key_hash(context, certificate, err) != 0)
		return -1;
	if (tickets == NULL) {
		tickets = secret_new(sizeof *tickets);
		if (SSL_CTX_set_app_data(ctx, tickets) != 1 || SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_key) != 1 ||
		    SSL_CTX_set_session_ticket_cb(ctx, on_ticket_made, on_ticket_read, NULL) != 1) {
			SSL_CTX_set_app_data(ctx, NULL);
			secret_free(tickets);
			return tls_error(err, ERROR_NO_MEMORY, "cannot prepare tickets");
		}
		SSL_CTX_set_cert_cb(ctx, on_version, NULL);
		SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME_S);
		/* A memory of first flights would be lost with the process, and with it all tickets: copies are harmless instead. */
		SSL_CTX_set_options(ctx, SSL_OP_NO_ANTI_REPLAY);
	}
	explicit_bzero(tickets, sizeof *tickets);
	memcpy(tickets->keys, keys, count * sizeof keys[0]);
	tickets->count = count;
	for (size_t i = 0; i < count; i++) {
		if (!bind_key(&tickets->keys[i], certificate)) {
			tickets->count = 0;
			return tls_error(err, ERROR_NO_MEMORY, "cannot prepare tickets");
		}
	}
	return 0;
}
