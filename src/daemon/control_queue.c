/* SPDX-License-Identifier: ISC */
#include "daemon/control_queue.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "daemon/control_card.h"
#include "daemon/control_contacts.h"
#include "daemon/control_json.h"
#include "daemon/reason.h"
#include "ipc/channel.h"
#include "ipc/pack.h"

#define ASKED_MAX 64 /* requests to one mail role that have no answer yet */

struct peer {
	struct peer *next;
	char identity[IPC_NAME_MAX + 1];
	struct channel *channel; /* NULL: not there now */
	uint64_t asked[ASKED_MAX];
	size_t asked_count;
};

static struct {
	struct loop *loop;
	const struct control_queue_events *events;
	void *context;
	struct peer *peers;
} queues;

/* ---- rows */

static int
put_reason(struct buffer *out, const struct ipc_queue_row *row, struct error *err)
{
	char text[REASON_TEXT_MAX];
	reason_say(row->reason, row->text, text);
	if (control_json_member(out, ",\"reason\":", reason_word(row->reason), err) != 0)
		return -1;
	return control_json_member(out, ",\"text\":", text, err);
}

static int
put_recipient(struct buffer *out, struct slice mailbox, const struct pack_result *last, struct error *err)
{
	char reply[CONTROL_JSON_TEXT_MAX];
	if (buffer_append_string(out, "{\"address\":", err) != 0 || control_json_put(out, mailbox, err) != 0)
		return -1;
	snprintf(reply, sizeof reply, "%u%s%.*s%s%.*s", last->code, last->enhanced.len > 0 ? " " : "",
	    (int)last->enhanced.len, (const char *)last->enhanced.data, last->text.len > 0 ? " " : "", (int)last->text.len,
	    (const char *)last->text.data);
	if (last->code != 0 && last->text.len > 0 && control_json_member(out, ",\"reply\":", reply, err) != 0)
		return -1;
	return buffer_append_string(out, "}", err);
}

static int
put_recipients(struct buffer *out, struct slice list, struct error *err)
{
	struct slice mailbox;
	struct pack_result last;
	const char *before = ",\"recipients\":[";
	bool is_empty = true;
	for (; pack_next_failure(&list, &mailbox, &last); before = ",", is_empty = false)
		if (buffer_append_string(out, before, err) != 0 || put_recipient(out, mailbox, &last, err) != 0)
			return -1;
	return buffer_append_string(out, is_empty ? ",\"recipients\":[]" : "]", err);
}

static int
put_row(struct buffer *out, const struct peer *p, const struct ipc_queue_row *row, struct error *err)
{
	char next_try[24] = "null";
	if (row->next_s != 0)
		snprintf(next_try, sizeof next_try, "%" PRIu64, row->next_s);
	if (buffer_printf(out, err, "{\"id\":\"%s/%" PRIu64 "\",\"identity\":\"%s\"", p->identity, row->item, p->identity) != 0)
		return -1;
	if (control_json_member(out, ",\"from\":", row->reverse_path, err) != 0 || control_json_member(out, ",\"onion\":", row->onion, err) != 0 ||
	    put_recipients(out, row->recipients, err) != 0)
		return -1;
	if (buffer_printf(out, err, ",\"recipient_count\":%" PRIu32 ",\"size\":%" PRIu64 ",\"arrived\":%" PRIu64
	        ",\"tries\":%" PRIu32 ",\"next_try\":%s", row->recipient_count, row->size_bytes, row->arrival_s, row->tries,
	        next_try) != 0 || put_reason(out, row, err) != 0)
		return -1;
	return buffer_append_string(out, "}", err);
}

static int
put_pin(struct buffer *out, const struct peer *p, const struct ipc_pin_row *row, struct error *err)
{
	static const char *const trusts[PIN_TRUST_COUNT] = { "noted", "first-use", "label", "accepted" };
	const char *state = row->changed_s != 0 ? "changed" : row->trust == PIN_NOTED ? "noted" : "pinned";
	char changed[24] = "null";
	if (row->changed_s != 0)
		snprintf(changed, sizeof changed, "%" PRIu64, row->changed_s);
	if (buffer_printf(out, err, "{\"id\":\"%s/%s\",\"identity\":\"%s\"", p->identity, row->onion, p->identity) != 0 ||
	    control_json_member(out, ",\"onion\":", row->onion, err) != 0 || control_json_member(out, ",\"state\":", state, err) != 0 ||
	    control_json_member(out, ",\"fingerprint\":", row->fingerprint, err) != 0 ||
	    control_json_member(out, ",\"trust\":", trusts[row->trust < PIN_TRUST_COUNT ? row->trust : PIN_ACCEPTED], err) != 0)
		return -1;
	if (buffer_printf(out, err, ",\"label_letters\":%u,\"since\":%" PRIu64 ",\"changed\":%s", row->label_letters, row->since_s,
	        changed) != 0)
		return -1;
	return control_json_member_or_null(out, ",\"shown\":", row->shown, err) != 0 ? -1 : buffer_append_string(out, "}", err);
}

static int
put_any(struct buffer *out, const struct peer *p, const struct ipc_message *m, struct error *err)
{
	if (m->type == IPC_TYPE_CARD_FACTS)
		return control_card_put(out, p->identity, &m->card_facts, err);
	if (m->type == IPC_TYPE_CONTACT_ROW)
		return control_contacts_put(out, p->identity, &m->contact_row, err);
	return m->type == IPC_TYPE_PIN_ROW ? put_pin(out, p, &m->pin_row, err) : put_row(out, p, &m->queue_row, err);
}

/* ---- channels */

static bool
take_asked(struct peer *p, uint64_t request_id)
{
	for (size_t i = 0; i < p->asked_count; i++)
		if (p->asked[i] == request_id) {
			p->asked[i] = p->asked[--p->asked_count];
			return true;
		}
	return false;
}

static void
lose(struct peer *p)
{
	struct ipc_queue_end end = { .error = ERROR_UNREACHABLE,
		.text = "the process that keeps this identity's mail has just ended; ask again in a moment" };
	channel_free(p->channel);
	p->channel = NULL;
	while (p->asked_count > 0) {
		end.request_id = p->asked[--p->asked_count];
		queues.events->on_done(queues.context, end.request_id, &end);
	}
}

/* m: QUEUE_ROW, PIN_ROW, CONTACT_ROW or CARD_FACTS. */
static void
take_row(struct peer *p, uint64_t request_id, const struct ipc_message *m)
{
	struct error err = { 0 };
	struct buffer text, *out = queues.events->on_row(queues.context, request_id);
	if (out == NULL)
		return;
	buffer_init(&text, out->max);
	if ((buffer_len(out) > 0 && buffer_append_string(&text, ",", &err) != 0) ||
	    put_any(&text, p, m, &err) != 0 ||
	    buffer_append(out, buffer_bytes(&text), buffer_len(&text), &err) != 0)
		log_warn("a row is left out: %s", err.text);
	buffer_finish(&text);
}

static void
take_rows(struct peer *p, struct slice rows)
{
	struct ipc_message row;
	while (rows.len > 4) {
		uint64_t len = encode_from_number(rows.data, 4);
		rows = slice_of(rows.data + 4, rows.len - 4);
		if (len > rows.len || ipc_decode(rows.data, len, &row, NULL) != 0 || row.type != IPC_TYPE_QUEUE_ROW)
			return; /* no row was ever like this */
		take_row(p, row.queue_row.request_id, &row);
		rows = slice_of(rows.data + len, rows.len - len);
	}
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct peer *p = context;
	if (m->type == IPC_TYPE_QUEUE_ROWS)
		take_rows(p, m->queue_rows.rows);
	else if (m->type == IPC_TYPE_PIN_ROW)
		take_row(p, m->pin_row.request_id, m);
	else if (m->type == IPC_TYPE_CONTACT_ROW)
		take_row(p, m->contact_row.request_id, m);
	else if (m->type == IPC_TYPE_CARD_FACTS)
		take_row(p, m->card_facts.request_id, m);
	else if (m->type == IPC_TYPE_QUEUE_END && take_asked(p, m->queue_end.request_id))
		queues.events->on_done(queues.context, m->queue_end.request_id, &m->queue_end);
}

static void
on_end(void *context, const struct error *err)
{
	log_info("%s", err->text);
	lose(context);
}

static struct peer *
find(const char *identity)
{
	struct peer *p = queues.peers;
	while (p != NULL && strcmp(p->identity, identity) != 0)
		p = p->next;
	return p;
}

void
control_queue_init(struct loop *loop, const struct control_queue_events *events, void *context)
{
	queues.loop = loop;
	queues.events = events;
	queues.context = context;
}

void
control_queue_set_peer(const char *identity, int fd)
{
	static const struct channel_events events = { on_message, on_end };
	struct peer *p = find(identity);
	if (p == NULL) {
		p = calloc(1, sizeof *p);
		assert(p != NULL);
		snprintf(p->identity, sizeof p->identity, "%s", identity);
		p->next = queues.peers;
		queues.peers = p;
	}
	lose(p);
	p->channel = channel_new(queues.loop, fd, ROLE_CONTROL, ROLE_MAIL, &events, p);
}

void
control_queue_forget_peer(const char *identity)
{
	struct peer **at = &queues.peers;
	while (*at != NULL && strcmp((*at)->identity, identity) != 0)
		at = &(*at)->next;
	struct peer *p = *at;
	if (p == NULL)
		return;
	*at = p->next;
	lose(p);
	free(p);
}

int
control_queue_ask(const char *identity, const struct ipc_message *request, uint64_t request_id, struct error *err)
{
	struct peer *p = find(identity);
	if (p == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the node has no identity '%s'; `smtorp identity list` names them", identity);
	if (p->channel == NULL)
		return error_set(err, ERROR_UNREACHABLE, "the process that keeps the mail of '%s' is not there now; ask again in a "
		    "moment", identity);
	if (p->asked_count == ASKED_MAX)
		return error_set(err, ERROR_BUSY, "too many questions about the mail of '%s' at a time", identity);
	if (channel_send(p->channel, request, err) != 0)
		return -1;
	p->asked[p->asked_count++] = request_id;
	return 0;
}
