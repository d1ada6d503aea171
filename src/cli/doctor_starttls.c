/* SPDX-License-Identifier: ISC
 *
 * Port 25 before TLS: what is said in plain text must not count inside, and no password is asked for.
 */
#include "cli/doctor.h"
#include "loop/stream.h"

static int
look_at_plain(struct doctor *d, struct error *err)
{
	struct talk *talk;
	struct reply reply;
	struct reply_extensions offered;
	if (doctor_connect(d, 25, &talk, &reply, err) != 0)
		return -1;
	int result = doctor_hello(talk, &offered, err);
	if (result == 0)
		result = talk_ask(talk, &reply, err, "MAIL FROM:<>");
	doctor_end(talk);
	if (result != 0)
		return -1;
	if (!offered.starttls)
		report_add(d->report, REPORT_WRONG, "Switch it on (Postfix: smtpd_tls_security_level = encrypt, and a certificate).",
		    "port 25 offers no STARTTLS");
	else if (reply.code / 100 == 2)
		report_add(d->report, REPORT_WARNING, "Require it (smtp.require-starttls = yes; Postfix: smtpd_tls_security_level = encrypt).",
		    "port 25 takes mail without TLS: keys that others have noted are no protection then");
	else
		report_add(d->report, REPORT_OK, "", "port 25 takes no mail before TLS");
	return 0;
}

/* RSET in the same segment as STARTTLS, as somebody in between would write it: it must get no answer inside of TLS. */
static int
inject(struct doctor *d, struct error *err)
{
	struct talk *talk;
	struct reply reply;
	bool is_obeyed = false;
	if (doctor_connect(d, 25, &talk, &reply, err) != 0)
		return -1;
	int result = doctor_hello(talk, NULL, err);
	if (result == 0)
		result = talk_send(talk, slice_of_string("STARTTLS\r\nRSET\r\n"), err);
	if (result == 0)
		result = talk_reply(talk, &reply, TALK_REPLY_MS, err);
	if (result == 0 && reply.code == 220 && talk_start_tls(talk, d->tls, NULL, err) == 0 && talk_ask(talk, &reply, err, "QUIT") == 0)
		is_obeyed = reply.code != 221;
	talk_free(talk);
	if (result != 0 && err->code != ERROR_CLOSED)
		return -1;
	if (is_obeyed)
		report_add(d->report, REPORT_WRONG, "Update the mail server: this fault has been known since 2011 (CVE-2011-0411).",
		    "port 25: a command sent in plain text behind STARTTLS is obeyed inside of TLS (%u %.120s)", reply.code, reply.text);
	else
		report_add(d->report, REPORT_OK, "", "port 25: what is sent in plain text behind STARTTLS is not obeyed");
	return 0;
}

int
doctor_starttls(struct doctor *d, struct error *err)
{
	if (!d->has_port[0])
		return 0;
	return look_at_plain(d, err) != 0 || inject(d, err) != 0 ? -1 : 0;
}

int
doctor_auth(struct doctor *d, struct error *err)
{
	bool is_fine = true;
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		struct talk *talk;
		struct reply reply;
		if (!d->has_port[i])
			continue;
		if (doctor_begin(d, doctor_ports[i], &talk, NULL, err) != 0)
			return -1;
		int result = talk_ask(talk, &reply, err, "AUTH LOGIN");
		bool has_none = reply.code == 504 && stream_alpn(talk_stream(talk)) != NULL; /* smtorp/1 has a mechanism that asks for no password */
		bool is_asked = result == 0 && !has_none &&
		    (reply.code == 334 || reply.code == 538 || reply.code == 530 || reply.code == 504);
		if (is_asked)
			report_add(d->report, REPORT_WRONG, "Offer AUTH on loopback or to your own network only (Postfix: smtpd_sasl_auth_enable = no "
			    "for what the onion leads to).", "port %u: strangers may try passwords (AUTH is answered with %u)", doctor_ports[i], reply.code);
		is_fine &= !is_asked;
		talk_free(talk);
		if (result != 0 && err->code != ERROR_CLOSED)
			return -1;
	}
	if (is_fine)
		report_add(d->report, REPORT_OK, "", "no passwords can be tried");
	return 0;
}
