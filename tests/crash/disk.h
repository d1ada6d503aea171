/* SPDX-License-Identifier: ISC
 *
 * What a disk may hold after the power failed: the model of a file system, and states of it drawn by chance.
 *
 * What a sync covers, that had returned when the sync began, is on the disk once the sync has returned: fsync() and fdatasync() of a
 * file its bytes and its size, but not its name; of a folder the names in it; syncfs() everything. Of all else
 * each may be there or not, by itself:
 *  - every sector (512 bytes) that was written, as it was after any of the writes to it;
 *  - the size of a file, as it was after any of its changes, whatever there is of its bytes. What was not written reads as zeros,
 *    also where a file was shortened and grew again: the disk shows no bytes that the file never had there;
 *  - every change of a name. A rename is one change of two names. The changes of one file's names happen in their order, and so
 *    do those of one name: there is no file with a new name that had not got its old one, nor one with both.
 */
#pragma once

#include <sys/types.h>

#include "trace.h"

#define DISK_SECTOR_BYTES 512

struct disk_node {
	bool is_folder;
	uint64_t size;
	unsigned char *bytes; /* `room` of them; zeros behind */
	uint64_t room;
	ino_t inode;          /* once it is written out; 0: it is not */
};

struct disk_entry {
	uint32_t dir, node;
	char name[128];
};

struct disk {
	struct disk_node *nodes;
	uint32_t count, entry_count;
	struct disk_entry *entries;
};

/* How likely what is not synced is on the disk, in percent. */
struct disk_style {
	unsigned names, sizes, sectors;
	bool is_torn;          /* every sector of a write by itself */
	bool is_ordered;       /* names and sizes up to a moment, none after it: a file system with one journal */
	enum { DISK_EACH, DISK_ALL_BUT_ONE, DISK_ONLY_ONE } only; /* the rest is all there, or nothing of it */
};

/* Syncs that are looked over, to see what comes of it. label NULL: none. */
struct disk_blindness {
	const char *label;
};

void disk_init(struct disk *disk); /* an empty folder */
void disk_free(struct disk *disk);

/* Draws what is left of `base` and the first `length` operations. kept[i] becomes whether all of operation i is. */
void disk_cut(const struct disk *base, const struct trace *trace, uint32_t length, const struct disk_style *style,
    const struct disk_blindness *blind, uint64_t *random, struct disk *out, unsigned char *kept);

/* Makes the folder `path` (it must not exist) of it, and fills in the inodes. 0 or -1 with errno. */
int disk_write_out(struct disk *disk, const char *path);

/* Whether the working folder is just this: what was recorded is complete. *what becomes the first name that differs. */
bool disk_is_here(const struct disk *disk, char what[200]);

uint64_t disk_fingerprint(const struct disk *disk); /* of names, sizes and bytes */
void disk_start_recording(const struct disk *disk, struct trace *trace); /* in the folder that was written out */

uint64_t disk_random(uint64_t *state);
