/* SPDX-License-Identifier: ISC */
#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"

static void *
must(void *memory)
{
	if (memory == NULL) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return memory;
}

uint64_t
disk_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool
happens(unsigned percent, uint64_t *random)
{
	return percent >= 100 || (percent > 0 && disk_random(random) % 100 < percent);
}

/* ---- files */

static void
put(struct disk_node *n, uint64_t offset, const unsigned char *bytes, uint64_t len)
{
	if (offset + len > n->room) {
		uint64_t room = (offset + len + 4095) / 4096 * 4096;
		n->bytes = must(realloc(n->bytes, room));
		memset(n->bytes + n->room, 0, room - n->room);
		n->room = room;
	}
	memcpy(n->bytes + offset, bytes, len);
}

static void
clear_from(struct disk_node *n, uint64_t offset)
{
	if (offset < n->room)
		memset(n->bytes + offset, 0, n->room - offset);
}

/* One sector of the file as it is in memory now reaches the disk. */
static void
flush_sector(struct disk_node *to, const struct disk_node *from, uint64_t sector)
{
	static const unsigned char zeros[DISK_SECTOR_BYTES];
	uint64_t at = sector * DISK_SECTOR_BYTES; /* rooms are multiples of sectors */
	if (at < from->room)
		put(to, at, from->bytes + at, DISK_SECTOR_BYTES);
	else if (at < to->room)
		put(to, at, zeros, DISK_SECTOR_BYTES);
}

static void
copy_node(struct disk_node *to, const struct disk_node *from)
{
	*to = (struct disk_node){ .is_folder = from->is_folder, .size = from->size };
	if (from->room > 0)
		put(to, 0, from->bytes, from->room);
}

/* ---- disks */

void
disk_init(struct disk *d)
{
	*d = (struct disk){ .nodes = must(calloc(TRACE_NODES_MAX, sizeof *d->nodes)), .count = 1,
		.entries = must(calloc(TRACE_NODES_MAX, sizeof *d->entries)) };
	d->nodes[TRACE_ROOT].is_folder = true;
}

void
disk_free(struct disk *d)
{
	for (uint32_t i = 0; d->nodes != NULL && i < d->count; i++)
		free(d->nodes[i].bytes);
	free(d->nodes);
	free(d->entries);
	*d = (struct disk){ 0 };
}

static void
set_entry(struct disk *d, uint32_t dir, const char *name, uint32_t node)
{
	uint32_t i = 0;
	while (i < d->entry_count && (d->entries[i].dir != dir || strcmp(d->entries[i].name, name) != 0))
		i++;
	if (node == TRACE_NOTHING) {
		if (i < d->entry_count) {
			d->entry_count--;
			memmove(&d->entries[i], &d->entries[i + 1], (d->entry_count - i) * sizeof *d->entries);
		}
		return;
	}
	if (i == d->entry_count) {
		if (++d->entry_count > TRACE_NODES_MAX)
			abort();
		d->entries[i].dir = dir;
		snprintf(d->entries[i].name, sizeof d->entries[i].name, "%s", name);
	}
	d->entries[i].node = node;
}

/* ---- a cut */

struct cut {
	const struct trace *trace;
	uint32_t length;
	const struct disk_style *style;
	uint64_t *random;
	unsigned char *kept;
	bool *durable;
	uint32_t moment, one;                    /* of an ordered style; of ALL_BUT_ONE and ONLY_ONE */
	uint32_t last_size[TRACE_NODES_MAX];     /* the operation whose size is on the disk, plus 1 */
};

static void
find_durable(struct cut *c, const struct disk_blindness *blind)
{
	static uint32_t below[TRACE_NODES_MAX];
	uint32_t all_below = 0;
	memset(below, 0, sizeof below);
	for (uint32_t i = 0; i < c->length; i++) {
		const struct op *op = &c->trace->ops[i];
		if ((op->kind != OP_SYNC && op->kind != OP_SYNC_ALL) ||
		    (blind->label != NULL && strcmp(blind->label, trace_text(c->trace, op->label)) == 0))
			continue;
		uint32_t *to = op->kind == OP_SYNC ? &below[op->node] : &all_below;
		if (op->covers > *to)
			*to = op->covers;
	}
	for (uint32_t i = 0; i < c->length; i++) {
		const struct op *op = &c->trace->ops[i];
		c->durable[i] = i < all_below;
		if (op->kind == OP_WRITE || op->kind == OP_SIZE)
			c->durable[i] |= i < below[op->node];
		for (unsigned s = 0; op->kind == OP_NAMES && s < op->sets; s++)
			c->durable[i] |= i < below[op->set[s].dir];
	}
}

static bool
is_change(const struct op *op)
{
	return op->kind == OP_NAMES || op->kind == OP_WRITE || op->kind == OP_SIZE;
}

/* Draws the moment of an ordered style and the one that is left out or kept, among those that are not synced. */
static void
draw_one(struct cut *c)
{
	uint32_t pending = 0;
	for (uint32_t i = 0; i < c->length; i++)
		if (is_change(&c->trace->ops[i]) && !c->durable[i] && disk_random(c->random) % ++pending == 0)
			c->one = i;
	c->moment = c->one;
}

static bool
draw(struct cut *c, uint32_t i, unsigned percent, bool is_metadata)
{
	if (c->durable[i])
		return true;
	if (c->style->only != DISK_EACH)
		return (i == c->one) == (c->style->only == DISK_ONLY_ONE);
	if (c->style->is_ordered && is_metadata)
		return i < c->moment;
	return happens(percent, c->random);
}

static void
draw_names_and_sizes(struct cut *c)
{
	static bool needed[TRACE_NODES_MAX];
	memset(needed, 0, sizeof needed);
	memset(c->last_size, 0, sizeof c->last_size);
	for (uint32_t i = c->length; i-- > 0;) {
		const struct op *op = &c->trace->ops[i];
		if (op->kind == OP_NAMES) {
			c->kept[i] = draw(c, i, c->style->names, true) || needed[op->node];
			needed[op->node] |= c->kept[i];
		} else if (op->kind == OP_WRITE || op->kind == OP_SIZE) {
			c->kept[i] = draw(c, i, c->style->sizes, true);
			if (c->kept[i] && c->last_size[op->node] == 0)
				c->last_size[op->node] = i + 1;
		}
	}
}

static void
apply_write(struct cut *c, uint32_t i, struct disk_node *memory, struct disk_node *disk)
{
	const struct op *op = &c->trace->ops[i];
	uint64_t first = op->offset / DISK_SECTOR_BYTES, last = (op->offset + op->len - 1) / DISK_SECTOR_BYTES;
	bool is_whole = draw(c, i, c->style->sectors, false), is_all = true;
	put(memory, op->offset, c->trace->arena + op->data, op->len);
	if (op->offset + op->len > memory->size)
		memory->size = op->offset + op->len;
	for (uint64_t sector = first; sector <= last; sector++) {
		bool is_there = is_whole;
		if (!c->durable[i] && c->style->is_torn && c->style->only == DISK_EACH)
			is_there = happens(c->style->sectors, c->random);
		if (is_there)
			flush_sector(disk, memory, sector);
		is_all &= is_there;
	}
	c->kept[i] = is_all && c->last_size[op->node] > i;
}

static void
apply_bytes(struct cut *c, struct disk *out, struct disk_node *memory)
{
	for (uint32_t i = 0; i < c->length; i++) {
		const struct op *op = &c->trace->ops[i];
		if (op->kind != OP_WRITE && op->kind != OP_SIZE)
			continue;
		struct disk_node *in_memory = &memory[op->node], *on_disk = &out->nodes[op->node];
		if (op->kind == OP_WRITE)
			apply_write(c, i, in_memory, on_disk);
		else {
			clear_from(in_memory, op->offset);
			in_memory->size = op->offset;
			if (i < c->last_size[op->node])
				clear_from(on_disk, op->offset);
			c->kept[i] = i < c->last_size[op->node];
		}
		if (i + 1 == c->last_size[op->node])
			on_disk->size = in_memory->size;
	}
	for (uint32_t i = 0; i < out->count; i++)
		clear_from(&out->nodes[i], out->nodes[i].size);
}

static void
apply_names(const struct cut *c, struct disk *out)
{
	for (uint32_t i = 0; i < c->length; i++) {
		const struct op *op = &c->trace->ops[i];
		if (op->kind != OP_NAMES)
			continue;
		if (op->is_folder)
			out->nodes[op->node].is_folder = true;
		for (unsigned s = 0; c->kept[i] && s < op->sets; s++)
			set_entry(out, op->set[s].dir, trace_text(c->trace, op->set[s].name), op->set[s].node);
	}
}

void
disk_cut(const struct disk *base, const struct trace *trace, uint32_t length, const struct disk_style *style,
    const struct disk_blindness *blind, uint64_t *random, struct disk *out, unsigned char *kept)
{
	static bool durable[TRACE_OPS_MAX];
	static struct cut c;
	struct disk_node *memory = must(calloc(TRACE_NODES_MAX, sizeof *memory));
	c = (struct cut){ .trace = trace, .length = length, .style = style, .random = random, .kept = kept,
		.durable = durable, .one = TRACE_NOTHING };
	memset(kept, 0, length);
	disk_init(out);
	out->count = trace->nodes;
	out->entry_count = base->entry_count;
	memcpy(out->entries, base->entries, base->entry_count * sizeof *base->entries);
	for (uint32_t i = 0; i < base->count; i++) {
		copy_node(&memory[i], &base->nodes[i]);
		copy_node(&out->nodes[i], &base->nodes[i]);
	}
	find_durable(&c, blind);
	draw_one(&c);
	draw_names_and_sizes(&c);
	apply_names(&c, out);
	apply_bytes(&c, out, memory);
	for (uint32_t i = 0; i < out->count; i++)
		free(memory[i].bytes);
	free(memory);
}

/* ---- as a folder */

static int
write_out_file(struct disk_node *n, int dir_fd, const char *name)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	uint64_t len = n->size < n->room ? n->size : n->room;
	while (len > 0 && n->bytes[len - 1] == 0)
		len--;
	int result = ftruncate(fd, (off_t)n->size) != 0 || fstat(fd, &st) != 0 ? -1 : 0;
	if (result == 0 && len > 0 && pwrite(fd, n->bytes, len, 0) != (ssize_t)len)
		result = -1;
	if (result == 0)
		n->inode = st.st_ino;
	close(fd);
	return result;
}

static int
write_out_folder(struct disk *d, uint32_t folder, int parent_fd, const char *path)
{
	struct stat st;
	if (mkdirat(parent_fd, path, 0700) != 0)
		return -1;
	int fd = openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fstat(fd, &st) != 0 ? -1 : 0;
	d->nodes[folder].inode = st.st_ino;
	for (uint32_t i = 0; result == 0 && i < d->entry_count; i++) {
		const struct disk_entry *e = &d->entries[i];
		if (e->dir != folder)
			continue;
		result = d->nodes[e->node].is_folder ? write_out_folder(d, e->node, fd, e->name)
		                                     : write_out_file(&d->nodes[e->node], fd, e->name);
	}
	if (fd >= 0)
		close(fd);
	return result;
}

int
disk_write_out(struct disk *d, const char *path)
{
	for (uint32_t i = 0; i < d->count; i++)
		d->nodes[i].inode = 0;
	return write_out_folder(d, TRACE_ROOT, AT_FDCWD, path);
}

void
disk_start_recording(const struct disk *d, struct trace *trace)
{
	ino_t inodes[TRACE_NODES_MAX];
	for (uint32_t i = 0; i < d->count; i++)
		inodes[i] = d->nodes[i].inode;
	recorder_start(trace, inodes, d->count);
	for (uint32_t i = 0; i < d->entry_count; i++)
		recorder_label(d->entries[i].node, d->entries[i].dir, d->entries[i].name, d->nodes[d->entries[i].node].is_folder);
}

static bool
file_is(const struct disk_node *n, int dir_fd, const char *name)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool is_same = fstat(fd, &st) == 0 && (uint64_t)st.st_size == n->size;
	for (uint64_t at = 0; is_same && at < n->size;) {
		unsigned char chunk[4096], zeros[4096] = { 0 };
		ssize_t got = pread(fd, chunk, sizeof chunk, (off_t)at);
		is_same = got > 0 && memcmp(chunk, at < n->room ? n->bytes + at : zeros, (size_t)got) == 0;
		at += (uint64_t)(got > 0 ? got : 0);
	}
	close(fd);
	return is_same;
}

static bool
folder_is(const struct disk *d, uint32_t folder, int parent_fd, const char *path, char what[200])
{
	int fd = openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint32_t expected = 0, found = 0;
	bool is_same = dir != NULL;
	for (uint32_t i = 0; is_same && i < d->entry_count; i++) {
		const struct disk_entry *e = &d->entries[i];
		if (e->dir != folder)
			continue;
		expected++;
		if (d->nodes[e->node].is_folder)
			is_same = folder_is(d, e->node, fd, e->name, what);
		else if (!file_is(&d->nodes[e->node], fd, e->name)) {
			snprintf(what, 200, "%s/%s", path, e->name);
			is_same = false;
		}
	}
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		found += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (is_same && found != expected) {
		snprintf(what, 200, "%s has %u names, and not %u", path, found, expected);
		is_same = false;
	}
	if (dir != NULL)
		closedir(dir);
	return is_same;
}

bool
disk_is_here(const struct disk *d, char what[200])
{
	return folder_is(d, TRACE_ROOT, AT_FDCWD, ".", what);
}

uint64_t
disk_fingerprint(const struct disk *d)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < d->entry_count; i++) {
		const struct disk_entry *e = &d->entries[i];
		const struct disk_node *n = &d->nodes[e->node];
		uint64_t h = 0xcbf29ce484222325u + e->dir, len = n->size < n->room ? n->size : n->room;
		for (const char *p = e->name; *p != '\0'; p++)
			h = (h ^ (unsigned char)*p) * 0x100000001b3u;
		h = (h ^ n->size) * 0x100000001b3u;
		for (uint64_t at = 0; at + 8 <= len; at += 8) {
			uint64_t word;
			memcpy(&word, n->bytes + at, 8);
			h = (h ^ word) * 0x100000001b3u;
			h ^= h >> 29;
		}
		for (uint64_t at = len / 8 * 8; at < len; at++)
			h = (h ^ n->bytes[at]) * 0x100000001b3u;
		sum += h;
	}
	return sum;
}
