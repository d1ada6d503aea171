/* SPDX-License-Identifier: ISC
 *
 * How one message stands, in words for its sender: what a copy in the folders Waiting and Delivered says.
 *
 * A copy cannot be changed, only replaced, which a mail program shows as a message gone and another come. So it says what
 * stays true for a while: a next try within a quarter of an hour is not named by its time, and what is being tried at this
 * moment is no news.
 */
#pragma once

#include "queue/dispatch.h"
#include "queue/mailstore.h"

#define MAIL_STATE_MARK_MAX 100
#define MAIL_STATE_TEXT_MAX 60000 /* of more recipients the rest is not named */

/* Zeroed, then: mail_state_add() for all rows of one body, then mail_state_end(), then the rest. */
struct mail_state {
	uint64_t body, first_item, body_bytes;
	int64_t arrival_ms, due_ms; /* of the next try; queue clock */
	size_t waiting, settled;    /* recipients */
	unsigned reason;            /* of the first that waits */
	bool has_waited;            /* it is to be shown */
	bool is_transient;          /* all that waits is being tried now: a copy that is there stays */
	uint64_t look_exact, look_soon; /* what a copy looks like that names the next try's time, and one that does not */
	struct buffer text;
};

/* false: the row is of another message, and was not added. dispatch may be NULL. */
bool mail_state_add(struct mail_state *state, const struct queue_row *row, const struct dispatch *dispatch, int64_t now_ms);
int mail_state_end(struct mail_state *state, struct queue *queue, struct error *err);
void mail_state_finish(struct mail_state *state); /* fine on a zeroed one */

/* The next try is not far. */
bool mail_state_is_soon(const struct mail_state *state, int64_t now_ms);

/* Is a copy of this look still right? */
bool mail_state_is_shown(const struct mail_state *state, uint64_t look, int64_t now_ms);

/* The words of a copy. Times are in the local time zone. */
void mail_state_say(const struct mail_state *state, int64_t now_ms, int64_t expire_ms, bool is_cut,
    char mark[MAIL_STATE_MARK_MAX], struct buffer *text);

/* The same for a message of which nothing waits any more (queue_next_ended()). */
int mail_state_say_ended(struct queue *queue, uint64_t body, uint64_t body_bytes, bool is_cut,
    char mark[MAIL_STATE_MARK_MAX], struct buffer *text, struct error *err);
