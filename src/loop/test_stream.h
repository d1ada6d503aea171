/* SPDX-License-Identifier: ISC
 *
 * What the tests of streams share: two streams that face each other, and what happened to them.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "loop/stream.h"
#include "loop/test_certificate.h"

/* Not every test needs everything of this. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"

#define DEADLINE_MS 20000

enum { FREE_ON_INPUT = 1, FREE_ON_DRAINED, FREE_ON_TLS, FREE_ON_END };

/* One stream and what happened to it. */
struct side {
	struct stream *stream;
	struct buffer got;
	bool leaves_input;  /* does not consume */
	bool echoes;
	int free_on;
	size_t stop_at;     /* stops the loop when so many bytes were got */
	const char *reply_to_tls; /* written when the handshake is done */
	int inputs, drained, tls, ended;
	bool stops_on_drained, stops_on_tls, stops_on_end;
	struct error end;
	void (*on_input)(struct side *side);
};

static struct loop *loop;
static struct timer *deadline;
static struct tls_context *server_context, *client_context;
static struct side a, b;

static void
free_when(struct side *side, int when)
{
	if (side->free_on != when)
		return;
	stream_free(side->stream);
	side->stream = NULL;
	loop_stop(loop);
}

static void
on_input(void *context)
{
	struct side *side = context;
	side->inputs++;
	struct buffer *in = stream_input(side->stream);
	assert_true(buffer_len(in) > 0 && buffer_len(in) <= in->max);
	if (side->on_input != NULL) {
		side->on_input(side);
	} else if (!side->leaves_input) {
		if (side->echoes)
			assert_int_equal(stream_write(side->stream, buffer_bytes(in), buffer_len(in), NULL), 0);
		assert_int_equal(buffer_append(&side->got, buffer_bytes(in), buffer_len(in), NULL), 0);
		buffer_consume(in, buffer_len(in));
	}
	if (side->stop_at != 0 && buffer_len(&side->got) >= side->stop_at)
		loop_stop(loop);
	free_when(side, FREE_ON_INPUT);
}

static void
on_drained(void *context)
{
	struct side *side = context;
	side->drained++;
	assert_int_equal(stream_output_len(side->stream), 0);
	if (side->stops_on_drained)
		loop_stop(loop);
	free_when(side, FREE_ON_DRAINED);
}

static void
on_tls(void *context)
{
	struct side *side = context;
	side->tls++;
	assert_true(stream_is_tls(side->stream));
	if (side->reply_to_tls != NULL)
		assert_int_equal(stream_write(side->stream, side->reply_to_tls, strlen(side->reply_to_tls), NULL), 0);
	if (side->stops_on_tls)
		loop_stop(loop);
	free_when(side, FREE_ON_TLS);
}

static void
on_end(void *context, const struct error *err)
{
	struct side *side = context;
	side->ended++;
	side->end = *err;
	if (side->stops_on_end)
		loop_stop(loop);
	free_when(side, FREE_ON_END);
}

static const struct stream_events events = { on_input, on_drained, on_tls, on_end, NULL };

static void
on_deadline(void *context)
{
	(void)context;
	loop_stop(loop);
	fail_msg("nothing happened for too long");
}

static int
start(void **state)
{
	(void)state;
	struct error err;
	loop = loop_new();
	deadline = timer_new(loop, on_deadline, NULL);
	timer_start(deadline, DEADLINE_MS);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	buffer_init(&a.got, 64 * 1024 * 1024);
	buffer_init(&b.got, 64 * 1024 * 1024);
	return tls_context_new_server(slice_of_string(test_certificate_pem), slice_of_string(test_key_pem),
	    &server_context, &err) != 0 || tls_context_new_client(&client_context, &err) != 0;
}

static int
finish(void **state)
{
	(void)state;
	stream_free(a.stream);
	stream_free(b.stream);
	buffer_finish(&a.got);
	buffer_finish(&b.got);
	tls_context_free(server_context);
	tls_context_free(client_context);
	timer_free(deadline);
	loop_free(loop);
	return 0;
}

static void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static void
make_streams(size_t input_max, size_t output_max)
{
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], input_max, output_max, &events, &a);
	b.stream = stream_new(loop, fds[1], input_max, output_max, &events, &b);
}

/* a is the server. */
static void
start_tls(const char *server_alpn, const char *client_alpn)
{
	struct error err = { 0 };
	assert_int_equal(stream_start_tls_server(a.stream, server_context, server_alpn, &err), 0);
	assert_int_equal(stream_start_tls_client(b.stream, client_context, "example.onion", client_alpn, &err), 0);
}

static void
write_string(struct side *side, const char *string)
{
	assert_int_equal(stream_write(side->stream, string, strlen(string), NULL), 0);
}

static void
got_is(const struct side *side, const char *string)
{
	assert_int_equal(buffer_len(&side->got), strlen(string));
	assert_memory_equal(buffer_bytes(&side->got), string, strlen(string));
}

/* Bytes in which a loss or a swap shows. */
static unsigned char *
make_pattern(size_t len)
{
	unsigned char *pattern = malloc(len);
	uint32_t x = 1;
	assert_non_null(pattern);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		pattern[i] = (unsigned char)(x >> 24);
	}
	return pattern;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
