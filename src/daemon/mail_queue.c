/* SPDX-License-Identifier: ISC */
#include "daemon/mail_queue.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "ipc/codec.h"

/* A page under way. */
struct page {
	const struct mail_queue *queue;
	const struct ipc_queue_request *request;
	uint64_t rows, rows_most, bytes;
	uint64_t last; /* the last row's item */
	bool has_more, is_broken;
	struct buffer packed; /* rows on their way into a message */
};

/* Addresses were checked when they came; this was not. */
static void
copy_text(struct slice s, char *out, size_t room)
{
	slice_to_string(s, out, room);
	for (size_t i = 0; i < s.len && i < room - 1; i++)
		if (out[i] == '\0')
			out[i] = ' '; /* a peer's words; the message could not be sent with it */
}

/* What is being done now says more than what happened before. */
static void
say_reason(const struct mail_queue *q, const struct queue_row *row, struct ipc_queue_row *out)
{
	enum ipc_wait_reason now = WAIT_REASON_NEW;
	if (row->due_ms != QUEUE_NO_TRY)
		now = dispatch_reason(q->dispatch, out->onion, row->id);
	if (now == WAIT_REASON_TOR_DOWN && row->due_ms > mailstore_now_ms(q->mailstore))
		now = WAIT_REASON_NEW; /* it would not be tried yet if tor were there */
	out->reason = (uint8_t)(now != WAIT_REASON_NEW ? now : row->reason);
	if (now == WAIT_REASON_NEW)
		copy_text(slice_of(buffer_bytes(&row->text), buffer_len(&row->text)), out->text, sizeof out->text);
}

static void
send_packed(struct page *p)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_ROWS, .fd = -1,
		.queue_rows.rows = slice_of(buffer_bytes(&p->packed), buffer_len(&p->packed)) };
	if (m.queue_rows.rows.len > 0 && !p->is_broken)
		p->is_broken = !p->queue->send(p->queue->context, &m);
	buffer_finish(&p->packed);
}

static void
pack_row(struct page *p, const struct ipc_message *row)
{
	struct buffer encoded;
	unsigned char len[4];
	buffer_init(&encoded, IPC_ROWS_MAX - sizeof len);
	int result = ipc_encode(row, &encoded, NULL); /* its fields were cut to their sizes above */
	size_t more = buffer_len(&encoded) + sizeof len;
	if (buffer_len(&p->packed) + more > IPC_ROWS_MAX)
		send_packed(p);
	encode_number(len, buffer_len(&encoded), sizeof len);
	if (result != 0 || buffer_append(&p->packed, len, sizeof len, NULL) != 0 ||
	    buffer_append(&p->packed, buffer_bytes(&encoded), buffer_len(&encoded), NULL) != 0)
		p->is_broken = true;
	p->bytes += more;
	buffer_finish(&encoded);
}

static bool
take_row(void *context, const struct queue_row *row)
{
	struct page *p = context;
	const struct mail_queue *q = p->queue;
	if (p->request->verb == QUEUE_VERB_SHOW && row->id != p->request->item)
		return false;
	if (p->rows == p->rows_most || p->bytes >= MAIL_QUEUE_PAGE_BYTES) {
		p->has_more = true;
		return false;
	}
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_ROW, .fd = -1, .queue_row = { .request_id = p->request->request_id,
		.item = row->id, .size_bytes = row->body_bytes, .arrival_s = (uint64_t)row->arrival_s,
		.tries = (uint32_t)row->tries, .recipient_count = row->recipient_count,
		.recipients = slice_of(buffer_bytes(&row->recipients), buffer_len(&row->recipients)) } };
	slice_to_string(row->onion, m.queue_row.onion, sizeof m.queue_row.onion);
	slice_to_string(row->reverse_path, m.queue_row.reverse_path, sizeof m.queue_row.reverse_path);
	if (row->due_ms != QUEUE_NO_TRY) {
		int64_t in_ms = row->due_ms - mailstore_now_ms(q->mailstore);
		m.queue_row.next_s = (uint64_t)((clock_wall_ms() + (in_ms > 0 ? in_ms : 0)) / 1000);
	}
	say_reason(q, row, &m.queue_row);
	p->rows++;
	p->last = row->id;
	pack_row(p, &m);
	return !p->is_broken && p->request->verb == QUEUE_VERB_LIST;
}

static int
look(const struct mail_queue *q, const struct ipc_queue_request *request, struct ipc_queue_end *end, struct error *err)
{
	bool is_list = request->verb == QUEUE_VERB_LIST;
	struct page p = { .queue = q, .request = request, .rows_most = MAIL_QUEUE_PAGE_ROWS };
	if (is_list && request->limit > 0 && request->limit < p.rows_most)
		p.rows_most = request->limit;
	if (!is_list && request->item == 0)
		return error_set(err, ERROR_INVALID, "there is no message of this number");
	buffer_init(&p.packed, IPC_ROWS_MAX);
	int result = queue_look(mailstore_queue(q->mailstore), is_list ? request->item : request->item - 1, !is_list, take_row,
	    &p, err);
	send_packed(&p);
	if (result != 0)
		return -1;
	if (!is_list && p.rows == 0)
		return error_set(err, ERROR_NOT_FOUND, "there is no such message in the queue: it has gone, or never was");
	end->count = p.rows;
	end->next = p.has_more ? p.last : 0;
	return 0;
}

static int
retry(const struct mail_queue *q, const struct ipc_queue_request *request, struct ipc_queue_end *end, struct error *err)
{
	int64_t now_ms = mailstore_now_ms(q->mailstore);
	if (queue_retry(mailstore_queue(q->mailstore), request->item, now_ms, &end->count, err) != 0)
		return -1;
	if (request->item == 0)
		dispatch_retry_all(q->dispatch);
	else
		dispatch_wake(q->dispatch);
	return 0;
}

static int
cancel(const struct mail_queue *q, const struct ipc_queue_request *request, struct ipc_queue_end *end, struct error *err)
{
	if (request->item != 0 && dispatch_is_delivering(q->dispatch, request->item))
		return error_set(err, ERROR_BUSY, "this message is being handed over at this moment: nobody can stop it now; look "
		    "again in a minute");
	if (queue_cancel(mailstore_queue(q->mailstore), request->item, err) != 0)
		return -1;
	end->count = 1;
	dispatch_wake(q->dispatch);
	return 0;
}

static int
carry_out(const struct mail_queue *q, const struct ipc_queue_request *request, struct ipc_queue_end *end,
    struct error *err)
{
	switch ((enum ipc_queue_verb)request->verb) {
	case QUEUE_VERB_LIST:
	case QUEUE_VERB_SHOW:
		return look(q, request, end, err);
	case QUEUE_VERB_RETRY:
		return retry(q, request, end, err);
	case QUEUE_VERB_CANCEL:
		return cancel(q, request, end, err);
	}
	return error_set(err, ERROR_UNSUPPORTED, "the queue knows no such order");
}

void
mail_queue_end(const struct mail_queue *q, struct ipc_message *end, int result, const struct error *err)
{
	if (result != 0) {
		end->queue_end.error = (uint8_t)err->code;
		snprintf(end->queue_end.text, sizeof end->queue_end.text, "%s", err->text);
	}
	q->send(q->context, end);
}

void
mail_queue_answer(const struct mail_queue *q, const struct ipc_queue_request *request)
{
	struct error err = { 0 };
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end.request_id = request->request_id };
	int result = carry_out(q, request, &m.queue_end, &err);
	mail_queue_end(q, &m, result, &err);
}
