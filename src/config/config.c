/* SPDX-License-Identifier: ISC */
#include "config/config.h"

#include <stddef.h>
#include <stdio.h>

#include "config/value.h"

#define KEY_MAX 32
#define MESSAGE_LEAST_BYTES (64 * 1024)
#define MESSAGE_MOST_BYTES (1024 * 1024 * 1024)
#define DISK_MOST_BYTES ((uint64_t)1 << 50)
#define DURATION_MOST_S (365 * 24 * 60 * 60)

struct key;
typedef int key_parser(const struct key *key, struct slice value, struct config *config, struct error *err);
static key_parser parse_endpoint, parse_place, parse_text, parse_lines, parse_message_size, parse_disk_size, parse_yes_no, parse_duration,
    parse_duration_or_never, parse_precision;

/* All keys: adding one is adding a line here, to struct config, to config_defaults() and to the manual. */
static const struct key {
	const char *name;
	key_parser *parser;
	size_t offset; /* of the field in struct config */
	bool repeats;
} keys[] = {
	{ "imap.listen", parse_endpoint, offsetof(struct config, imap), false },
	{ "imap.program", parse_text, offsetof(struct config, dovecot_program), false },
	{ "imaps.listen", parse_endpoint, offsetof(struct config, imaps), false },
	{ "log.addresses", parse_yes_no, offsetof(struct config, log_addresses), false },
	{ "mailbox.keep-free", parse_disk_size, offsetof(struct config, keep_free_bytes), false },
	{ "message.date-precision", parse_precision, offsetof(struct config, date_step_s), false },
	{ "message.max-size", parse_message_size, offsetof(struct config, message_max_bytes), false },
	{ "queue.delay-notice", parse_duration_or_never, offsetof(struct config, delay_notice_s), false },
	{ "queue.expire", parse_duration, offsetof(struct config, expire_s), false },
	{ "queue.keep-delivered", parse_duration_or_never, offsetof(struct config, keep_delivered_s), false },
	{ "queue.retry-first", parse_duration, offsetof(struct config, retry_first_s), false },
	{ "queue.retry-most", parse_duration, offsetof(struct config, retry_most_s), false },
	{ "smtp.require-starttls", parse_yes_no, offsetof(struct config, require_starttls), false },
	{ "submission.listen", parse_endpoint, offsetof(struct config, submission), false },
	{ "submissions.listen", parse_endpoint, offsetof(struct config, submissions), false },
	{ "tor.bridge", parse_lines, offsetof(struct config, tor_bridge), true },
	{ "tor.control", parse_place, offsetof(struct config, tor_control), false },
	{ "tor.cookie", parse_text, offsetof(struct config, tor_cookie), false },
	{ "tor.extra", parse_lines, offsetof(struct config, tor_extra), true },
	{ "tor.program", parse_text, offsetof(struct config, tor_program), false },
	{ "tor.socks", parse_place, offsetof(struct config, tor_socks), false },
	{ "tor.stagger", parse_duration_or_never, offsetof(struct config, stagger_s), false },
	{ "tor.transport", parse_lines, offsetof(struct config, tor_transport), true },
	{ "tor.watch-copies", parse_duration_or_never, offsetof(struct config, watch_copies_s), false },
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

static void *
field(const struct key *key, struct config *config)
{
	return (char *)config + key->offset;
}

static int
parse_endpoint(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_endpoint(value, field(key, config), err);
}

static int
parse_place(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_place(value, field(key, config), err);
}

static int
parse_text(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_text(value, field(key, config), err);
}

static int
parse_lines(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return config_add_line(field(key, config), value, err);
}

static int
parse_message_size(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_size(value, MESSAGE_LEAST_BYTES, MESSAGE_MOST_BYTES, field(key, config), err);
}

static int
parse_disk_size(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_size(value, 0, DISK_MOST_BYTES, field(key, config), err);
}

static int
parse_yes_no(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_yes_no(value, field(key, config), err);
}

static int
parse_duration(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	return value_duration(value, 1, DURATION_MOST_S, field(key, config), err);
}

/* 0: never */
static int
parse_duration_or_never(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	if (!slice_is(value, "never") && !slice_is(value, "0"))
		return parse_duration(key, value, config, err);
	*(uint32_t *)field(key, config) = 0;
	return 0;
}

static int
parse_precision(const struct key *key, struct slice value, struct config *config, struct error *err)
{
	static const struct {
		const char *name;
		uint32_t seconds;
	} table[] = { { "second", 1 }, { "minute", 60 }, { "hour", 60 * 60 }, { "day", 24 * 60 * 60 } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (slice_is(value, table[i].name)) {
			*(uint32_t *)field(key, config) = table[i].seconds;
			return 0;
		}
	return error_set(err, ERROR_INVALID, "must be second, minute, hour or day, not '%.*s'",
	    value_shown_len(value), (const char *)value.data);
}

int
config_add_line(struct config_lines *lines, struct slice value, struct error *err)
{
	if (lines->count == CONFIG_LINES_MAX)
		return error_set(err, ERROR_TOO_LARGE, "may be there at most %d times", CONFIG_LINES_MAX);
	if (value_text(value, lines->text[lines->count], err) != 0)
		return -1;
	lines->count++;
	return 0;
}

void
config_defaults(struct config *config)
{
	*config = (struct config){
		.submission = { "127.0.0.1", 1587 },
		.submissions = { "127.0.0.1", 1465 },
		.imap = { "127.0.0.1", 1143 },
		.imaps = { "127.0.0.1", 1993 },
		.tor_program = "tor",
		.tor_cookie = CONFIG_TOR_COOKIE,
		.dovecot_program = "dovecot",
		.date_step_s = 60,
		.message_max_bytes = 64 * 1024 * 1024,
		.keep_free_bytes = 256 * 1024 * 1024,
		.require_starttls = true,
		.retry_first_s = 30,
		.retry_most_s = 4 * 60 * 60,
		.expire_s = 7 * 24 * 60 * 60,
		.delay_notice_s = 24 * 60 * 60,
		.keep_delivered_s = 30 * 24 * 60 * 60,
		.stagger_s = 2,
		.watch_copies_s = 30 * 60,
	};
}

uint64_t
config_shown_max_bytes(const struct config *config)
{
	uint64_t shown = 1;
	while (shown <= config->message_max_bytes / 2)
		shown *= 2;
	return shown;
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned n = a < b ? a : b;
	return n < c ? n : c;
}

/* Levenshtein's distance, where two neighbouring letters exchanged count one. Both at most KEY_MAX long. */
static unsigned
distance(struct slice a, struct slice b)
{
	unsigned rows[3][KEY_MAX + 1]; /* before the previous, previous, this */
	for (unsigned j = 0; j <= b.len; j++)
		rows[1][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		rows[2][0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned change = a.data[i - 1] != b.data[j - 1];
			rows[2][j] = least(rows[1][j] + 1, rows[2][j - 1] + 1, rows[1][j - 1] + change);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1] &&
			    rows[0][j - 2] + 1 < rows[2][j])
				rows[2][j] = rows[0][j - 2] + 1;
		}
		memcpy(rows[0], rows[1], sizeof rows[0]);
		memcpy(rows[1], rows[2], sizeof rows[1]);
	}
	return rows[1][b.len];
}

static int
unknown_key(unsigned line, struct slice name, struct error *err)
{
	const char *nearest = NULL;
	unsigned nearest_distance = (unsigned)name.len / 3 + 2; /* farther ones are no help */
	for (size_t i = 0; name.len <= KEY_MAX && i < KEY_COUNT; i++) {
		unsigned d = distance(name, slice_of_string(keys[i].name));
		if (d < nearest_distance) {
			nearest = keys[i].name;
			nearest_distance = d;
		}
	}
	int shown = name.len > KEY_MAX ? KEY_MAX : (int)name.len;
	if (nearest == NULL)
		return error_set(err, ERROR_INVALID, "line %u: there is no key '%.*s'; smtorp.conf(5) lists them", line, shown,
		    name.data);
	return error_set(err, ERROR_INVALID, "line %u: there is no key '%.*s'; did you mean '%s'?", line, shown, name.data,
	    nearest);
}

struct parse {
	struct config *config;
	unsigned set_in_line[KEY_COUNT]; /* 0: not yet */
};

static int
on_line(void *context, unsigned line, struct slice name, struct slice value, struct error *err)
{
	struct parse *parse = context;
	size_t i = 0;
	while (i < KEY_COUNT && !slice_is(name, keys[i].name))
		i++;
	if (i == KEY_COUNT)
		return unknown_key(line, name, err);
	if (parse->set_in_line[i] != 0 && !keys[i].repeats)
		return error_set(err, ERROR_INVALID, "line %u: '%s' was set in line %u already", line, keys[i].name,
		    parse->set_in_line[i]);
	parse->set_in_line[i] = line;
	struct error why = { 0 };
	if (keys[i].parser(&keys[i], value, parse->config, &why) != 0)
		return error_set(err, why.code, "line %u: %s %s", line, keys[i].name, why.text);
	return 0;
}

static int
check_together(const struct config *config, struct error *err)
{
	const struct config_endpoint *endpoints[] = { &config->submission, &config->submissions, &config->imap,
		&config->imaps };
	static const char *const names[] = { "submission.listen", "submissions.listen", "imap.listen", "imaps.listen" };
	if (config->retry_first_s > config->retry_most_s || config->retry_most_s > config->expire_s)
		return error_set(err, ERROR_INVALID,
		    "queue.retry-first must not be longer than queue.retry-most, nor that longer than queue.expire");
	if ((config->tor_control[0] == '\0') != (config->tor_socks[0] == '\0'))
		return error_set(err, ERROR_INVALID, "tor.control and tor.socks belong together: both say where a tor listens that is not "
		    "the node's own");
	for (unsigned i = 1; i < 4; i++)
		for (unsigned j = 0; j < i; j++)
			if (endpoints[i]->port != 0 && endpoints[i]->port == endpoints[j]->port &&
			    strcmp(endpoints[i]->host, endpoints[j]->host) == 0)
				return error_set(err, ERROR_INVALID, "%s and %s cannot both be %s:%u", names[j], names[i],
				    endpoints[i]->host, endpoints[i]->port);
	return 0;
}

int
config_parse(struct slice text, struct config *out, struct error *err)
{
	struct parse parse = { .config = out };
	config_defaults(out);
	if (config_scan(text, on_line, &parse, err) != 0)
		return -1;
	return check_together(out, err);
}

const char *const *
config_keys(void)
{
	static const char *names[KEY_COUNT + 1];
	for (size_t i = 0; i < KEY_COUNT; i++)
		names[i] = keys[i].name;
	return names;
}
