/* SPDX-License-Identifier: ISC */
#include "daemon/reason.h"

#include <stdbool.h>
#include <stdio.h>

static const struct {
	const char *word, *brief, *text;
	bool is_quote; /* what the row's text holds are the peer's words, and the text here goes before them */
} reasons[WAIT_REASON_COUNT] = {
	[WAIT_REASON_NEW] = { "new", "not tried yet", "it has not been tried yet", false },
	[WAIT_REASON_DIALLING] = { "dialling", "being called", "the recipient's node is being called now", false },
	[WAIT_REASON_DELIVERING] = { "delivering", "on its way", "it is being handed over now", false },
	[WAIT_REASON_TOR_DOWN] = { "tor", "Tor is not connected",
		"Tor is not connected; this is no fault of the recipient's", false },
	[WAIT_REASON_NO_DESCRIPTOR] = { "unknown", "offline, or no such address",
		"the onion service has been offline for hours, or does not exist", false },
	[WAIT_REASON_OFFLINE] = { "offline", "offline", "the onion service went offline a short time ago", false },
	[WAIT_REASON_RENDEZVOUS] = { "circuit", "not reached", "tor could not meet the onion service", false },
	[WAIT_REASON_AUTHORIZATION] = { "authorization", "needs a key",
		"the onion service is private: its owner can give you a key for it (smtorp contact grant, and here: contact key)", false },
	[WAIT_REASON_BAD_ADDRESS] = { "address", "no such address", "there can be no such onion service", false },
	[WAIT_REASON_PORT_REFUSED] = { "port", "takes no mail", "the onion service is online but takes no mail", false },
	[WAIT_REASON_TIMEOUT] = { "timeout", "no answer", "there was no answer in time", false },
	[WAIT_REASON_LOST] = { "lost", "connection broke", "the connection broke", false },
	[WAIT_REASON_REFUSED] = { "refused", "refused for now", "the recipient's server refused the connection", true },
	[WAIT_REASON_PROTOCOL] = { "protocol", "its server has a fault",
		"the recipient's server does not speak SMTP as it must", true },
	[WAIT_REASON_REPLY] = { "deferred", "asked to come later", "the recipient's server asks to try again later", true },
	[WAIT_REASON_FAILED] = { "failed", "failed", "it failed for good, and the report about it is being written", true },
	[WAIT_REASON_KEY] = { "key", "held: another key", "held: the recipient's node shows another TLS key than before", false },
	[WAIT_REASON_OTHER] = { "other", "not reached", "the recipient's node cannot be reached", false },
};

static unsigned
known(unsigned reason)
{
	return reason < WAIT_REASON_COUNT ? reason : WAIT_REASON_OTHER;
}

const char *
reason_word(unsigned reason)
{
	return reasons[known(reason)].word;
}

const char *
reason_brief(unsigned reason)
{
	return reasons[known(reason)].brief;
}

void
reason_say(unsigned reason, const char *text, char out[REASON_TEXT_MAX])
{
	const char *own = reasons[known(reason)].text;
	bool is_quote = reasons[known(reason)].is_quote;
	snprintf(out, REASON_TEXT_MAX, "%s%s%s", text[0] == '\0' || is_quote ? own : "", text[0] != '\0' && is_quote ? ": " : "",
	    text);
}
