/* SPDX-License-Identifier: ISC
 *
 * DATA (RFC 5321 section 4.1.1.4).
 */
#include "smtpd/session.h"

void
verb_data(struct session *s, struct slice argument)
{
	struct transaction *t = s->transaction;
	if (t == NULL) {
		session_refuse(s, ANSWER_NO_MAIL);
	} else if (argument.len > 0) {
		session_refuse(s, ANSWER_NO_ARGUMENT);
	} else if (t->recipient_count == 0) {
		session_refuse(s, ANSWER_NO_RECIPIENTS);
	} else if (t->has_begun) {
		session_refuse(s, t->has_failed ? ANSWER_CHUNK_FAILED : ANSWER_CHUNKS_BEGUN);
	} else {
		transaction_begin_content(s);
		s->mode = SESSION_DATA;
		session_reply(s, ANSWER_GO_AHEAD, NULL);
	}
}

bool
verb_data_take(struct session *s, struct buffer *in)
{
	struct transaction *t = s->transaction;
	struct slice rest = slice_of(buffer_bytes(in), buffer_len(in)), content;
	while (data_decode(&t->decoder, &rest, &content))
		transaction_take(s, content);
	bool is_ended = t->decoder.is_ended, is_flood = transaction_is_flood(s, 0);
	buffer_consume(in, buffer_len(in) - rest.len);
	if (is_ended) {
		transaction_complete(s);
	} else if (is_flood) {
		session_reply(s, t->problem, NULL);
		session_close(s);
	}
	return is_ended;
}
