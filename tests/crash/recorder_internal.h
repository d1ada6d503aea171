/* SPDX-License-Identifier: ISC
 *
 * What recorder.c (the trace) and shim.c (the calls that are recorded) share. All but the lock is called with the lock.
 */
#pragma once

#include <sys/stat.h>

#include "recorder.h"

#define LABEL_BYTES 64

struct recorder {
	struct trace *trace; /* NULL: nothing is recorded */
	dev_t dev;
	ino_t inodes[TRACE_NODES_MAX];
	char labels[TRACE_NODES_MAX][LABEL_BYTES];
	const char *phase;
	uint32_t reader_mark, reader_value;
	uint64_t random;
	int64_t now_ms;
};
extern struct recorder recorder;

void recorder_enter(void); /* the lock */
void recorder_leave(void); /* keeps errno */

void recorder_give_up(const char *why); /* the trace is of no use */
struct op *recorder_add(enum op_kind kind, uint32_t node);
uint32_t recorder_keep_bytes(const void *bytes, size_t len); /* where they stand in the arena */
uint32_t recorder_keep_text(const char *text);
void recorder_add_made(uint32_t dir, const char *name, const struct stat *st); /* a new file or folder */
void recorder_add_size(uint32_t node, uint64_t size);

/* TRACE_NOTHING: none of ours. */
uint32_t recorder_node_of_stat(const struct stat *st);
uint32_t recorder_node_of_fd(int fd);
uint32_t recorder_node_of_path(int dir_fd, const char *path);
uint32_t recorder_folder_of(int dir_fd, const char *path, const char **name); /* in which the last name stands */
