/* SPDX-License-Identifier: ISC */
#include "queue/queueclock.h"

#include <stdlib.h>

#include "base/clock.h"
#include "queue/schedule.h"

struct queueclock {
	struct statement *save;
	int64_t offset_ms; /* from the time awake to this clock */
	int64_t slept_ms;  /* since the machine was started, as far as it is in offset_ms */
};

int
queueclock_open(struct database *db, struct queueclock **out, struct error *err)
{
	struct statement *load = NULL;
	struct queueclock *c = calloc(1, sizeof *c);
	int result = -1;
	if (c == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	if (statement_new(db, "UPDATE state SET queue_ms = ?1, wall_ms = ?2", &c->save, err) != 0 ||
	    statement_new(db, "SELECT queue_ms, wall_ms FROM state", &load, err) != 0)
		goto out;
	int row = statement_step(load, err);
	if (row == 0)
		error_set(err, ERROR_DAMAGED, "the database mail.db is damaged: it has no state");
	if (row != 1)
		goto out;
	int64_t start = schedule_resume_ms(statement_int(load, 0), statement_int(load, 1), clock_wall_ms());
	c->offset_ms = start - clock_awake_ms();
	c->slept_ms = clock_monotonic_ms() - clock_awake_ms();
	*out = c;
	c = NULL;
	result = 0;
out:
	statement_free(load);
	queueclock_free(c);
	return result;
}

void
queueclock_free(struct queueclock *c)
{
	if (c == NULL)
		return;
	statement_free(c->save);
	free(c);
}

int64_t
queueclock_now_ms(struct queueclock *c)
{
	/* In this order: a sleep between the two is counted as one. */
	int64_t awake_ms = clock_awake_ms(), slept_ms = clock_monotonic_ms() - awake_ms;
	c->offset_ms += schedule_counted_ms(slept_ms - c->slept_ms);
	c->slept_ms = slept_ms;
	return awake_ms + c->offset_ms;
}

int
queueclock_save(struct queueclock *c, struct error *err)
{
	statement_bind_int(c->save, 1, queueclock_now_ms(c));
	statement_bind_int(c->save, 2, clock_wall_ms());
	return statement_run(c->save, err);
}
