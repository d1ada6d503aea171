/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"

#include "loop/tls.h"

const uint16_t doctor_ports[DOCTOR_PORTS] = { 25, 465 };

int
doctor_connect(struct doctor *d, uint16_t port, struct talk **out, struct reply *greeting, struct error *err)
{
	struct talk *talk;
	if (talk_open(d->loop, d->tor, d->onion, port, &talk, err) != 0)
		return -1;
	if ((port == 465 && talk_start_tls(talk, d->tls, TLS_ALPN_SMTORP, err) != 0) ||
	    talk_reply(talk, greeting, TALK_REPLY_MS, err) != 0)
		goto fail;
	if (greeting->code != 220) {
		error_set(err, ERROR_BUSY, "it greets with %u: %.180s", greeting->code, greeting->text);
		goto fail;
	}
	*out = talk;
	return 0;
fail:
	talk_free(talk);
	return -1;
}

/* The keywords of an EHLO reply stand in its lines, which reply.h gives one at a time; so they are read from what was heard. */
static void
take_extensions(struct slice heard, struct reply_extensions *extensions)
{
	*extensions = (struct reply_extensions){ 0 };
	for (bool is_first = true; heard.len > 0; is_first = false) {
		const unsigned char *lf = memchr(heard.data, '\n', heard.len);
		size_t len = lf != NULL ? (size_t)(lf - heard.data) + 1 : heard.len, text = len;
		while (text > 0 && (heard.data[text - 1] == '\n' || heard.data[text - 1] == '\r'))
			text--;
		if (text > 4 && !is_first)
			reply_take_extension(extensions, slice_of(heard.data + 4, text - 4));
		heard = slice_of(heard.data + len, heard.len - len);
	}
}

int
doctor_hello(struct talk *talk, struct reply_extensions *extensions, struct error *err)
{
	struct reply reply;
	size_t before = talk_heard(talk).len;
	if (talk_ask(talk, &reply, err, "EHLO %s", TALK_EHLO_NAME) != 0)
		return -1;
	if (reply.code != 250)
		return error_set(err, ERROR_PROTOCOL, "it answers EHLO with %u: %.180s", reply.code, reply.text);
	struct slice heard = talk_heard(talk);
	if (extensions != NULL)
		take_extensions(slice_of(heard.data + before, heard.len - before), extensions);
	return 0;
}

int
doctor_begin(struct doctor *d, uint16_t port, struct talk **out, struct reply_extensions *extensions, struct error *err)
{
	struct talk *talk;
	struct reply reply;
	struct reply_extensions own = { 0 }, *offered = extensions != NULL ? extensions : &own;
	if (doctor_connect(d, port, &talk, &reply, err) != 0)
		return -1;
	if (doctor_hello(talk, offered, err) != 0)
		goto fail;
	if (port == 25 && offered->starttls && (talk_ask(talk, &reply, err, "STARTTLS") != 0 || (reply.code == 220 &&
	    (talk_start_tls(talk, d->tls, NULL, err) != 0 || doctor_hello(talk, offered, err) != 0))))
		goto fail;
	*out = talk;
	return 0;
fail:
	talk_free(talk);
	return -1;
}

void
doctor_end(struct talk *talk)
{
	struct reply reply;
	if (talk != NULL)
		talk_ask(talk, &reply, NULL, "QUIT");
	talk_free(talk);
}
