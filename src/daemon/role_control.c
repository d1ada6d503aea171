/* SPDX-License-Identifier: ISC
 *
 * smtorp-control: JSON-RPC 2.0, one object in a line each way, for the owner's programs on control.sock. It turns
 * requests into typed messages for the parent or for a mail role, and their rows into results.
 */
#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/random.h"
#include "base/secret.h"
#include "card/invitation.h"
#include "daemon/control_contacts.h"
#include "daemon/control_queue.h"
#include "daemon/control_status.h"
#include "daemon/role.h"
#include "loop/stream.h"
#include "smtp/reply.h"

#define LINE_MAX_BYTES 65536
#define OUTPUT_MAX_BYTES (4 * 1024 * 1024)
#define CONNECTIONS_MAX 16
#define PENDING_MAX 16 /* requests of one connection that have no answer yet */
#define FINISH_MS 2000

/* JSON-RPC 2.0, section 5.1. */
enum { RPC_PARSE = -32700, RPC_INVALID_REQUEST = -32600, RPC_NO_METHOD = -32601, RPC_INVALID_PARAMS = -32602,
	RPC_NODE = -32000, RPC_NOT_FOUND = -32001 };

struct connection {
	struct connection *next;
	struct stream *stream;
	unsigned pending;
};

struct request {
	struct request *next;
	struct connection *from; /* NULL: it has gone */
	uint64_t id;             /* ours, towards the parent */
	json_t *rpc_id;          /* NULL: a notification, which has no answer */
	json_t *result;          /* NULL: it is {"items": [], ...} */
	struct buffer items;     /* their text */
	uint64_t count, next_item;
};

static struct {
	struct listener *listener;
	struct connection *connections;
	unsigned connection_count;
	struct request *requests;
	uint64_t next_id;
	bool stopping;
} control;

/* ---- answers */

static void
send_json(struct connection *c, json_t *answer)
{
	struct error err = { 0 };
	char *text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	if (text == NULL || stream_write(c->stream, text, strlen(text), &err) != 0 ||
	    stream_write(c->stream, "\n", 1, &err) != 0)
		stream_finish(c->stream, 0);
	free(text);
}

static void
answer_error(struct connection *c, json_t *rpc_id, int code, const char *text)
{
	send_json(c, json_pack("{s:s, s:O, s:{s:i, s:o}}", "jsonrpc", "2.0", "id", rpc_id == NULL ? json_null() : rpc_id,
	    "error", "code", code, "message", control_text(text)));
}

static void
answer_result(struct connection *c, json_t *rpc_id, json_t *result)
{
	send_json(c, json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", rpc_id, "result", result));
}

/* The same answer as answer_result() would make of a list of items, without building it. */
static void
answer_items(struct connection *c, const struct request *request)
{
	struct error err = { 0 };
	struct buffer head, tail;
	char *id = json_dumps(request->rpc_id, JSON_COMPACT | JSON_ENCODE_ANY);
	buffer_init(&head, LINE_MAX_BYTES * 2);
	buffer_init(&tail, 256);
	if (id == NULL || buffer_printf(&head, &err, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"items\":[", id) != 0 ||
	    buffer_printf(&tail, &err, "],\"count\":%" PRIu64 ",\"next\":", request->count) != 0 ||
	    (request->next_item == 0 ? buffer_append_string(&tail, "null}}\n", &err)
	                             : buffer_printf(&tail, &err, "%" PRIu64 "}}\n", request->next_item)) != 0 ||
	    stream_write(c->stream, buffer_bytes(&head), buffer_len(&head), &err) != 0 ||
	    stream_write(c->stream, buffer_bytes(&request->items), buffer_len(&request->items), &err) != 0 ||
	    stream_write(c->stream, buffer_bytes(&tail), buffer_len(&tail), &err) != 0)
		stream_finish(c->stream, 0);
	buffer_finish(&tail);
	buffer_finish(&head);
	free(id);
}

/* ---- requests */

static const struct method {
	const char *name;
	enum ipc_control_verb verb; /* for the parent, */
	enum ipc_queue_verb queue;  /* or for the identity's mail role, */
	enum ipc_pin_verb pin;      /* which also knows the peers, */
	enum ipc_contact_verb contact; /* and people: params are control_contacts_order()'s; */
	enum ipc_card_verb card;    /* and cards */
	bool has_name, has_items, has_key;
} methods[] = {
	{ "status", .verb = CONTROL_STATUS },
	{ "stop", .verb = CONTROL_STOP },
	{ "identity.load", .verb = CONTROL_IDENTITY_LOAD, .has_name = true },
	{ "identity.unload", .verb = CONTROL_IDENTITY_UNLOAD, .has_name = true },
	{ "identity.lock", .verb = CONTROL_IDENTITY_LOCK, .has_name = true },
	{ "identity.access", .verb = CONTROL_IDENTITY_ACCESS, .has_name = true },
	{ "identity.takeover", .verb = CONTROL_IDENTITY_TAKEOVER, .has_name = true },
	{ "identity.unlock", .has_name = true, .has_key = true },                           /* {name, key: base64} */
	{ "queue.list", .queue = QUEUE_VERB_LIST, .has_name = true, .has_items = true },    /* {name, after?, limit?}: {items, next} */
	{ "queue.show", .queue = QUEUE_VERB_SHOW, .has_name = true, .has_items = true },    /* {name, item}: {items, next} */
	{ "queue.retry", .queue = QUEUE_VERB_RETRY, .has_name = true },                     /* {name, item?}: {count} */
	{ "queue.cancel", .queue = QUEUE_VERB_CANCEL, .has_name = true },                   /* {name, item}: {count} */
	{ "peer.list", .pin = PIN_VERB_LIST, .has_name = true, .has_items = true },         /* {name, after?, limit?}: {items, next} */
	{ "peer.show", .pin = PIN_VERB_SHOW, .has_name = true, .has_items = true },         /* {name, onion}: {items, next} */
	{ "peer.accept", .pin = PIN_VERB_ACCEPT, .has_name = true },                        /* {name, onion, label?}: {count} */
	{ "peer.forget", .pin = PIN_VERB_FORGET, .has_name = true },                        /* {name, onion}: {count} */
	{ "contact.list", .contact = CONTACT_VERB_LIST, .has_name = true, .has_items = true },   /* {name, after?, limit?, detail?}: {items, next} */
	{ "contact.show", .contact = CONTACT_VERB_SHOW, .has_name = true, .has_items = true },   /* {name, address, detail?}: {items, next} */
	{ "contact.add", .contact = CONTACT_VERB_ADD, .has_name = true },                        /* {name, address, called?, how?}: {count} */
	{ "contact.rename", .contact = CONTACT_VERB_RENAME, .has_name = true },                  /* {name, address, called}: {count} */
	{ "contact.encrypt", .contact = CONTACT_VERB_ENCRYPT, .has_name = true },                /* {name, address, encrypt}: {count} */
	{ "contact.carry", .contact = CONTACT_VERB_CARRY, .has_name = true },                    /* {name, address, note: addresses, each on a line}: {count} */
	{ "contact.delete", .contact = CONTACT_VERB_DELETE, .has_name = true },                  /* {name, address}: {count} */
	{ "contact.verify", .contact = CONTACT_VERB_VERIFY, .has_name = true },                  /* {name, address, fingerprint}: {count} */
	{ "contact.accept", .contact = CONTACT_VERB_ACCEPT, .has_name = true },                  /* the same */
	{ "contact.refuse", .contact = CONTACT_VERB_REFUSE, .has_name = true },                  /* the same */
	{ "contact.key", .contact = CONTACT_VERB_GIVE_KEY, .has_name = true },                   /* {name, address, fingerprint, key, how?}: {count} */
	{ "contact.proposals", .contact = CONTACT_VERB_PROPOSALS, .has_name = true, .has_items = true }, /* {name}: {items} */
	{ "contact.notify", .contact = CONTACT_VERB_NOTIFY, .has_name = true },                  /* {name, note: a notice of its own}: {count} */
	{ "contact.follow", .contact = CONTACT_VERB_FOLLOW, .has_name = true },                  /* {name, address, to}: {count} */
	{ "contact.introduce", .contact = CONTACT_VERB_INTRODUCE, .has_name = true },            /* {name, address, to, note?}: {count} */
	{ "card.show", .card = CARD_VERB_SHOW, .has_name = true, .has_items = true },            /* {name}: {items}: the identity's own */
	{ "card.onion", .card = CARD_VERB_SHOW_ONION, .has_name = true, .has_items = true },     /* the same: the one for whoever asks */
	{ "card.check", .card = CARD_VERB_CHECK, .has_name = true, .has_items = true },          /* {name, text}: {items}: what a card says */
	{ "card.add", .card = CARD_VERB_ADD, .has_name = true, .has_items = true },              /* the same, and it comes into the address book */
	{ "card.add-in-person", .card = CARD_VERB_ADD_IN_PERSON, .has_name = true, .has_items = true }, /* the same; they handed it over themselves */
	{ "card.invite", .card = CARD_VERB_INVITE, .has_name = true, .has_items = true },        /* {name}: {items}: the own card, with an invitation */
	{ "card.add-invited", .card = CARD_VERB_ADD_INVITED, .has_name = true, .has_items = true }, /* {name, text, invitation}: {items} */
};

static const struct method *
find_method(const char *name)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static struct request *
new_request(struct connection *c, json_t *rpc_id, json_t *result)
{
	struct request *request = calloc(1, sizeof *request);
	assert(request != NULL);
	*request = (struct request){ .next = control.requests, .from = c, .id = control.next_id++, .rpc_id = rpc_id,
		.result = result };
	json_incref(rpc_id);
	buffer_init(&request->items, OUTPUT_MAX_BYTES / 2);
	control.requests = request;
	c->pending++;
	return request;
}

static void
ask_parent(struct connection *c, json_t *rpc_id, const struct method *method, const char *name)
{
	struct request *request = new_request(c, rpc_id, method->verb == CONTROL_STATUS ? control_status_new() : json_object());
	struct ipc_message m = { .type = IPC_TYPE_CONTROL_REQUEST, .fd = -1, .control_request = { .request_id = request->id,
		.verb = (uint8_t)method->verb } };
	if (name != NULL)
		memcpy(m.control_request.identity, name, strlen(name) + 1);
	role_tell_parent(&m);
}

/* What opens the secrets passes through, and is wiped here, in the JSON's memory and in the line it came in. */
static void
ask_unlock(struct connection *c, json_t *rpc_id, const char *name, const char *key)
{
	unsigned char bytes[IPC_KEY_BYTES];
	size_t len = sizeof bytes;
	if (key == NULL || encode_from_base64(bytes, &len, key, strlen(key), NULL) != 0 || len != sizeof bytes)
		answer_error(c, rpc_id, RPC_INVALID_PARAMS, "params must hold the \"key\", 32 bytes in base64");
	else {
		struct ipc_message m = { .type = IPC_TYPE_UNLOCK, .fd = -1, .unlock = { .key = slice_of(bytes, len) } };
		m.unlock.request_id = new_request(c, rpc_id, json_object())->id;
		memcpy(m.unlock.identity, name, strlen(name) + 1);
		role_tell_parent(&m);
	}
	explicit_bzero(bytes, sizeof bytes);
}

static int
rpc_code(unsigned error)
{
	return error == ERROR_NOT_FOUND ? RPC_NOT_FOUND : RPC_NODE;
}

static void
ask_mail(struct connection *c, json_t *rpc_id, const struct method *method, const char *name,
    const struct ipc_message *order)
{
	struct error err = { 0 };
	if (control_queue_ask(name, order, control.next_id, &err) != 0)
		answer_error(c, rpc_id, rpc_code(err.code), err.text);
	else
		new_request(c, rpc_id, method->has_items ? NULL : json_object());
}

static bool
is_count(json_t *value)
{
	return value == NULL || (json_is_integer(value) && json_integer_value(value) >= 0);
}

static void
ask_about_queue(struct connection *c, json_t *rpc_id, const struct method *method, const char *name, json_t *params)
{
	bool is_list = method->queue == QUEUE_VERB_LIST;
	json_t *item = json_object_get(params, is_list ? "after" : "item"), *limit = json_object_get(params, "limit");
	bool may_miss = is_list || method->queue == QUEUE_VERB_RETRY;
	if ((item == NULL && !may_miss) || !is_count(item) || !is_count(limit)) {
		answer_error(c, rpc_id, RPC_INVALID_PARAMS, "\"item\", \"after\" and \"limit\" are numbers");
		return;
	}
	const struct ipc_message order = { .type = IPC_TYPE_QUEUE_REQUEST, .fd = -1, .queue_request = {
		.request_id = control.next_id, .verb = (uint8_t)method->queue, .item = (uint64_t)json_integer_value(item),
		.limit = (uint32_t)json_integer_value(limit) } };
	ask_mail(c, rpc_id, method, name, &order);
}

static void
ask_about_peers(struct connection *c, json_t *rpc_id, const struct method *method, const char *name, json_t *params)
{
	json_t *after = json_object_get(params, "after"), *limit = json_object_get(params, "limit");
	const char *onion = json_string_value(json_object_get(params, "onion"));
	json_t *label = json_object_get(params, "label");
	if (!is_count(after) || !is_count(limit) || (label != NULL && json_string_length(label) == 0) ||
	    json_string_length(label) > IPC_FINGERPRINT_LEN || (onion == NULL && method->pin != PIN_VERB_LIST) ||
	    (onion != NULL && strlen(onion) > IPC_ONION_MAX)) {
		answer_error(c, rpc_id, RPC_INVALID_PARAMS, "\"onion\" is an onion name, \"label\" the beginning of a fingerprint, "
		    "\"after\" and \"limit\" are numbers");
		return;
	}
	struct ipc_message order = { .type = IPC_TYPE_PIN_REQUEST, .fd = -1, .pin_request = { .request_id = control.next_id,
		.verb = (uint8_t)method->pin, .after = (uint64_t)json_integer_value(after),
		.limit = (uint32_t)json_integer_value(limit) } };
	strcpy(order.pin_request.onion, onion != NULL ? onion : "");
	strcpy(order.pin_request.label, label != NULL ? json_string_value(label) : "");
	ask_mail(c, rpc_id, method, name, &order);
}

static void
ask_about_contacts(struct connection *c, json_t *rpc_id, const struct method *method, const char *name, json_t *params)
{
	struct control_contacts_order order;
	struct error err = { 0 };
	if (control_contacts_order(method->contact, params, &order, &err) != 0) {
		answer_error(c, rpc_id, RPC_INVALID_PARAMS, err.text);
		return;
	}
	order.message.contact_request.request_id = control.next_id;
	ask_mail(c, rpc_id, method, name, &order.message);
}

static void
ask_about_cards(struct connection *c, json_t *rpc_id, const struct method *method, const char *name, json_t *params)
{
	json_t *text = json_object_get(params, "text");
	unsigned char secret[INVITATION_SECRET_BYTES];
	size_t secret_len = sizeof secret;
	const char *letters = json_string_value(json_object_get(params, "invitation"));
	bool is_invited = method->card == CARD_VERB_ADD_INVITED;
	bool needs_text = method->card != CARD_VERB_SHOW && method->card != CARD_VERB_SHOW_ONION && method->card != CARD_VERB_INVITE;
	if (is_invited && (letters == NULL || encode_from_base32(secret, &secret_len, letters, strlen(letters), NULL) != 0 || secret_len != sizeof secret)) {
		answer_error(c, rpc_id, RPC_INVALID_PARAMS, "\"invitation\" is the secret of an invitation");
		return;
	}
	if (needs_text && (!json_is_string(text) || json_string_length(text) > IPC_BODY_INLINE_MAX)) {
		answer_error(c, rpc_id, RPC_INVALID_PARAMS, "\"text\" is a text with a card in it");
		return;
	}
	const struct ipc_message order = { .type = IPC_TYPE_CARD_REQUEST, .fd = -1, .card_request = { .request_id = control.next_id,
		.verb = (uint8_t)method->card, .text = slice_of(json_string_value(text), needs_text ? json_string_length(text) : 0),
		.secret = slice_of(secret, is_invited ? sizeof secret : 0) } };
	ask_mail(c, rpc_id, method, name, &order);
}

static void
take_request(struct connection *c, json_t *request)
{
	json_t *id = json_object_get(request, "id");
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const char *name = json_string_value(json_object_get(request, "method"));
	if (!json_is_object(request) || version == NULL || strcmp(version, "2.0") != 0 || name == NULL ||
	    (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))) {
		answer_error(c, NULL, RPC_INVALID_REQUEST, "send one JSON-RPC 2.0 request in a line: an object with \"jsonrpc\": "
		    "\"2.0\", \"method\" and \"id\"");
		return;
	}
	const struct method *method = find_method(name);
	if (method == NULL) {
		answer_error(c, id, RPC_NO_METHOD, "there is no such method; there are status, stop, identity.load, .unload, .lock, .unlock, .access and "
		    ".takeover, queue.list, .show, .retry and .cancel, peer.list, .show, .accept and .forget, contact.list, .show, .add, .rename, "
		    ".delete, .verify, .accept, .refuse, .key, .proposals and .introduce, card.show, .onion, .check, .add, .add-in-person, .invite and .add-invited");
		return;
	}
	json_t *params = json_object_get(request, "params");
	const char *identity = json_string_value(json_object_get(params, "name"));
	if (method->has_name && (identity == NULL || strlen(identity) > IPC_NAME_MAX)) {
		answer_error(c, id, RPC_INVALID_PARAMS, "params must hold the \"name\" of an identity");
		return;
	}
	if (c->pending == PENDING_MAX) {
		answer_error(c, id, RPC_NODE, "too many requests at a time: wait for answers");
		return;
	}
	if (method->queue != 0)
		ask_about_queue(c, id, method, identity, params);
	else if (method->pin != 0)
		ask_about_peers(c, id, method, identity, params);
	else if (method->contact != 0)
		ask_about_contacts(c, id, method, identity, params);
	else if (method->card != 0)
		ask_about_cards(c, id, method, identity, params);
	else if (method->has_key)
		ask_unlock(c, id, identity, json_string_value(json_object_get(params, "key")));
	else
		ask_parent(c, id, method, method->has_name ? identity : NULL);
}

static void
take_line(struct connection *c, const unsigned char *line, size_t len)
{
	json_error_t why;
	json_t *request = json_loadb((const char *)line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (request == NULL)
		answer_error(c, NULL, RPC_PARSE, "this line is not JSON");
	else
		take_request(c, request);
	json_decref(request);
}

/* ---- connections */

static void
on_input(void *context)
{
	struct connection *c = context;
	struct buffer *input = stream_input(c->stream);
	const unsigned char *newline;
	while ((newline = memchr(buffer_bytes(input), '\n', buffer_len(input))) != NULL) {
		size_t len = (size_t)(newline - buffer_bytes(input));
		take_line(c, buffer_bytes(input), len);
		explicit_bzero((void *)(uintptr_t)buffer_bytes(input), len); /* it may hold a key */
		buffer_consume(input, len + 1);
	}
	if (buffer_len(input) < LINE_MAX_BYTES)
		return;
	answer_error(c, NULL, RPC_INVALID_REQUEST, "the line is longer than 64 KiB");
	stream_finish(c->stream, FINISH_MS);
}

static void
on_end(void *context, const struct error *err)
{
	struct connection *c = context;
	struct connection **at = &control.connections;
	(void)err;
	for (struct request *request = control.requests; request != NULL; request = request->next)
		if (request->from == c)
			request->from = NULL;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	stream_free(c->stream);
	free(c);
	control.connection_count--;
	if (control.listener != NULL)
		listener_pause(control.listener, false);
	if (control.stopping && control.connection_count == 0)
		role_quit(0);
}

/* The socket is in a folder of ours alone; this is the second lock. */
static bool
is_owner(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static void
on_accept(void *context, int fd)
{
	static const struct stream_events events = { .on_input = on_input, .on_end = on_end };
	(void)context;
	if (!is_owner(fd) || control.stopping) {
		close(fd);
		return;
	}
	struct connection *c = calloc(1, sizeof *c);
	assert(c != NULL);
	c->stream = stream_new(role_loop(), fd, LINE_MAX_BYTES, OUTPUT_MAX_BYTES, &events, c);
	c->next = control.connections;
	control.connections = c;
	if (++control.connection_count == CONNECTIONS_MAX)
		listener_pause(control.listener, true);
}

/* ---- what the parent says */

static struct request *
find_request(uint64_t id)
{
	struct request *request = control.requests;
	while (request != NULL && request->id != id)
		request = request->next;
	return request;
}

static void
end_request(uint64_t id, unsigned error, const char *text)
{
	struct request **at = &control.requests;
	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	struct request *request = *at;
	if (request == NULL)
		return; /* asked by the process that was here before */
	*at = request->next;
	if (request->from != NULL)
		request->from->pending--;
	if (request->from != NULL && request->rpc_id != NULL) {
		if (error != 0)
			answer_error(request->from, request->rpc_id, rpc_code(error), text);
		else if (request->result != NULL)
			answer_result(request->from, request->rpc_id, request->result);
		else
			answer_items(request->from, request);
	}
	json_decref(request->rpc_id);
	json_decref(request->result);
	buffer_finish(&request->items);
	free(request);
}

/* ---- what the mail roles say */

static struct buffer *
on_queue_row(void *context, uint64_t request_id)
{
	(void)context;
	struct request *request = find_request(request_id);
	return request != NULL ? &request->items : NULL;
}

static void
on_queue_done(void *context, uint64_t request_id, const struct ipc_queue_end *end)
{
	(void)context;
	struct request *request = find_request(request_id);
	if (request != NULL) {
		request->count = end->count;
		request->next_item = end->next;
	}
	if (request != NULL && request->result != NULL)
		json_object_set_new(request->result, "count", json_integer((json_int_t)end->count));
	end_request(request_id, end->error, end->text);
}

/* ---- the parent's messages */

static void
on_parent(void *context, struct ipc_message *m)
{
	struct request *request;
	uint64_t request_id;
	(void)context;
	switch (m->type) {
	case IPC_TYPE_LISTEN:
		if (control.listener != NULL)
			break;
		control.listener = listener_new(role_loop(), m->fd, on_accept, NULL);
		m->fd = -1;
		break;
	case IPC_TYPE_CONTROL_END:
		end_request(m->control_end.request_id, m->control_end.error, m->control_end.text);
		break;
	default:
		if (control_status_is_row(m, &request_id) && (request = find_request(request_id)) != NULL)
			control_status_add(request->result, m);
		break;
	}
}

static void
on_peer(void *context, enum role peer, const char *identity, int fd)
{
	(void)context;
	if (peer == ROLE_MAIL)
		control_queue_set_peer(identity, fd);
	else
		close(fd);
}

static void
on_peer_gone(void *context, enum role peer, const char *identity)
{
	(void)context;
	if (peer == ROLE_MAIL)
		control_queue_forget_peer(identity);
}

static void
on_stop(void *context)
{
	(void)context;
	control.stopping = true;
	if (control.connection_count == 0)
		role_quit(0);
	for (struct connection *c = control.connections, *next; c != NULL; c = next) {
		next = c->next;
		stream_finish(c->stream, FINISH_MS);
	}
}

int
main(void)
{
	static const struct role_events events = { .on_parent = on_parent, .on_peer = on_peer,
		.on_peer_gone = on_peer_gone, .on_stop = on_stop };
	static const struct control_queue_events queue_events = { on_queue_row, on_queue_done };
	json_set_alloc_funcs(malloc, secret_free_ordinary); /* a request may hold a key */
	json_object_seed(0); /* jansson reads /dev/urandom for it, which cannot be opened later */
	role_init(ROLE_CONTROL, &events, NULL);
	control_queue_init(role_loop(), &queue_events, NULL);
	control.next_id = random_u64() >> 1; /* so that answers to a process before us are not taken for ours */
	return role_run();
}
