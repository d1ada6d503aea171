/* SPDX-License-Identifier: ISC
 *
 * The client's side of SOCKS 5 (RFC 1928) with username and password (RFC 1929) up to and including CONNECT, for
 * tor's SocksPort with IsolateSOCKSAuth and ExtendedErrors (tor's socks-extensions, proposals 304 and 351).
 *
 * A pure state machine. Its owner sends socks_output(), then reads at most socks_wants() bytes and gives them to
 * socks_take(), until socks_is_done(). It never asks for more than belongs to the dialogue, so what the peer
 * sent behind the last reply stays in the socket. Each of tor's replies is waited for: when the requests go
 * out together, tor overwrites its earlier replies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define SOCKS_FIELD_MAX 255 /* username, password, host: one length byte each */

/* A username that begins with <torS0X> must be exactly this; the password alone then separates circuits. */
#define SOCKS_TOR_USERNAME "<torS0X>0"

enum socks_result {
	SOCKS_SUCCEEDED = 0x00,
	SOCKS_FAILED = 0x01,                 /* and every code that is not listed */
	SOCKS_NOT_ALLOWED = 0x02,
	SOCKS_NETWORK_UNREACHABLE = 0x03,
	SOCKS_HOST_UNREACHABLE = 0x04,
	SOCKS_REFUSED = 0x05,                /* the service has no such port */
	SOCKS_TIMED_OUT = 0x06,
	SOCKS_NOT_SUPPORTED = 0x07,
	SOCKS_ADDRESS_NOT_SUPPORTED = 0x08,
	SOCKS_NO_DESCRIPTOR = 0xf0,          /* offline for hours, or never existed */
	SOCKS_DESCRIPTOR_INVALID = 0xf1,
	SOCKS_INTRODUCTION_FAILED = 0xf2,    /* offline since recently; tor remembers it for 120 s */
	SOCKS_RENDEZVOUS_FAILED = 0xf3,
	SOCKS_AUTHORIZATION_MISSING = 0xf4,
	SOCKS_AUTHORIZATION_WRONG = 0xf5,
	SOCKS_BAD_ADDRESS = 0xf6,
	SOCKS_INTRODUCTION_TIMED_OUT = 0xf7,
};

struct socks {
	enum { SOCKS_STEP_METHOD, SOCKS_STEP_CREDENTIALS, SOCKS_STEP_CONNECT, SOCKS_STEP_DONE } step;
	size_t out_end[3];                  /* where each step's request ends in out */
	unsigned char out[3 + (3 + 2 * SOCKS_FIELD_MAX) + (7 + SOCKS_FIELD_MAX)];
	unsigned char reply[7 + SOCKS_FIELD_MAX];
	size_t have, need;                  /* of the reply in progress */
	enum socks_result result;
};

/* Prepares a dialogue. ERROR_INVALID when a field is empty or longer than SOCKS_FIELD_MAX or the port is 0. */
int socks_init(struct socks *s, struct slice username, struct slice password, struct slice host, uint16_t port,
    struct error *err);

/* What the present step sends; borrowed while s lives. Empty when done. */
struct slice socks_output(const struct socks *s);

/* Whether that is CONNECT: what is sent behind it goes to the destination as soon as there is a way (socks-extensions,
 * optimistic data). */
bool socks_is_connecting(const struct socks *s);

/* How many bytes to read next, at least 1; 0 when done. */
size_t socks_wants(const struct socks *s);

/* Takes bytes that were read, 1 to socks_wants() of them. *stepped says that the step's reply was complete, so that
 * socks_output() is new. ERROR_PROTOCOL when this is not SOCKS as tor speaks it: give up the connection. */
int socks_take(struct socks *s, const void *bytes, size_t len, bool *stepped, struct error *err);

bool socks_is_done(const struct socks *s);
enum socks_result socks_result(const struct socks *s); /* once done */

/* What happened and what to do, as one line about "the other side's node". */
const char *socks_result_text(enum socks_result result);
