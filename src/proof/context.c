/* SPDX-License-Identifier: ISC */
#include "proof/context.h"

#include <string.h>

static const char *const contexts[CONTEXT_COUNT] = {
	[CONTEXT_MESSAGE] = NULL,
	[CONTEXT_CARD] = "smtorp/1 card",
	[CONTEXT_NOTICE] = "smtorp/1 notice",
	[CONTEXT_INTRODUCTION] = "smtorp/1 introduction",
	[CONTEXT_INVITATION] = "smtorp/1 invitation",
};

static const char session_context[] = "smtorp/1 session";

size_t
context_text(unsigned context, const unsigned char digest[CONTEXT_DIGEST_BYTES], unsigned char out[CONTEXT_TEXT_MAX])
{
	size_t len = 0;
	if (context >= CONTEXT_COUNT)
		return 0;
	if (contexts[context] != NULL) {
		len = strlen(contexts[context]) + 1;
		memcpy(out, contexts[context], len);
	}
	memcpy(out + len, digest, CONTEXT_DIGEST_BYTES);
	return len + CONTEXT_DIGEST_BYTES;
}

size_t
context_session_text(const unsigned char client[ONIONKEY_PUBLIC_BYTES], const unsigned char server[ONIONKEY_PUBLIC_BYTES],
    const unsigned char exporter[CONTEXT_EXPORTER_BYTES], unsigned char out[CONTEXT_TEXT_MAX])
{
	unsigned char *at = out;
	memcpy(at, session_context, sizeof session_context);
	at += sizeof session_context;
	memcpy(at, client, ONIONKEY_PUBLIC_BYTES);
	at += ONIONKEY_PUBLIC_BYTES;
	memcpy(at, server, ONIONKEY_PUBLIC_BYTES);
	at += ONIONKEY_PUBLIC_BYTES;
	memcpy(at, exporter, CONTEXT_EXPORTER_BYTES);
	return (size_t)(at - out) + CONTEXT_EXPORTER_BYTES;
}
