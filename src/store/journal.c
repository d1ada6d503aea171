/* SPDX-License-Identifier: ISC */
#include "store/journal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/segment.h"
#include "store/syncer.h"

#define WINDOW_BYTES (64 * 1024)

struct journal_calls journal_calls = { pwritev, fdatasync, posix_fallocate };

/* What was read last, and what stands behind it: records are read one after the other, in small pieces. */
struct window {
	const struct journal_segment *segment; /* NULL: nothing */
	uint64_t from, len;
	unsigned char bytes[WINDOW_BYTES];
};

struct journal {
	int dir_fd;
	struct journal_segment *segments; /* oldest first; the last is written to once there is one */
	struct journal_segment *active;   /* NULL: the next record begins a new segment */
	struct journal_segment *spares;
	size_t spare_count;
	struct window window;
	struct journal_entry *first, **last;
	uint64_t next_sequence, next_number;
	uint64_t durable_below; /* records below this sequence are on disk */
	struct syncer *syncer;           /* NULL: syncs wait */
	struct journal_segment *syncing; /* what the syncer is at; NULL: nothing */
	uint64_t syncing_below;          /* will be durable then */
	uint64_t backlog_bytes;
	size_t backlog_records;
	bool broken;
};

/* ---- the scan at the start */

static int
by_number(const void *a, const void *b)
{
	const struct journal_segment *x = *(struct journal_segment *const *)a, *y = *(struct journal_segment *const *)b;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool
number_of_name(const char *name, uint64_t *number)
{
	if (strlen(name) != SEGMENT_NAME_BYTES - 1 || strspn(name, "0123456789abcdef") != SEGMENT_NAME_BYTES - 1)
		return false;
	*number = strtoull(name, NULL, 16);
	return true;
}

static int
list_names(int dir_fd, uint64_t **numbers, size_t *count, struct error *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return error_set_errno(err, errno, "cannot list the journal");
	}
	struct dirent *entry;
	size_t room = 0;
	int result = 0;
	*numbers = NULL;
	*count = 0;
	while (result == 0 && (entry = readdir(dir)) != NULL) {
		uint64_t number;
		if (!number_of_name(entry->d_name, &number))
			continue;
		if (*count == room) {
			room = room == 0 ? 64 : room * 2;
			uint64_t *grown = reallocarray(*numbers, room, sizeof **numbers);
			if (grown == NULL) {
				result = error_set(err, ERROR_NO_MEMORY, "out of memory");
				break;
			}
			*numbers = grown;
		}
		(*numbers)[(*count)++] = number;
	}
	closedir(dir);
	return result;
}

static void
add_entry(struct journal *j, struct journal_entry *e, struct journal_segment *s, const struct segment_record *r)
{
	*e = (struct journal_entry){ .segment = s, .sequence = r->sequence, .identifiers = r->identifiers,
		.offset = s->end - segment_record_bytes(r->length) + SEGMENT_RECORD_HEADER_BYTES, .length = r->length,
		.type = r->type };
	*j->last = e;
	j->last = &e->next;
	s->pending++;
	j->backlog_bytes += r->length;
	j->backlog_records++;
}

static int
scan_records(struct journal *j, struct journal_segment *s, uint64_t consumed, struct error *err)
{
	struct segment_record r;
	int found;
	uint64_t expected = s->first_sequence;
	while ((found = segment_scan(s, expected, &r, err)) == 1) {
		expected = r.sequence + r.identifiers;
		if (r.sequence < consumed)
			continue;
		struct journal_entry *e = malloc(sizeof *e);
		if (e == NULL)
			return error_set(err, ERROR_NO_MEMORY, "out of memory");
		add_entry(j, e, s, &r);
	}
	if (expected > j->next_sequence)
		j->next_sequence = expected;
	if (found == 0 && segment_proves_loss(s, expected, consumed)) {
		log_error("a record in the journal's part %016" PRIx64 " is damaged, so that mail that was in it or behind it is missing; the disk or "
		          "a person has damaged it: `smtorp identity repair` looks for what can be read", s->named);
		s->damaged = true;
	}
	return found;
}

static void
append_segment(struct journal *j, struct journal_segment *s)
{
	struct journal_segment **at = &j->segments;
	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
}

/* NULL in *out: there is nothing in it, or it was set aside. */
static int
open_segment(struct journal *j, uint64_t named, struct journal_segment **out, struct error *err)
{
	char name[SEGMENT_NAME_BYTES];
	*out = NULL;
	if (segment_open(j->dir_fd, named, out, err) == 0)
		return 0;
	if (err->code == ERROR_NOT_FOUND) {
		snprintf(name, sizeof name, "%016" PRIx64, named);
		unlinkat(j->dir_fd, name, 0);
		return 0;
	}
	if (err->code != ERROR_INVALID)
		return -1;
	log_error("%s; it is set aside, and mail that was in it is missing", err->text);
	segment_set_aside(j->dir_fd, named);
	return 0;
}

/* Opens all of them, sorted by what their headers say. found has room for them. */
static int
open_segments(struct journal *j, const uint64_t *names, size_t count, struct journal_segment **found, size_t *found_count,
    struct error *err)
{
	j->next_number = 1;
	for (size_t i = 0; i < count; i++) {
		struct journal_segment *s;
		if (open_segment(j, names[i], &s, err) != 0)
			return -1;
		if (names[i] >= j->next_number)
			j->next_number = names[i] + 1;
		if (s == NULL)
			continue;
		found[(*found_count)++] = s;
		if (s->number >= j->next_number)
			j->next_number = s->number + 1;
	}
	if (*found_count > 0)
		qsort(found, *found_count, sizeof *found, by_number);
	return 0;
}

/* Takes the segment. */
static int
scan_segment(struct journal *j, struct journal_segment *s, uint64_t consumed, struct journal_segment **previous,
    struct error *err)
{
	bool is_spare = s->first_sequence == 0;
	if (!is_spare && *previous != NULL && (*previous)->number == s->number) {
		log_error("the journal's part %" PRIx64 " is there twice; the second is set aside", s->number);
		s->damaged = true;
		segment_remove(j->dir_fd, s);
		return 0;
	}
	if (!is_spare && s->first_sequence > j->next_sequence) {
		log_error("%" PRIu64 " records are missing in the journal before part %016" PRIx64 "; the disk or a "
		          "person has damaged it", s->first_sequence - j->next_sequence, s->named);
		if (*previous != NULL)
			(*previous)->damaged = true;
	}
	append_segment(j, s);
	if (is_spare)
		return 0;
	*previous = s;
	if (scan_records(j, s, consumed, err) != 0)
		return -1;
	/* A process may have died between its write and its sync: what we go on from must be on the disk. */
	if (s->pending > 0 && journal_calls.sync(s->fd) != 0)
		return error_set_errno(err, errno, "cannot make the journal durable");
	return 0;
}

/* A segment whose records are all consumed. */
static void
put_away(struct journal *j, struct journal_segment *s)
{
	if (j->window.segment == s)
		j->window.segment = NULL;
	if (j->spare_count == JOURNAL_SPARES_MOST || !segment_retire(s)) {
		segment_remove(j->dir_fd, s);
		return;
	}
	s->next = j->spares;
	j->spares = s;
	j->spare_count++;
}

static void
remove_done(struct journal *j)
{
	while (j->segments != NULL && j->segments != j->active && j->segments != j->syncing && j->segments->pending == 0) {
		struct journal_segment *done = j->segments;
		j->segments = done->next;
		put_away(j, done);
	}
}

void
journal_rest(struct journal *j)
{
	while (j->spare_count > 1) {
		struct journal_segment *s = j->spares;
		j->spares = s->next;
		j->spare_count--;
		segment_remove(j->dir_fd, s);
	}
}

static int
scan(struct journal *j, uint64_t consumed, struct error *err)
{
	uint64_t *names = NULL;
	struct journal_segment **found = NULL, *previous = NULL;
	size_t count = 0, found_count = 0, taken = 0;
	int result = list_names(j->dir_fd, &names, &count, err);
	/* A process may have died before it had made the names of its new files durable, or not have done so for those that it removed: a file
	 * that is filled again is to be found, and its number is not to be there twice. */
	if (result == 0 && fsync(j->dir_fd) != 0)
		result = error_set_errno(err, errno, "cannot make the journal durable");
	if (result == 0 && (found = calloc(count + 1, sizeof(struct journal_segment *))) == NULL)
		result = error_set(err, ERROR_NO_MEMORY, "out of memory");
	if (result == 0)
		result = open_segments(j, names, count, found, &found_count, err);
	while (result == 0 && taken < found_count)
		result = scan_segment(j, found[taken++], consumed, &previous, err);
	while (taken < found_count)
		segment_free(found[taken++]);
	free(found);
	free(names);
	return result;
}

int
journal_open(int dir_fd, uint64_t consumed, struct journal **out, struct error *err)
{
	struct journal *j = calloc(1, sizeof *j);
	if (j == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	*j = (struct journal){ .dir_fd = dir_fd, .next_sequence = consumed == 0 ? 1 : consumed };
	j->last = &j->first;
	if (scan(j, consumed, err) != 0) {
		journal_free(j);
		return -1;
	}
	j->durable_below = j->next_sequence;
	remove_done(j);
	*out = j;
	return 0;
}

static void
free_segments(struct journal_segment *s)
{
	while (s != NULL) {
		struct journal_segment *next = s->next;
		segment_free(s);
		s = next;
	}
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	journal_set_syncer(j, NULL);
	while (j->first != NULL) {
		struct journal_entry *e = j->first;
		j->first = e->next;
		free(e);
	}
	free_segments(j->segments);
	free_segments(j->spares);
	free(j);
}

/* ---- appending */

static int
break_for_good(struct journal *j)
{
	j->broken = true;
	return -1;
}

/* A lack that ends by itself, and has left nothing behind. */
static bool
is_passing(const struct error *err)
{
	return err->code == ERROR_NO_SPACE || err->code == ERROR_NO_MEMORY || err->code == ERROR_BUSY;
}

/* A spare, begun anew, or a new file. */
static int
make_segment(struct journal *j, uint64_t room, struct journal_segment **out, struct error *err)
{
	struct journal_segment *s = j->spares;
	if (s == NULL || room > s->capacity - SEGMENT_HEADER_BYTES)
		return segment_create(j->dir_fd, j->next_number, j->next_sequence, room, out, err);
	if (segment_reuse(j->dir_fd, s, j->next_number, j->next_sequence, err) != 0)
		return -1;
	j->spares = s->next;
	j->spare_count--;
	s->next = NULL;
	*out = s;
	return 0;
}

static int
begin_segment(struct journal *j, uint64_t room, struct error *err)
{
	struct journal_segment *s;
	if (journal_commit(j, err) != 0) /* so that only one segment ever has bytes that are not durable */
		return -1;
	if (make_segment(j, room, &s, err) != 0)
		return is_passing(err) ? -1 : break_for_good(j);
	j->next_number++;
	append_segment(j, s);
	j->active = s;
	remove_done(j);
	return 0;
}

int
journal_append(struct journal *j, uint32_t type, uint64_t identifiers, const struct slice *parts, size_t count,
    uint64_t *sequence, struct error *err)
{
	return journal_append_file(j, type, identifiers, parts, count, NULL, sequence, err);
}

int
journal_append_file(struct journal *j, uint32_t type, uint64_t identifiers, const struct slice *parts, size_t count,
    const struct journal_file *file, uint64_t *sequence, struct error *err)
{
	struct error ignored;
	struct segment_record r = { .type = type, .sequence = j->next_sequence, .identifiers = identifiers,
		.durable_below = j->durable_below };
	assert(identifiers > 0 && identifiers <= UINT32_MAX);
	if (err == NULL)
		err = &ignored;
	if (j->broken)
		return error_set(err, ERROR_IO, "the journal is broken");
	for (size_t i = 0; i < count; i++)
		r.length += parts[i].len;
	r.length += file != NULL ? file->bytes : 0;
	if (r.length > JOURNAL_PAYLOAD_MAX)
		return error_set(err, ERROR_TOO_LARGE, "a record of %" PRIu64 " bytes", r.length);
	uint64_t room = segment_record_bytes(r.length);
	if ((j->active == NULL || j->active->capacity - j->active->end < room) && begin_segment(j, room, err) != 0)
		return -1;
	struct journal_entry *e = malloc(sizeof *e); /* first, since what is written cannot be taken back */
	if (e == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	if (segment_write(j->active, &r, parts, count, file, err) != 0) {
		free(e);
		return err->code == ERROR_NO_SPACE || err->code == ERROR_PROTOCOL ? -1 : break_for_good(j);
	}
	add_entry(j, e, j->active, &r);
	j->next_sequence += identifiers;
	*sequence = r.sequence;
	return 0;
}

/* ---- making durable */

/* 0: nothing is under way any more; 1: it still is. A kernel tells of a failed write once: who else syncs the file meanwhile may
 * hear nothing of it. So nothing is synced here before this. */
static int
end_sync(struct journal *j, bool wait, struct error *err)
{
	int errnum;
	if (j->syncing == NULL)
		return 0;
	if (!syncer_take(j->syncer, wait, &errnum))
		return 1;
	j->syncing = NULL;
	if (errnum != 0) {
		error_set_errno(err, errnum, "cannot make the journal durable");
		return break_for_good(j);
	}
	j->durable_below = j->syncing_below;
	remove_done(j);
	return 0;
}

void
journal_set_syncer(struct journal *j, struct syncer *syncer)
{
	struct error ignored; /* the journal is broken then */
	end_sync(j, true, &ignored);
	j->syncer = syncer;
}

int
journal_commit(struct journal *j, struct error *err)
{
	if (j->broken)
		return error_set(err, ERROR_IO, "the journal is broken");
	if (end_sync(j, true, err) != 0)
		return -1;
	if (j->durable_below == j->next_sequence)
		return 0;
	assert(j->active != NULL); /* something was appended */
	if (journal_calls.sync(j->active->fd) != 0) {
		error_set_errno(err, errno, "cannot make the journal durable");
		return break_for_good(j);
	}
	j->durable_below = j->next_sequence;
	return 0;
}

int
journal_sync(struct journal *j, struct error *err)
{
	if (j->broken)
		return error_set(err, ERROR_IO, "the journal is broken");
	if (j->syncer == NULL)
		return journal_commit(j, err);
	int result = end_sync(j, false, err);
	if (result != 0 || j->durable_below == j->next_sequence)
		return result;
	assert(j->active != NULL); /* something was appended */
	j->syncing = j->active;
	j->syncing_below = j->next_sequence;
	syncer_start(j->syncer, journal_calls.sync, j->active->fd);
	return 1;
}

uint64_t
journal_durable_below(const struct journal *j)
{
	return j->durable_below;
}

bool
journal_is_broken(const struct journal *j)
{
	return j->broken;
}

/* ---- reading and consuming */

const struct journal_entry *
journal_first(const struct journal *j)
{
	return j->first != NULL && j->first->sequence < j->durable_below ? j->first : NULL;
}

const struct journal_entry *
journal_next(const struct journal *j, const struct journal_entry *e)
{
	return e->next != NULL && e->next->sequence < j->durable_below ? e->next : NULL;
}

/* From there up to the segment's end: what is written once stays as it is. */
static bool
fill_window(struct journal *j, const struct journal_segment *s, uint64_t from)
{
	struct window *w = &j->window;
	struct error ignored; /* it may be about what stands behind */
	w->from = from;
	w->len = s->end - from < WINDOW_BYTES ? s->end - from : WINDOW_BYTES;
	w->segment = segment_read(s, from, w->bytes, (size_t)w->len, &ignored) == 0 ? s : NULL;
	return w->segment != NULL;
}

int
journal_read(struct journal *j, const struct journal_entry *e, uint64_t offset, void *out, size_t len,
    struct error *err)
{
	const struct window *w = &j->window;
	if (offset > e->length || len > e->length - offset)
		return error_set(err, ERROR_INVALID, "a record in the journal is shorter than its content says");
	uint64_t from = e->offset + offset;
	bool is_there = w->segment == e->segment && from >= w->from && from + len <= w->from + w->len;
	if (!is_there && (len > WINDOW_BYTES / 2 || !fill_window(j, e->segment, from)))
		return segment_read(e->segment, from, out, len, err);
	memcpy(out, w->bytes + (from - w->from), len);
	return 0;
}

void
journal_consume(struct journal *j, uint64_t sequence)
{
	while (j->first != NULL && j->first->sequence < sequence) {
		struct journal_entry *e = j->first;
		assert(e->sequence < j->durable_below);
		j->first = e->next;
		if (j->first == NULL)
			j->last = &j->first;
		e->segment->pending--;
		j->backlog_bytes -= e->length;
		j->backlog_records--;
		free(e);
	}
	remove_done(j);
}

uint64_t
journal_backlog_bytes(const struct journal *j)
{
	return j->backlog_bytes;
}

size_t
journal_backlog_records(const struct journal *j)
{
	return j->backlog_records;
}

uint64_t
journal_next_sequence(const struct journal *j)
{
	return j->next_sequence;
}
