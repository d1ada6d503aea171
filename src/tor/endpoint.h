/* SPDX-License-Identifier: ISC
 *
 * Where a tor listens: "unix:/run/tor/control" (or the path alone), "127.0.0.1:9051", "[::1]:9051".
 */
#pragma once

#include <sys/socket.h>

#include "base/error.h"

struct endpoint {
	struct sockaddr_storage address;
	socklen_t len;
};

/* ERROR_INVALID when it is neither; no names are looked up. */
int endpoint_parse(const char *text, struct endpoint *out, struct error *err);

/* Connects without waiting: what the kernel still has in progress shows at the first write. -1 with errno. */
int endpoint_connect(const struct endpoint *endpoint);
