/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "ipc/body.h"

#define LARGE (IPC_BODY_INLINE_MAX + 1)

/* As the receiver gets it: a descriptor of its own. */
static struct ipc_message
received(const struct ipc_message *sent)
{
	struct ipc_message m = { .type = sent->type, .fd = sent->fd < 0 ? -1 : dup(sent->fd) };
	return m;
}

static void
bodies_of_any_size_arrive(void **state)
{
	(void)state;
	static const size_t sizes[] = { 0, 1, IPC_BODY_INLINE_MAX, LARGE, 3 * LARGE };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct error err = { 0 };
		struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 }, got;
		struct body sent, taken;
		struct slice inline_bytes;
		char *bytes = malloc(sizes[i] + 1);
		assert_non_null(bytes);
		memset(bytes, 'x', sizes[i]);
		assert_int_equal(body_from_bytes(slice_of(bytes, sizes[i]), &sent, &err), 0);
		assert_int_equal(body_attach(&sent, &m, &inline_bytes, &err), 0);
		assert_int_equal(m.fd >= 0, sizes[i] > IPC_BODY_INLINE_MAX);
		got = received(&m);
		assert_int_equal(body_take(&got, inline_bytes, sizes[i], &taken, &err), 0);
		assert_int_equal(got.fd, -1);
		body_finish(&sent);
		assert_int_equal(taken.bytes.len, sizes[i]);
		assert_memory_equal(taken.bytes.data, bytes, sizes[i]);
		body_finish(&taken);
		body_finish(&taken);
		free(bytes);
	}
}

static void
a_received_body_is_passed_on_without_a_copy(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 }, passed = m;
	struct body taken;
	struct slice inline_bytes;
	static char bytes[LARGE];
	assert_int_equal(file_sealed_memory(bytes, sizeof bytes, &m.fd, &err), 0);
	int fd = m.fd;
	assert_int_equal(body_take(&m, slice_of("", 0), LARGE, &taken, &err), 0);
	assert_int_equal(body_attach(&taken, &passed, &inline_bytes, &err), 0);
	assert_int_equal(passed.fd, fd);
	assert_int_equal(inline_bytes.len, 0);
	body_finish(&taken);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
what_could_still_change_is_refused(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct body taken;
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING) };
	assert_int_equal(write(m.fd, "body", 4), 4);
	assert_int_equal(body_take(&m, slice_of("", 0), 100, &taken, &err), -1);
	assert_int_equal(err.code, ERROR_PROTOCOL);
	body_finish(&taken);
	assert_true(m.fd >= 0); /* still the message's, which closes it */
	file_close(&m.fd);
	assert_int_equal(file_sealed_memory("body", 4, &m.fd, &err), 0);
	assert_int_equal(body_take(&m, slice_of("twice", 5), 100, &taken, &err), -1);
	assert_int_equal(err.code, ERROR_PROTOCOL);
	assert_int_equal(body_take(&m, slice_of("", 0), 3, &taken, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	file_close(&m.fd);
	assert_int_equal(body_take(&m, slice_of("body", 4), 3, &taken, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void
a_buffer_becomes_a_body(void **state)
{
	(void)state;
	struct buffer b;
	struct body body;
	buffer_init(&b, 100);
	assert_int_equal(buffer_append_string(&b, "not this, this", NULL), 0);
	buffer_consume(&b, 10);
	const unsigned char *bytes = buffer_bytes(&b);
	body_from_buffer(&b, &body);
	assert_int_equal(buffer_len(&b), 0);
	assert_ptr_equal(body.bytes.data, bytes);
	assert_true(slice_is(body.bytes, "this"));
	body_finish(&body);
	body_from_buffer(&b, &body);
	assert_int_equal(body.bytes.len, 0);
	body_finish(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_of_any_size_arrive),
		cmocka_unit_test(a_received_body_is_passed_on_without_a_copy),
		cmocka_unit_test(what_could_still_change_is_refused),
		cmocka_unit_test(a_buffer_becomes_a_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
