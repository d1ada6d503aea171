/* SPDX-License-Identifier: ISC
 *
 * Authentication at the control port of a tor that is not ours (control-spec, PROTOCOLINFO, AUTHCHALLENGE, AUTHENTICATE):
 * by the cookie, which is never shown (SAFECOOKIE: both sides prove that they know it), or with nothing where tor asks for
 * nothing and no cookie is known. Blocks; to be done before anything else on the connection.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define LOGIN_COOKIE_BYTES 32
#define LOGIN_NONCE_BYTES 32
#define LOGIN_PROOF_BYTES 32

/* Also sees to it that the SOCKS port at socks (as endpoint_parse() takes it) keeps apart what is asked with different
 * credentials, as tor does unless NoIsolateSOCKSAuth tells it not to.
 *
 * fd: connected, blocking or not. cookie: LOGIN_COOKIE_BYTES, or empty when there is none. timeout_ms: for all of it.
 * ERROR_DENIED: tor wants something else, and the text says what to do; or what answers does not know the cookie, or does not
 * prove that it does; or that port mixes circuits.
 * ERROR_CLOSED, ERROR_TIMEOUT, ERROR_PROTOCOL. */
int login(int fd, struct slice cookie, const char *socks, int64_t timeout_ms, struct error *err);

/* What one side proves with: HMAC-SHA256 over cookie and both nonces. */
void login_proof(const char *side, const unsigned char cookie[LOGIN_COOKIE_BYTES],
    const unsigned char client_nonce[LOGIN_NONCE_BYTES], const unsigned char server_nonce[LOGIN_NONCE_BYTES],
    unsigned char out[LOGIN_PROOF_BYTES]);
#define LOGIN_SIDE_SERVER "Tor safe cookie authentication server-to-controller hash"
#define LOGIN_SIDE_CLIENT "Tor safe cookie authentication controller-to-server hash"
