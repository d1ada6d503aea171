/* SPDX-License-Identifier: ISC */
#include "daemon/mail_delay.h"

#include "daemon/reason.h"
#include "ipc/pack.h"

struct search {
	int64_t latest_ms; /* what arrived after it is not late */
	int64_t next_ms;
	struct queue_bounce *out;
	bool is_found;
};

/* Each recipient of the row that waits, with what is known of it: the peer's reply, or words about the whole node. */
static void
add_recipients(struct queue_bounce *out, const struct queue_row *row)
{
	char text[IPC_TEXT_MAX + 1], words[REASON_TEXT_MAX];
	struct slice list = slice_of(buffer_bytes(&row->recipients), buffer_len(&row->recipients)), mailbox;
	struct pack_result r;
	slice_to_string(slice_of(buffer_bytes(&row->text), buffer_len(&row->text)), text, sizeof text);
	reason_say(row->reason, text, words);
	while (pack_next_failure(&list, &mailbox, &r)) {
		if (r.code >= 500)
			continue; /* a bounce is on its way */
		if (row->reason != WAIT_REASON_REPLY || r.code == 0)
			r = (struct pack_result){ 0, slice_of_string(row->reason == WAIT_REASON_KEY ? "4.7.5" : "4.4.7"),
				slice_of_string(words) };
		if (pack_failure(&out->failures, mailbox, &r, NULL) != 0)
			return; /* the notice is about the message; it need not name thousands */
	}
}

static bool
take_row(void *context, const struct queue_row *row)
{
	struct search *s = context;
	struct queue_bounce *out = s->out;
	if (s->is_found && row->body != out->body)
		return false;
	if (row->due_ms == QUEUE_NO_TRY || row->reverse_path.len == 0)
		return true;
	if (row->arrival_ms > s->latest_ms) {
		s->next_ms = row->arrival_ms;
		return false; /* all that follow came later */
	}
	if (!s->is_found) {
		out->body = row->body;
		out->body_bytes = row->body_bytes;
		out->arrival_s = row->arrival_s;
		out->arrival_ms = row->arrival_ms;
		slice_to_string(row->reverse_path, out->reverse_path, sizeof out->reverse_path); /* checked when it came */
	}
	s->is_found = true;
	out->item = row->id;
	add_recipients(out, row);
	return true;
}

int
mail_delay_find(struct queue *queue, uint64_t passed_over, int64_t now_ms, int64_t delay_ms, struct queue_bounce *out,
    int64_t *next_ms, struct error *err)
{
	struct search s = { .latest_ms = now_ms - delay_ms, .next_ms = MAIL_DELAY_NEVER, .out = out };
	uint64_t told;
	*out = (struct queue_bounce){ 0 };
	if (queue_told(queue, &told, err) != 0)
		return -1;
	uint64_t after = told > 0 && told - 1 > passed_over ? told - 1 : passed_over;
	buffer_init(&out->failures, IPC_RECIPIENTS_MAX);
	buffer_init(&out->positions, 0);
	if (queue_look(queue, after, true, take_row, &s, err) != 0) {
		queue_bounce_finish(out);
		return -1;
	}
	if (s.is_found)
		return 1;
	queue_bounce_finish(out);
	*next_ms = s.next_ms == MAIL_DELAY_NEVER ? MAIL_DELAY_NEVER : s.next_ms + delay_ms;
	return 0;
}
