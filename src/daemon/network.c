/* SPDX-License-Identifier: ISC */
#include "daemon/network.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* false for one that is of no interest. */
static bool
take_bytes(const struct sockaddr *address, unsigned char out[8])
{
	memset(out, 0, 8);
	if (address->sa_family == AF_INET) {
		memcpy(out, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
		return out[0] != 169 || out[1] != 254;
	}
	if (address->sa_family != AF_INET6)
		return false;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	memcpy(out, v6, 8);
	return !IN6_IS_ADDR_LINKLOCAL(v6);
}

static bool
has(const struct network *n, const struct network_address *a)
{
	for (size_t i = 0; i < n->count; i++)
		if (memcmp(&n->addresses[i], a, sizeof *a) == 0)
			return true;
	return false;
}

void
network_add(struct network *n, const char *interface, bool is_loopback, const struct sockaddr *address)
{
	struct network_address a;
	memset(&a, 0, sizeof a); /* they are compared as a whole */
	snprintf(a.interface, sizeof a.interface, "%s", interface);
	a.family = (uint8_t)address->sa_family;
	a.is_loopback = is_loopback;
	if (take_bytes(address, a.bytes) && !has(n, &a) && n->count < NETWORK_ADDRESSES_MAX)
		n->addresses[n->count++] = a;
}

int
network_read(struct network *out, struct error *err)
{
	struct ifaddrs *all = NULL;
	out->count = 0;
	if (getifaddrs(&all) != 0)
		return error_set_errno(err, errno, "cannot read the addresses of this machine");
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && (i->ifa_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING))
			network_add(out, i->ifa_name, (i->ifa_flags & IFF_LOOPBACK) != 0, i->ifa_addr);
	freeifaddrs(all);
	return 0;
}

static bool
is_offline(const struct network *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (!n->addresses[i].is_loopback)
			return false;
	return true;
}

enum network_change
network_compare(const struct network *before, const struct network *now)
{
	bool gained = false;
	for (size_t i = 0; i < before->count; i++)
		if (!has(now, &before->addresses[i]))
			return NETWORK_OTHER;
	for (size_t i = 0; i < now->count; i++)
		gained = gained || !has(before, &now->addresses[i]);
	return !gained ? NETWORK_SAME : is_offline(before) ? NETWORK_OTHER : NETWORK_MORE;
}

int64_t
network_pace_wait_ms(const struct network_pace *pace, int64_t now_ms)
{
	int64_t pause_ms = NETWORK_PAUSE_FIRST_MS;
	if (pace->recent < NETWORK_FREE)
		return 0;
	for (unsigned i = NETWORK_FREE; i < pace->recent && pause_ms < NETWORK_PAUSE_MOST_MS; i++)
		pause_ms *= 2;
	if (pause_ms > NETWORK_PAUSE_MOST_MS)
		pause_ms = NETWORK_PAUSE_MOST_MS;
	int64_t due_ms = pace->acted_ms + pause_ms;
	return due_ms > now_ms ? due_ms - now_ms : 0;
}

void
network_pace_act(struct network_pace *pace, int64_t now_ms)
{
	bool is_quiet = now_ms - pace->acted_ms >= NETWORK_QUIET_MS;
	pace->recent = is_quiet ? 1 : pace->recent + 1;
	pace->acted_ms = now_ms;
}
