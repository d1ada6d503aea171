/* SPDX-License-Identifier: ISC */
#include "socks/socks.h"

#include <assert.h>
#include <string.h>

#define VERSION 0x05
#define AUTH_VERSION 0x01
#define METHOD_PASSWORD 0x02
#define COMMAND_CONNECT 0x01
#define ADDRESS_IPV4 0x01
#define ADDRESS_NAME 0x03
#define ADDRESS_IPV6 0x04

#define CONNECT_REPLY_HEAD 5 /* version, result, reserved, address type, and the first byte of the address */

static int
check_field(struct slice field, const char *name, struct error *err)
{
	if (field.len == 0 || field.len > SOCKS_FIELD_MAX)
		return error_set(err, ERROR_INVALID, "a SOCKS %s has 1 to %d bytes, not %zu", name, SOCKS_FIELD_MAX,
		    field.len);
	return 0;
}

static unsigned char *
put_field(unsigned char *out, struct slice field)
{
	*out++ = (unsigned char)field.len;
	memcpy(out, field.data, field.len);
	return out + field.len;
}

int
socks_init(struct socks *s, struct slice username, struct slice password, struct slice host, uint16_t port,
    struct error *err)
{
	if (check_field(username, "username", err) != 0 || check_field(password, "password", err) != 0 ||
	    check_field(host, "host name", err) != 0)
		return -1;
	if (port == 0)
		return error_set(err, ERROR_INVALID, "there is no port 0");
	*s = (struct socks){ .step = SOCKS_STEP_METHOD, .need = 2 };
	unsigned char *p = s->out;
	*p++ = VERSION;
	*p++ = 1;
	*p++ = METHOD_PASSWORD;
	s->out_end[SOCKS_STEP_METHOD] = (size_t)(p - s->out);
	*p++ = AUTH_VERSION;
	p = put_field(p, username);
	p = put_field(p, password);
	s->out_end[SOCKS_STEP_CREDENTIALS] = (size_t)(p - s->out);
	*p++ = VERSION;
	*p++ = COMMAND_CONNECT;
	*p++ = 0;
	*p++ = ADDRESS_NAME;
	p = put_field(p, host);
	*p++ = (unsigned char)(port >> 8);
	*p++ = (unsigned char)(port & 0xff);
	s->out_end[SOCKS_STEP_CONNECT] = (size_t)(p - s->out);
	return 0;
}

struct slice
socks_output(const struct socks *s)
{
	if (s->step == SOCKS_STEP_DONE)
		return slice_of("", 0);
	size_t start = s->step == SOCKS_STEP_METHOD ? 0 : s->out_end[s->step - 1];
	return slice_of(s->out + start, s->out_end[s->step] - start);
}

size_t
socks_wants(const struct socks *s)
{
	return s->step == SOCKS_STEP_DONE ? 0 : s->need - s->have;
}

static void
next_step(struct socks *s, size_t need)
{
	s->step++;
	s->have = 0;
	s->need = need;
}

static int
take_method(struct socks *s, struct error *err)
{
	if (s->reply[0] != VERSION)
		return error_set(err, ERROR_PROTOCOL, "what listens on tor's SOCKS socket does not speak SOCKS 5");
	if (s->reply[1] != METHOD_PASSWORD)
		return error_set(err, ERROR_PROTOCOL, "tor's SOCKS port takes no username and password, so circuits "
		    "could not be kept apart");
	next_step(s, 2);
	return 0;
}

static int
take_credentials(struct socks *s, struct error *err)
{
	if (s->reply[0] != AUTH_VERSION || s->reply[1] != 0)
		return error_set(err, ERROR_PROTOCOL, "tor's SOCKS port refused the isolation credentials");
	next_step(s, CONNECT_REPLY_HEAD);
	return 0;
}

static enum socks_result
known_result(unsigned char code)
{
	if (code <= SOCKS_ADDRESS_NOT_SUPPORTED || (code >= SOCKS_NO_DESCRIPTOR && code <= SOCKS_INTRODUCTION_TIMED_OUT))
		return (enum socks_result)code;
	return SOCKS_FAILED;
}

/* First with the head alone, to learn the length of the address; then with the whole reply. */
static int
take_connect(struct socks *s, struct error *err)
{
	if (s->have > CONNECT_REPLY_HEAD) {
		s->result = known_result(s->reply[1]);
		next_step(s, 0);
		return 0;
	}
	if (s->reply[0] != VERSION || s->reply[2] != 0)
		return error_set(err, ERROR_PROTOCOL, "tor's SOCKS port sent a malformed reply");
	switch (s->reply[3]) {
	case ADDRESS_IPV4:
		s->need = 4 + 4 + 2;
		return 0;
	case ADDRESS_IPV6:
		s->need = 4 + 16 + 2;
		return 0;
	case ADDRESS_NAME:
		s->need = 4 + 1 + (size_t)s->reply[4] + 2;
		return 0;
	default:
		return error_set(err, ERROR_PROTOCOL, "tor's SOCKS port sent a reply with an unknown address type");
	}
}

int
socks_take(struct socks *s, const void *bytes, size_t len, bool *stepped, struct error *err)
{
	*stepped = false;
	assert(len >= 1 && len <= socks_wants(s));
	memcpy(s->reply + s->have, bytes, len);
	s->have += len;
	if (s->have < s->need)
		return 0;
	int before = s->step;
	int result = 0;
	if (s->step == SOCKS_STEP_METHOD)
		result = take_method(s, err);
	else if (s->step == SOCKS_STEP_CREDENTIALS)
		result = take_credentials(s, err);
	else
		result = take_connect(s, err);
	*stepped = result == 0 && (int)s->step != before;
	return result;
}

bool
socks_is_connecting(const struct socks *s)
{
	return s->step == SOCKS_STEP_CONNECT;
}

bool
socks_is_done(const struct socks *s)
{
	return s->step == SOCKS_STEP_DONE;
}

enum socks_result
socks_result(const struct socks *s)
{
	assert(s->step == SOCKS_STEP_DONE);
	return s->result;
}

const char *
socks_result_text(enum socks_result result)
{
	switch (result) {
	case SOCKS_SUCCEEDED:
		return "connected";
	case SOCKS_NO_DESCRIPTOR:
		return "the onion service is not published: it has been offline for hours, or it does not exist; check the "
		    "address, or wait until its node is online";
	case SOCKS_DESCRIPTOR_INVALID:
		return "the onion service has published a descriptor that tor cannot read; its node may run a tor that is too "
		    "new or broken";
	case SOCKS_INTRODUCTION_FAILED:
		return "the onion service went offline a short time ago; it can be reached when its node is online again";
	case SOCKS_RENDEZVOUS_FAILED:
		return "tor could not meet the onion service; this happens now and then and is tried again";
	case SOCKS_AUTHORIZATION_MISSING:
		return "the onion service is open to authorised clients only; ask its owner for a client authorisation key";
	case SOCKS_AUTHORIZATION_WRONG:
		return "the onion service does not accept our client authorisation key; ask its owner for a new one";
	case SOCKS_BAD_ADDRESS:
		return "tor says that this is no valid onion address; check it for a typing mistake";
	case SOCKS_INTRODUCTION_TIMED_OUT:
		return "the onion service did not answer in time; it may be overloaded or just offline, and is tried again";
	case SOCKS_REFUSED:
		return "the onion service is online but takes no connections on this port";
	case SOCKS_TIMED_OUT:
		return "tor gave up waiting for a connection to the onion service; it is tried again";
	case SOCKS_NOT_ALLOWED:
		return "tor's configuration does not allow this connection; look for SOCKS settings among the tor.extra lines";
	case SOCKS_NETWORK_UNREACHABLE:
		return "tor cannot reach its network at present; check this machine's connection";
	case SOCKS_HOST_UNREACHABLE:
		return "tor cannot reach the onion service at present; it is tried again";
	case SOCKS_NOT_SUPPORTED:
	case SOCKS_ADDRESS_NOT_SUPPORTED:
		return "tor does not know this kind of request; is what listens on the SOCKS socket really tor?";
	case SOCKS_FAILED:
		break;
	}
	return "tor could not connect to the onion service; its log may say why";
}
