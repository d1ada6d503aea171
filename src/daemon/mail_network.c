/* SPDX-License-Identifier: ISC */
#include "daemon/mail_network.h"

#include <assert.h>
#include <stdlib.h>

#include "base/random.h"

#define SPREAD_MS 5000
#define SPREAD_PERCENT 50
#define TRIES 4 /* after the first one: at 15 s, 1 min, 3 min, 10 min or so */

struct mail_network {
	struct dispatch *dispatch;
	struct timer *timer;
	int64_t pause_ms;
	unsigned tries_left;
};

static void
on_timer(void *context)
{
	struct mail_network *n = context;
	dispatch_network(n->dispatch);
	if (n->tries_left > 0) {
		n->tries_left--;
		n->pause_ms *= 3;
		timer_start(n->timer, random_jitter_ms(n->pause_ms, SPREAD_PERCENT));
	}
}

/* Several times: tor needs a while to find its way, and so do peers that sat in the same train. At once, but not at the same moment as the
 * other identities of the node: who watches two of them should not see them act together. */
void
mail_network_changed(struct mail_network *n)
{
	n->tries_left = TRIES;
	n->pause_ms = SPREAD_MS;
	timer_start(n->timer, (int64_t)random_below(SPREAD_MS));
}

struct mail_network *
mail_network_new(struct loop *loop, struct dispatch *dispatch)
{
	struct mail_network *n = calloc(1, sizeof *n);
	assert(n != NULL);
	n->dispatch = dispatch;
	n->timer = timer_new(loop, on_timer, n);
	return n;
}

void
mail_network_free(struct mail_network *n)
{
	if (n == NULL)
		return;
	timer_free(n->timer);
	free(n);
}
