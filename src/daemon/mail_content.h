/* SPDX-License-Identifier: ISC
 *
 * mail@ID's side of its content role, which is started on demand and ends when its channel is closed.
 *
 * A request that was under way when content died is repeated once, alone; if content dies again it is failed, so
 * that a message that breaks the parser cannot do so for ever.
 */
#pragma once

#include "ipc/body.h"
#include "ipc/messages.h"
#include "loop/loop.h"

#define MAIL_CONTENT_AT_ONCE 8

struct mail_content;

/* The answer: CONTENT_RESULT, CHECKED or OPENED, whichever belongs to the request, with its body (the callee may take it); or NULL and nothing when content
 * could not do it. Fires once for each request, never from inside the call that made it. */
typedef void mail_content_done(void *context, const struct ipc_message *answer, struct body *body);

/* need: asks the parent for a content role; it may be called again when none comes. */
struct mail_content *mail_content_new(struct loop *loop, size_t body_max_bytes, void (*need)(void *context),
    void *context);
void mail_content_free(struct mail_content *content); /* takes NULL; answers nobody */
void mail_content_set_peer(struct mail_content *content, int fd); /* a fresh channel */
size_t mail_content_waiting(const struct mail_content *content);

/* The body is moved out of *body. id_letters and ids: see PREPARE; copied. */
struct mail_content_message {
	const char *local_part, *onion, *to, *id_letters;
	uint32_t date_step_s;
	struct slice ids;
};
void mail_content_prepare(struct mail_content *content, const struct mail_content_message *message, struct body *body,
    mail_content_done *done, void *context);

/* The same for what is prepared. keys: packed; copied. */
struct mail_content_seal {
	const char *local_part, *onion, *to;
	unsigned how; /* enum ipc_seal_how */
	struct slice keys;
	uint32_t date_step_s; /* the signature inside tells no more of the time than Date */
};
void mail_content_seal(struct mail_content *content, const struct mail_content_seal *seal, struct body *body, mail_content_done *done, void *context);

/* Who wrote the message that came in for onion? */
void mail_content_check(struct mail_content *content, const char *onion, struct body *body, mail_content_done *done, void *context);
/* What is inside, from a sender ("": nobody is proved to be it) whose keys are known; copied. */
void mail_content_open(struct mail_content *content, const char *onion, const char *sender, struct slice keys, struct body *body,
    mail_content_done *done, void *context);

struct mail_content_dsn {
	const char *onion, *recipient;
	int64_t arrival_s;
	int64_t will_end_s;    /* see COMPOSE_DSN */
	struct slice failures; /* packed; copied */
};
/* mark and text are copied; is_cut: of the message only its beginning is in body. */
void mail_content_compose_note(struct mail_content *content, const char *mark, struct slice text, bool is_cut,
    struct body *body, mail_content_done *done, void *context);

void mail_content_compose_dsn(struct mail_content *content, const struct mail_content_dsn *dsn, struct body *body,
    mail_content_done *done, void *context);

/* See COMPOSE_CARD, whose request_id is set here, and CHECK_CARD; the text is copied. */
void mail_content_compose_card(struct mail_content *content, const struct ipc_compose_card *card, mail_content_done *done, void *context);
void mail_content_check_card(struct mail_content *content, struct slice text, mail_content_done *done, void *context);
