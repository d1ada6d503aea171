/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"
#include "smtp/data.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TEXT(literal) { (const unsigned char *)(literal), sizeof(literal) - 1 }

/* What stands behind the end of DATA in each case; it must be left alone. */
#define BEHIND "MAIL FROM:<mallory@example.onion>\r\n"

static const struct {
	struct slice in;
	struct slice content; /* checked for messages that are not malformed */
	bool is_ended, is_malformed;
} cases[] = {
	{ TEXT(".\r\n" BEHIND), TEXT(""), true, false },
	{ TEXT("a\r\n.\r\n" BEHIND), TEXT("a\r\n"), true, false },
	{ TEXT("\r\n.\r\n" BEHIND), TEXT("\r\n"), true, false },
	{ TEXT("..\r\n.\r\n" BEHIND), TEXT(".\r\n"), true, false },
	{ TEXT("..a\r\n...b\r\n.c\r\n.\r\n" BEHIND), TEXT(".a\r\n..b\r\nc\r\n"), true, false },
	{ TEXT("a.\r\nb.c\r\n.\r\n" BEHIND), TEXT("a.\r\nb.c\r\n"), true, false },
	{ TEXT("\xff\xfe\r\n.\r\n" BEHIND), TEXT("\xff\xfe\r\n"), true, false },
	{ TEXT("a\r\n"), TEXT("a\r\n"), false, false },
	{ TEXT("a\r\n.\r"), TEXT("a\r\n"), false, false },
	/* What some servers take for the end. */
	{ TEXT("a\n.\n" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r\n.\n" BEHIND), TEXT(""), false, true },
	{ TEXT("a\n.\r\n" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r.\r" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r\n.\r" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r.\r\n" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r\n\0.\r\n" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r\n.\0\r\n" BEHIND), TEXT(""), false, true },
	{ TEXT("\n.\r\n" BEHIND), TEXT(""), false, true },
	{ TEXT("a\r\r\n.\r\n" BEHIND), TEXT(""), true, true },
	{ TEXT("a\r\n.\r\r\n" BEHIND), TEXT(""), false, true },
	/* Malformed, and read up to the real end. */
	{ TEXT("a\nb\r\n.\r\n" BEHIND), TEXT(""), true, true },
	{ TEXT("a\rb\r\n.\r\n" BEHIND), TEXT(""), true, true },
	{ TEXT("a\0b\r\n.\r\n" BEHIND), TEXT(""), true, true },
	{ TEXT("a\n.\n" BEHIND ".\r\n" BEHIND), TEXT(""), true, true },
	{ TEXT(".\r.\r\n.\r\n" BEHIND), TEXT(""), true, true },
};

static void
run(struct slice in, size_t first_len, struct data_decoder *decoder, struct buffer *out, struct slice *rest)
{
	struct slice pieces[2] = { slice_of(in.data, first_len), slice_of(in.data + first_len, in.len - first_len) };
	*decoder = DATA_DECODER_START;
	size_t used = 0;
	for (int i = 0; i < 2 && !decoder->is_ended; i++) {
		size_t before = pieces[i].len;
		struct slice content;
		while (data_decode(decoder, &pieces[i], &content))
			assert_int_equal(buffer_append(out, content.data, content.len, NULL), 0);
		used += before - pieces[i].len;
	}
	*rest = slice_of(in.data + used, in.len - used);
}

static void
ends_at_crlf_dot_crlf_only_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t cut = 0; cut <= cases[i].in.len; cut++) {
			struct data_decoder decoder;
			struct buffer out;
			struct slice rest;
			buffer_init(&out, 1000);
			run(cases[i].in, cut, &decoder, &out, &rest);
			assert_int_equal(decoder.is_ended, cases[i].is_ended);
			assert_int_equal(decoder.is_malformed, cases[i].is_malformed);
			assert_int_equal(rest.len, decoder.is_ended ? strlen(BEHIND) : 0);
			if (!decoder.is_malformed) {
				assert_int_equal(buffer_len(&out), cases[i].content.len);
				assert_memory_equal(buffer_bytes(&out), cases[i].content.data, cases[i].content.len);
			}
			buffer_finish(&out);
		}
	}
}

static void
hands_content_out_in_long_pieces(void **state)
{
	(void)state;
	struct slice in = slice_of_string("one\r\ntwo\r\nthree\r\n.\r\n");
	struct slice content;
	struct data_decoder decoder = DATA_DECODER_START;
	assert_true(data_decode(&decoder, &in, &content));
	assert_int_equal(content.len, strlen("one\r\ntwo\r\nthree\r\n"));
	assert_false(data_decode(&decoder, &in, &content));
	assert_true(decoder.is_ended);
}

static void
scans_content_however_it_is_cut(void **state)
{
	(void)state;
	static const struct {
		struct slice content;
		bool is_malformed, has_8bit, has_8bit_header;
	} scans[] = {
		{ TEXT(""), false, false, false },
		{ TEXT("Subject: x\r\n\r\nbody\r\n"), false, false, false },
		{ TEXT("Subject: x\r\n\r\nb\xc3\xbc\r\n"), false, true, false },
		{ TEXT("Subject: \xc3\xbc\r\n\r\nbody"), false, true, true },
		{ TEXT("\r\n\xc3\xbc"), false, true, false },
		{ TEXT("\xc3\xbc"), false, true, true },
		{ TEXT("a\r\n \r\n\xc3\xbc"), false, true, true },
		{ TEXT("a\nb"), true, false, false },
		{ TEXT("a\rb"), true, false, false },
		{ TEXT("a\r"), true, false, false },
		{ TEXT("a\r\r\n"), true, false, false },
		{ TEXT("a\0b\r\n"), true, false, false },
	};
	for (size_t i = 0; i < COUNT(scans); i++) {
		for (size_t cut = 0; cut <= scans[i].content.len; cut++) {
			struct data_scan scan = DATA_SCAN_START;
			data_scan(&scan, slice_of(scans[i].content.data, cut));
			data_scan(&scan, slice_of(scans[i].content.data + cut, scans[i].content.len - cut));
			data_scan_end(&scan);
			assert_int_equal(scan.is_malformed, scans[i].is_malformed);
			assert_int_equal(scan.has_8bit, scans[i].has_8bit);
			assert_int_equal(scan.has_8bit_header, scans[i].has_8bit_header);
		}
	}
}

/* Text is looked at in steps of several octets: what is no text is found at each place in them. */
static void
finds_each_octet_at_each_place_of_a_line(void **state)
{
	(void)state;
	for (unsigned octet = 0; octet < 256; octet++) {
		for (size_t at = 0; at < 24; at++) {
			unsigned char line[24];
			struct data_scan whole = DATA_SCAN_START, single = DATA_SCAN_START;
			memset(line, at % 2 == 0 ? '~' : ' ', sizeof line);
			line[at] = (unsigned char)octet;
			data_scan(&whole, slice_of(line, sizeof line));
			for (size_t i = 0; i < sizeof line; i++)
				data_scan(&single, slice_of(line + i, 1));
			assert_int_equal(whole.is_malformed, octet == 0 || octet == '\n' || (octet == '\r' && at < 23));
			assert_int_equal(whole.has_8bit, octet >= 0x80);
			assert_int_equal(whole.is_malformed, single.is_malformed);
			assert_int_equal(whole.has_8bit, single.has_8bit);
			assert_int_equal(whole.has_8bit_header, single.has_8bit_header);
			assert_int_equal(whole.is_after_cr, single.is_after_cr);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_at_crlf_dot_crlf_only_however_it_is_cut),
		cmocka_unit_test(hands_content_out_in_long_pieces),
		cmocka_unit_test(scans_content_however_it_is_cut),
		cmocka_unit_test(finds_each_octet_at_each_place_of_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
