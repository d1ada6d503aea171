/* SPDX-License-Identifier: ISC
 *
 * What the address book's tests share: a book in a folder of its own, addresses of onions that have numbers, and keys that have letters. For
 * tests only.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "contacts/contacts.h"
#include "onionkey/onionkey.h"
#include "store/schema.h"

#define NOW 1700000000
#define DAY 86400

static struct error err;

struct book {
	struct database *db;
	struct contacts *contacts;
};

static inline void
open_book(struct book *b)
{
	assert_int_equal(database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &b->db, &err), 0);
	assert_int_equal(contacts_open(b->db, &b->contacts, &err), 0);
	assert_int_equal(database_begin(b->db, &err), 0);
}

static inline void
close_book(struct book *b)
{
	assert_int_equal(database_commit(b->db, &err), 0);
	contacts_free(b->contacts);
	database_close(b->db);
}

/* As after a restart. */
static inline void
reopen_book(struct book *b)
{
	close_book(b);
	open_book(b);
}

static inline int
begin(void **state)
{
	if (mkdir("book", 0700) != 0 || chdir("book") != 0)
		return -1;
	struct book *b = calloc(1, sizeof *b);
	open_book(b);
	*state = b;
	return 0;
}

static inline int
end(void **state)
{
	struct book *b = *state;
	close_book(b);
	free(b);
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "book", NULL);
}

/* local@ the onion of this number; good for 16 calls. */
static inline struct slice
at(const char *local_part, unsigned onion)
{
	static char rows[16][ADDRESS_MAX + 1];
	static unsigned next;
	char *out = rows[next++ % 16], name[ONIONKEY_NAME_LEN + 1];
	unsigned char seed[32] = { 0 };
	struct onionkey key;
	memcpy(seed, &onion, sizeof onion);
	onionkey_from_seed(seed, &key);
	onionkey_name(key.public_key, name);
	snprintf(out, ADDRESS_MAX + 1, "%s@%s.onion", local_part, name);
	return slice_of_string(out);
}

#define ALICE at("alice", 1)
#define BOB at("bob", 2)
#define CAROL at("carol", 3)
#define DAVE at("dave", 4)

static inline struct contact
contact_of(struct book *b, struct slice address)
{
	struct contact contact = { 0 };
	assert_int_equal(contacts_find(b->contacts, address, &contact, &err), 1);
	return contact;
}

static inline bool
is_known(struct book *b, struct slice address)
{
	struct contact contact;
	int found = contacts_find(b->contacts, address, &contact, &err);
	assert_true(found >= 0);
	return found == 1;
}

static inline void
know(struct book *b, struct slice address)
{
	assert_int_equal(contacts_add(b->contacts, address, slice_of("", 0), CONTACTS_TYPED, NOW, &err), 0);
}

static inline bool
count_one(void *context, const struct contact *contact)
{
	(void)contact;
	++*(size_t *)context;
	return true;
}

static inline size_t
count(struct book *b)
{
	size_t n = 0;
	assert_int_equal(contacts_look(b->contacts, 0, count_one, &n, &err), 0);
	return n;
}
