/* SPDX-License-Identifier: ISC */
#include "queue/schedule.h"

#include <assert.h>

int64_t
schedule_delay_ms(const struct schedule *schedule, uint64_t tries, uint64_t random)
{
	assert(tries >= 1 && schedule->first_ms >= 0 && schedule->most_ms >= schedule->first_ms);
	int64_t delay = schedule->first_ms;
	for (uint64_t i = 1; i < tries && delay < schedule->most_ms; i++)
		delay *= 2;
	if (delay > schedule->most_ms)
		delay = schedule->most_ms;
	int64_t least = delay - delay / 4, most = delay + delay / 4;
	if (most > schedule->most_ms)
		most = schedule->most_ms;
	return least + (int64_t)(random % ((uint64_t)(most - least) + 1)); /* the bias of % is no matter here */
}

int64_t
schedule_stagger_ms(int64_t within_ms, uint64_t random)
{
	return within_ms > 0 ? (int64_t)(random % (uint64_t)within_ms) : 0;
}

bool
schedule_is_expired(const struct schedule *schedule, int64_t age_ms, uint64_t tries)
{
	return age_ms >= schedule->expire_ms && tries >= SCHEDULE_TRIES_MIN;
}

int64_t
schedule_counted_ms(int64_t downtime_ms)
{
	return downtime_ms < SCHEDULE_DOWNTIME_MOST_MS ? downtime_ms : SCHEDULE_DOWNTIME_MOST_MS;
}

int64_t
schedule_resume_ms(int64_t saved_queue_ms, int64_t saved_wall_ms, int64_t wall_ms)
{
	if (saved_wall_ms == 0 || wall_ms < saved_wall_ms)
		return saved_queue_ms;
	return saved_queue_ms + schedule_counted_ms(wall_ms - saved_wall_ms);
}
