/* SPDX-License-Identifier: ISC
 *
 * What the files of mail@ID's intake share: mail_intake.c (answering), mail_receive.c (strangers' mail) and mail_submit.c (the owner's).
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_intake.h"
#include "daemon/mail_verdict.h"

/* One message between INTAKE and INTAKE_DONE. */
struct pending {
	struct mail_intake *intake;
	struct pending *next, **at;
	enum role source;
	unsigned generation;
	uint64_t transaction_id;
	mail_intake_own_done *own_done; /* NULL: source is to hear of it */
	void *own_context;
	uint64_t below; /* it is durable when all sequences below this one are */
	/* while content looks at the body */
	uint64_t bytes;
	uint8_t flags;
	char reverse_path[IPC_MAILBOX_MAX + 1];
	struct body body;
	/* a stranger's */
	struct buffer recipients;   /* packed */
	struct mail_verdict verdict;
	unsigned char digest[IPC_DIGEST_BYTES]; /* of a body in a file: what content has judged, and nothing else is kept */
	bool has_digest;
	/* submissions */
	struct buffer destinations; /* record_add_destination() */
	struct ids_leaving ids;
	struct copy *copies, **last_copy; /* those that are ready, each for one destination */
	struct slice left;                /* of destinations, without that at hand */
	char onion[IPC_ONION_MAX + 1];    /* of the one at hand */
	struct slice at_hand;
	struct slice at_hand_recipients;
	struct buffer keys;               /* of them, packed */
	unsigned how;                     /* enum ipc_seal_how */
	bool is_waiting;                  /* for keys: it is sealed to the own one */
	uint8_t prepared_flags;           /* enum ipc_body_flags */
};

/* What one destination gets. */
struct copy {
	struct copy *next;
	struct slice destination; /* in the pending's list */
	uint8_t flags;
	struct buffer field; /* Autocrypt and the Onion-Signature, to stand before the body */
	struct body body;
};

struct mail_intake {
	struct mail_intake_config config;
	struct mailstore *mailstore;
	struct mail_content *content;
	struct mail_sign *sign;
	struct contacts *contacts;
	const struct mail_intake_events *events;
	void *context;
	struct pending *preparing; /* content has it */
	struct pending *appended, **last; /* to be answered when durable; the oldest first */
	uint64_t preparing_bytes;
	bool is_stopped;
};

struct answer {
	uint16_t code;
	const char *enhanced, *text;
};

extern const struct answer intake_busy, intake_stopping, intake_failed;

/* Answers, and frees p. */
void intake_finish(struct pending *p, const struct answer *a);
void intake_finish_error(struct pending *p, const struct error *err);

/* The result of appending it to the journal: it is answered when it is durable, or at once. */
void intake_after_append(struct pending *p, int result, const struct error *err);

/* The beginning of a message: its header, most likely. *copy: an empty buffer of THREADS_SCAN_BYTES for that of a file, to which a role that is trusted
 * less can still write. */
int intake_read_beginning(const struct body *body, struct buffer *copy, struct slice *beginning, struct error *err);

/* Whether content has too much to look at. Strangers fill half of the room at most, so that there is always some for the owner. */
bool intake_is_busy(const struct mail_intake *in, const struct body *body, bool is_strangers);

/* Keeps what is needed until content has answered. */
void intake_hold(struct pending *p, const struct ipc_intake *m, struct body *body);

static inline struct slice
intake_bytes(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

void intake_receive(struct pending *p, const struct ipc_intake *m, struct body *body); /* a stranger's */
void intake_submit(struct pending *p, const struct ipc_intake *m, struct body *body);  /* the owner's */
