/* SPDX-License-Identifier: ISC
 *
 * From the journal to mailbox and queue, a group of records at a time: the lettered steps of doc/durability.md.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "mime/verdict.h"
#include "queue/mailstore_internal.h"

#define COPY_STEP_BYTES 65536
#define HEADER_STEP_BYTES 8192 /* the header of most messages is not longer */

#define SLOTS (2 * MAILSTORE_GROUP_RECORDS)

/* What is decided of a record when its files are written, and recorded once they are durable. */
struct note {
	bool is_wanted; /* not so a repetition */
	unsigned char hash[RECORD_HASH_BYTES];
	struct ids_received received;
};

/* The oldest records of the journal, on their way. */
struct mailstore_group {
	enum { WRITING, SYNCING } phase;
	size_t records, bounces;
	uint64_t bytes, next_sequence;
	bool is_stale;    /* a group failed: what it has staged is in the way */
	bool is_under_way; /* the thread is at the sync */
	int errnum;       /* of the sync */
	int64_t gather_ms, next_ms; /* of the queue clock: no sync of a few records before */
	struct note notes[MAILSTORE_GROUP_RECORDS];
	uint16_t slots[SLOTS]; /* notes by their hash, 1 for the first; 0: none */
};

int
mailstore_group_new(struct mailstore_group **out, struct error *err)
{
	*out = calloc(1, sizeof **out);
	return *out == NULL ? error_set(err, ERROR_NO_MEMORY, "out of memory") : 0;
}

void
mailstore_group_free(struct mailstore_group *group)
{
	free(group);
}

static void
begin_anew(struct mailstore_group *g)
{
	g->phase = WRITING;
	g->records = g->bounces = 0;
	g->bytes = 0;
	memset(g->slots, 0, sizeof g->slots);
}

/* ---- one record, out of the journal */

/* A record with its head decoded. */
struct opened {
	struct mailstore *mailstore;
	const struct journal_entry *entry;
	struct record record;
	unsigned char *head;
	uint64_t body_offset, body_bytes;
	/* What stands in the mailbox copy for the first bytes of the body. */
	struct buffer front;
	size_t replaced;
};

static int
open_record(struct mailstore *s, const struct journal_entry *e, struct opened *out, struct error *err)
{
	unsigned char raw[4];
	*out = (struct opened){ .mailstore = s, .entry = e };
	if (journal_read(s->journal, e, 0, raw, sizeof raw, err) != 0)
		return -1;
	uint32_t len = (uint32_t)encode_from_number(raw, sizeof raw);
	if (len > RECORD_HEAD_MAX || len > e->length - sizeof raw)
		return error_set(err, ERROR_INVALID, "a record in the journal is not one of this version");
	out->head = malloc(len + 1u);
	if (out->head == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	out->body_offset = sizeof raw + len;
	out->body_bytes = e->length - out->body_offset;
	if (journal_read(s->journal, e, sizeof raw, out->head, len, err) == 0 &&
	    record_decode((enum record_type)e->type, slice_of(out->head, len), &out->record, err) == 0)
		return 0;
	free(out->head);
	return -1;
}

static int
read_body(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	const struct opened *o = context;
	return journal_read(o->mailstore->journal, o->entry, o->body_offset + offset, out, len, err);
}

/* The mailbox copy. */
static int
read_copy(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	const struct opened *o = context;
	size_t front = buffer_len(&o->front), step = 0;
	if (offset < front) {
		step = len < front - offset ? len : (size_t)(front - offset);
		memcpy(out, buffer_bytes(&o->front) + offset, step);
	}
	if (step == len)
		return 0;
	return read_body(context, offset + step - front + o->replaced, (unsigned char *)out + step, len - step, err);
}

/* The beginning of the body: its header, most likely, and no more than THREADS_SCAN_BYTES. */
static int
read_beginning(struct opened *o, struct buffer *out, struct error *err)
{
	size_t most = o->body_bytes < THREADS_SCAN_BYTES ? (size_t)o->body_bytes : THREADS_SCAN_BYTES;
	for (size_t len = 0, step = HEADER_STEP_BYTES; len < most; len += step, step = most - len) {
		step = step < most - len ? step : most - len;
		unsigned char *room = buffer_reserve(out, step, err);
		if (room == NULL || read_body(o, len, room, step, err) != 0)
			return -1;
		buffer_commit(out, step);
		if (memmem(buffer_bytes(out), buffer_len(out), "\r\n\r\n", 4) != NULL)
			break;
	}
	return 0;
}

/* The owner's mail program finds its own ids again, in answers and in what it sent to itself (doc/spec/ids.md). That the
 * sender is who it says, once that is proved, is proved by the bytes of the record: it has to come before this. */
static int
restore_ids(struct opened *o, struct note *note, struct error *err)
{
	struct buffer beginning;
	const struct ids *known = o->mailstore->ids;
	bool is_received = o->record.type == RECORD_RECEIVED;
	if (!is_received && o->record.type != RECORD_SUBMITTED)
		return 0; /* written here, for the owner's eyes */
	buffer_init(&beginning, THREADS_SCAN_BYTES);
	buffer_finish(&o->front);
	buffer_init(&o->front, RECORD_VERDICT_MAX + THREADS_SCAN_BYTES + THREADS_RESTORED_MAX_BYTES);
	int result = read_beginning(o, &beginning, err);
	struct slice text = slice_of(buffer_bytes(&beginning), buffer_len(&beginning));
	size_t dropped = 0;
	if (result == 0 && is_received) {
		ids_find_received(known, text, &note->received);
		text.len = verdict_drop(beginning.data + beginning.start, text.len);
		dropped = buffer_len(&beginning) - text.len;
		result = buffer_append(&o->front, o->record.verdict.data, o->record.verdict.len, err);
	}
	/* a stranger's message keeps its own: it must not pass for one that the owner wrote */
	if (result == 0)
		result = ids_restore(o->mailstore->ids, text, o->record.ids, !is_received, &o->front, &o->replaced, err);
	if (result == 0 && dropped > 0) { /* what is left of the header stands in front, too */
		result = buffer_append(&o->front, text.data + o->replaced, text.len - o->replaced, err);
		o->replaced = buffer_len(&beginning);
	}
	buffer_finish(&beginning);
	return result;
}

/* ---- step A: what is decided, and the files */

static int
stage(struct opened *o, struct note *note, uint64_t identifier, struct error *err)
{
	if (restore_ids(o, note, err) != 0)
		return -1;
	return maildir_stage(o->mailstore->maildir, identifier, o->record.arrival_ms, o->record.reverse_path, read_copy, o,
	    o->body_bytes - o->replaced + buffer_len(&o->front), err);
}

/* Whether the hash is that of an earlier record of the group; else it is the note's from now on. */
static bool
is_in_group(struct mailstore_group *g, struct note *note)
{
	size_t at;
	memcpy(&at, note->hash, sizeof at);
	for (at %= SLOTS; g->slots[at] != 0; at = (at + 1) % SLOTS)
		if (memcmp(g->notes[g->slots[at] - 1].hash, note->hash, sizeof note->hash) == 0)
			return true;
	g->slots[at] = (uint16_t)(note - g->notes + 1);
	return false;
}

static int
write_received(struct opened *o, struct note *note, struct error *err)
{
	struct statement *has_seen = o->mailstore->statements[MAILSTORE_HAS_SEEN];
	memcpy(note->hash, o->record.hash, sizeof note->hash);
	if (is_in_group(o->mailstore->group, note))
		return 0;
	statement_bind_blob(has_seen, 1, slice_of(note->hash, sizeof note->hash));
	int row = statement_step(has_seen, err);
	if (row < 0)
		return -1;
	statement_reset(has_seen);
	note->is_wanted = row == 0;
	return note->is_wanted ? stage(o, note, o->entry->sequence, err) : 0;
}

/* Does what a record of our own making says: the recipients are reported, the delay or the pin is told. *is_news: it was not
 * done before. In a transaction. */
static int
do_own(struct opened *o, bool *is_news, struct error *err)
{
	uint64_t reported;
	struct queue *queue = o->mailstore->queue;
	if (o->record.type == RECORD_DELAY)
		return queue_tell(queue, o->record.item, is_news, err);
	if (o->record.type == RECORD_NOTICE && o->record.positions.len > 0) {
		const struct mailstore *s = o->mailstore;
		*is_news = false;
		return s->tell == NULL ? 0 : s->tell(s->tell_context, &o->record, is_news, err);
	}
	if (o->record.type == RECORD_NOTICE)
		return pins_tell(queue_pins(queue), o->record.item, is_news, err);
	if (queue_reported(queue, o->record.item, o->record.positions, &reported, err) != 0)
		return -1;
	*is_news = reported > 0;
	return 0;
}

/* Tries it and takes it back: it is done for good once the message is durable. */
static int
write_own(struct opened *o, struct note *note, struct error *err)
{
	if (database_begin(o->mailstore->db, err) != 0)
		return -1;
	int result = do_own(o, &note->is_wanted, err);
	database_rollback(o->mailstore->db);
	return result == 0 && note->is_wanted ? stage(o, note, o->entry->sequence, err) : result;
}

static int
copy_body(struct opened *o, struct error *err)
{
	int fd, result = 0;
	unsigned char chunk[COPY_STEP_BYTES];
	if (numbered_create(o->mailstore->queue_fd, o->entry->sequence, &fd, err) != 0)
		return -1;
	for (uint64_t done = 0; result == 0 && done < o->body_bytes;) {
		size_t step = o->body_bytes - done < sizeof chunk ? (size_t)(o->body_bytes - done) : sizeof chunk;
		result = read_body(o, done, chunk, step, err);
		if (result == 0)
			result = file_write_all(fd, chunk, step, err);
		done += step;
	}
	file_close(&fd);
	return result;
}

static int
write_submitted(struct opened *o, struct note *note, struct error *err)
{
	struct slice list = o->record.destinations, onion, recipients;
	uint64_t identifier = o->entry->sequence;
	bool copied = false;
	note->is_wanted = true;
	for (; record_next_destination(&list, &onion, &recipients); identifier++) {
		if (onion.len == 0) { /* to the own mailbox */
			if (stage(o, note, identifier, err) != 0)
				return -1;
			continue;
		}
		if (!copied && copy_body(o, err) != 0)
			return -1;
		copied = true;
	}
	return 0;
}

static int
write_ready(struct opened *o, struct note *note, struct error *err)
{
	note->is_wanted = true;
	return copy_body(o, err);
}

static int
write_record(struct mailstore *s, const struct journal_entry *e, struct note *note, struct error *err)
{
	struct opened o;
	int result;
	note->is_wanted = false;
	note->received.count = 0;
	if (open_record(s, e, &o, err) != 0)
		return -1;
	if (o.record.type == RECORD_RECEIVED)
		result = write_received(&o, note, err);
	else if (o.record.type == RECORD_SUBMITTED)
		result = write_submitted(&o, note, err);
	else if (o.record.type == RECORD_READY)
		result = write_ready(&o, note, err);
	else
		result = write_own(&o, note, err);
	buffer_finish(&o.front);
	free(o.head);
	return result;
}

static const struct journal_entry *
next_of_group(const struct mailstore *s, const struct mailstore_group *g)
{
	const struct journal_entry *e = journal_first(s->journal);
	for (; e != NULL && g->records > 0 && e->sequence < g->next_sequence; e = journal_next(s->journal, e))
		;
	return e;
}

/* 1: there is more to be written for this group; 0: it is whole. Two records of our own making may be about the same, so a group has
 * one at most. */
static int
write_some(struct mailstore *s, struct mailstore_group *g, struct error *err)
{
	size_t most = s->group_syncer != NULL ? g->records + MAILSTORE_STEP_RECORDS : MAILSTORE_GROUP_RECORDS;
	if (g->is_stale && maildir_unstage(s->maildir, s->consumed, err) != 0)
		return -1;
	g->is_stale = false;
	for (const struct journal_entry *e = next_of_group(s, g); e != NULL; e = journal_next(s->journal, e)) {
		if (g->records == MAILSTORE_GROUP_RECORDS || (record_is_own(e->type) && g->bounces > 0) ||
		    (g->records > 0 && g->bytes + e->length > MAILSTORE_GROUP_BYTES))
			return 0;
		if (g->records >= most)
			return 1;
		if (write_record(s, e, &g->notes[g->records], err) != 0)
			return -1;
		g->records++;
		g->bytes += e->length;
		g->bounces += record_is_own(e->type);
		g->next_sequence = e->sequence + e->identifiers;
	}
	return 0;
}

/* ---- step B: all of it durable */

/* A sync and a transaction cost much the same for one record and for hundreds, and nobody waits for them but readers of the mailbox. So
 * when mail comes fast groups are begun at some distance. Who comes alone finds the last one long ago. */
void
mailstore_set_gathering(struct mailstore *s, int64_t after_ms)
{
	s->group->gather_ms = after_ms;
}

int64_t
mailstore_gathers_ms(const struct mailstore *s)
{
	int64_t left_ms = s->group->next_ms - queueclock_now_ms(s->clock);
	return left_ms > 0 ? left_ms : 0;
}

static bool
may_gather(const struct mailstore *s, const struct mailstore_group *g)
{
	return s->group_syncer != NULL && g->bounces == 0 && g->records < MAILSTORE_GATHER_RECORDS &&
	    g->bytes < MAILSTORE_GROUP_BYTES / 2 && mailstore_gathers_ms(s) > 0;
}

static void
begin_sync(struct mailstore *s, struct mailstore_group *g)
{
	g->phase = SYNCING;
	g->next_ms = queueclock_now_ms(s->clock) + g->gather_ms;
	g->is_under_way = s->group_syncer != NULL;
	if (g->is_under_way)
		syncer_start(s->group_syncer, syncfs, s->dir_fd);
	else
		g->errnum = syncfs(s->dir_fd) == 0 ? 0 : errno;
}

/* 1: it is still under way. */
static int
end_sync(struct mailstore *s, struct mailstore_group *g, bool wait, struct error *err)
{
	if (g->is_under_way && !syncer_take(s->group_syncer, wait, &g->errnum))
		return 1;
	g->is_under_way = false;
	return g->errnum == 0 ? 0 : error_set_errno(err, g->errnum, "cannot make messages durable");
}

void
mailstore_group_wait(struct mailstore *s)
{
	struct error ignored; /* it is kept in the group */
	if (s->group->is_under_way)
		end_sync(s, s->group, true, &ignored);
}

/* ---- step C: one transaction */

static int
record_received(struct mailstore *s, const struct note *note, struct error *err)
{
	struct statement *see = s->statements[MAILSTORE_SEE];
	statement_bind_blob(see, 1, slice_of(note->hash, sizeof note->hash));
	statement_bind_int(see, 2, queueclock_now_ms(s->clock) / 1000);
	return statement_run(see, err) != 0 ? -1 : ids_receive(s->ids, &note->received, err);
}

static int
record_submitted(struct opened *o, struct error *err)
{
	struct slice list = o->record.destinations, onion, recipients;
	uint64_t identifier = o->entry->sequence;
	if (ids_keep(o->mailstore->ids, o->record.ids, err) != 0)
		return -1;
	for (; record_next_destination(&list, &onion, &recipients); identifier++) {
		struct queue_new new = { .id = identifier, .body = o->entry->sequence, .body_bytes = o->body_bytes,
			.onion = onion, .reverse_path = o->record.reverse_path, .recipients = recipients,
			.flags = o->record.flags, .arrival_s = o->record.arrival_ms / 1000 };
		if (onion.len > 0 && queue_add(o->mailstore->queue, &new, queueclock_now_ms(o->mailstore->clock), err) != 0)
			return -1;
	}
	return 0;
}

static int
record_ready(struct opened *o, struct error *err)
{
	const struct queue_ready ready = { o->record.item, o->entry->sequence, o->body_bytes, o->record.flags };
	return queue_make_ready(o->mailstore->queue, &ready, err);
}

static int
record_record(struct mailstore *s, const struct journal_entry *e, const struct note *note, struct error *err)
{
	struct opened o;
	bool is_news; /* it was decided before: what has changed since changes nothing */
	if (!note->is_wanted)
		return 0;
	if (e->type == RECORD_RECEIVED)
		return record_received(s, note, err);
	if (open_record(s, e, &o, err) != 0)
		return -1;
	int result = e->type == RECORD_SUBMITTED ? record_submitted(&o, err) : e->type == RECORD_READY ? record_ready(&o, err) :
	    do_own(&o, &is_news, err);
	free(o.head);
	return result;
}

static int
record_all(struct mailstore *s, const struct mailstore_group *g, struct error *err)
{
	const struct journal_entry *e = journal_first(s->journal);
	for (size_t i = 0; i < g->records; i++, e = journal_next(s->journal, e))
		if (record_record(s, e, &g->notes[i], err) != 0)
			return -1;
	struct statement *consume = s->statements[MAILSTORE_CONSUME];
	statement_bind_int(consume, 1, (int64_t)g->next_sequence);
	return statement_run(consume, err) != 0 ? -1 : queueclock_save(s->clock, err);
}

static int
record_group(struct mailstore *s, const struct mailstore_group *g, struct error *err)
{
	if (database_begin(s->db, err) != 0)
		return -1;
	if (record_all(s, g, err) == 0)
		return database_commit(s->db, err);
	database_rollback(s->db);
	return -1;
}

/* ---- all of it */

static int
end_group(struct mailstore *s, struct mailstore_group *g, struct error *err)
{
	if (record_group(s, g, err) != 0)
		return -1;
	s->consumed = g->next_sequence;
	s->unpublished = true;
	s->bounces -= g->bounces;
	mailstore_step(MAILSTORE_RECORDED);
	journal_consume(s->journal, g->next_sequence);
	begin_anew(g);
	return 0;
}

int
mailstore_process(struct mailstore *s, struct error *err)
{
	struct mailstore_group *g = s->group;
	int result = 0;
	if (s->unpublished && mailstore_publish(s, err) != 0)
		return -1;
	if (g->phase == WRITING) {
		result = write_some(s, g, err);
		if (result == 1)
			return MAILSTORE_BEGUN;
		if (result == 0 && g->records == 0)
			return MAILSTORE_IDLE;
		if (result == 0 && may_gather(s, g))
			return MAILSTORE_GATHERS;
		if (result == 0) {
			mailstore_step(MAILSTORE_WRITTEN);
			begin_sync(s, g);
			result = g->is_under_way; /* it has only begun */
		}
	}
	if (result == 0)
		result = end_sync(s, g, false, err);
	if (result == 1)
		return MAILSTORE_WAITS;
	if (result == 0) {
		mailstore_step(MAILSTORE_SYNCED);
		result = end_group(s, g, err);
	}
	if (result != 0) {
		begin_anew(g);
		g->is_stale = true;
		return -1;
	}
	if (mailstore_publish(s, err) != 0)
		return -1;
	return journal_first(s->journal) != NULL ? MAILSTORE_MORE : MAILSTORE_IDLE;
}
