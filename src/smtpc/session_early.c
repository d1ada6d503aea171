/* SPDX-License-Identifier: ISC
 *
 * A message in the first flight of a session that goes on with an earlier one (TLS 1.3 early data; doc/spec/transport.md, section 3.2). Its
 * octets are encrypted to whoever holds the keys of the earlier session's ticket, which that peer gave inside TLS after showing
 * its certificate: nobody else can read them. Where the peer does not take them, a handshake happens, and what is known then
 * decides.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "smtpc/session_internal.h"

#define EHLO_BYTES (sizeof "EHLO \r\n" + SESSION_ONION_MAX)

bool
session_early_prepare(struct smtpc_session *s, struct slice resume)
{
	struct tls_session_info info;
	if (resume.len == 0 || tls_session_read(resume, &info, NULL) != 0 || info.early_max_bytes == 0)
		return false;
	buffer_init(&s->resume, TLS_SESSION_MAX_BYTES);
	if (buffer_append(&s->resume, resume.data, resume.len, NULL) != 0)
		return false;
	s->early_max_bytes = info.early_max_bytes;
	memcpy(s->resume_key, info.key_hash, sizeof s->resume_key);
	return true;
}

void
session_early_wipe(struct smtpc_session *s)
{
	if (s->resume.data != NULL)
		explicit_bzero(s->resume.data, s->resume.capacity);
	buffer_finish(&s->resume);
}

/* EHLO and the whole transaction, if there is room for it. */
static int
gather(struct smtpc_session *s, struct buffer *out, struct error *err)
{
	if (buffer_printf(out, err, "EHLO %s\r\n", s->own_onion) != 0 || delivery_gather(s->delivery, out, err) != 0)
		return -1;
	s->ehlo_sent = s->ehlo_due = true;
	return 0;
}

int
session_early_begin(struct smtpc_session *s, size_t body_bytes, struct error *err)
{
	struct buffer early;
	size_t size = EHLO_BYTES + delivery_envelope_max(s->delivery) + body_bytes;
	bool fits = !s->refused_here && body_bytes <= SMTPC_EARLY_BODY_MAX_BYTES && size <= s->early_max_bytes;
	buffer_init(&early, s->early_max_bytes);
	int result = fits ? gather(s, &early, err) : 0;
	if (result == 0) {
		const struct tls_resumption resumption = { slice_of(buffer_bytes(&s->resume), buffer_len(&s->resume)), s->resume_key,
			slice_of(buffer_bytes(&early), buffer_len(&early)) };
		result = stream_resume_tls_client(s->stream, s->peer.tls, s->peer_onion, TLS_ALPN_SMTORP, &resumption, err);
	}
	buffer_finish(&early);
	session_early_wipe(s); /* a ticket is used once: RFC 8446 appendix C.4 */
	if (result == 0) {
		s->state = EARLY_TLS;
	} else { /* TLS has begun, or half: there is no second try on this connection */
		s->wants_quit = true;
		timer_start(s->soon, 0);
	}
	return result;
}

bool
session_early_finish(struct smtpc_session *s)
{
	unsigned char key[sizeof s->resume_key];
	if (s->delivery == NULL || stream_peer_key_hash(s->stream, key, NULL) != 0 || memcmp(key, s->resume_key, sizeof key) != 0)
		return false;
	if (stream_early(s->stream) == STREAM_EARLY_TAKEN) {
		log_info("a message went in the first flight of a session that goes on with an earlier one");
	} else if (s->ehlo_sent) { /* gathered, and refused, or never sent: the ticket may be too old by now, or the clock was set back */
		log_info("a known peer did not take early data: the message goes after the handshake");
		stream_send_again(s->stream, NULL); /* a failure is a closed connection: on_stream_end says so */
	} else if (!s->refused_here) { /* it was too large */
		s->ehlo_sent = s->ehlo_due = true;
		char line[EHLO_BYTES];
		int len = snprintf(line, sizeof line, "EHLO %s\r\n", s->own_onion);
		stream_write(s->stream, line, (size_t)len, NULL);
	}
	return true;
}
