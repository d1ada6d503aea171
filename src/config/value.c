/* SPDX-License-Identifier: ISC */
#include "config/value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 40
#define SIZE_TEXT 24 /* a number of 64 bits, and a unit */
/* "unix:" and what a Unix socket's name may have. */
#define CONFIG_PATH_MAX (5 + 108)

int
value_shown_len(struct slice text)
{
	return text.len > SHOWN_MAX ? SHOWN_MAX : (int)text.len;
}

/* Reads the digits in front; false without any or when the number passes most. */
static bool
take_number(struct slice *text, uint64_t most, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;
	for (; i < text->len && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
		unsigned digit = (unsigned)(text->data[i] - '0');
		if (n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	text->data += i;
	text->len -= i;
	*out = n;
	return i > 0;
}

/* Cuts "host:port" or "[host]:port"; host gets a NUL. */
static bool
cut_endpoint(struct slice text, char *host, size_t host_size, struct slice *port)
{
	const unsigned char *colon = memrchr(text.data, ':', text.len);
	if (colon == NULL)
		return false;
	struct slice name = slice_of(text.data, (size_t)(colon - text.data));
	*port = slice_of(colon + 1, text.len - name.len - 1);
	bool bracketed = name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']';
	if (bracketed)
		name = slice_of(name.data + 1, name.len - 2);
	if (name.len == 0 || name.len >= host_size || memchr(name.data, '\0', name.len) != NULL)
		return false;
	memcpy(host, name.data, name.len);
	host[name.len] = '\0';
	return bracketed == (strchr(host, ':') != NULL);
}

static bool
is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int
value_endpoint(struct slice text, struct config_endpoint *out, struct error *err)
{
	struct config_endpoint endpoint = { 0 };
	struct slice rest;
	uint64_t port;
	if (!cut_endpoint(text, endpoint.host, sizeof endpoint.host, &rest) || !take_number(&rest, UINT16_MAX, &port) ||
	    rest.len != 0 || !is_loopback(endpoint.host))
		return error_set(err, ERROR_INVALID, "must be a loopback address and a port, such as 127.0.0.1:1587 or "
		    "[::1]:0 (0: any free port), not '%.*s'", value_shown_len(text), text.data);
	endpoint.port = (uint16_t)port;
	*out = endpoint;
	return 0;
}

int
value_place(struct slice text, char *out, struct error *err)
{
	struct config_endpoint endpoint;
	bool is_path = text.len > 6 && text.len < CONFIG_PATH_MAX && memcmp(text.data, "unix:/", 6) == 0;
	if (!is_path && (value_endpoint(text, &endpoint, NULL) != 0 || endpoint.port == 0))
		return error_set(err, ERROR_INVALID, "must be like unix:/run/tor/control or 127.0.0.1:9051 (on loopback), not '%.*s'",
		    value_shown_len(text), text.data);
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return 0;
}

static uint64_t
size_factor(struct slice unit)
{
	static const char letters[] = "KMG";
	if (unit.len == 0)
		return 1;
	for (unsigned i = 0; unit.len == 1 && letters[i] != '\0'; i++)
		if ((unit.data[0] & ~0x20) == letters[i])
			return (uint64_t)1 << 10 * (i + 1);
	return 0;
}

/* In the largest unit that leaves no remainder, as it would be written in the file. */
static void
write_size(uint64_t bytes, char out[SIZE_TEXT])
{
	static const char *const units[] = { "", "K", "M", "G" };
	unsigned unit = 0;
	for (; unit < 3 && bytes > 0 && bytes % 1024 == 0; unit++)
		bytes /= 1024;
	snprintf(out, SIZE_TEXT, "%llu%s", (unsigned long long)bytes, units[unit]);
}

int
value_size(struct slice text, uint64_t least, uint64_t most, uint64_t *out, struct error *err)
{
	struct slice unit = text;
	uint64_t n, factor;
	if (!take_number(&unit, UINT64_MAX, &n) || (factor = size_factor(unit)) == 0)
		return error_set(err, ERROR_INVALID, "must be a number of bytes such as 50M (K, M or G), not '%.*s'",
		    value_shown_len(text), text.data);
	if (n > most / factor || n * factor < least) {
		char from[SIZE_TEXT], to[SIZE_TEXT];
		write_size(least, from);
		write_size(most, to);
		return error_set(err, ERROR_TOO_LARGE, "must be between %s and %s, not '%.*s'", from, to, value_shown_len(text), text.data);
	}
	*out = n * factor;
	return 0;
}

static uint32_t
duration_factor(struct slice unit)
{
	if (unit.len != 1)
		return 0;
	switch (unit.data[0]) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 60 * 60;
	case 'd':
		return 24 * 60 * 60;
	default:
		return 0;
	}
}

int
value_duration(struct slice text, uint32_t least_s, uint32_t most_s, uint32_t *out_s, struct error *err)
{
	struct slice unit = text;
	uint64_t n;
	uint32_t factor;
	if (!take_number(&unit, UINT64_MAX, &n) || (factor = duration_factor(unit)) == 0)
		return error_set(err, ERROR_INVALID, "must be a time such as 30s, 15m, 4h or 7d, not '%.*s'",
		    value_shown_len(text), text.data);
	if (n > most_s / factor || n * factor < least_s)
		return error_set(err, ERROR_TOO_LARGE, "must be between %us and %ud, not '%.*s'", (unsigned)least_s,
		    (unsigned)(most_s / 86400), value_shown_len(text), text.data);
	*out_s = (uint32_t)n * factor;
	return 0;
}

int
value_yes_no(struct slice text, bool *out, struct error *err)
{
	if (!slice_is(text, "yes") && !slice_is(text, "no"))
		return error_set(err, ERROR_INVALID, "must be yes or no, not '%.*s'", value_shown_len(text), text.data);
	*out = slice_is(text, "yes");
	return 0;
}

int
value_text(struct slice text, char *out, struct error *err)
{
	if (text.len == 0)
		return error_set(err, ERROR_INVALID, "has no value");
	if (text.len >= CONFIG_VALUE_MAX)
		return error_set(err, ERROR_TOO_LARGE, "is longer than %d bytes", CONFIG_VALUE_MAX - 1);
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return 0;
}
