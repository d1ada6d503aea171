/* SPDX-License-Identifier: ISC
 *
 * tor's HS_DESC events (control-spec 4.1.25): what happens to the descriptors of onion services, our own and those that are fetched. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

#define HSDESC_DIRECTORY_BYTES 20 /* a relay's fingerprint */

enum hsdesc_action {
	HSDESC_UPLOAD,        /* one of ours is on its way to a directory */
	HSDESC_UPLOADED,      /* which has taken it */
	HSDESC_UPLOAD_FAILED, /* or has not */
	HSDESC_RECEIVED,      /* one was fetched from a directory */
	HSDESC_FETCH_FAILED,  /* or could not be */
};

/* Borrowed from the event's words. */
struct hsdesc_event {
	enum hsdesc_action action;
	struct slice onion;      /* 56 letters */
	unsigned char directory[HSDESC_DIRECTORY_BYTES];
	struct slice descriptor; /* its id: the blinded key of its time period in base64. Empty behind UPLOADED and UPLOAD_FAILED. */
};

/* Reads "HS_DESC <action> <onion> <authentication> $<fingerprint>... [<descriptor>] ..."; false for anything else. */
bool hsdesc_parse(struct slice words, struct hsdesc_event *out);
