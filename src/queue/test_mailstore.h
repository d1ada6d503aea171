/* SPDX-License-Identifier: ISC
 *
 * For tests of the mail store: one in a folder of its own, and messages for it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "ipc/pack.h"
#include "queue/mailstore.h"

#define DESTINATION "bob.onion"

static const struct schedule schedule = { 30000, 4 * 3600 * 1000, 7 * 24 * 3600 * (int64_t)1000 };

static inline int
enter(void **state)
{
	(void)state;
	return mkdir("mail", 0700) != 0 || chdir("mail") != 0 ? -1 : 0;
}

static inline int
leave(void **state)
{
	(void)state;
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "mail", NULL);
}

static inline struct mailstore *
open_store(void)
{
	struct error err = { 0 };
	struct mailstore *s;
	if (mailstore_open(&schedule, &s, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static inline void
pack(struct buffer *list, const char *recipient)
{
	buffer_init(list, 1000);
	assert_int_equal(pack_string(list, slice_of_string(recipient), NULL), 0);
}

static inline int
receive(struct mailstore *s, const char *body, struct error *err)
{
	struct buffer recipients;
	pack(&recipients, "alice@own.onion");
	struct record r = { .type = RECORD_RECEIVED, .arrival_ms = 1700000000000,
		.reverse_path = slice_of_string("bob@" DESTINATION), .recipients = buffer_slice(&recipients) };
	int result = record_hash(r.reverse_path, r.recipients, BODY_BORROWED(slice_of_string(body)), r.hash, err);
	if (result == 0)
		result = mailstore_receive(s, &r, BODY_BORROWED(slice_of_string(body)), err);
	buffer_finish(&recipients);
	return result;
}

/* To two destinations and the own mailbox. ids: what the message was given, for ids_keep(). */
static inline int
submit_with_ids(struct mailstore *s, const char *body, const char *ids, struct error *err)
{
	struct buffer recipients, destinations;
	pack(&recipients, "bob@" DESTINATION);
	buffer_init(&destinations, 1000);
	static const char *const onions[] = { DESTINATION, "carol.onion", "" };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(record_add_destination(&destinations, slice_of_string(onions[i]), buffer_slice(&recipients), err), 0);
	struct record r = { .type = RECORD_SUBMITTED, .arrival_ms = 1700000000000,
		.ids = slice_of_string(ids), .reverse_path = slice_of_string("alice@own.onion"),
		.destinations = buffer_slice(&destinations) };
	int result = mailstore_submit(s, &r, BODY_BORROWED(slice_of_string(body)), err);
	buffer_finish(&recipients);
	buffer_finish(&destinations);
	return result;
}

static inline int
submit(struct mailstore *s, const char *body, struct error *err)
{
	return submit_with_ids(s, body, "", err);
}

static inline void
process_all(struct mailstore *s)
{
	struct error err = { 0 };
	int more;
	while ((more = mailstore_process(s, &err)) == 1)
		;
	if (more != 0 || mailstore_settle(s, &err) != 0)
		fail_msg("%s", err.text);
}

static inline void
wait_for(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	assert_int_equal(poll(&p, 1, -1), 1);
}

/* Both wait, whether there are threads or not. */
static inline int
commit(struct mailstore *s, struct error *err)
{
	int result;
	while ((result = mailstore_commit(s, err)) == 1)
		wait_for(mailstore_commit_fd(s));
	return result;
}

static inline int
process(struct mailstore *s, struct error *err)
{
	int result;
	while ((result = mailstore_process(s, err)) == MAILSTORE_BEGUN || result == MAILSTORE_WAITS)
		if (result == MAILSTORE_WAITS)
			wait_for(mailstore_process_fd(s));
	return result;
}
