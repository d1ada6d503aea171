/* SPDX-License-Identifier: ISC
 *
 * A message inside of which other servers see its end and commands. The input is the message; around it stands the only
 * session there is. Whatever is in it, it is one message, byte for byte, or it is refused, and no octet of it is obeyed.
 * The first octet: with DATA (even), or with BDAT in chunks of so many octets.
 */
#include <stdio.h>

#include "smtpd/test_fuzz.h"

#define BEGIN "EHLO x\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<alice@" ONION ">\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buffer said, content;

static void
add(struct buffer *buffer, const void *bytes, size_t len)
{
	if (buffer_append(buffer, bytes, len, NULL) != 0)
		abort();
}

static void
say_data(struct slice message)
{
	buffer_append_string(&said, "DATA\r\n", NULL);
	for (size_t i = 0; i < message.len; i++) {
		bool begins = i == 0 || (i >= 2 && message.data[i - 1] == '\n' && message.data[i - 2] == '\r');
		if (begins && message.data[i] == '.')
			add(&said, ".", 1);
		add(&said, message.data + i, 1);
	}
	add(&said, "\r\n.\r\n", 5);
	add(&content, message.data, message.len);
	add(&content, "\r\n", 2);
}

/* Returns how many chunks before the last. */
static unsigned
say_chunks(struct slice message, size_t step)
{
	unsigned count = 0;
	add(&content, message.data, message.len);
	for (; message.len > step && count < 8; count++) {
		buffer_printf(&said, NULL, "BDAT %zu\r\n", step);
		add(&said, message.data, step);
		message = slice_of(message.data + step, message.len - step);
	}
	buffer_printf(&said, NULL, "BDAT %zu LAST\r\n", message.len);
	add(&said, message.data, message.len);
	return count;
}

/* Said in another way than in smtp/data.c. */
static bool
is_clean(struct slice message)
{
	for (size_t i = 0; i < message.len; i++) {
		if (message.data[i] == '\0')
			return false;
		if (message.data[i] == '\r' && (i + 1 == message.len || message.data[i + 1] != '\n'))
			return false;
		if (message.data[i] == '\n' && (i == 0 || message.data[i - 1] != '\r'))
			return false;
	}
	return true;
}

/* The codes of the last lines of the replies, in order: in one line. */
static void
read_codes(struct slice replies, char *out, size_t out_size)
{
	size_t used = 0;
	for (size_t at = 0; at + 4 <= replies.len && used + 5 < out_size;) {
		const unsigned char *line = replies.data + at, *end = memchr(line, '\n', replies.len - at);
		if (line[3] == ' ') {
			memcpy(out + used, line, 4);
			used += 4;
		}
		at = end == NULL ? replies.len : (size_t)(end + 1 - replies.data);
	}
	out[used] = '\0';
}

static void
check(unsigned chunks, bool is_data)
{
	struct slice message = slice_of(buffer_bytes(&content), buffer_len(&content));
	struct slice told = slice_of(buffer_bytes(&trace), buffer_len(&trace));
	bool is_good = is_clean(message);
	char codes[256], refused[256], wanted[256] = "220 250 250 250 ";
	if (message_count != is_good)
		abort();
	if (is_good) { /* "message 1 x@example.net\n", the recipients, all of the message, then the replies */
		const unsigned char *greeting = memmem(told.data, told.len, "220 " ONION, 4 + strlen(ONION));
		while (greeting != NULL && (size_t)(greeting - told.data) < message.len)
			greeting = memmem(greeting + 1, told.len - (size_t)(greeting + 1 - told.data), "220 " ONION, 4 + strlen(ONION));
		if (greeting == NULL || memcmp(greeting - message.len, message.data, message.len) != 0)
			abort();
		told = slice_of(greeting, told.len - (size_t)(greeting - told.data));
	}
	read_codes(told, codes, sizeof codes);
	if (is_data)
		strcat(wanted, "354 ");
	for (unsigned i = 0; i < chunks; i++)
		strcat(wanted, "250 ");
	snprintf(refused, sizeof refused, "%.200s554 221 ", wanted);
	strcat(wanted, "250 221 ");
	if (is_good ? strcmp(codes, wanted) != 0 : is_data && strcmp(codes, refused) != 0)
		abort();
	/* A chunk may be refused before the last; the number of the replies tells whether anything in one was obeyed. */
	if (!is_good && !is_data && (strlen(codes) != strlen(wanted) || strcmp(codes + strlen(codes) - 4, "221 ") != 0 ||
	    codes[strlen(codes) - 8] != '5'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned chunks = 0;
	if (size == 0 || size > 50000)
		return 0;
	bool is_data = (data[0] & 1) == 0;
	buffer_init(&said, 200000);
	buffer_init(&content, 100000);
	buffer_append_string(&said, BEGIN, NULL);
	if (is_data)
		say_data(slice_of(data + 1, size - 1));
	else
		chunks = say_chunks(slice_of(data + 1, size - 1), 1 + data[0] / 2);
	buffer_append_string(&said, "QUIT\r\n", NULL);
	for (size_t step = buffer_len(&said), n = 0; n < 2; step = 1 + size / 16, n++) {
		run_session(0, slice_of(buffer_bytes(&said), buffer_len(&said)), step);
		check(chunks, is_data);
		buffer_finish(&trace);
	}
	buffer_finish(&said);
	buffer_finish(&content);
	return 0;
}
