/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument) as the parent, a mail role and the owner's program would.
 */
#include "base/encode.h"
#include "daemon/test_role.h"
#include "ipc/codec.h"

#include <stdio.h>
#include <sys/un.h>

#include "base/test_folder.h"

static const char *program;

struct control_process {
	struct test_role role;
	int mail, owner; /* our ends */
	char line[65536];
};

static int
start(void **state)
{
	struct control_process *p = calloc(1, sizeof *p);
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "control.sock" };
	struct ipc_message m = { .type = IPC_TYPE_LISTEN, .listen.listener = LISTENER_CONTROL };
	const struct timeval deadline = { .tv_sec = TEST_ROLE_DEADLINE_S };
	test_role_start(&p->role, program, NULL);
	unlink(address.sun_path);
	m.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(m.fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(m.fd, 5), 0);
	test_role_send(p->role.parent, &m);
	close(m.fd);
	p->mail = test_role_give_peer(&p->role, ROLE_MAIL, "alice");
	p->owner = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(p->owner, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
	assert_int_equal(connect(p->owner, (struct sockaddr *)&address, sizeof address), 0);
	*state = p;
	return 0;
}

static int
finish(void **state)
{
	struct control_process *p = *state;
	const struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	file_close(&p->mail);
	file_close(&p->owner);
	test_role_send(p->role.parent, &m);
	int status = test_role_wait(&p->role);
	free(p);
	return status;
}

static void
ask(struct control_process *p, const char *method, const char *params)
{
	char line[256];
	int len = snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method, params);
	assert_int_equal(send(p->owner, line, (size_t)len, MSG_NOSIGNAL), len);
}

/* The next line for the owner. */
static const char *
answer(struct control_process *p)
{
	size_t len = 0;
	do {
		ssize_t n = recv(p->owner, p->line + len, 1, 0);
		if (n <= 0)
			fail_msg("no answer came");
	} while (p->line[len++] != '\n');
	p->line[len - 1] = '\0';
	return p->line;
}

static void
expect(struct control_process *p, const char *part)
{
	if (strstr(answer(p), part) == NULL)
		fail_msg("'%s' is not in %s", part, p->line);
}

static void
end(struct control_process *p, uint64_t request_id, enum error_code error, uint64_t next)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = request_id,
		.error = (uint8_t)error, .count = 1, .next = next } };
	strcpy(m.queue_end.text, error == ERROR_NONE ? "" : "it has gone");
	test_role_send(p->mail, &m);
}

static void
send_row(struct control_process *p, const struct ipc_message *row)
{
	struct buffer rows;
	buffer_init(&rows, IPC_ROWS_MAX);
	assert_int_equal(buffer_append(&rows, "1234", 4, NULL), 0);
	assert_int_equal(ipc_encode(row, &rows, NULL), 0);
	encode_number(rows.data, buffer_len(&rows) - 4, 4);
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_ROWS, .fd = -1,
		.queue_rows.rows = slice_of(buffer_bytes(&rows), buffer_len(&rows)) };
	test_role_send(p->mail, &m);
	buffer_finish(&rows);
}

static void
rows_become_json_whatever_a_peer_has_said(void **state)
{
	struct control_process *p = *state;
	struct buffer recipients;
	struct pack_result last = { 450, slice_of_string("4.2.0"), slice_of_string("\x1b]0;x\x07 \xc2\x9b" "31m \xff") };
	ask(p, "queue.list", "{\"name\":\"alice\",\"after\":12,\"limit\":3}");
	struct ipc_message m = test_role_next(&p->role, p->mail, IPC_TYPE_QUEUE_REQUEST);
	assert_int_equal(m.queue_request.verb, QUEUE_VERB_LIST);
	assert_int_equal(m.queue_request.item, 12);
	assert_int_equal(m.queue_request.limit, 3);
	uint64_t id = m.queue_request.request_id;
	buffer_init(&recipients, 1000);
	assert_int_equal(pack_failure(&recipients, slice_of_string("b\xc3\xb6" "b@x.onion"), &last, NULL), 0);
	m = (struct ipc_message){ .type = IPC_TYPE_QUEUE_ROW, .fd = -1, .queue_row = { .request_id = id, .item = 13,
		.onion = "x.onion", .reason = WAIT_REASON_REPLY, .text = "450 \x1b[2J \"a\\b\"", .recipient_count = 1,
		.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients)) } };
	send_row(p, &m);
	m.queue_row.request_id = id + 1; /* nobody asked for this one */
	send_row(p, &m);
	end(p, id + 1, ERROR_NONE, 0);
	end(p, id, ERROR_NONE, 13);
	expect(p, "\"id\":\"alice/13\"");
	assert_non_null(strstr(p->line, "\"reply\":\"450 4.2.0 ?]0;x? ?31m ?\""));
	assert_non_null(strstr(p->line, "\"text\":\"the recipient's server asks to try again later: 450 ?[2J \\\"a\\\\b\\\"\""));
	assert_non_null(strstr(p->line, "b\xc3\xb6" "b@x.onion"));
	assert_non_null(strstr(p->line, "\"next\":13"));
	buffer_finish(&recipients);
}

/* A tor that is not ours, a path of the owner's or a role that was taken over has written them. */
static void
words_of_others_stay_words(void **state)
{
	struct control_process *p = *state;
	ask(p, "status", "{}");
	uint64_t id = test_role_next(&p->role, p->role.parent, IPC_TYPE_CONTROL_REQUEST).control_request.request_id;
	struct ipc_message m = { .type = IPC_TYPE_STATUS_TOR, .fd = -1, .status_tor = { .request_id = id,
		.version = "0.4 \xc2\x9b" "2J", .phase = "on \xff the \x1b[2J way" } };
	test_role_send(p->role.parent, &m);
	m = (struct ipc_message){ .type = IPC_TYPE_STATUS_IDENTITY, .fd = -1, .status_identity = { .request_id = id,
		.identity = "alice", .onion = "x.onion", .detail = "cut \xe4\xb8", .trouble = "a\x1b]0;b\nc \xff" } };
	test_role_send(p->role.parent, &m);
	m = (struct ipc_message){ .type = IPC_TYPE_CONTROL_END, .fd = -1, .control_end.request_id = id };
	test_role_send(p->role.parent, &m);
	expect(p, "\"phase\":\"on ? the ?[2J way\"");
	assert_non_null(strstr(p->line, "\"version\":\"0.4 ?2J\""));
	assert_non_null(strstr(p->line, "\"trouble\":\"a?]0;b?c ?\""));
	assert_non_null(strstr(p->line, "\"detail\":\"cut ??\""));

	ask(p, "identity.load", "{\"name\":\"alice\"}");
	id = test_role_next(&p->role, p->role.parent, IPC_TYPE_CONTROL_REQUEST).control_request.request_id;
	m = (struct ipc_message){ .type = IPC_TYPE_CONTROL_END, .fd = -1, .control_end = { .request_id = id, .error = ERROR_IO,
		.text = "cannot open /home/\xff\x1b[2J" } };
	test_role_send(p->role.parent, &m);
	expect(p, "cannot open /home/??[2J");
}

static void
an_order_that_fails_says_why(void **state)
{
	struct control_process *p = *state;
	ask(p, "queue.cancel", "{\"name\":\"alice\",\"item\":7}");
	struct ipc_message m = test_role_next(&p->role, p->mail, IPC_TYPE_QUEUE_REQUEST);
	assert_int_equal(m.queue_request.verb, QUEUE_VERB_CANCEL);
	assert_int_equal(m.queue_request.item, 7);
	end(p, m.queue_request.request_id, ERROR_NOT_FOUND, 0);
	expect(p, "{\"code\":-32001,\"message\":\"it has gone\"}");
	static const char *const wrong[] = { "{\"name\":\"alice\"}", "{\"name\":\"alice\",\"item\":-1}",
		"{\"name\":\"alice\",\"item\":\"7\"}", "{\"item\":7}", "[]" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ask(p, "queue.cancel", wrong[i]);
		expect(p, "\"code\":-32602");
	}
	ask(p, "queue.list", "{\"name\":\"bob\"}");
	expect(p, "no identity 'bob'");
}

static void
who_asked_a_role_that_dies_is_told(void **state)
{
	struct control_process *p = *state;
	ask(p, "queue.retry", "{\"name\":\"alice\"}");
	test_role_next(&p->role, p->mail, IPC_TYPE_QUEUE_REQUEST);
	file_close(&p->mail);
	expect(p, "has just ended");
	ask(p, "queue.retry", "{\"name\":\"alice\"}");
	expect(p, "is not there now");
	p->mail = test_role_give_peer(&p->role, ROLE_MAIL, "alice");
	struct ipc_message m = { .type = IPC_TYPE_PEER_GONE, .fd = -1, .peer_gone = { ROLE_MAIL, "alice" } };
	test_role_send(p->role.parent, &m);
	unsigned char byte;
	assert_int_equal(recv(p->mail, &byte, 1, 0), 0); /* it has let go */
	ask(p, "queue.retry", "{\"name\":\"alice\"}");
	expect(p, "no identity 'alice'");
}

static void
a_key_goes_to_the_parent_as_it_came(void **state)
{
	struct control_process *p = *state;
	unsigned char key[IPC_KEY_BYTES];
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (unsigned char)i;
	ask(p, "identity.unlock", "{\"name\":\"alice\",\"key\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}");
	struct ipc_message m = test_role_next(&p->role, p->role.parent, IPC_TYPE_UNLOCK);
	assert_string_equal(m.unlock.identity, "alice");
	assert_int_equal(m.unlock.key.len, sizeof key);
	assert_memory_equal(m.unlock.key.data, key, sizeof key);
	m = (struct ipc_message){ .type = IPC_TYPE_CONTROL_END, .fd = -1, .control_end = { .request_id = m.unlock.request_id,
		.error = ERROR_DENIED, .text = "the passphrase is wrong" } };
	test_role_send(p->role.parent, &m);
	expect(p, "the passphrase is wrong");
	static const char *const wrong[] = { "{\"name\":\"alice\"}", "{\"name\":\"alice\",\"key\":7}",
		"{\"name\":\"alice\",\"key\":\"AAEC\"}", "{\"name\":\"alice\",\"key\":\"no base64\"}",
		"{\"name\":\"alice\",\"key\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\"}",
		"{\"key\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ask(p, "identity.unlock", wrong[i]);
		expect(p, "\"code\":-32602");
	}
}

static void
rows_of_the_address_book_become_json(void **state)
{
	struct control_process *p = *state;
	ask(p, "contact.show", "{\"name\":\"alice\",\"address\":\"bob@x.onion\",\"detail\":\"key\"}");
	struct ipc_message m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTACT_REQUEST);
	assert_int_equal(m.contact_request.verb, CONTACT_VERB_SHOW);
	assert_int_equal(m.contact_request.detail, CONTACT_KEY_THAT_COUNTS);
	assert_string_equal(m.contact_request.address, "bob@x.onion");
	uint64_t id = m.contact_request.request_id;
	m = (struct ipc_message){ .type = IPC_TYPE_CONTACT_ROW, .fd = -1, .contact_row = { .request_id = id, .kind = CONTACT_ROW_CONTACT,
		.address = "bob@x.onion", .name = "Zo\xc3\xab \x1b[2J\"", .how = 2, .state = 3, .since_s = 5, .checked_s = 6, .fingerprint = "AB",
		.count = 2, .held = 1, .fate = 2, .moved = "bob@y.onion", .encryption = 2 } };
	test_role_send(p->mail, &m);
	m.contact_row = (struct ipc_contact_row){ .request_id = id, .kind = CONTACT_ROW_KEY, .address = "bob@x.onion", .how = 200, .state = 1,
		.fingerprint = "AB", .since_s = 5, .key = slice_of_string("key") };
	test_role_send(p->mail, &m);
	m.contact_row = (struct ipc_contact_row){ .request_id = id, .kind = CONTACT_ROW_INTRODUCTION, .address = "bob@x.onion",
		.by = "carol@y.onion", .fingerprint = "AB", .since_s = 7 };
	test_role_send(p->mail, &m);
	end(p, id, ERROR_NONE, 0);
	expect(p, "{\"kind\":\"contact\",\"id\":\"alice/bob@x.onion\",\"identity\":\"alice\",\"address\":\"bob@x.onion\",\"name\":\"Zo\xc3\xab ?[2J\\\"\","
	          "\"how\":\"scanned\",\"trust\":\"verified\",\"stranger\":false,\"since\":5,\"heard\":null,\"verified\":6,\"fingerprint\":\"AB\","
	          "\"vouching\":2,\"held\":1,\"encrypt\":\"require\",\"move\":{\"state\":\"moved\",\"to\":\"bob@y.onion\",\"other\":null}},");
	assert_non_null(strstr(p->line, "{\"kind\":\"key\",\"contact\":\"bob@x.onion\",\"fingerprint\":\"AB\",\"state\":\"counts\",\"how\":\"unknown\","
	                                "\"by\":null,\"since\":5,\"changed\":0,\"signed\":null,\"compared\":null,\"key\":\"a2V5\"},"));
	assert_non_null(strstr(p->line, "{\"kind\":\"introduction\",\"contact\":\"bob@x.onion\",\"by\":\"carol@y.onion\",\"fingerprint\":\"AB\",\"since\":7}]"));
}

static void
cards_become_json_with_their_bytes_in_base64(void **state)
{
	struct control_process *p = *state;
	static const char *const wrong[] = { "{\"name\":\"alice\"}", "{\"name\":\"alice\",\"text\":1}" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ask(p, "card.add", wrong[i]);
		expect(p, "\"code\":-32602");
	}
	ask(p, "card.add", "{\"name\":\"alice\",\"text\":\"BEGIN:VCARD\\r\\n\"}");
	struct ipc_message m = test_role_next(&p->role, p->mail, IPC_TYPE_CARD_REQUEST);
	assert_int_equal(m.card_request.verb, CARD_VERB_ADD);
	assert_true(slice_is(m.card_request.text, "BEGIN:VCARD\r\n"));
	uint64_t id = m.card_request.request_id;
	m = (struct ipc_message){ .type = IPC_TYPE_CARD_FACTS, .fd = -1, .card_facts = { .request_id = id, .address = "bob@x.onion", .onion = "x.onion",
		.name = "B\x1b[2Jb", .tls = "aa", .day_s = 5, .sequence = 6, .fingerprint = "AB", .key = slice_of_string("key"), .card = slice_of_string("card") } };
	test_role_send(p->mail, &m);
	end(p, id, ERROR_NONE, 1);
	expect(p, "[{\"identity\":\"alice\",\"kind\":\"personal\",\"address\":\"bob@x.onion\",\"onion\":\"x.onion\",\"called\":\"B?[2Jb\",\"tls\":\"aa\","
	          "\"recovery\":null,\"fingerprint\":\"AB\",\"day\":5,\"sequence\":6,\"key\":\"a2V5\",\"card\":\"Y2FyZA==\"}]");
}

static void
orders_about_people_go_on_as_they_are(void **state)
{
	static const char *const wrong[] = { "{\"name\":\"alice\"}", "{\"name\":\"alice\",\"address\":7}", "{\"name\":\"alice\",\"address\":\"b\",\"called\":7}",
		"{\"name\":\"alice\",\"address\":\"b\",\"how\":\"dreamt\"}", "{\"name\":\"alice\",\"address\":\"b\",\"after\":-1}",
		"{\"name\":\"alice\",\"address\":\"b\",\"limit\":4294967296}", "{\"name\":\"alice\",\"address\":\"b\",\"key\":\"no base64\"}",
		"{\"name\":\"alice\",\"address\":\"b\",\"fingerprint\":\"12345678901234567890123456789012345678901\"}" };
	struct control_process *p = *state;
	ask(p, "contact.add", "{\"name\":\"alice\",\"address\":\"bob@x.onion\",\"called\":\"Bob\",\"how\":\"scanned\"}");
	struct ipc_message m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTACT_REQUEST);
	assert_int_equal(m.contact_request.verb, CONTACT_VERB_ADD);
	assert_string_equal(m.contact_request.name, "Bob");
	assert_int_equal(m.contact_request.how, 2);
	end(p, m.contact_request.request_id, ERROR_NONE, 0);
	expect(p, "{\"count\":1}");
	ask(p, "contact.encrypt", "{\"name\":\"alice\",\"address\":\"bob@x.onion\"}");
	expect(p, "\"code\":-32602");
	ask(p, "contact.encrypt", "{\"name\":\"alice\",\"address\":\"bob@x.onion\",\"encrypt\":\"perhaps\"}");
	expect(p, "\"code\":-32602");
	ask(p, "contact.encrypt", "{\"name\":\"alice\",\"address\":\"bob@x.onion\",\"encrypt\":\"never\"}");
	m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTACT_REQUEST);
	assert_int_equal(m.contact_request.verb, CONTACT_VERB_ENCRYPT);
	assert_int_equal(m.contact_request.how, 3);
	end(p, m.contact_request.request_id, ERROR_NONE, 0);
	expect(p, "{\"count\":1}");
	ask(p, "contact.key", "{\"name\":\"alice\",\"address\":\"bob@x.onion\",\"fingerprint\":\"AB\",\"key\":\"a2V5\",\"how\":\"in-person\"}");
	m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTACT_REQUEST);
	assert_int_equal(m.contact_request.verb, CONTACT_VERB_GIVE_KEY);
	assert_true(slice_is(m.contact_request.key, "key"));
	assert_int_equal(m.contact_request.how, 5);
	assert_string_equal(m.contact_request.fingerprint, "AB");
	end(p, m.contact_request.request_id, ERROR_NOT_FOUND, 0);
	expect(p, "it has gone");
	ask(p, "contact.introduce", "{\"name\":\"alice\",\"address\":\"bob@x.onion\"}"); /* to whom? */
	expect(p, "\"code\":-32602");
	ask(p, "contact.introduce", "{\"name\":\"alice\",\"address\":\"bob@x.onion\",\"to\":\"carol@y.onion\",\"note\":\"a\\nb\"}");
	m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTACT_REQUEST);
	assert_string_equal(m.contact_request.to, "carol@y.onion");
	assert_true(slice_is(m.contact_request.note, "a\nb"));
	end(p, m.contact_request.request_id, ERROR_NONE, 0);
	expect(p, "{\"count\":1}");
	ask(p, "contact.proposals", "{\"name\":\"alice\"}");
	m = test_role_next(&p->role, p->mail, IPC_TYPE_CONTACT_REQUEST);
	uint64_t id = m.contact_request.request_id;
	m = (struct ipc_message){ .type = IPC_TYPE_CONTACT_ROW, .fd = -1, .contact_row = { .request_id = id, .kind = CONTACT_ROW_PROPOSAL,
		.address = "dave@z.onion", .name = "Dave\x1b[2J", .by = "carol@y.onion", .fingerprint = "AB", .since_s = 7 } };
	test_role_send(p->mail, &m);
	end(p, id, ERROR_NONE, 0);
	expect(p, "[{\"kind\":\"proposal\",\"identity\":\"alice\",\"address\":\"dave@z.onion\",\"name\":\"Dave?[2J\",\"by\":\"carol@y.onion\","
	          "\"fingerprint\":\"AB\",\"since\":7}]");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ask(p, "contact.verify", wrong[i]);
		expect(p, "\"code\":-32602");
	}
}

int
main(int argc, char **argv)
{
#define WITH_CONTROL(test) cmocka_unit_test_setup_teardown(test, start, finish)
	const struct CMUnitTest tests[] = {
		WITH_CONTROL(rows_become_json_whatever_a_peer_has_said),
		WITH_CONTROL(words_of_others_stay_words),
		WITH_CONTROL(an_order_that_fails_says_why),
		WITH_CONTROL(a_key_goes_to_the_parent_as_it_came),
		WITH_CONTROL(rows_of_the_address_book_become_json),
		WITH_CONTROL(cards_become_json_with_their_bytes_in_base64),
		WITH_CONTROL(orders_about_people_go_on_as_they_are),
		WITH_CONTROL(who_asked_a_role_that_dies_is_told),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
