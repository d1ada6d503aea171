/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ipc/codec.h"
#include "ipc/pack.h"

static void
survives_the_trip(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct buffer b;
	buffer_init(&b, IPC_MESSAGE_MAX);
	struct ipc_message m = { .type = IPC_TYPE_DELIVER, .fd = -1 }, back;
	m.deliver.session_id = 0x0102030405060708;
	m.deliver.delivery_id = UINT64_MAX;
	strcpy(m.deliver.reverse_path, "alice@example.onion");
	m.deliver.recipients = slice_of_string("recipients");
	m.deliver.flags = BODY_8BIT;
	m.deliver.body = slice_of("\0binary\r\n", 9);
	assert_int_equal(ipc_encode(&m, &b, &err), 0);
	assert_int_equal(ipc_decode(buffer_bytes(&b), buffer_len(&b), &back, &err), 0);
	assert_int_equal(back.type, IPC_TYPE_DELIVER);
	assert_true(back.deliver.session_id == 0x0102030405060708);
	assert_true(back.deliver.delivery_id == UINT64_MAX);
	assert_string_equal(back.deliver.reverse_path, "alice@example.onion");
	assert_int_equal(back.deliver.body.len, 9);
	assert_memory_equal(back.deliver.body.data, "\0binary\r\n", 9);
	/* every shorter message, and a longer one, is malformed */
	for (size_t len = 0; len < buffer_len(&b); len++)
		assert_int_equal(ipc_decode(buffer_bytes(&b), len, &back, &err), -1);
	assert_int_equal(buffer_append(&b, "x", 1, &err), 0);
	assert_int_equal(ipc_decode(buffer_bytes(&b), buffer_len(&b), &back, &err), -1);
	buffer_finish(&b);
}

static void
refuses_what_is_over_the_maximum(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct buffer b;
	struct ipc_message m = { .type = IPC_TYPE_DELIVER, .fd = -1 };
	unsigned char *large = calloc(1, IPC_BODY_INLINE_MAX + 1);
	buffer_init(&b, IPC_MESSAGE_MAX);
	m.deliver.body = slice_of(large, IPC_BODY_INLINE_MAX + 1);
	assert_int_equal(ipc_encode(&m, &b, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	buffer_finish(&b);
	free(large);
}

static void
directions_are_kept(void **state)
{
	(void)state;
	assert_true(ipc_is_allowed(IPC_TYPE_DIAL, ROLE_MAIL, ROLE_TOR, false));
	assert_false(ipc_is_allowed(IPC_TYPE_DIAL, ROLE_SMTP, ROLE_TOR, false)); /* who parses strangers cannot dial */
	assert_false(ipc_is_allowed(IPC_TYPE_DIAL, ROLE_MAIL, ROLE_TOR, true));
	assert_false(ipc_is_allowed(IPC_TYPE_CONNECTED, ROLE_TOR, ROLE_SMTP, false));
	assert_true(ipc_is_allowed(IPC_TYPE_CONNECTED, ROLE_TOR, ROLE_SMTP, true));
	assert_true(ipc_is_allowed(IPC_TYPE_INTAKE, ROLE_SUBMISSION, ROLE_MAIL, true));
	assert_true(ipc_is_allowed(IPC_TYPE_INTAKE, ROLE_SMTP, ROLE_MAIL, false));
	assert_false(ipc_is_allowed(IPC_TYPE_COUNT, ROLE_PARENT, ROLE_MAIL, false));
}

static void
packs_and_unpacks(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct buffer b;
	buffer_init(&b, 1000);
	struct pack_result result = { 550, slice_of_string("5.1.1"), slice_of_string("no such mailbox") };
	assert_int_equal(pack_failure(&b, slice_of_string("bob@x.onion"), &result, &err), 0);
	struct slice list = slice_of(buffer_bytes(&b), buffer_len(&b)), recipient;
	struct pack_result back;
	assert_true(pack_next_failure(&list, &recipient, &back));
	assert_true(slice_is(recipient, "bob@x.onion"));
	assert_int_equal(back.code, 550);
	assert_true(slice_is(back.enhanced, "5.1.1"));
	assert_int_equal(list.len, 0);
	for (size_t len = 0; len < buffer_len(&b); len++) {
		list = slice_of(buffer_bytes(&b), len);
		assert_false(pack_next_failure(&list, &recipient, &back));
		assert_int_equal(list.len, len); /* so that a list cut between two strings is not taken for a whole one */
	}
	buffer_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_the_trip),
		cmocka_unit_test(refuses_what_is_over_the_maximum),
		cmocka_unit_test(directions_are_kept),
		cmocka_unit_test(packs_and_unpacks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
