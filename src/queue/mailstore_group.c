/* SPDX-License-Identifier: ISC
 *
 * From the journal to mailbox and queue, a group of records at a time: the numbered steps of doc/durability.md.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "queue/mailstore_internal.h"

#define COPY_STEP_BYTES 65536
#define HEADER_STEP_BYTES 8192 /* the header of most messages is not longer */

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
restore_ids(struct opened *o, struct error *err)
{
	struct buffer beginning;
	bool is_received = o->record.type == RECORD_RECEIVED;
	if (!is_received && o->record.type != RECORD_SUBMITTED)
		return 0; /* written here, for the owner's eyes */
	buffer_init(&beginning, THREADS_SCAN_BYTES);
	buffer_finish(&o->front);
	buffer_init(&o->front, THREADS_RESTORED_MAX_BYTES);
	int result = read_beginning(o, &beginning, err);
	struct slice text = slice_of(buffer_bytes(&beginning), buffer_len(&beginning));
	if (result == 0 && is_received)
		result = ids_receive(o->mailstore->ids, text, err);
	/* a stranger's message keeps its own: it must not pass for one that the owner wrote */
	if (result == 0)
		result = ids_restore(o->mailstore->ids, text, !is_received, &o->front, &o->replaced, err);
	buffer_finish(&beginning);
	return result;
}

static int
stage(struct opened *o, uint64_t identifier, struct error *err)
{
	char name[MAILDIR_NAME_MAX];
	struct mailstore *s = o->mailstore;
	if (restore_ids(o, err) != 0)
		return -1;
	if (maildir_stage(s->maildir, identifier, o->record.arrival_ms, o->record.reverse_path, read_copy, o,
	        o->body_bytes - o->replaced + buffer_len(&o->front), name, err) != 0)
		return -1;
	struct statement *insert = s->statements[MAILSTORE_STAGE];
	statement_bind_int(insert, 1, (int64_t)identifier);
	statement_bind_string(insert, 2, name);
	if (statement_run(insert, err) != 0)
		return -1;
	s->unpublished = true;
	return 0;
}

static int
process_received(struct opened *o, struct error *err)
{
	struct statement *see = o->mailstore->statements[MAILSTORE_SEE];
	statement_bind_blob(see, 1, slice_of(o->record.hash, sizeof o->record.hash));
	statement_bind_int(see, 2, queueclock_now_ms(o->mailstore->clock) / 1000);
	if (statement_run(see, err) != 0)
		return -1;
	if (database_changes(o->mailstore->db) == 0)
		return 0; /* a duplicate */
	return stage(o, o->entry->sequence, err);
}

static int
process_bounce(struct opened *o, struct error *err)
{
	uint64_t reported;
	if (queue_reported(o->mailstore->queue, o->record.item, o->record.positions, &reported, err) != 0)
		return -1;
	return reported == 0 ? 0 : stage(o, o->entry->sequence, err);
}

/* Tells of a message that is late, unless it was told, or has gone meanwhile. */
static int
process_delay(struct opened *o, struct error *err)
{
	bool is_news;
	if (queue_tell(o->mailstore->queue, o->record.item, &is_news, err) != 0)
		return -1;
	return is_news ? stage(o, o->entry->sequence, err) : 0;
}

/* The same of a peer's changed key. */
static int
process_notice(struct opened *o, struct error *err)
{
	bool is_first;
	if (pins_tell(queue_pins(o->mailstore->queue), o->record.item, &is_first, err) != 0)
		return -1;
	return is_first ? stage(o, o->entry->sequence, err) : 0;
}

static int
copy_body(struct opened *o, struct error *err)
{
	int fd;
	unsigned char chunk[COPY_STEP_BYTES];
	if (filegroup_create(&o->mailstore->bodies, o->entry->sequence, &fd, err) != 0)
		return -1;
	for (uint64_t done = 0; done < o->body_bytes;) {
		size_t step = o->body_bytes - done < sizeof chunk ? (size_t)(o->body_bytes - done) : sizeof chunk;
		if (read_body(o, done, chunk, step, err) != 0 || file_write_all(fd, chunk, step, err) != 0)
			return -1;
		done += step;
	}
	return 0;
}

static int
process_submitted(struct opened *o, struct error *err)
{
	struct slice list = o->record.destinations, onion, recipients;
	uint64_t identifier = o->entry->sequence;
	bool copied = false;
	if (ids_keep(o->mailstore->ids, o->record.ids, err) != 0)
		return -1;
	for (; record_next_destination(&list, &onion, &recipients); identifier++) {
		if (onion.len == 0) { /* to the own mailbox */
			if (stage(o, identifier, err) != 0)
				return -1;
			continue;
		}
		if (!copied && copy_body(o, err) != 0)
			return -1;
		copied = true;
		struct queue_new new = { .id = identifier, .body = o->entry->sequence, .body_bytes = o->body_bytes,
			.onion = onion, .reverse_path = o->record.reverse_path, .recipients = recipients,
			.flags = o->record.flags, .arrival_s = o->record.arrival_ms / 1000 };
		if (queue_add(o->mailstore->queue, &new, queueclock_now_ms(o->mailstore->clock), err) != 0)
			return -1;
	}
	return 0;
}

static int
process_record(struct mailstore *s, const struct journal_entry *e, struct error *err)
{
	struct opened o;
	int result = -1;
	if (open_record(s, e, &o, err) != 0)
		return -1;
	switch (o.record.type) {
	case RECORD_RECEIVED:
		result = process_received(&o, err);
		break;
	case RECORD_SUBMITTED:
		result = process_submitted(&o, err);
		break;
	case RECORD_BOUNCE:
		result = process_bounce(&o, err);
		break;
	case RECORD_DELAY:
		result = process_delay(&o, err);
		break;
	case RECORD_NOTICE:
		result = process_notice(&o, err);
		break;
	}
	buffer_finish(&o.front);
	free(o.head);
	return result;
}

struct group {
	uint64_t next_sequence; /* after the group */
	size_t records, bounces;
	uint64_t bytes;
};

/* Steps 1 to 4. A record may make a mailbox copy and a queued body, so half of FILEGROUP_MAX records always fit. */
static int
process_records(struct mailstore *s, struct group *g, struct error *err)
{
	static_assert(MAILSTORE_GROUP_RECORDS <= FILEGROUP_MAX, "a group fits");
	const struct journal_entry *e = journal_first(s->journal);
	for (; e != NULL && g->records < MAILSTORE_GROUP_RECORDS; e = journal_next(s->journal, e)) {
		if (g->records > 0 && g->bytes + e->length > MAILSTORE_GROUP_BYTES)
			break;
		if (process_record(s, e, err) != 0)
			return -1;
		g->records++;
		g->bytes += e->length;
		g->bounces += record_is_own(e->type);
		g->next_sequence = e->sequence + e->identifiers;
	}
	mailstore_step(MAILSTORE_WRITTEN);
	if (maildir_sync(s->maildir, err) != 0 || filegroup_sync(&s->bodies, err) != 0)
		return -1;
	mailstore_step(MAILSTORE_SYNCED);
	return 0;
}

/* Step 5, but for the commit. */
static int
record_effects(struct mailstore *s, const struct group *g, struct error *err)
{
	struct statement *consume = s->statements[MAILSTORE_CONSUME];
	statement_bind_int(consume, 1, (int64_t)g->next_sequence);
	if (statement_run(consume, err) != 0)
		return -1;
	if (s->published_below > 0) {
		struct statement *unstage = s->statements[MAILSTORE_UNSTAGE];
		statement_bind_int(unstage, 1, (int64_t)s->published_below);
		if (statement_run(unstage, err) != 0)
			return -1;
	}
	return queueclock_save(s->clock, err);
}

int
mailstore_process(struct mailstore *s, struct error *err)
{
	struct group g = { 0 };
	if (s->unpublished && mailstore_publish_staged(s, err) != 0)
		return -1;
	if (journal_first(s->journal) == NULL)
		return 0;
	if (database_begin(s->db, err) != 0)
		return -1;
	if (process_records(s, &g, err) != 0 || record_effects(s, &g, err) != 0) {
		maildir_drop(s->maildir);
		filegroup_drop(&s->bodies);
		database_rollback(s->db);
		return -1;
	}
	if (database_commit(s->db, err) != 0)
		return -1;
	s->published_below = 0;
	mailstore_step(MAILSTORE_RECORDED);
	journal_consume(s->journal, g.next_sequence);
	s->bounces -= g.bounces;
	if (s->unpublished && mailstore_publish_staged(s, err) != 0)
		return -1;
	return journal_first(s->journal) != NULL;
}
