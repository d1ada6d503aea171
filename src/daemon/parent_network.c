/* SPDX-License-Identifier: ISC
 *
 * Whether the machine slept, changed its network or its clock: the kernel says so, nothing is polled. Its words are not
 * read: that something happened is a reason to look at the addresses and the clocks.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/network.h"
#include "daemon/parent.h"

#define SETTLE_MS 500            /* one change comes as many events */
#define SLEPT_LEAST_MS 3000
#define SLEPT_LONG_MS 60000      /* routers and relays have forgotten connections then */
#define CLOCK_STEP_LEAST_MS 30000
#define ALARM_S (10LL * 365 * 24 * 3600)

struct watching {
	int netlink_fd, clock_fd;
	struct watch *netlink, *clock;
	struct timer *settle, *later;
	struct network_pace pace;
	struct { char what[64]; bool is_there, reconnect; } pending; /* happened, and waits for its turn */
	struct network before;
	int64_t slept_ms, wall_ms;   /* what the clocks said last: asleep since boot, wall minus monotonic */
};

/* Time spent suspended since the machine was started. */
static int64_t
read_slept_ms(void)
{
	return clock_monotonic_ms() - clock_awake_ms();
}

void
parent_network_tell(struct parent *parent, bool reconnect)
{
	const struct ipc_message m = { .type = IPC_TYPE_NETWORK, .fd = -1, .network.reconnect = reconnect };
	parent_role_send(&parent->tor.role, &m);
	for (struct parent_identity *i = parent->identities; i != NULL; i = i->next)
		parent_role_send(&i->mail, &m);
}

static void
act(struct parent *parent)
{
	struct watching *w = parent->network.watching;
	log_info("%s: what waits is tried again", w->pending.what);
	snprintf(parent->network.event, sizeof parent->network.event, "%s", w->pending.what);
	parent->network.event_ms = clock_monotonic_ms();
	network_pace_act(&w->pace, parent->network.event_ms);
	bool reconnect = w->pending.reconnect;
	w->pending.is_there = w->pending.reconnect = false;
	parent_network_tell(parent, reconnect);
}

static void
look_whether_it_is_time(void *context)
{
	struct parent *parent = context;
	struct watching *w = parent->network.watching;
	int64_t wait_ms = network_pace_wait_ms(&w->pace, clock_monotonic_ms());
	if (!w->pending.is_there)
		return;
	if (wait_ms == 0)
		act(parent);
	else
		timer_start(w->later, wait_ms);
}

static void
happened(struct parent *parent, const char *what, bool reconnect)
{
	struct watching *w = parent->network.watching;
	snprintf(w->pending.what, sizeof w->pending.what, "%s", what);
	w->pending.is_there = true;
	w->pending.reconnect = w->pending.reconnect || reconnect;
	look_whether_it_is_time(parent);
}

/* ---- addresses */

static void
on_settled(void *context)
{
	struct parent *parent = context;
	struct watching *w = parent->network.watching;
	struct error err = { 0 };
	struct network now;
	if (network_read(&now, &err) != 0) {
		log_warn("%s", err.text);
		return;
	}
	enum network_change change = network_compare(&w->before, &now);
	w->before = now;
	if (change != NETWORK_SAME)
		happened(parent, "network changed", change == NETWORK_OTHER);
}

/* Also when the socket's buffer ran over (ENOBUFS): then something happened, too. */
static void
on_netlink(void *context)
{
	struct parent *parent = context;
	struct watching *w = parent->network.watching;
	char unread[16384];
	ssize_t n;
	do
		n = recv(w->netlink_fd, unread, sizeof unread, MSG_DONTWAIT | MSG_TRUNC);
	while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
	if (!timer_is_running(w->settle))
		timer_start(w->settle, SETTLE_MS);
}

static int
open_netlink(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		file_close(&fd);
	return fd;
}

/* ---- clocks */

/* An alarm far away, which is called off when the wall clock is set, and when the machine wakes up. */
static void
arm(int fd)
{
	struct itimerspec far = { .it_value.tv_sec = clock_wall_s() + ALARM_S };
	timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void
on_clock(void *context)
{
	struct parent *parent = context;
	struct watching *w = parent->network.watching;
	uint64_t unread;
	char what[64];
	if (read(w->clock_fd, &unread, sizeof unread) < 0 && errno == EAGAIN)
		return;
	arm(w->clock_fd);
	int64_t slept_ms = read_slept_ms() - w->slept_ms, wall_ms = clock_wall_ms() - clock_monotonic_ms();
	int64_t step_ms = wall_ms - w->wall_ms;
	w->slept_ms += slept_ms;
	w->wall_ms = wall_ms;
	if (slept_ms >= SLEPT_LEAST_MS) {
		snprintf(what, sizeof what, "woke up after %lld s", (long long)(slept_ms / 1000));
		happened(parent, what, slept_ms >= SLEPT_LONG_MS);
	} else if (step_ms >= CLOCK_STEP_LEAST_MS || -step_ms >= CLOCK_STEP_LEAST_MS) {
		snprintf(what, sizeof what, "clock set %s by %lld s", step_ms > 0 ? "forward" : "back",
		    ((long long)(step_ms > 0 ? step_ms : -step_ms) + 500) / 1000); /* the two clocks are read one after the other */
		happened(parent, what, true);
	}
}

/* ---- beginning and end */

void
parent_network_open(struct parent *parent)
{
	struct error err = { 0 };
	struct watching *w = calloc(1, sizeof *w);
	if (w == NULL)
		return;
	parent->network.watching = w;
	w->settle = timer_new(parent->loop, on_settled, parent);
	w->later = timer_new(parent->loop, look_whether_it_is_time, parent);
	w->netlink_fd = open_netlink();
	if (w->netlink_fd >= 0 && network_read(&w->before, &err) == 0) {
		w->netlink = watch_new(parent->loop, w->netlink_fd, WATCH_READ, on_netlink, parent);
		watch_enable(w->netlink, true);
	} else
		log_warn("the node is not told about changes of the network, and waits longer after them");
	w->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->clock_fd < 0)
		return;
	w->slept_ms = read_slept_ms();
	w->wall_ms = clock_wall_ms() - clock_monotonic_ms();
	arm(w->clock_fd);
	w->clock = watch_new(parent->loop, w->clock_fd, WATCH_READ, on_clock, parent);
	watch_enable(w->clock, true);
}

void
parent_network_close(struct parent *parent)
{
	struct watching *w = parent->network.watching;
	if (w == NULL)
		return;
	if (w->netlink != NULL)
		watch_free(w->netlink);
	if (w->clock != NULL)
		watch_free(w->clock);
	timer_free(w->settle);
	timer_free(w->later);
	file_close(&w->netlink_fd);
	file_close(&w->clock_fd);
	free(w);
	parent->network.watching = NULL;
}
