/* SPDX-License-Identifier: ISC */
#include "store/salvage_database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "store/database.h"
#include "store/schema.h"

/* SQLite writes even into what it only reads, so it reads a copy. */
#define COPY "salvaged.db"
#define NEW "mail.db.new"
#define STEP_BYTES 65536
#define PATH_BYTES 128

/* ---- the copy */

static int
copy_bytes(int from, int to, struct error *err)
{
	unsigned char chunk[STEP_BYTES];
	ssize_t n;
	while ((n = read(from, chunk, sizeof chunk)) > 0)
		if (file_write_all(to, chunk, (size_t)n, err) != 0)
			return -1;
	return n == 0 ? 0 : error_set_errno(err, errno, "cannot read the database");
}

static int
copy_file(const char *aside, const char *name, const char *to_name, struct error *err)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", aside, name);
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to = from < 0 ? -1 : open(to_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = to < 0 ? error_set_errno(err, errno, "cannot copy %s", name) : copy_bytes(from, to, err);
	file_close(&from);
	file_close(&to);
	return result;
}

static void
remove_files(void)
{
	static const char *const names[] = { COPY, COPY "-wal", COPY "-journal", NEW, NEW "-wal", NEW "-journal" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
}

/* ---- the rows */

/* What is kept of a table. select goes one way, and with " DESC" behind it the other: what lies between may be lost. columns: i, t or b
 * for each, an integer, a text or a blob. insert takes only what can be true, since what stands in a damaged page may be anything; a row of
 * which the rest is lost is left out. */
struct table {
	const char *select, *columns, *insert;
};

static const struct table tables[] = {
	{ "SELECT id, key FROM ids_key ORDER BY id", "ib", "INSERT OR IGNORE INTO ids_key SELECT 1, ?2 WHERE length(?2) = 32" }, /* queue/ids.c */
	{ "SELECT hash, inner_id FROM ids ORDER BY hash", "bt", /* which say nothing without the key */
	    "INSERT OR IGNORE INTO ids SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM ids_key)" },
	{ "SELECT id, onion, fingerprint, trust, label_letters, since_s, changed_s, shown, told FROM pins ORDER BY id", "ittiiiiti",
	    "INSERT OR IGNORE INTO pins SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
	    " WHERE length(?2) = 62 AND length(?3) = 52 AND length(?8) IN (0, 52)" },
	{ "SELECT onion, fingerprint FROM pins_before ORDER BY onion", "tt",
	    "INSERT OR IGNORE INTO pins_before SELECT ?1, ?2 WHERE length(?1) = 62 AND length(?2) = 52" },
	{ "SELECT id, address, onion, name, how, stranger, since_s, heard_s, verified_s FROM contacts ORDER BY id", "itttiiiii",
	    "INSERT OR IGNORE INTO contacts SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
	    " WHERE length(?3) = 62 AND ?2 LIKE '_%@' || ?3" },
	{ "SELECT id, contact, fingerprint, key, how, state, introducer, since_s, signed_s, changed_s, compared_s, told FROM contact_keys"
	  " ORDER BY id", "iitbiitiiiii",
	    "INSERT OR IGNORE INTO contact_keys SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12"
	    " WHERE length(?3) = 40 AND ?3 NOT GLOB '*[^0-9A-F]*' AND ?2 IN (SELECT id FROM contacts)" },
	{ "SELECT contact, fingerprint, onion, introducer, since_s FROM contact_introductions ORDER BY contact", "ittti",
	    "INSERT OR IGNORE INTO contact_introductions SELECT ?1, ?2, ?3, ?4, ?5"
	    " WHERE length(?2) = 40 AND length(?3) = 62 AND ?1 IN (SELECT id FROM contacts)" },
	{ "SELECT contact, position, address FROM contact_carriers ORDER BY contact", "iit",
	    "INSERT OR IGNORE INTO contact_carriers SELECT ?1, ?2, ?3 WHERE ?1 IN (SELECT id FROM contacts)" },
	{ "SELECT contact, wanted FROM contact_encryption ORDER BY contact", "ii",
	    "INSERT OR IGNORE INTO contact_encryption SELECT ?1, ?2 WHERE ?2 BETWEEN 1 AND 3 AND ?1 IN (SELECT id FROM contacts)" },
	{ "SELECT contact, sequence, fingerprint, card FROM contact_cards ORDER BY contact", "iitb",
	    "INSERT OR IGNORE INTO contact_cards SELECT ?1, ?2, ?3, ?4 WHERE ?1 IN (SELECT id FROM contacts)" },
	{ "SELECT onion, kind, about, recovery, sequence, since_s, chosen, told FROM contact_notices ORDER BY onion", "tittiiii",
	    "INSERT OR IGNORE INTO contact_notices SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE length(?1) = 62 AND ?2 BETWEEN 1 AND 3" },
	{ "SELECT onion, hash FROM contact_recovery ORDER BY onion", "tt",
	    "INSERT OR IGNORE INTO contact_recovery SELECT ?1, ?2 WHERE length(?1) = 62 AND length(?2) = 52" },
};

static void
copy_row(const struct statement *select, const char *columns, struct statement *insert)
{
	for (int i = 0; columns[i] != '\0'; i++)
		if (columns[i] == 'i')
			statement_bind_int(insert, i + 1, statement_int(select, i));
		else if (columns[i] == 't')
			statement_bind_text(insert, i + 1, statement_bytes(select, i));
		else
			statement_bind_blob(insert, i + 1, statement_bytes(select, i));
	statement_run(insert, NULL);
}

/* Up to the end, or to where the database is damaged. A table that an older version did not have is not there. */
static int64_t
copy_rows(struct database *from, struct database *to, const struct table *table, const char *direction)
{
	struct statement *select = NULL, *insert = NULL;
	char sql[256];
	int64_t copied = 0;
	snprintf(sql, sizeof sql, "%s%s", table->select, direction);
	if (statement_new(from, sql, &select, NULL) == 0 && statement_new(to, table->insert, &insert, NULL) == 0)
		while (statement_step(select, NULL) == 1) {
			copy_row(select, table->columns, insert);
			copied += database_changes(to);
		}
	statement_free(select);
	statement_free(insert);
	return copied;
}

static int
count_people(struct database *db, struct salvage_database *out, struct error *err)
{
	struct statement *s = NULL;
	int row = -1;
	if (statement_new(db, "SELECT (SELECT COUNT(*) FROM contacts), (SELECT COUNT(*) FROM pins)", &s, err) == 0 &&
	    (row = statement_step(s, err)) == 1)
		*out = (struct salvage_database){ .people = (size_t)statement_int(s, 0), .pins = (size_t)statement_int(s, 1) };
	statement_free(s);
	return row == 1 ? 0 : -1;
}

static int
copy_tables(struct database *from, struct database *to, struct salvage_database *out, struct error *err)
{
	int64_t copied = 0;
	if (database_begin(to, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		copied += copy_rows(from, to, &tables[i], "") + copy_rows(from, to, &tables[i], " DESC");
	if (copied == 0 || count_people(to, out, err) != 0) {
		database_rollback(to);
		return -1;
	}
	return database_commit(to, err) != 0 ? -1 : database_checkpoint(to, err);
}

static int
make_new(const char *aside, struct salvage_database *out, struct error *err)
{
	struct database *from = NULL, *to = NULL;
	int result = -1;
	if (copy_file(aside, "mail.db", COPY, err) != 0)
		return -1;
	copy_file(aside, "mail.db-wal", COPY "-wal", NULL); /* it need not be there */
	if (database_open_damaged(COPY, &from, err) == 0 && database_open(NEW, true, schema_versions, SCHEMA_VERSIONS, &to, err) == 0)
		result = copy_tables(from, to, out, err);
	database_close(from);
	database_close(to);
	return result;
}

/* Calls act() in dir_fd, with nothing of ours there before and after. */
static bool
inside(int dir_fd, bool (*act)(const char *aside, struct salvage_database *out), const char *aside, struct salvage_database *out)
{
	struct error err = { 0 };
	bool result = false;
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return false;
	if (fchdir(dir_fd) == 0) {
		remove_files();
		result = act(aside, out);
		remove_files();
		if (fchdir(here) != 0)
			error_set_errno(&err, errno, "cannot go back"); /* nobody opens anything by a relative name after this */
	}
	file_close(&here);
	return result;
}

static bool
begin_new(const char *aside, struct salvage_database *out)
{
	struct error err = { 0 };
	return make_new(aside, out, &err) == 0 && renameat2(AT_FDCWD, NEW, AT_FDCWD, "mail.db", RENAME_NOREPLACE) == 0;
}

void
salvage_database(int dir_fd, const char *aside, struct salvage_database *out)
{
	*out = (struct salvage_database){ 0 };
	if (inside(dir_fd, begin_new, aside, out))
		fsync(dir_fd);
	else
		*out = (struct salvage_database){ 0 };
}

static bool
copy_is_whole(const char *aside, struct salvage_database *out)
{
	(void)out;
	struct database *db = NULL;
	struct error err = { 0 };
	if (copy_file(aside, "mail.db", COPY, &err) != 0)
		return false;
	copy_file(aside, "mail.db-wal", COPY "-wal", NULL);
	bool result = database_open(COPY, false, schema_versions, SCHEMA_VERSIONS, &db, &err) == 0;
	database_close(db);
	return result;
}

bool
salvage_database_is_whole(int dir_fd)
{
	return inside(dir_fd, copy_is_whole, ".", NULL);
}
