/* SPDX-License-Identifier: ISC */
#include "loop/tls.h"

#include <openssl/ssl.h>

#include "loop/tlsconn.h"

/* OpenSSL itself refuses most of this at its usual level; whoever attacks does not. */
static const struct {
	int min, max;
	const char *ciphers;
} probes[] = {
	[TLS_PROBE_OLD] = { TLS1_VERSION, TLS1_1_VERSION, "ALL:@SECLEVEL=0" },
	[TLS_PROBE_ANONYMOUS] = { TLS1_2_VERSION, TLS1_2_VERSION, "aNULL:eNULL:@SECLEVEL=0" },
	[TLS_PROBE_NO_SECRECY] = { TLS1_2_VERSION, TLS1_2_VERSION, "kRSA:!eNULL:@SECLEVEL=0" },
	[TLS_PROBE_RENEGOTIATION] = { TLS1_2_VERSION, TLS1_2_VERSION, "ALL:!aNULL:!eNULL:@SECLEVEL=0" },
};

int
tls_context_new_probe(enum tls_probe kind, struct tls_context **out, struct error *err)
{
	struct tls_context *context;
	if (tls_context_new_client(&context, err) != 0)
		return -1;
	SSL_CTX *ctx = tls_context_get(context);
	SSL_CTX_clear_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	if (SSL_CTX_set_min_proto_version(ctx, probes[kind].min) != 1 || SSL_CTX_set_max_proto_version(ctx, probes[kind].max) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, probes[kind].ciphers) != 1) {
		tls_context_free(context);
		return tls_error(err, ERROR_UNSUPPORTED, "this OpenSSL has nothing of it left");
	}
	*out = context;
	return 0;
}
