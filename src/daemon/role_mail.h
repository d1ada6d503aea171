/* SPDX-License-Identifier: ISC
 *
 * What the files of the role mail@ID share: role_mail.c (the course of things) and role_mail_open.c (how it is put together).
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_bounce.h"
#include "daemon/mail_card.h"
#include "daemon/mail_content.h"
#include "daemon/mail_findings.h"
#include "daemon/mail_intake.h"
#include "daemon/mail_introduce.h"
#include "daemon/mail_invite.h"
#include "daemon/mail_moves.h"
#include "daemon/mail_network.h"
#include "daemon/mail_notice.h"
#include "daemon/mail_ready.h"
#include "daemon/mail_sign.h"
#include "daemon/mail_waiting.h"
#include "daemon/role.h"
#include "queue/dispatch.h"
#include "queue/mailstore.h"

/* A role that gives and takes messages here. */
struct source {
	enum role role;
	struct channel *channel;
	unsigned generation; /* an answer goes to the channel that the question came from, or nowhere */
};

struct mail {
	struct source smtp, submission, tor, control;
	struct schedule schedule;
	struct mailstore *mailstore; /* NULL until MAIL_CONFIG came */
	struct contacts *contacts;
	struct mail_card *card;
	struct mail_content *content;
	struct mail_sign *sign;
	struct mail_intake *intake;
	struct mail_introduce introduce;
	struct mail_moves moves;
	struct mail_bounce *bounce;
	struct mail_notice *notice;
	struct dispatch *dispatch;
	struct mail_waiting *waiting;
	struct mail_ready *ready;
	struct mail_findings *findings;
	struct mail_invite *invite;
	struct timer *commit, *process, *settle, *rest, *room;
	struct mail_network *network;
	struct watch *committed, *processed; /* what the threads have done; NULL: there are none */
	struct ipc_mail_config config;
	bool has_caught_up; /* with what the journal held at the start */
	bool is_dying;
};
extern struct mail mail;

/* role_mail_open.c: opens the folder with the configuration that came, and makes all that works on it. */
void role_mail_open_store(void);

/* role_mail.c */
void role_mail_reply(void *context, enum role role, unsigned generation, const struct ipc_message *m);
void role_mail_on_appended(void *context);
void role_mail_on_broken(void *context, const struct error *err);
void role_mail_no_space(void *context, const struct error *err);
void role_mail_on_reserve(void *context);
bool role_mail_send_tor(void *context, const struct ipc_message *m);
bool role_mail_send_smtp(void *context, const struct ipc_message *m);
void role_mail_on_result(void *context);
void role_mail_on_settled(void *context);
bool role_mail_send_control(void *context, const struct ipc_message *m);
void role_mail_need_content(void *context);
void role_mail_on_commit(void *context);
void role_mail_on_process(void *context);
void role_mail_on_settle(void *context);
void role_mail_on_rest(void *context);
void role_mail_tell_dispatch(const struct source *s);
void role_mail_die(const struct error *err);
