/* SPDX-License-Identifier: ISC
 *
 * Which directories hold a service's descriptor, as tor's HS_DESC events tell it. Pure.
 *
 * A service uploads to some 16 directories, each again when its introduction points change, and to others when a
 * time period ends. A directory counts until three hours, the life of a descriptor, have passed without news of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tor/hsdesc.h"

#define UPLOAD_DIRECTORIES_MAX 64
#define UPLOAD_LIFE_MS (INT64_C(3) * 3600 * 1000)

enum upload_result { UPLOAD_PENDING, UPLOAD_DONE, UPLOAD_FAILED };

struct upload_directory {
	unsigned char id[20]; /* the relay's fingerprint */
	enum upload_result result;
	int64_t heard_ms;
};

struct upload {
	struct upload_directory directories[UPLOAD_DIRECTORIES_MAX];
	unsigned count;
};

/* Takes an event for this service; fetches tell nothing. A directory that holds a descriptor keeps it while a new one is on its way. */
void upload_take(struct upload *upload, const struct hsdesc_event *event, int64_t now_ms);

/* How many directories hold the descriptor, and how many refused it; upload->count is all. */
unsigned upload_done_count(const struct upload *upload);
unsigned upload_failed_count(const struct upload *upload);
