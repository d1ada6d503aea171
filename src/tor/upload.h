/* SPDX-License-Identifier: ISC
 *
 * Which directories hold a service's descriptor, as tor's HS_DESC events tell it (control-spec 4.1.25). Pure.
 *
 * A service uploads to some 16 directories, each again when its introduction points change, and to others when a
 * time period ends. A directory counts until three hours, the life of a descriptor, have passed without news of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

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

/* An event's words, taken apart; borrowed from it. */
struct upload_event {
	enum upload_result result;
	struct slice onion;      /* 56 letters */
	unsigned char directory[20];
};

/* Reads "HS_DESC UPLOAD|UPLOADED|FAILED <onion> UNKNOWN $<fingerprint>..." false for anything else, such as what
 * happens to descriptors that are fetched. */
bool upload_parse(struct slice words, struct upload_event *out);

/* Takes an event for this service. A directory that holds a descriptor keeps it while a new one is on its way. */
void upload_take(struct upload *upload, const struct upload_event *event, int64_t now_ms);

/* How many directories hold the descriptor, and how many refused it; upload->count is all. */
unsigned upload_done_count(const struct upload *upload);
unsigned upload_failed_count(const struct upload *upload);
