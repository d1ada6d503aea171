/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"

static void
holds_up_to_its_maximum(void **state)
{
	(void)state;
	struct buffer b;
	struct error err = { 0 };
	buffer_init(&b, 10);
	assert_int_equal(buffer_append(&b, "0123456", 7, &err), 0);
	assert_int_equal(buffer_append(&b, "789a", 4, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_int_equal(buffer_len(&b), 7);
	buffer_consume(&b, 3);
	assert_int_equal(buffer_append(&b, "789abc", 6, &err), 0); /* consumed room is used again */
	assert_memory_equal(buffer_bytes(&b), "3456789abc", 10);
	buffer_finish(&b);
}

static void
gives_memory_back_when_empty(void **state)
{
	(void)state;
	struct buffer b;
	buffer_init(&b, 1000);
	assert_int_equal(buffer_append_string(&b, "hello", NULL), 0);
	buffer_consume(&b, 5);
	assert_null(b.data);
	assert_int_equal(buffer_len(&b), 0);
	assert_int_equal(buffer_append_string(&b, "again", NULL), 0);
	buffer_finish(&b);
}

static void
prints(void **state)
{
	(void)state;
	struct buffer b;
	struct error err = { 0 };
	buffer_init(&b, 16);
	assert_int_equal(buffer_printf(&b, &err, "%d-%s", 42, "xyz"), 0);
	assert_int_equal(buffer_len(&b), 6);
	assert_memory_equal(buffer_bytes(&b), "42-xyz", 6);
	assert_int_equal(buffer_printf(&b, &err, "%s", "eleven long"), -1);
	assert_int_equal(buffer_len(&b), 6);
	assert_int_equal(buffer_printf(&b, &err, "%s", "just so 10"), 0); /* up to the maximum */
	assert_memory_equal(buffer_bytes(&b), "42-xyzjust so 10", 16);
	buffer_finish(&b);
	buffer_init(&b, 5000);
	assert_int_equal(buffer_printf(&b, &err, "%4000d", 7), 0);
	assert_int_equal(buffer_len(&b), 4000);
	assert_int_equal(buffer_bytes(&b)[3999], '7');
	buffer_finish(&b);
}

/* Against a plain array, with every mix of small and large steps, at and below the maximum. */
static void
keeps_every_byte_in_order(void **state)
{
	(void)state;
	static unsigned char expected[4096];
	struct buffer b;
	size_t len = 0;
	unsigned char next = 0;
	uint32_t dice = 1;
	buffer_init(&b, sizeof expected);
	for (int step = 0; step < 50000; step++) {
		dice = dice * 1664525 + 1013904223;
		size_t n = dice >> 16 & (dice & 1 ? 15 : 1023);
		if ((dice >> 8 & 3) != 0) {
			unsigned char bytes[1024];
			for (size_t i = 0; i < n; i++)
				bytes[i] = (unsigned char)(next + i);
			bool fits = n <= sizeof expected - len;
			assert_int_equal(buffer_append(&b, bytes, n, NULL), fits ? 0 : -1);
			if (fits) {
				memcpy(expected + len, bytes, n);
				len += n;
				next = (unsigned char)(next + n);
			}
		} else {
			n = n < len ? n : len;
			buffer_consume(&b, n);
			len -= n;
			memmove(expected, expected + n, len);
		}
		assert_int_equal(buffer_len(&b), len);
		assert_true(b.capacity <= sizeof expected);
		assert_memory_equal(buffer_bytes(&b), expected, len);
	}
	buffer_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_up_to_its_maximum),
		cmocka_unit_test(gives_memory_back_when_empty),
		cmocka_unit_test(prints),
		cmocka_unit_test(keeps_every_byte_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
