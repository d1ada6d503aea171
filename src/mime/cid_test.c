/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mime/cid.h"

static const unsigned char seed[CID_SEED_BYTES] = { 1, 2, 3 };

/* Replaces in text given in two pieces. */
static void
replace(enum cid_encoding encoding, struct slice text, size_t cut, struct buffer *out)
{
	struct cid c;
	struct error err = { 0 };
	buffer_init(out, 1 << 16);
	cid_init(&c, seed, encoding);
	assert_int_equal(cid_take(&c, slice_of(text.data, cut), out, &err), 0);
	assert_int_equal(cid_take(&c, slice_of(text.data + cut, text.len - cut), out, &err), 0);
	assert_int_equal(cid_end(&c, out, &err), 0);
	assert_int_equal(buffer_append(out, "", 1, &err), 0);
	cid_finish(&c);
}

static void
references_become_what_the_names_become(void **state)
{
	(void)state;
	/* @ in what is expected: what <2@host> becomes, with the scheme; in quoted-printable between breaks that do not count */
	static const struct {
		enum cid_encoding encoding;
		const char *text, *expected;
	} table[] = {
		{ CID_PLAIN, "<img src=\"cid:2@host\">\r\n", "<img src=\"@\">\r\n" },
		{ CID_PLAIN, "src='CID:2@host' src=Cid:2@host>\r\n", "src='@' src=@>\r\n" },
		{ CID_PLAIN, "url(cid:2%40host) &quot;cid:2@host&quot;\r\n", "url(@) &quot;@&quot;\r\n" },
		/* what a person wrote stays */
		{ CID_PLAIN, "cid:2#host acid:2#host (acid:2#host\r\n", "cid:2#host acid:2#host (acid:2#host\r\n" },
		{ CID_PLAIN, "\"cid:\" \"cid\" \"ci \"c\"cid:2@host\"\r\n", "\"cid:\" \"cid\" \"ci \"c\"@\"\r\n" },
		{ CID_PLAIN, "\"cid:2@host\r\n", "\"@\r\n" },
		{ CID_PLAIN, "\"cid:2@host", "\"@" },
		{ CID_QUOTED_PRINTABLE, "src=3D\"cid:2@host\"=\r\n>=C3=B6 =\r\n\r\n", "src=3D\"@\"=\r\n>=C3=B6 =\r\n\r\n" },
		{ CID_QUOTED_PRINTABLE, "src=3D\"c=\r\nid:2=40h=  \r\nost=\r\n\"\r\n", "src=3D\"@\"\r\n" },
		{ CID_QUOTED_PRINTABLE, "=3d\"c=\r\nid=3=\r\n=Z=\r\n", "=3d\"c=\r\nid=3=\r\n=Z=\r\n" },
		{ CID_BASE64, "aGVs\r\nbG8h!\r\n", "aGVsbG8h\r\n" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t len = strlen(table[i].text);
		bool is_quoted = table[i].encoding == CID_QUOTED_PRINTABLE;
		char mapped[CID_SIZE];
		struct buffer expected, out, again;
		cid_map(seed, slice_of_string("2@host"), mapped);
		buffer_init(&expected, 1 << 16);
		for (const char *p = table[i].expected; *p != '\0'; p++)
			if (*p == '@')
				assert_int_equal(buffer_printf(&expected, NULL, is_quoted ? "=\r\ncid:%s=\r\n" : "cid:%s", mapped), 0);
			else
				assert_int_equal(buffer_append(&expected, *p == '#' ? "@" : p, 1, NULL), 0);
		assert_int_equal(buffer_append(&expected, "", 1, NULL), 0);
		char text[200];
		for (size_t j = 0; j <= len; j++)
			text[j] = table[i].text[j] == '#' ? '@' : table[i].text[j];
		replace(table[i].encoding, slice_of(text, len), 0, &out);
		assert_string_equal(buffer_bytes(&out), buffer_bytes(&expected));
		replace(table[i].encoding, slice_of(buffer_bytes(&out), buffer_len(&out) - 1), 0, &again); /* once more changes nothing */
		assert_string_equal(buffer_bytes(&again), buffer_bytes(&expected));
		buffer_finish(&again);
		buffer_finish(&out);
		for (size_t cut = 1; cut < len; cut++) { /* between lines */
			if (text[cut - 1] != '\n')
				continue;
			replace(table[i].encoding, slice_of(text, len), cut, &out);
			assert_string_equal(buffer_bytes(&out), buffer_bytes(&expected));
			buffer_finish(&out);
		}
		buffer_finish(&expected);
	}
}

static void
lines_do_not_grow_too_long(void **state)
{
	(void)state;
	char line[1000 + 1];
	struct cid c;
	struct buffer out;
	struct error err = { 0 };
	memset(line, 'x', sizeof line);
	memcpy(line + 980, "\"cid:2@host\"\r\n", 15);
	buffer_init(&out, 1 << 16);
	cid_init(&c, seed, CID_PLAIN);
	assert_int_equal(cid_take(&c, slice_of_string(line), &out, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_non_null(strstr(err.text, "quoted-printable"));
	cid_finish(&c);
	buffer_finish(&out);
}

static void
names_have_one_length_and_map_to_themselves(void **state)
{
	(void)state;
	char once[CID_SIZE], twice[CID_SIZE], other[CID_SIZE];
	static const unsigned char other_seed[CID_SEED_BYTES] = { 4 };
	cid_map(seed, slice_of_string("a"), once);
	assert_int_equal(strlen(once), 30);
	cid_map(other_seed, slice_of_string(once), twice);
	assert_string_equal(once, twice);
	cid_map(other_seed, slice_of_string("a"), other);
	assert_string_not_equal(once, other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_become_what_the_names_become),
		cmocka_unit_test(lines_do_not_grow_too_long),
		cmocka_unit_test(names_have_one_length_and_map_to_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
