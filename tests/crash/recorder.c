/* SPDX-License-Identifier: ISC */
#include "recorder_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PATH_BYTES 4096
struct recorder recorder = { .phase = "" };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the trace */

struct trace *
trace_new(void)
{
	void *room = mmap(NULL, sizeof(struct trace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED) {
		perror("no memory for a trace");
		exit(1);
	}
	return room;
}

void
trace_clear(struct trace *t)
{
	t->count = t->nodes = t->used = 0;
	t->problem[0] = '\0';
}

void
trace_join(const struct trace *first, uint32_t length, const struct trace *then, struct trace *out)
{
	if (length + then->count > TRACE_OPS_MAX || first->used + then->used > TRACE_ARENA_BYTES)
		abort();
	trace_clear(out);
	memcpy(out->ops, first->ops, length * sizeof *out->ops);
	memcpy(out->arena, first->arena, first->used);
	memcpy(out->arena + first->used, then->arena, then->used);
	out->nodes = then->nodes;
	out->used = first->used + then->used;
	out->count = length + then->count;
	for (uint32_t i = length; i < out->count; i++) {
		struct op *op = &out->ops[i];
		*op = then->ops[i - length];
		op->covers += length;
		op->data += first->used;
		op->label += first->used;
		op->set[0].name += first->used;
		op->set[1].name += first->used;
	}
}

void
recorder_give_up(const char *why)
{
	struct trace *t = recorder.trace;
	if (t->problem[0] == '\0')
		snprintf(t->problem, sizeof t->problem, "%s", why);
}

uint32_t
recorder_keep_bytes(const void *bytes, size_t len)
{
	struct trace *t = recorder.trace;
	uint32_t at = t->used;
	if (len > sizeof t->arena - t->used) {
		recorder_give_up("the trace is full");
		return 0;
	}
	memcpy(t->arena + at, bytes, len);
	t->used += (uint32_t)len;
	return at;
}

uint32_t
recorder_keep_text(const char *text)
{
	return recorder_keep_bytes(text, strlen(text) + 1);
}

struct op *
recorder_add(enum op_kind kind, uint32_t node)
{
	static struct op spare;
	struct trace *t = recorder.trace;
	struct op *op = &spare;
	if (t->count < TRACE_OPS_MAX)
		op = &t->ops[t->count++];
	else
		recorder_give_up("the trace has too many operations");
	*op = (struct op){ .kind = kind, .node = node };
	return op;
}

/* ---- which node is it? */

uint32_t
recorder_node_of_stat(const struct stat *st)
{
	for (uint32_t i = recorder.trace->nodes; st->st_dev == recorder.dev && i-- > 0;)
		if (recorder.inodes[i] == st->st_ino)
			return i;
	return TRACE_NOTHING;
}

uint32_t
recorder_node_of_fd(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? recorder_node_of_stat(&st) : TRACE_NOTHING;
}

uint32_t
recorder_node_of_path(int dir_fd, const char *path)
{
	struct stat st;
	return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? recorder_node_of_stat(&st) : TRACE_NOTHING;
}

/* The folder in which a path's last name stands; TRACE_NOTHING when it is none of ours. */
uint32_t
recorder_folder_of(int dir_fd, const char *path, const char **name)
{
	char parent[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	*name = slash == NULL ? path : slash + 1;
	if (slash == NULL)
		return dir_fd == AT_FDCWD ? recorder_node_of_path(AT_FDCWD, ".") : recorder_node_of_fd(dir_fd);
	size_t len = slash == path ? 1 : (size_t)(slash - path);
	if (len >= sizeof parent)
		return TRACE_NOTHING;
	memcpy(parent, path, len);
	parent[len] = '\0';
	return recorder_node_of_path(dir_fd, parent);
}

/* "queue" for a folder, "queue/(files)" for what is in it; a file of the root has its own name. */
static void
label_node(uint32_t node, uint32_t dir, const char *name, bool is_folder)
{
	char above[LABEL_BYTES];
	strcpy(above, recorder.labels[dir]);
	if (dir == TRACE_ROOT)
		snprintf(recorder.labels[node], LABEL_BYTES, "%.60s", name);
	else if (is_folder)
		snprintf(recorder.labels[node], LABEL_BYTES, "%.30s/%.30s", above, name);
	else
		snprintf(recorder.labels[node], LABEL_BYTES, "%.50s/(files)", above);
}

static uint32_t
new_node(ino_t inode)
{
	struct trace *t = recorder.trace;
	if (t->nodes == TRACE_NODES_MAX) {
		recorder_give_up("too many files");
		return t->nodes - 1;
	}
	recorder.inodes[t->nodes] = inode;
	return t->nodes++;
}

void
recorder_add_made(uint32_t dir, const char *name, const struct stat *st)
{
	uint32_t node = new_node(st->st_ino);
	bool is_folder = S_ISDIR(st->st_mode);
	label_node(node, dir, name, is_folder);
	struct op *op = recorder_add(OP_NAMES, node);
	op->is_folder = is_folder;
	op->sets = 1;
	op->set[0].dir = dir;
	op->set[0].name = recorder_keep_text(name);
	op->set[0].node = node;
}

void
recorder_add_size(uint32_t node, uint64_t size)
{
	recorder_add(OP_SIZE, node)->offset = size;
}

void
recorder_enter(void)
{
	pthread_mutex_lock(&lock);
}

void
recorder_leave(void)
{
	int saved = errno;
	pthread_mutex_unlock(&lock);
	errno = saved;
}

/* ---- starting and ending */

void
recorder_start(struct trace *trace, const ino_t *inodes, uint32_t count)
{
	struct stat st;
	trace_clear(trace);
	if (stat(".", &st) != 0)
		abort();
	recorder.dev = st.st_dev;
	memcpy(recorder.inodes, inodes, count * sizeof *inodes);
	recorder.inodes[TRACE_ROOT] = st.st_ino;
	strcpy(recorder.labels[TRACE_ROOT], "(mail)");
	trace->nodes = count;
	recorder.trace = trace;
}

void
recorder_stop(void)
{
	recorder.trace = NULL;
}

void
recorder_label(uint32_t node, uint32_t dir, const char *name, bool is_folder)
{
	label_node(node, dir, name, is_folder);
}

void
recorder_mark(uint32_t mark, uint32_t value)
{
	if (recorder.trace == NULL)
		return;
	recorder_enter();
	struct op *op = recorder_add(OP_MARK, TRACE_NOTHING);
	op->mark = mark;
	op->value = value;
	recorder_leave();
}

void
recorder_phase(const char *phase)
{
	recorder.phase = phase;
}

void
recorder_reader(uint32_t mark, uint32_t value)
{
	recorder.reader_mark = mark;
	recorder.reader_value = value;
}

void
recorder_seed(uint64_t seed)
{
	recorder.random = seed * 2 + 1;
	recorder.now_ms = 0;
}
