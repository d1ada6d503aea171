/* SPDX-License-Identifier: ISC
 *
 * What the doctor's checks share: the node that is looked at, and how to talk to it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "address/address.h"
#include "cli/doctor_machine.h"
#include "cli/doctor_report.h"
#include "cli/doctor_talk.h"
#include "config/paths.h"
#include "identity/identity.h"

/* One onion, and what is known of it. All is borrowed but loop's and report's contents. */
struct doctor {
	struct loop *loop;
	struct report *report;
	struct tls_context *tls;
	struct machine *machine;
	const struct paths *paths;
	json_t *status;                                /* the node's */
	char tor[PATHS_MAX + 16];                      /* its SOCKS port */
	char onion[ADDRESS_ONION_LEN + 1];             /* with ".onion" */
	char local_part[ADDRESS_LOCAL_PART_MAX + 1];   /* "": not known */
	char fingerprint[ADDRESS_FINGERPRINT_MAX + 1]; /* "": not known */
	/* Names that a server is asked about, "" when they are not known or none of its business: they are told only to what is this node's
	 * own, for whoever is asked about them learns that they belong together. */
	char sibling[ADDRESS_ONION_LEN + 1];           /* another identity of the same node */
	const char *host, *full_host;                  /* the machine's */
	char sibling_local_part[ADDRESS_LOCAL_PART_MAX + 1];
	const char *identity;                          /* NULL: an onion that is no identity of this node */
	bool has_port[2];                              /* 25 and 465, as doctor_ports has them: what `reach` has seen */
};

#define DOCTOR_PORTS 2
extern const uint16_t doctor_ports[DOCTOR_PORTS];

/* A check reports what it finds. -1: it could not be made, err says why. */
typedef int doctor_check(struct doctor *d, struct error *err);
doctor_check doctor_reach;     /* both ports answer; fills has_port */
doctor_check doctor_banner;    /* what it tells of machine, user, program, time */
doctor_check doctor_relay;     /* whether it takes mail for others */
doctor_check doctor_certificate; /* whether it names anything but the onion, and is the address's */
doctor_check doctor_tls;       /* versions, ciphers, renegotiation */
doctor_check doctor_starttls;  /* port 25 before TLS */
doctor_check doctor_auth;      /* whether passwords can be tried */
doctor_check doctor_mailbox;   /* what is told about mailboxes */
doctor_check doctor_smuggling; /* what ends a message */
doctor_check doctor_limits;    /* numbers, lines, pieces, BDAT */
doctor_check doctor_siblings;  /* whether it tells who else lives on the node */

/* A conversation past the greeting and EHLO; on port 25 with TLS when it is offered (RFC 3207), on 465 at once. extensions may
 * be NULL: those of the last EHLO. The caller frees *out. */
int doctor_begin(struct doctor *d, uint16_t port, struct talk **out, struct reply_extensions *extensions, struct error *err);

/* The same up to the greeting, in *reply. */
int doctor_connect(struct doctor *d, uint16_t port, struct talk **out, struct reply *greeting, struct error *err);

/* EHLO. ERROR_PROTOCOL when it is refused. */
int doctor_hello(struct talk *talk, struct reply_extensions *extensions, struct error *err);

/* QUIT, and closes. Takes NULL. */
void doctor_end(struct talk *talk);
