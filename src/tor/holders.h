/* SPDX-License-Identifier: ISC
 *
 * Which directories surely hold what our tor published last, or something newer: a directory takes a descriptor only if its revision counter is
 * greater than that of the one it has (rend-spec-v3 2.2.6). Whatever is fetched from one of these is at least as new as our own. Pure.
 *
 * An event says that a directory took a descriptor, not which one, where two are on their way to it; so a directory is sure when all that
 * was sent to it has been taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tor/hsdesc.h"

#define HOLDERS_MAX 64              /* directories; some 8 for each of two time periods, and others when relays come and go */
#define HOLDERS_DESCRIPTOR_LEN 43   /* base64 of 32 octets */
#define HOLDERS_PATIENCE_MS (10 * 60 * 1000) /* then nothing comes of it any more: tor gives up what stands still for 5 minutes */

struct holder {
	unsigned char directory[HSDESC_DIRECTORY_BYTES];
	unsigned uploads_out;
	int64_t sent_ms;                 /* the last of them */
	bool has_failed;                 /* one of those that were out together */
	char last[2][HOLDERS_DESCRIPTOR_LEN + 1]; /* what was sent to it last, of this and the next time period */
	int64_t asked_ms;                /* when a fetch began whose answer has not come; 0: none */
};

struct holders {
	struct holder list[HOLDERS_MAX];
	unsigned count, oldest;
	unsigned char asked_last[HSDESC_DIRECTORY_BYTES];
};

/* Takes an event about our service. */
void holders_take(struct holders *holders, const struct hsdesc_event *event, int64_t now_ms);

/* Whether the directory holds this descriptor of ours, or a newer one. */
bool holders_is_sure(const struct holders *holders, const unsigned char directory[HSDESC_DIRECTORY_BYTES], struct slice descriptor);

/* One of those that are sure, at random, to be asked now: of those that hold the descriptor, or any if there is none. One whose answer is still to
 * come is left out, since that answer may be older than what it holds; and so is the one that was asked last, if there is another: no directory is believed twice in a
 * row. NULL: none. */
const struct holder *holders_ask(struct holders *holders, const char *descriptor, int64_t now_ms);

/* tor does not know this directory any more. */
void holders_forget(struct holders *holders, const unsigned char directory[HSDESC_DIRECTORY_BYTES]);
