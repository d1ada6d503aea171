/* SPDX-License-Identifier: ISC
 *
 * The addresses by which this machine is on its networks, and how they differ from those of before. What does not say that
 * connections break is left out: link-local addresses, and the halves of IPv6 addresses that change every day.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define NETWORK_ADDRESSES_MAX 256
#define NETWORK_NAME_MAX 16

struct network_address {
	char interface[NETWORK_NAME_MAX];
	uint8_t family;
	bool is_loopback;
	unsigned char bytes[8]; /* all of an IPv4 address, the prefix of an IPv6 one */
};

struct network {
	struct network_address addresses[NETWORK_ADDRESSES_MAX];
	size_t count;
};

/* Adds one unless it is there or of no interest; those beyond the maximum are left out. */
void network_add(struct network *n, const char *interface, bool is_loopback, const struct sockaddr *address);

/* The network as it is now, of interfaces that are up and have a carrier. */
int network_read(struct network *out, struct error *err);

enum network_change {
	NETWORK_SAME,
	NETWORK_MORE,   /* a further address: what there is goes on */
	NETWORK_OTHER,  /* an address is gone, or the first one came: connections of before are dead */
};
enum network_change network_compare(const struct network *before, const struct network *now);

/* How often changes are acted upon. Whoever rules the network can change addresses as often as he likes, and each change makes tor
 * begin anew, all identities at the same moment. The first few count at once; after that there is a pause before each, which
 * doubles up to NETWORK_PAUSE_MOST_MS, until nothing was to be done for NETWORK_QUIET_MS. */
#define NETWORK_FREE 3
#define NETWORK_PAUSE_FIRST_MS 5000
#define NETWORK_PAUSE_MOST_MS (10 * 60 * 1000)
#define NETWORK_QUIET_MS (20 * 60 * 1000)

struct network_pace {
	unsigned recent;  /* acted upon without so long a quiet; in the beginning 0 */
	int64_t acted_ms; /* when last */
};

/* How long what has happened must wait; 0: not at all. */
int64_t network_pace_wait_ms(const struct network_pace *pace, int64_t now_ms);
void network_pace_act(struct network_pace *pace, int64_t now_ms);
