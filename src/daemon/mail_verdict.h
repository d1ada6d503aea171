/* SPDX-License-Identifier: ISC
 *
 * What mail@ID says of a message that came in, as the field at the top of its mailbox copy (doc/spec/verdict.md).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "contacts/contacts.h"
#include "ipc/messages.h"
#include "proof/onionsig.h"
#include "queue/record.h"
#include "seal/pgpmime.h"

struct mail_verdict {
	enum onionsig_verdict proof;
	char sender[IPC_MAILBOX_MAX + 1]; /* "": nobody is named */
	char why[IPC_TEXT_MAX + 1];       /* it is not proved */
	char peer[IPC_ONION_MAX + 1];     /* the onion that whoever brought it has proved to be; "": nothing was proved */
	bool has_other_path;              /* the reverse-path is of another onion than that */
	/* proved: what the address book says */
	int64_t since_s;                  /* 0: it is the first message */
	enum contacts_learned key;        /* SAME also when none came along */
	/* if it was opened */
	bool is_opened;
	enum pgpmime_encryption encryption;
	enum pgpmime_signature signature;
	char fingerprint[IPC_OPENPGP_FINGERPRINT_LEN + 1];
	char trouble[IPC_TEXT_MAX + 1];   /* why it could not be decrypted */
};

bool mail_verdict_is_false(const struct mail_verdict *verdict);

/* Who brought it: the onion that the client has proved to be in its session ("": none), beside the reverse-path. */
void mail_verdict_note_peer(struct mail_verdict *verdict, const char *reverse_path, const char *proved);

/* The field, with its CRLF. */
void mail_verdict_write(const struct mail_verdict *verdict, char out[RECORD_VERDICT_MAX]);
