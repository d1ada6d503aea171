/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/library.h"
#include "mime/transfer.h"

static void
expect(const char *header, const char *content, const char *wanted)
{
	struct error err = { 0 };
	struct buffer out;
	buffer_init(&out, 1000);
	if (transfer_decode(slice_of_string(header), slice_of_string(content), &out, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(buffer_len(&out), strlen(wanted));
	assert_memory_equal(buffer_bytes(&out), wanted, strlen(wanted));
	buffer_finish(&out);
}

static void
encodings_are_undone(void **state)
{
	(void)state;
	expect("", "as it is=\r\n", "as it is=\r\n");
	expect("Content-Transfer-Encoding: 7BIT\r\n", "a=3Db", "a=3Db");
	expect("Content-Transfer-Encoding: Base64\r\n", "aGVs\r\nbG8=\r\n", "hello");
	expect("X: y\r\nContent-transfer-encoding:\r\n quoted-printable\r\n", "a=3Db =\r\nc\r\n", "a=b c\r\n");
	expect("Content-Transfer-Encoding: base64\r\n", "", "");
}

static void
what_is_unknown_or_too_large_is_refused(void **state)
{
	struct error err = { 0 };
	struct buffer out;
	char long_content[4000];
	(void)state;
	memset(long_content, 'A', sizeof long_content);
	buffer_init(&out, 1000);
	assert_int_equal(transfer_decode(slice_of_string("Content-Transfer-Encoding: x-uuencode\r\n"), slice_of_string("x"), &out, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(transfer_decode(slice_of_string("Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n"),
	    slice_of_string("x"), &out, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(transfer_decode(slice_of_string("Content-Transfer-Encoding: base64\r\n"), slice_of(long_content, sizeof long_content), &out,
	    &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	buffer_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings_are_undone),
		cmocka_unit_test(what_is_unknown_or_too_large_is_refused),
	};
	library_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
