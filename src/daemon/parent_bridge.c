/* SPDX-License-Identifier: ISC
 *
 * Where tor is blocked: bridges, and the programs of their transports, which tor starts.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/parent.h"
#include "tor/bridge.h"

/* What Debian has, by the names of the transports. */
static const struct {
	const char *transport, *program;
} known[] = {
	{ "obfs4", "obfs4proxy" },
	{ "meek_lite", "obfs4proxy" },
	{ "snowflake", "snowflake-client" },
	{ "webtunnel", "webtunnel-client" },
};

/* "tor.transport = NAME PROGRAM ARGUMENTS": the word after at, which moves behind it and the blanks that follow. */
static struct slice
take_word(const char **at)
{
	struct slice word = slice_of(*at, strcspn(*at, " \t"));
	*at += word.len;
	*at += strspn(*at, " \t");
	return word;
}

static bool
is_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* The line of the configuration for a transport, NULL without one. */
static const char *
configured(const struct parent *parent, struct slice transport)
{
	const struct config_lines *lines = &parent->config.tor_transport;
	for (unsigned i = 0; i < lines->count; i++) {
		const char *at = lines->text[i];
		if (is_same(take_word(&at), transport))
			return at;
	}
	return NULL;
}

static int
write_transport(struct parent *parent, struct slice transport, struct buffer *out, struct error *err)
{
	char program[PATH_MAX], name[CONFIG_VALUE_MAX] = "";
	const char *arguments = configured(parent, transport);
	if (arguments != NULL) {
		struct slice word = take_word(&arguments);
		snprintf(name, sizeof name, "%.*s", (int)word.len, word.data);
	}
	for (size_t i = 0; arguments == NULL && i < sizeof known / sizeof known[0]; i++)
		if (slice_is(transport, known[i].transport))
			snprintf(name, sizeof name, "%s", known[i].program);
	if (name[0] == '\0')
		return error_set(err, ERROR_INVALID, "which program makes the transport '%.*s' is not known: set tor.transport = "
		    "%.*s PROGRAM in smtorp.conf", (int)transport.len, transport.data, (int)transport.len, transport.data);
	if (parent_setup_find_program(name, "tor.transport", program, err) != 0)
		return -1;
	return bridge_write_transport(transport, program, arguments != NULL ? arguments : "", out, err);
}

static bool
was_written(const struct bridge *bridges, unsigned count, struct slice transport)
{
	for (unsigned i = 0; i < count; i++)
		if (is_same(bridges[i].transport, transport))
			return true;
	return false;
}

int
parent_bridge_write(struct parent *parent, struct buffer *out, struct error *err)
{
	const struct config_lines *lines = &parent->config.tor_bridge;
	struct bridge bridges[CONFIG_LINES_MAX];
	struct error why = { 0 };
	if (lines->count > 0 && buffer_append_string(out, "UseBridges 1\n", err) != 0)
		return -1;
	for (unsigned i = 0; i < lines->count; i++) {
		if (bridge_parse(lines->text[i], &bridges[i], &why) != 0)
			return error_set(err, why.code, "the bridge '%.60s' %s", lines->text[i], why.text);
		struct slice transport = bridges[i].transport;
		if (transport.len > 0 && !was_written(bridges, i, transport) &&
		    write_transport(parent, transport, out, err) != 0)
			return -1;
		if (bridge_write(&bridges[i], out, err) != 0)
			return -1;
	}
	return 0;
}
