/* SPDX-License-Identifier: ISC */
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "loop/tlsconn.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The sanitizer's, where there is one. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

static void
begin(struct tls_context *context, struct slice session)
{
	struct error err = { 0 };
	struct tls_session_info info = { 0 };
	struct buffer wire, plain;
	struct tlsconn *tls;
	bool is_good = tls_session_read(session, &info, &err) == 0;
	if ((!is_good && err.code != ERROR_INVALID) || info.early_max_bytes > TLS_EARLY_MAX_BYTES)
		abort();
	buffer_init(&wire, 262144);
	buffer_init(&plain, 1000);
	if (tlsconn_new(context, false, "example.onion", TLS_ALPN_SMTORP, &wire, &tls, &err) != 0)
		abort();
	struct tls_resumption how = { session, info.key_hash, slice_of("EHLO\r\n", info.early_max_bytes >= 6 ? 6 : 0) };
	int result = tlsconn_resume(tls, "example.onion", &how, &err);
	if (result == 0 && !is_good)
		abort();
	if (result == 0 || err.code == ERROR_INVALID) {
		if ((result != 0 || how.early.len == 0) != (buffer_len(&wire) == 0))
			abort();
		if (tlsconn_handshake(tls, &plain, &err) != 0 || buffer_len(&wire) == 0)
			abort();
	}
	tlsconn_free(tls);
	buffer_finish(&wire);
	buffer_finish(&plain);
}

/* OpenSSL's generators of random numbers stay for good, and lie where nobody looks who searches for leaks between two inputs: in locked memory. */
static struct tls_context *
make_context(void)
{
	struct tls_context *context;
	unsigned char octet;
	random_init();
	if (__lsan_disable != NULL)
		__lsan_disable();
	tls_library_init();
	if (tls_context_new_client(&context, NULL) != 0 || RAND_bytes(&octet, 1) != 1 || RAND_priv_bytes(&octet, 1) != 1)
		abort();
	if (__lsan_enable != NULL)
		__lsan_enable();
	return context;
}

/* A session that was kept, and may be damaged: it is used or not, and in either case a connection can be begun whose first flight comes out. It is tried
 * as it is, and, since what lies in the corpus is old, as if it had just been given. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct tls_context *context;
	unsigned char fresh[TLS_SESSION_MAX_BYTES], *to = fresh;
	const unsigned char *at = bytes;
	if (context == NULL)
		context = make_context();
	begin(context, slice_of(bytes, len));
	SSL_SESSION *session = len > TLS_SESSION_MAX_BYTES ? NULL : d2i_SSL_SESSION(NULL, &at, (long)len);
	if (session == NULL)
		return 0;
	SSL_SESSION_set_time(session, clock_wall_s());
	int fresh_len = i2d_SSL_SESSION(session, NULL);
	if (fresh_len > 0 && fresh_len <= (int)sizeof fresh) {
		i2d_SSL_SESSION(session, &to);
		begin(context, slice_of(fresh, (size_t)fresh_len));
	}
	SSL_SESSION_free(session);
	return 0;
}
