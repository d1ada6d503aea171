/* SPDX-License-Identifier: ISC
 *
 * What the certificate tells, and what the server lets TLS be.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/doctor_judge.h"
#include "cli/view.h"
#include "identity/certificate_look.h"
#include "loop/stream.h"

/* ---- certificate */

static void
report_names(struct doctor *d, uint16_t port, const struct certificate_facts *facts)
{
	struct judge_leaks leaks;
	bool tells = judge_text(slice_of_string(facts->text), d->onion, d->machine->list, d->machine->count, &leaks);
	const char *word = leaks.word[JUDGE_MACHINE][0] != '\0' ? leaks.word[JUDGE_MACHINE] :
	    leaks.word[JUDGE_HOST][0] != '\0' ? leaks.word[JUDGE_HOST] : leaks.word[JUDGE_ADDRESS];
	if (tells && word[0] != '\0')
		report_add(d->report, REPORT_WRONG, "Make a self-signed certificate for the onion name alone.",
		    "port %u: the certificate names %s: \"%s\"", port, leaks.word[JUDGE_MACHINE][0] != '\0' ? "this machine" : "somebody else", word);
	else if (!facts->is_only_name)
		report_add(d->report, REPORT_WARNING, "Make a self-signed certificate for the onion name alone.",
		    "port %u: the certificate's subject, issuer and names are not the onion name alone", port);
	else if (!facts->is_usual && d->identity != NULL)
		report_add(d->report, REPORT_WRONG, "Remove tls.key and tls.crt of the identity and start the node again; addresses with a "
		    "fingerprint then change.", "port %u: the certificate's validity, serial number, key or extensions tell it from other nodes' ones",
		    port);
	else if (clock_wall_s() < facts->not_before_s || clock_wall_s() > facts->not_after_s)
		report_add(d->report, REPORT_WARNING, "Renew it; those who have noted its key need the same key again.",
		    "port %u: the certificate is not valid now", port);
	else
		report_add(d->report, REPORT_OK, "", "port %u: the certificate names nothing but the onion", port);
}

static void
report_fingerprint(struct doctor *d, uint16_t port, const struct certificate_facts *facts)
{
	if (d->fingerprint[0] == '\0')
		return;
	if (strncmp(facts->fingerprint, d->fingerprint, strlen(d->fingerprint)) == 0)
		report_add(d->report, REPORT_OK, "", "port %u: its key is the one that the address with the fingerprint names", port);
	else
		report_add(d->report, REPORT_WRONG, "If you have not renewed the key, somebody else has the onion's: do not use the address.",
		    "port %u: its key is not the one of the address: %.12s...", port, facts->fingerprint);
}

/* What the node's identities have kept of the onion's key. */
static void
report_pins(struct doctor *d, const char *fingerprint)
{
	size_t i, j;
	json_t *identity, *row;
	json_array_foreach(json_object_get(d->status, "identities"), i, identity) {
		json_t *known = NULL;
		if (strcmp(view_text(identity, "state"), "locked") == 0 || client_call(d->paths, "peer.show", json_pack("{s:s, s:s}",
		    "name", view_text(identity, "name"), "onion", d->onion), CLIENT_TIMEOUT_MS, &known, NULL) != 0)
			continue;
		json_array_foreach(json_object_get(known, "items"), j, row)
			if (strcmp(view_text(row, "fingerprint"), fingerprint) != 0)
				report_add(d->report, REPORT_WARNING, "`smtorp peer show` shows both keys, `smtorp peer accept` takes the new one.",
				    "%s has kept another key for this onion", view_text(identity, "name"));
		json_decref(known);
	}
}

static int
look(struct doctor *d, uint16_t port, struct certificate_facts *facts, struct error *err)
{
	struct talk *talk;
	struct buffer der;
	int result = doctor_begin(d, port, &talk, NULL, err);
	if (result != 0)
		return -1;
	buffer_init(&der, CERTIFICATE_DER_MAX);
	if (!talk_is_tls(talk))
		result = error_set(err, ERROR_NOT_FOUND, "port %u knows no TLS", port);
	if (result == 0)
		result = stream_peer_certificate(talk_stream(talk), &der, err);
	if (result == 0)
		result = certificate_look(slice_of(buffer_bytes(&der), buffer_len(&der)), d->onion, facts, err);
	buffer_finish(&der);
	doctor_end(talk);
	return result;
}

int
doctor_certificate(struct doctor *d, struct error *err)
{
	struct certificate_facts facts[DOCTOR_PORTS] = { 0 };
	const char *seen = "";
	for (size_t i = 0; i < DOCTOR_PORTS; i++) {
		if (!d->has_port[i])
			continue;
		if (look(d, doctor_ports[i], &facts[i], err) != 0)
			return -1;
		report_names(d, doctor_ports[i], &facts[i]);
		report_fingerprint(d, doctor_ports[i], &facts[i]);
		if (seen[0] != '\0' && strcmp(seen, facts[i].fingerprint) != 0)
			report_add(d->report, REPORT_WARNING, "Give both ports the same key: who has noted one takes the other for an attack.",
			    "the two ports show different keys");
		seen = facts[i].fingerprint;
	}
	report_pins(d, seen);
	return 0;
}

/* ---- what TLS may be */

/* *talk: a conversation where TLS with the context was agreed on; NULL when the server refused. -1: it could not be tried. */
static int
offer(struct doctor *d, uint16_t port, struct tls_context *context, struct talk **talk, struct error *err)
{
	struct reply reply;
	if (talk_open(d->loop, d->tor, d->onion, port, talk, err) != 0)
		return -1;
	bool is_ready = port == 465 || (talk_reply(*talk, &reply, TALK_REPLY_MS, err) == 0 && doctor_hello(*talk, NULL, err) == 0 &&
	    talk_ask(*talk, &reply, err, "STARTTLS") == 0);
	if (is_ready && port != 465 && reply.code != 220)
		is_ready = error_set(err, ERROR_PROTOCOL, "port %u: STARTTLS is answered with %u: %.160s", port, reply.code, reply.text) == 0;
	if (is_ready && talk_start_tls(*talk, context, NULL, err) == 0)
		return 0;
	talk_free(*talk);
	*talk = NULL;
	return is_ready && err->code != ERROR_TIMEOUT ? 0 : -1;
}

static const struct probe {
	enum tls_probe kind;
	enum report_level level;
	const char *what, *todo;
} probes[] = {
	{ TLS_PROBE_OLD, REPORT_WRONG, "TLS older than 1.2 is accepted", "Allow TLS 1.2 and 1.3 only (Postfix: smtpd_tls_protocols and "
	    "smtpd_tls_mandatory_protocols = >=TLSv1.2)." },
	{ TLS_PROBE_ANONYMOUS, REPORT_WRONG, "TLS without a certificate, or without encryption, is accepted",
	    "Forbid these ciphers (Postfix: smtpd_tls_exclude_ciphers = aNULL, eNULL)." },
	{ TLS_PROBE_NO_SECRECY, REPORT_WARNING, "TLS without forward secrecy is accepted",
	    "Forbid RSA key exchange (Postfix: smtpd_tls_exclude_ciphers = kRSA)." },
	{ TLS_PROBE_RENEGOTIATION, REPORT_WARNING, "a stranger may renegotiate TLS within a connection, which costs the server much",
	    "Forbid it (Postfix: tls_ssl_options = NO_RENEGOTIATION)." },
};

static int
try_probe(struct doctor *d, uint16_t port, const struct probe *probe, bool *is_fine, struct error *err)
{
	struct tls_context *context;
	struct talk *talk = NULL;
	char agreed[128];
	if (tls_context_new_probe(probe->kind, &context, err) != 0)
		return err->code == ERROR_UNSUPPORTED ? 0 : -1;
	int result = offer(d, port, context, &talk, err);
	bool is_accepted = talk != NULL;
	if (is_accepted) {
		snprintf(agreed, sizeof agreed, "%s %s", stream_tls_version(talk_stream(talk)), stream_tls_cipher(talk_stream(talk)));
		if (probe->kind == TLS_PROBE_RENEGOTIATION)
			is_accepted = talk_renegotiate(talk);
	}
	if (is_accepted)
		report_add(d->report, probe->level, probe->todo, "port %u: %s (%s)", port, probe->what, agreed);
	*is_fine &= !is_accepted;
	talk_free(talk);
	tls_context_free(context);
	return result;
}

int
doctor_tls(struct doctor *d, struct error *err)
{
	bool is_fine = true;
	for (size_t i = 0; i < DOCTOR_PORTS; i++)
		for (size_t p = 0; d->has_port[i] && p < sizeof probes / sizeof probes[0]; p++)
			if (try_probe(d, doctor_ports[i], &probes[p], &is_fine, err) != 0)
				return -1;
	if (is_fine)
		report_add(d->report, REPORT_OK, "", "TLS before 1.2, ciphers without certificate, encryption or forward secrecy, and "
		    "renegotiation are refused");
	return 0;
}
