/* SPDX-License-Identifier: ISC */
#include "daemon/mail_pins.h"

#include <string.h>

#include "base/clock.h"

/* A page under way. */
struct page {
	const struct mail_queue *queue;
	const struct ipc_pin_request *request;
	uint64_t rows, rows_most;
	uint64_t last; /* the last row's pin */
	bool has_more;
};

static bool
send_row(const struct page *p, const struct pin *pin)
{
	struct ipc_message m = { .type = IPC_TYPE_PIN_ROW, .fd = -1, .pin_row = { .request_id = p->request->request_id,
		.trust = (uint8_t)pin->trust, .label_letters = (uint8_t)pin->label_letters, .since_s = (uint64_t)pin->since_s,
		.changed_s = (uint64_t)pin->changed_s } };
	memcpy(m.pin_row.onion, pin->onion, sizeof m.pin_row.onion);
	memcpy(m.pin_row.fingerprint, pin->fingerprint, sizeof m.pin_row.fingerprint);
	memcpy(m.pin_row.shown, pin->shown, sizeof m.pin_row.shown);
	return p->queue->send(p->queue->context, &m);
}

static bool
take_pin(void *context, const struct pin *pin)
{
	struct page *p = context;
	if (p->rows == p->rows_most) {
		p->has_more = true;
		return false;
	}
	p->rows++;
	p->last = pin->id;
	return send_row(p, pin);
}

static int
list(const struct mail_queue *q, const struct ipc_pin_request *request, struct ipc_queue_end *end, struct error *err)
{
	struct page p = { .queue = q, .request = request, .rows_most = MAIL_PINS_PAGE_ROWS };
	if (request->limit > 0 && request->limit < p.rows_most)
		p.rows_most = request->limit;
	if (pins_look(queue_pins(mailstore_queue(q->mailstore)), request->after, take_pin, &p, err) != 0)
		return -1;
	end->count = p.rows;
	end->next = p.has_more ? p.last : 0;
	return 0;
}

static int
show(const struct mail_queue *q, const struct ipc_pin_request *request, struct ipc_queue_end *end, struct error *err)
{
	const struct page p = { .queue = q, .request = request };
	struct pin pin;
	int found = pins_find(queue_pins(mailstore_queue(q->mailstore)), request->onion, &pin, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "no key of this onion is known; `smtorp peer list` shows those that are");
	if (found < 0)
		return -1;
	end->count = 1;
	send_row(&p, &pin);
	return 0;
}

/* Accepts or forgets; either way what waits is tried at once. */
static int
decide(const struct mail_queue *q, const struct ipc_pin_request *request, struct ipc_queue_end *end, struct error *err)
{
	struct queue *queue = mailstore_queue(q->mailstore);
	struct pins *pins = queue_pins(queue);
	int result = request->verb == PIN_VERB_FORGET ? pins_forget(pins, request->onion, err) :
	    pins_accept(pins, request->onion, slice_of_string(request->label), clock_wall_s(), err);
	if (result != 0 || peers_hurry(queue_peers(queue), request->onion, mailstore_now_ms(q->mailstore), err) != 0)
		return -1;
	end->count = 1;
	dispatch_wake(q->dispatch);
	return 0;
}

static int
carry_out(const struct mail_queue *q, const struct ipc_pin_request *request, struct ipc_queue_end *end,
    struct error *err)
{
	switch ((enum ipc_pin_verb)request->verb) {
	case PIN_VERB_LIST:
		return list(q, request, end, err);
	case PIN_VERB_SHOW:
		return show(q, request, end, err);
	case PIN_VERB_ACCEPT:
	case PIN_VERB_FORGET:
		return decide(q, request, end, err);
	}
	return error_set(err, ERROR_UNSUPPORTED, "there is no such order about keys");
}

void
mail_pins_answer(const struct mail_queue *q, const struct ipc_pin_request *request)
{
	struct error err = { 0 };
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end.request_id = request->request_id };
	int result = carry_out(q, request, &m.queue_end, &err);
	mail_queue_end(q, &m, result, &err);
}
