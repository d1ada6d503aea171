/* SPDX-License-Identifier: ISC
 *
 * BDAT (RFC 3030).
 */
#include "smtpd/session.h"

/* Why a chunk cannot be taken, whatever is in it. */
static enum answer
check_chunk(const struct session *s, uint64_t chunk_bytes)
{
	const struct transaction *t = s->transaction;
	if (t == NULL)
		return ANSWER_NO_MAIL;
	if (t->recipient_count == 0)
		return ANSWER_NO_RECIPIENTS;
	if (t->has_failed)
		return ANSWER_CHUNK_FAILED;
	if (chunk_bytes > session_config(s)->message_max_bytes - t->spool.len_bytes)
		return ANSWER_TOO_LARGE;
	return ANSWER_OK;
}

/* The octets of the chunk have gone by. */
static void
finish_chunk(struct session *s)
{
	struct transaction *t = s->transaction;
	enum answer problem = s->chunk_problem;
	s->mode = SESSION_COMMAND;
	if (problem == ANSWER_OK)
		problem = t->problem;
	if (problem == ANSWER_OK && s->chunk_is_last) {
		transaction_complete(s);
		return;
	}
	if (problem == ANSWER_OK) {
		session_reply(s, ANSWER_CHUNK_OK, NULL);
		return;
	}
	/* RFC 3030 section 2: after a chunk that failed only RSET helps; a LAST that failed has ended the transaction. */
	if (t != NULL && s->chunk_is_last)
		transaction_reset(s);
	else if (t != NULL) {
		transaction_begin_content(s);
		t->has_failed = true;
	}
	session_refuse(s, problem);
}

void
verb_bdat(struct session *s, struct slice argument)
{
	uint64_t chunk_bytes;
	bool is_last;
	/* How many octets follow is not known, or more than anybody should read: what comes next is no command. */
	if (!command_parse_bdat(argument, &chunk_bytes, &is_last) || transaction_is_flood(s, chunk_bytes)) {
		session_reply(s, command_parse_bdat(argument, &chunk_bytes, &is_last) ? ANSWER_TOO_LARGE
		                                                                      : ANSWER_BDAT_SYNTAX, NULL);
		session_close(s);
		return;
	}
	s->chunk_left = chunk_bytes;
	s->chunk_is_last = is_last;
	s->chunk_problem = check_chunk(s, chunk_bytes);
	if (s->chunk_problem == ANSWER_OK)
		transaction_begin_content(s);
	if (chunk_bytes == 0 && !is_last && ++s->commands > SMTPD_COMMANDS_MAX) {
		session_reply(s, ANSWER_TOO_MANY_COMMANDS, NULL);
		session_close(s);
		return;
	}
	s->mode = SESSION_CHUNK;
	if (chunk_bytes == 0)
		finish_chunk(s);
}

bool
verb_bdat_take(struct session *s, struct buffer *in)
{
	size_t len = buffer_len(in);
	if (len > s->chunk_left)
		len = (size_t)s->chunk_left;
	if (s->chunk_problem == ANSWER_OK)
		transaction_take(s, slice_of(buffer_bytes(in), len));
	buffer_consume(in, len);
	s->chunk_left -= len;
	if (s->chunk_left > 0)
		return false;
	finish_chunk(s);
	return true;
}
