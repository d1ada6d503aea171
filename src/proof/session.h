/* SPDX-License-Identifier: ISC
 *
 * How the client of a session on port 465 proves which onion it is (doc/spec/proof.md, section 6): one SASL message, the public key and a
 * signature over both onions and a value that no other TLS connection has.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "onionkey/onionkey.h"
#include "proof/context.h"

#define SESSION_PROOF_MECHANISM "SMTORP-ONION"
#define SESSION_PROOF_LABEL "EXPERIMENTAL smtorp/1 session" /* of the TLS exporter; no context, CONTEXT_EXPORTER_BYTES */
#define SESSION_PROOF_BYTES (ONIONKEY_PUBLIC_BYTES + ONIONKEY_SIGNATURE_BYTES)
#define SESSION_PROOF_LEN (SESSION_PROOF_BYTES / 3 * 4) /* in base64 */

void session_proof_write(const unsigned char client[ONIONKEY_PUBLIC_BYTES], const unsigned char signature[ONIONKEY_SIGNATURE_BYTES],
    char out[SESSION_PROOF_LEN + 1]);

/* Whose proof this is, by base64 that anybody may have sent. ERROR_INVALID: it is none, or its key is no onion's; ERROR_DENIED: it is not
 * for this server and this session. */
int session_proof_check(struct slice base64, const unsigned char server[ONIONKEY_PUBLIC_BYTES],
    const unsigned char exporter[CONTEXT_EXPORTER_BYTES], unsigned char client[ONIONKEY_PUBLIC_BYTES], struct error *err);
