/* SPDX-License-Identifier: ISC
 *
 * mail@ID takes messages in: from smtp@ID (strangers' mail for the owner) and from submission (the owner's mail for
 * others). Each is answered once it is durable, or refused.
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_content.h"
#include "daemon/mail_sign.h"
#include "ipc/messages.h"
#include "queue/mailstore.h"

/* More than this waiting: 451, try again later. */
#define MAIL_INTAKE_BACKLOG_BYTES ((uint64_t)256 * 1024 * 1024)
#define MAIL_INTAKE_BACKLOG_RECORDS 100000
#define MAIL_INTAKE_PREPARED_MAX 64  /* messages with content; strangers' half as many */
#define MAIL_INTAKE_PREPARED_LARGE 4 /* and of the largest size */

struct mail_intake;

struct mail_intake_config {
	enum ipc_encryption encryption;
	bool opens;               /* what is encrypted is decrypted when it comes */
	bool refuse_unproved;     /* mail that claims an onion as its sender and does not prove it */
	char onion[IPC_ONION_MAX + 1];
	char local_part[64 + 1];
	uint64_t message_max_bytes;
	uint64_t keep_free_bytes; /* of the disk, kept from strangers */
	uint32_t date_step_s; /* dates that leave are cut to it */
	bool stands_by;       /* another copy of the identity is the one that is published: mail to the own address goes there, too */
};

struct mail_intake_events {
	/* Sends INTAKE_DONE to the role, if its channel is still the one of this generation. */
	void (*reply)(void *context, enum role source, unsigned generation, const struct ipc_message *m);
	/* Something was appended: mail_intake_commit() is to be called in this round of the loop, and when mailstore_commit_fd() is readable. */
	void (*on_appended)(void *context);
	/* The journal broke, all were refused: the process must end. */
	void (*on_broken)(void *context, const struct error *err);
	/* One was refused for lack of space; a stranger's, to keep what is left for the owner. */
	void (*on_no_space)(void *context, const struct error *err);
	void (*on_reserve)(void *context);
	/* A proved sender's message has brought something for the node; list: as OPENED has it. */
	void (*on_findings)(void *context, const char *sender, struct slice list);
};

/* All is borrowed but config, which is copied. */
struct mail_intake *mail_intake_new(const struct mail_intake_config *config, struct mailstore *mailstore,
    struct mail_content *content, struct mail_sign *sign, struct contacts *contacts, const struct mail_intake_events *events, void *context);
void mail_intake_free(struct mail_intake *intake); /* takes NULL; content and sign must be gone already */

/* Whether a stranger's message of so many bytes leaves as much of the disk free as is kept for the owner. */
bool mail_intake_may_receive(const struct mail_intake *intake, uint64_t bytes);

/* An INTAKE came from source (ROLE_SMTP or ROLE_SUBMISSION). The body is taken from m. */
void mail_intake_take(struct mail_intake *intake, enum role source, unsigned generation, struct ipc_message *m);

/* A message that the node itself writes in the owner's name, whole, which goes the way of all that the owner sends: code and text of the answer, as INTAKE_DONE has
 * them, when it is durable or refused. recipients: packed; copied. The body is taken. May fire from inside. */
typedef void mail_intake_own_done(void *context, unsigned code, const char *text);
void mail_intake_own(struct mail_intake *intake, struct slice recipients, struct body *body, mail_intake_own_done *done, void *context);

/* Changes what the config has said. */
void mail_intake_set_standby(struct mail_intake *intake, bool stands_by);

/* Takes a step of mailstore_commit(), and answers what is durable. */
void mail_intake_commit(struct mail_intake *intake);

/* From now on all is refused for the moment, also what content still has. */
void mail_intake_stop(struct mail_intake *intake);
