/* SPDX-License-Identifier: ISC */
#include "daemon/control_queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/reason.h"
#include "ipc/channel.h"
#include "ipc/pack.h"

#define TEXT_MAX REASON_TEXT_MAX
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

/* ---- words */

/* Text of others as JSON: no control characters, which could play with a terminal, and UTF-8. */
static json_t *
clean_text(const char *bytes, size_t len)
{
	char copy[TEXT_MAX] = "";
	if (len > sizeof copy)
		len = sizeof copy;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i], next = i + 1 < len ? (unsigned char)bytes[i + 1] : 0;
		bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
		copy[i] = c < 0x20 || c == 0x7f || is_c1 ? '?' : bytes[i];
		if (is_c1)
			copy[++i] = '?';
	}
	json_t *text = json_stringn(copy, len);
	for (size_t i = 0; text == NULL && i < len; i++)
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	return text != NULL ? text : json_stringn(copy, len);
}

static json_t *
reason_text(const struct ipc_queue_row *row)
{
	char text[REASON_TEXT_MAX];
	reason_say(row->reason, row->text, text);
	return clean_text(text, strlen(text));
}

/* ---- rows */

static json_t *
recipient(struct slice mailbox, const struct pack_result *last)
{
	json_t *out = json_object();
	char reply[TEXT_MAX];
	json_object_set_new_nocheck(out, "address", clean_text((const char *)mailbox.data, mailbox.len));
	int len = snprintf(reply, sizeof reply, "%u%s%.*s%s%.*s", last->code, last->enhanced.len > 0 ? " " : "",
	    (int)last->enhanced.len, (const char *)last->enhanced.data, last->text.len > 0 ? " " : "", (int)last->text.len,
	    (const char *)last->text.data);
	if (last->code != 0 && last->text.len > 0)
		json_object_set_new_nocheck(out, "reply", clean_text(reply, (size_t)len < sizeof reply ? (size_t)len : sizeof reply - 1));
	return out;
}

static json_t *
row_as_json(const struct peer *p, const struct ipc_queue_row *row)
{
	char id[IPC_NAME_MAX + 24];
	struct slice list = row->recipients, mailbox;
	struct pack_result last;
	json_t *out = json_object(), *recipients = json_array();
	snprintf(id, sizeof id, "%s/%llu", p->identity, (unsigned long long)row->item);
	while (pack_next_failure(&list, &mailbox, &last))
		json_array_append_new(recipients, recipient(mailbox, &last));
	json_object_set_new_nocheck(out, "id", json_string(id));
	json_object_set_new_nocheck(out, "identity", json_string(p->identity));
	json_object_set_new_nocheck(out, "from", clean_text(row->reverse_path, strlen(row->reverse_path)));
	json_object_set_new_nocheck(out, "onion", clean_text(row->onion, strlen(row->onion)));
	json_object_set_new_nocheck(out, "recipients", recipients);
	json_object_set_new_nocheck(out, "recipient_count", json_integer(row->recipient_count));
	json_object_set_new_nocheck(out, "size", json_integer((json_int_t)row->size_bytes));
	json_object_set_new_nocheck(out, "arrived", json_integer((json_int_t)row->arrival_s));
	json_object_set_new_nocheck(out, "tries", json_integer(row->tries));
	json_object_set_new_nocheck(out, "next_try", row->next_s == 0 ? json_null() : json_integer((json_int_t)row->next_s));
	json_object_set_new_nocheck(out, "reason", json_string(reason_word(row->reason)));
	json_object_set_new_nocheck(out, "text", reason_text(row));
	return out;
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

static void
on_message(void *context, struct ipc_message *m)
{
	struct peer *p = context;
	if (m->type == IPC_TYPE_QUEUE_ROW)
		queues.events->on_row(queues.context, m->queue_row.request_id, row_as_json(p, &m->queue_row));
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
control_queue_ask(const char *identity, const struct ipc_queue_request *request, struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_REQUEST, .fd = -1, .queue_request = *request };
	struct peer *p = find(identity);
	if (p == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the node has no identity '%s'; `smtorp identity list` names them", identity);
	if (p->channel == NULL)
		return error_set(err, ERROR_UNREACHABLE, "the process that keeps the mail of '%s' is not there now; ask again in a "
		    "moment", identity);
	if (p->asked_count == ASKED_MAX)
		return error_set(err, ERROR_BUSY, "too many questions about the queue of '%s' at a time", identity);
	if (channel_send(p->channel, &m, err) != 0)
		return -1;
	p->asked[p->asked_count++] = request->request_id;
	return 0;
}
