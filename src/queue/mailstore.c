/* SPDX-License-Identifier: ISC */
#include "queue/mailstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "queue/mailstore_internal.h"
#include "store/schema.h"

void (*mailstore_on_step)(enum mailstore_step step);

static const char *const sql[MAILSTORE_STATEMENTS] = {
	[MAILSTORE_LOAD] = "SELECT consumed FROM state",
	[MAILSTORE_CONSUME] = "UPDATE state SET consumed = ?1",
	[MAILSTORE_HAS_SEEN] = "SELECT 1 FROM seen WHERE hash = ?1",
	[MAILSTORE_SEE] = "INSERT OR IGNORE INTO seen VALUES (?1, ?2)",
	[MAILSTORE_FORGET_SEEN] = "DELETE FROM seen WHERE queue_s < ?1",
	[MAILSTORE_STAGED] = "SELECT sequence, name FROM staged",
	[MAILSTORE_UNSTAGE] = "DELETE FROM staged",
};

/* ---- opening and recovery */

static int
open_database(struct mailstore *s, struct error *err)
{
	struct stat st;
	bool has_journal = fstatat(s->dir_fd, "journal", &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!has_journal && errno != ENOENT)
		return error_set_errno(err, errno, "cannot look at the journal");
	if (database_open("mail.db", !has_journal, schema_versions, SCHEMA_VERSIONS, &s->db, err) != 0)
		return -1;
	for (size_t i = 0; i < MAILSTORE_STATEMENTS; i++)
		if (statement_new(s->db, sql[i], &s->statements[i], err) != 0)
			return -1;
	/* The database is there for good before the journal is: see above. */
	if (fsync(s->dir_fd) != 0)
		return error_set_errno(err, errno, "cannot make the mail folder durable");
	return queueclock_open(s->db, &s->clock, err);
}

static int
open_journal(struct mailstore *s, struct error *err)
{
	struct statement *load = s->statements[MAILSTORE_LOAD];
	int row = statement_step(load, err);
	if (row != 1)
		return row == 0 ? error_set(err, ERROR_DAMAGED, "the database mail.db is damaged: it has no state") : -1;
	s->consumed = (uint64_t)statement_int(load, 0);
	statement_reset(load);
	if (file_open_private_dir(s->dir_fd, "journal", &s->journal_fd, err) != 0)
		return -1;
	if (journal_open(s->journal_fd, s->consumed, &s->journal, err) != 0)
		return -1;
	for (const struct journal_entry *e = journal_first(s->journal); e != NULL; e = journal_next(s->journal, e))
		s->bounces += record_is_own(e->type);
	return 0;
}

/* What a version before this one has recorded as staged under its number. */
static int
publish_numbered(struct mailstore *s, struct error *err)
{
	struct statement *staged = s->statements[MAILSTORE_STAGED];
	int row;
	while ((row = statement_step(staged, err)) == 1) {
		char name[MAILDIR_NAME_MAX];
		struct slice text = statement_bytes(staged, 1);
		if (text.len >= sizeof name || memchr(text.data, '/', text.len) != NULL) {
			row = error_set(err, ERROR_DAMAGED, "the database mail.db is damaged: a file name that is none");
		} else {
			memcpy(name, text.data, text.len);
			name[text.len] = '\0';
			row = maildir_publish_as(s->maildir, (uint64_t)statement_int(staged, 0), name, err);
		}
		if (row != 0) {
			statement_reset(staged);
			return -1;
		}
		mailstore_step(MAILSTORE_RENAMED);
	}
	if (row != 0)
		return -1;
	statement_reset(staged);
	return statement_run(s->statements[MAILSTORE_UNSTAGE], err);
}

static void
on_renamed(void)
{
	mailstore_step(MAILSTORE_RENAMED);
}

int
mailstore_publish(struct mailstore *s, struct error *err)
{
	if (maildir_publish(s->maildir, s->consumed, on_renamed, err) != 0)
		return -1;
	s->unpublished = false;
	mailstore_step(MAILSTORE_PUBLISHED);
	return 0;
}

/* The one sync of a group is that of mail/'s file system. */
static int
check_file_system(const struct mailstore *s, struct error *err)
{
	struct stat all, queue;
	if (fstat(s->dir_fd, &all) != 0 || fstat(s->queue_fd, &queue) != 0)
		return error_set_errno(err, errno, "cannot look at the queue");
	return all.st_dev == queue.st_dev ? 0 : error_set(err, ERROR_INVALID, "mail/ and mail/queue must be on one file system");
}

static int
recover_mailbox(struct mailstore *s, struct error *err)
{
	if (publish_numbered(s, err) != 0 || maildir_unstage(s->maildir, s->consumed, err) != 0 || mailstore_publish(s, err) != 0)
		return -1;
	return mailstore_settle(s, err);
}

int
mailstore_open(const struct schedule *schedule, struct mailstore **out, struct error *err)
{
	struct mailstore *s = calloc(1, sizeof *s);
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	s->dir_fd = s->journal_fd = s->queue_fd = -1;
	s->dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0) {
		error_set_errno(err, errno, "cannot open the mail folder");
		goto fail;
	}
	if (open_database(s, err) != 0 || maildir_open(s->dir_fd, &s->maildir, err) != 0 ||
	    file_open_private_dir(s->dir_fd, "queue", &s->queue_fd, err) != 0 || open_journal(s, err) != 0 ||
	    queue_open(s->db, s->queue_fd, schedule, &s->queue, err) != 0 || ids_open(s->db, &s->ids, err) != 0)
		goto fail;
	if (fsync(s->dir_fd) != 0) {
		error_set_errno(err, errno, "cannot make the mail folder durable");
		goto fail;
	}
	if (check_file_system(s, err) != 0 || mailstore_group_new(&s->group, err) != 0 || recover_mailbox(s, err) != 0)
		goto fail;
	*out = s;
	return 0;
fail:
	mailstore_free(s);
	return -1;
}

void
mailstore_free(struct mailstore *s)
{
	if (s == NULL)
		return;
	queue_free(s->queue);
	ids_free(s->ids);
	journal_free(s->journal);
	syncer_free(s->journal_syncer);
	syncer_free(s->group_syncer);
	mailstore_group_free(s->group);
	maildir_free(s->maildir);
	queueclock_free(s->clock);
	for (size_t i = 0; i < MAILSTORE_STATEMENTS; i++)
		statement_free(s->statements[i]);
	database_close(s->db);
	file_close(&s->queue_fd);
	file_close(&s->journal_fd);
	file_close(&s->dir_fd);
	free(s);
}

/* ---- accepting */

static int
append(struct mailstore *s, const struct record *record, uint64_t identifiers, const struct body *body, struct error *err)
{
	struct buffer head;
	uint64_t sequence;
	buffer_init(&head, RECORD_HEAD_MAX + 4);
	int result = record_encode(record, &head, err);
	if (result == 0) {
		struct slice parts[] = { slice_of(buffer_bytes(&head), buffer_len(&head)), record->front, body->bytes };
		const struct journal_file file = { body->fd, body->file_bytes, record->file_digest };
		result = journal_append_file(s->journal, record->type, identifiers, parts, 3, body->file_bytes > 0 ? &file : NULL,
		    &sequence, err);
	}
	buffer_finish(&head);
	if (result == 0)
		mailstore_step(MAILSTORE_APPENDED);
	return result;
}

int
mailstore_receive(struct mailstore *s, const struct record *record, const struct body *body, struct error *err)
{
	return append(s, record, 1, body, err);
}

int
mailstore_submit(struct mailstore *s, const struct record *record, const struct body *body, struct error *err)
{
	struct slice list = record->destinations, onion, recipients;
	uint64_t count = 0;
	while (record_next_destination(&list, &onion, &recipients))
		count++;
	if (list.len != 0 || count == 0)
		return error_set(err, ERROR_INVALID, "a malformed list of destinations");
	return append(s, record, count, body, err); /* an identifier for each */
}

int
mailstore_bounce(struct mailstore *s, const struct record *record, const struct body *body, struct error *err)
{
	if (append(s, record, 1, body, err) != 0)
		return -1;
	s->bounces++;
	return 0;
}

int
mailstore_ready(struct mailstore *s, const struct record *record, const struct body *body, struct error *err)
{
	return append(s, record, 1, body, err);
}

int
mailstore_commit(struct mailstore *s, struct error *err)
{
	int result = journal_sync(s->journal, err);
	if (result == 0)
		mailstore_step(MAILSTORE_COMMITTED);
	return result;
}

uint64_t
mailstore_appended_below(const struct mailstore *s)
{
	return journal_next_sequence(s->journal);
}

uint64_t
mailstore_durable_below(const struct mailstore *s)
{
	return journal_durable_below(s->journal);
}

int
mailstore_start_threads(struct mailstore *s, struct error *err)
{
	if (syncer_new(&s->journal_syncer, err) != 0 || syncer_new(&s->group_syncer, err) != 0)
		return -1;
	journal_set_syncer(s->journal, s->journal_syncer);
	return 0;
}

void
mailstore_stop_threads(struct mailstore *s)
{
	journal_set_syncer(s->journal, NULL);
	mailstore_group_wait(s);
	syncer_free(s->journal_syncer);
	syncer_free(s->group_syncer);
	s->journal_syncer = s->group_syncer = NULL;
}

int
mailstore_commit_fd(const struct mailstore *s)
{
	return syncer_fd(s->journal_syncer);
}

int
mailstore_process_fd(const struct mailstore *s)
{
	return syncer_fd(s->group_syncer);
}

/* ---- what is left over */

static int
settle(struct mailstore *s, struct error *err)
{
	struct statement *forget = s->statements[MAILSTORE_FORGET_SEEN];
	statement_bind_int(forget, 1, queueclock_now_ms(s->clock) / 1000 - MAILSTORE_SEEN_S);
	if (statement_run(forget, err) != 0)
		return -1;
	return queueclock_save(s->clock, err);
}

int
mailstore_settle(struct mailstore *s, struct error *err)
{
	if (database_begin(s->db, err) != 0)
		return -1;
	if (settle(s, err) != 0) {
		database_rollback(s->db);
		return -1;
	}
	if (database_commit(s->db, err) != 0)
		return -1;
	mailstore_step(MAILSTORE_SETTLED);
	return queue_empty_trash(s->queue, err);
}

void
mailstore_rest(struct mailstore *s)
{
	journal_rest(s->journal);
}

int
mailstore_checkpoint(struct mailstore *s, struct error *err)
{
	if (mailstore_settle(s, err) != 0)
		return -1;
	mailstore_rest(s);
	return database_checkpoint(s->db, err);
}

/* ---- small answers */

bool
mailstore_is_broken(const struct mailstore *s)
{
	return journal_is_broken(s->journal);
}

void
mailstore_set_tell(struct mailstore *s, mailstore_tell *tell, void *context)
{
	s->tell = tell;
	s->tell_context = context;
}

bool
mailstore_has_bounce(const struct mailstore *s)
{
	return s->bounces > 0;
}

uint64_t
mailstore_backlog_bytes(const struct mailstore *s)
{
	return journal_backlog_bytes(s->journal);
}

size_t
mailstore_backlog_records(const struct mailstore *s)
{
	return journal_backlog_records(s->journal);
}

struct queue *
mailstore_queue(struct mailstore *s)
{
	return s->queue;
}

struct ids *
mailstore_ids(struct mailstore *s)
{
	return s->ids;
}

struct database *
mailstore_database(struct mailstore *m)
{
	return m->db;
}

int64_t
mailstore_now_ms(const struct mailstore *s)
{
	return queueclock_now_ms(s->clock);
}
