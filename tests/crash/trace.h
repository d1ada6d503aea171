/* SPDX-License-Identifier: ISC
 *
 * What a run did to the files below one folder, in order: changes of names, writes, changes of sizes, syncs, and marks that the
 * run itself sets (a message was answered with 250). It stands in memory that the recorded process shares with the one that
 * looks at it.
 *
 * A file or folder is a node, with a number that is used once; ROOT is the folder itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_OPS_MAX 16384
#define TRACE_NODES_MAX 4096
#define TRACE_ARENA_BYTES (64u << 20)
#define TRACE_ROOT 0u
#define TRACE_NOTHING UINT32_MAX /* no node: the name is gone */

enum op_kind { OP_NAMES, OP_WRITE, OP_SIZE, OP_SYNC, OP_SYNC_ALL, OP_MARK };

struct op {
	enum op_kind kind;
	uint32_t node; /* whose names, bytes or size change, or who is synced */
	bool is_folder;
	/* OP_NAMES: what the names mean afterwards, all of it at once. */
	struct { uint32_t dir, name, node; } set[2];
	unsigned sets;
	uint64_t offset, len; /* OP_WRITE; OP_SIZE: the new size is offset */
	uint32_t data;        /* OP_WRITE: where its bytes stand in the arena */
	uint32_t covers;      /* OP_SYNC*: the operations before this one had returned when it began */
	uint32_t label;       /* OP_SYNC*: what it is, "fsync a file of queue/" */
	uint32_t mark, value; /* OP_MARK; mark is also that of a name that the reader of the mailbox changed */
};

struct trace {
	uint32_t count, nodes, used;
	char problem[200]; /* what could not be recorded; "": all was */
	struct op ops[TRACE_OPS_MAX];
	unsigned char arena[TRACE_ARENA_BYTES];
};

struct trace *trace_new(void); /* shared with the children; never fails, but ends the program */
void trace_clear(struct trace *trace);
/* The first `length` operations of one, and then another that went on from there. */
void trace_join(const struct trace *first, uint32_t length, const struct trace *then, struct trace *out);

static inline const char *
trace_text(const struct trace *trace, uint32_t at)
{
	return (const char *)trace->arena + at;
}
