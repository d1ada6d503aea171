/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "queue/queue_internal.h"
#include "store/numbered.h"

int
queue_is_shared(struct queue *q, uint64_t body, bool *is_shared, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_IS_SHARED, body);
	if (statement_step(s, err) != 1)
		return -1; /* it always has a row */
	*is_shared = statement_int(s, 0) != 0;
	statement_reset(s);
	return 0;
}

int
queue_note(struct queue *q, uint64_t item, uint64_t body, int64_t position, enum queue_outcome outcome, bool has_waited,
    struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_NOTE, body);
	statement_bind_int(s, 2, (int64_t)item);
	statement_bind_int(s, 3, position);
	statement_bind_int(s, 4, outcome);
	statement_bind_int(s, 5, has_waited);
	statement_bind_int(s, 6, clock_wall_s());
	return statement_run(s, err);
}

int
queue_next_ended(struct queue *q, uint64_t after, uint64_t *body, struct error *err)
{
	return queue_first_id(queue_with_id(q, QUEUE_NEXT_ENDED, after), body, err);
}

int
queue_outcomes(struct queue *q, uint64_t body, queue_take_outcome *take, void *context, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_OUTCOMES, body);
	int row;
	while ((row = statement_step(s, err)) == 1)
		if (!take(context, statement_bytes(s, 0), (enum queue_outcome)statement_int(s, 1), statement_int(s, 2)))
			break;
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

int
queue_forget_outcomes(struct queue *q, uint64_t body, struct error *err)
{
	return statement_run(queue_with_id(q, QUEUE_FORGET, body), err);
}

int
queue_body_bytes(struct queue *q, uint64_t body, uint64_t *bytes, struct error *err)
{
	char name[NUMBERED_NAME_BYTES];
	struct stat st;
	numbered_name(body, name);
	if (fstatat(q->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return error_set_errno(err, errno, "cannot look at a queued message");
	*bytes = (uint64_t)st.st_size;
	return 0;
}
