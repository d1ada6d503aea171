/* SPDX-License-Identifier: ISC */
#include "smtpc/delivery.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtpc/dot.h"
#include "smtpc/source.h"

#define MAILBOX_MAX 512
#define COMMAND_MAX (MAILBOX_MAX + 128)
/* So much is in the stream at most before the next command or piece of the body is added. */
#define PUMP_BYTES 65536
#define PIECE_BYTES 16384

/* Commands are numbered: RSET is 0, MAIL 1, the recipients follow, then DATA, then the body. */
struct delivery {
	struct delivery_rules rules;
	unsigned flags;
	char *envelope; /* the bytes behind reverse_path and recipients */
	struct slice reverse_path;
	struct slice *recipients;
	size_t count;
	struct source body;
	size_t body_len;
	struct dot_encoder dots;
	size_t sent;     /* number of the next command to send */
	size_t answered; /* number of the command whose reply is next */
	size_t due;      /* replies to what was written */
	bool body_begun;
	bool mail_accepted, mail_refused, data_accepted;
	size_t accepted_count;
	bool needs_reset;
	struct smtpc_result *results; /* code 0: not decided yet */
	struct smtpc_result shared;   /* the reply that decided several */
};

static enum delivery_step
step_of(const struct delivery *d, size_t number)
{
	if (number < 2)
		return number == 0 ? DELIVERY_RSET : DELIVERY_MAIL;
	number -= 2;
	if (number < d->count)
		return DELIVERY_RCPT;
	number -= d->count;
	return number == 0 ? DELIVERY_DATA : number == 1 ? DELIVERY_BODY : DELIVERY_END;
}

static size_t
number_after(const struct delivery *d, size_t number)
{
	number++;
	if (d->rules.chunking && step_of(d, number) == DELIVERY_DATA)
		number++;
	return number;
}

/* ---- made and freed */

/* Whatever could end a command or an argument early must never come from an address. */
static bool
is_sendable(struct slice mailbox, unsigned flags)
{
	bool quoted = false;
	if (mailbox.len > MAILBOX_MAX)
		return false;
	for (size_t i = 0; i < mailbox.len; i++) {
		unsigned char c = mailbox.data[i];
		if (c < ' ' || c == 0x7f || (c >= 0x80 && (flags & SMTPC_SMTPUTF8) == 0))
			return false;
		if (!quoted && (c == ' ' || c == '<' || c == '>'))
			return false;
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted)
			i++;
	}
	return !quoted;
}

static int
check_envelope(const struct smtpc_message *message, size_t *total, struct error *err)
{
	assert(message->recipient_count >= 1);
	*total = message->reverse_path.len;
	if (!is_sendable(message->reverse_path, message->flags))
		return error_set(err, ERROR_INVALID, "the sender's address cannot be sent");
	for (size_t i = 0; i < message->recipient_count; i++) {
		if (message->recipients[i].len == 0 || !is_sendable(message->recipients[i], message->flags))
			return error_set(err, ERROR_INVALID, "a recipient's address cannot be sent");
		*total += message->recipients[i].len;
	}
	return 0;
}

static struct slice
copy_into(char **at, struct slice bytes)
{
	struct slice copy = slice_of(*at, bytes.len);
	memcpy(*at, bytes.data, bytes.len);
	*at += bytes.len;
	return copy;
}

int
delivery_new(const struct smtpc_message *message, const struct delivery_rules *rules, struct delivery **out,
    struct error *err)
{
	size_t total;
	if (check_envelope(message, &total, err) != 0)
		return -1;
	struct delivery *d = calloc(1, sizeof *d);
	if (d == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	d->envelope = malloc(total + 1);
	d->recipients = calloc(message->recipient_count, sizeof *d->recipients);
	d->results = calloc(message->recipient_count, sizeof *d->results);
	if (d->envelope == NULL || d->recipients == NULL || d->results == NULL) {
		delivery_free(d);
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	}
	char *at = d->envelope;
	d->rules = *rules;
	d->flags = message->flags;
	source_init(&d->body, message);
	d->body_len = source_len(message);
	d->reverse_path = copy_into(&at, message->reverse_path);
	d->count = message->recipient_count;
	for (size_t i = 0; i < d->count; i++)
		d->recipients[i] = copy_into(&at, message->recipients[i]);
	d->sent = d->answered = rules->resets_first ? 0 : 1;
	*out = d;
	return 0;
}

static void
forget_text(const struct delivery *d, struct smtpc_result *result)
{
	if (result->text.data != d->shared.text.data || result == &d->shared)
		free((void *)(uintptr_t)result->enhanced.data);
}

void
delivery_free(struct delivery *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; d->results != NULL && i < d->count; i++)
		forget_text(d, &d->results[i]);
	forget_text(d, &d->shared);
	source_finish(&d->body);
	free(d->results);
	free(d->recipients);
	free(d->envelope);
	free(d);
}

/* ---- results */

/* One block of memory, which result->enhanced begins. Without memory for a text the code alone must do. */
static void
set_result(struct smtpc_result *result, unsigned code, const char *enhanced, const char *text)
{
	size_t enhanced_len = strlen(enhanced), text_len = strlen(text);
	char *block = malloc(enhanced_len + text_len + 1);
	result->code = code;
	if (block == NULL)
		return;
	memcpy(block, enhanced, enhanced_len);
	memcpy(block + enhanced_len, text, text_len);
	result->enhanced = slice_of(block, enhanced_len);
	result->text = slice_of(block + enhanced_len, text_len);
}

static void
decide_the_rest(struct delivery *d, unsigned code, const char *enhanced, const char *text)
{
	if (d->shared.code != 0)
		return;
	set_result(&d->shared, code, enhanced, text);
	for (size_t i = 0; i < d->count; i++) {
		if (d->results[i].code == 0)
			d->results[i] = d->shared;
	}
}

static const char *
why_not(const struct smtpc_message *message, bool is_clean, const struct reply_extensions *has, unsigned *code,
    const char **enhanced)
{
	*code = 554;
	*enhanced = "5.6.0";
	if (!is_clean)
		return "the message has line ends that SMTP cannot carry";
	*enhanced = "5.6.3";
	if ((message->flags & SMTPC_8BIT) != 0 && !has->eight_bit_mime)
		return "the message has 8-bit text, which the recipient's server does not take";
	*code = 550;
	*enhanced = "5.6.7";
	if ((message->flags & SMTPC_SMTPUTF8) != 0 && !has->smtputf8)
		return "the message has UTF-8 in its addresses or header, which the recipient's server does not take";
	*code = 552;
	*enhanced = "5.3.4";
	if (has->size_max_bytes != 0 && source_len(message) > has->size_max_bytes)
		return "the message is larger than the recipient's server takes";
	return NULL;
}

bool
delivery_refuse_unfit(struct delivery *d, const struct smtpc_message *message, bool is_clean,
    const struct reply_extensions *has)
{
	unsigned code;
	const char *enhanced, *why = why_not(message, is_clean, has, &code, &enhanced);
	if (why == NULL)
		return false;
	decide_the_rest(d, code, enhanced, why);
	d->sent = d->answered = d->count + 4;
	return true;
}

const struct smtpc_result *
delivery_results(struct delivery *d, size_t *count)
{
	*count = d->count;
	return d->results;
}

bool
delivery_needs_reset(const struct delivery *d)
{
	return d->needs_reset;
}

/* ---- sending */

static bool
nobody_wants(const struct delivery *d)
{
	return d->mail_refused || (d->accepted_count == 0 && d->answered >= d->count + 2);
}

static bool
may_send(const struct delivery *d)
{
	bool all_answered = d->answered == d->sent;
	switch (step_of(d, d->sent)) {
	case DELIVERY_RSET:
	case DELIVERY_MAIL:
		return all_answered || d->rules.pipelining;
	case DELIVERY_RCPT:
	case DELIVERY_DATA:
		return !nobody_wants(d) && (all_answered || d->rules.pipelining);
	case DELIVERY_BODY:
		if (d->body_begun || d->data_accepted)
			return true;
		return d->rules.chunking && !nobody_wants(d) &&
		    (all_answered || (d->rules.pipelining && !d->rules.waits_for_recipients));
	case DELIVERY_END:
		break;
	}
	return false;
}

static int
write_mail(const struct delivery *d, char *command)
{
	int len = snprintf(command, COMMAND_MAX, "MAIL FROM:<%.*s>", (int)d->reverse_path.len,
	    (const char *)d->reverse_path.data);
	if (d->rules.size)
		len += snprintf(command + len, COMMAND_MAX - (size_t)len, " SIZE=%zu", d->body_len);
	if ((d->flags & SMTPC_8BIT) != 0)
		len += snprintf(command + len, COMMAND_MAX - (size_t)len, " BODY=8BITMIME");
	if ((d->flags & SMTPC_SMTPUTF8) != 0)
		len += snprintf(command + len, COMMAND_MAX - (size_t)len, " SMTPUTF8");
	return len + snprintf(command + len, COMMAND_MAX - (size_t)len, "\r\n");
}

static int
write_recipient(const struct delivery *d, char *command)
{
	struct slice recipient = d->recipients[d->sent - 2];
	return snprintf(command, COMMAND_MAX, "RCPT TO:<%.*s>\r\n", (int)recipient.len, (const char *)recipient.data);
}

/* One piece of the body; what ends it comes with the last. */
static int
take_body(struct delivery *d, unsigned char piece[PIECE_BYTES], size_t *out, struct error *err)
{
	size_t len = 0;
	if (source_fill(&d->body, err) != 0)
		return -1;
	struct slice *next = &d->body.window;
	if (d->rules.chunking) {
		if (!d->body_begun)
			len = (size_t)snprintf((char *)piece, PIECE_BYTES, "BDAT %zu LAST\r\n", d->body_len);
		size_t part = PIECE_BYTES - len < next->len ? PIECE_BYTES - len : next->len;
		memcpy(piece + len, next->data, part);
		*next = slice_of(next->data + part, next->len - part);
		len += part;
	} else {
		len = dot_encode(&d->dots, next, piece, PIECE_BYTES - 8);
		if (source_is_at_end(&d->body)) {
			const char *end = dot_end(&d->dots);
			memcpy(piece + len, end, strlen(end));
			len += strlen(end);
		}
	}
	d->due += !d->body_begun;
	d->body_begun = true;
	if (source_is_at_end(&d->body))
		d->sent++;
	*out = len;
	return 1;
}

/* The next command, or piece of the body, that may be sent now. 1; 0: there is none; -1. */
static int
take_next(struct delivery *d, unsigned char piece[PIECE_BYTES], size_t *out, struct error *err)
{
	char *command = (char *)piece;
	int len = 0;
	static_assert(COMMAND_MAX <= PIECE_BYTES, "a command fits");
	if (!may_send(d))
		return 0;
	switch (step_of(d, d->sent)) {
	case DELIVERY_RSET:
		len = snprintf(command, COMMAND_MAX, "RSET\r\n");
		break;
	case DELIVERY_MAIL:
		len = write_mail(d, command);
		break;
	case DELIVERY_RCPT:
		len = write_recipient(d, command);
		break;
	case DELIVERY_DATA:
		len = snprintf(command, COMMAND_MAX, "DATA\r\n");
		break;
	case DELIVERY_BODY:
		return take_body(d, piece, out, err);
	case DELIVERY_END:
		return 0;
	}
	assert(len > 0 && len < COMMAND_MAX);
	d->sent = number_after(d, d->sent);
	d->due++;
	*out = (size_t)len;
	return 1;
}

int
delivery_pump(struct delivery *d, struct stream *stream, struct error *err)
{
	unsigned char piece[PIECE_BYTES];
	size_t len;
	int result = 1;
	while (result == 1 && stream_output_len(stream) < PUMP_BYTES) {
		result = take_next(d, piece, &len, err);
		if (result == 1 && stream_write(stream, piece, len, err) != 0)
			return -1;
	}
	return result < 0 ? -1 : 0;
}

int
delivery_gather(struct delivery *d, struct buffer *out, struct error *err)
{
	unsigned char piece[PIECE_BYTES];
	size_t len;
	int result;
	assert(d->rules.pipelining && d->rules.chunking && !d->rules.waits_for_recipients);
	while ((result = take_next(d, piece, &len, err)) == 1)
		if (buffer_append(out, piece, len, err) != 0)
			return -1;
	return result;
}

size_t
delivery_envelope_max(const struct delivery *d)
{
	size_t size = 2 * COMMAND_MAX + d->reverse_path.len; /* RSET, MAIL, BDAT */
	for (size_t i = 0; i < d->count; i++)
		size += sizeof "RCPT TO:<>\r\n" + d->recipients[i].len;
	return size;
}

/* ---- replies */

static enum delivery_progress
break_off(const struct reply *reply, const char *command, struct error *err)
{
	error_set(err, ERROR_PROTOCOL, "the server answers %s with %u", command, reply->code);
	return DELIVERY_BROKEN;
}

static enum delivery_progress
end_of_body(struct delivery *d, const struct reply *reply, struct error *err)
{
	bool is_cut = d->sent == d->answered; /* the body is not sent to its end */
	if (reply->code / 100 == 3 || (is_cut && reply->code < 400))
		return break_off(reply, "the message", err);
	decide_the_rest(d, reply->code, reply->enhanced, reply->text);
	d->needs_reset = reply->code >= 400;
	return is_cut ? DELIVERY_CUT : DELIVERY_DONE;
}

static enum delivery_progress
take_data_reply(struct delivery *d, const struct reply *reply, struct error *err)
{
	if (reply->code == 354) {
		d->data_accepted = true;
		if (nobody_wants(d)) /* asked in the same flight as the recipients: nothing but the end is sent */
			source_finish(&d->body);
		return DELIVERY_GOES_ON;
	}
	if (reply->code < 400)
		return break_off(reply, "DATA", err);
	decide_the_rest(d, reply->code, reply->enhanced, reply->text);
	return DELIVERY_DONE;
}

static enum delivery_progress
take_recipient_reply(struct delivery *d, size_t index, const struct reply *reply, struct error *err)
{
	if (reply->code / 100 == 3)
		return break_off(reply, "RCPT", err);
	if (d->mail_refused)
		return DELIVERY_GOES_ON; /* in the same flight: has been decided */
	if (reply->code >= 400)
		set_result(&d->results[index], reply->code, reply->enhanced, reply->text);
	else
		d->accepted_count++;
	return DELIVERY_GOES_ON;
}

enum delivery_progress
delivery_take_reply(struct delivery *d, const struct reply *reply, struct error *err)
{
	enum delivery_step step = step_of(d, d->answered);
	assert(d->due > 0);
	d->due--;
	if (step == DELIVERY_BODY)
		return end_of_body(d, reply, err);
	size_t number = d->answered;
	enum delivery_progress progress = DELIVERY_GOES_ON;
	d->answered = number_after(d, number);
	if (step == DELIVERY_RSET && reply->code / 100 != 2) {
		return break_off(reply, "RSET", err);
	} else if (step == DELIVERY_MAIL) {
		if (reply->code / 100 == 3)
			return break_off(reply, "MAIL", err);
		d->mail_accepted = reply->code < 400;
		d->mail_refused = !d->mail_accepted;
		d->needs_reset = d->mail_accepted; /* until the message has gone through */
		if (d->mail_refused)
			decide_the_rest(d, reply->code, reply->enhanced, reply->text);
	} else if (step == DELIVERY_RCPT) {
		progress = take_recipient_reply(d, number - 2, reply, err);
	} else if (step == DELIVERY_DATA) {
		progress = take_data_reply(d, reply, err);
	}
	if (progress == DELIVERY_GOES_ON && nobody_wants(d) && d->answered == d->sent && !d->data_accepted &&
	    !d->body_begun)
		return DELIVERY_DONE;
	return progress;
}

enum delivery_step
delivery_awaits(const struct delivery *d)
{
	return d->due == 0 ? DELIVERY_END : step_of(d, d->answered);
}

size_t
delivery_replies_due(const struct delivery *d)
{
	return d->due;
}

bool
delivery_sends_body(const struct delivery *d)
{
	return d->body_begun && step_of(d, d->sent) == DELIVERY_BODY;
}
