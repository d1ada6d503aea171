/* SPDX-License-Identifier: ISC
 *
 * A journal that is written, and then damaged. The input is what is done to it, in steps of an octet with its arguments.
 * Whatever is damaged, what is read back is what was written, in order; without damage it is all of it; and the journal
 * goes on.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "store/journal.h"

#define RECORDS_MAX 64

enum step { APPEND, COMMIT, CONSUME, REOPEN, DAMAGE, CUT, STEPS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct written {
	uint64_t sequence, identifiers;
	uint32_t type;
	size_t len;
	unsigned char seed;
};

static char folder[64];
static int root = -1;
static struct written written[RECORDS_MAX];
static size_t written_count, read_count;

static int
allocate(int fd, off_t offset, off_t len)
{
	return ftruncate(fd, offset + len); /* takes no room */
}

static int
no_sync(int fd)
{
	(void)fd;
	return 0;
}

static void
remove_folder(void)
{
	file_remove_tree(AT_FDCWD, folder, NULL);
}

static void
prepare(void)
{
	random_init();
	strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/smtorp-journal-fuzz-XXXXXX" : "/tmp/smtorp-journal-fuzz-XXXXXX");
	if (mkdtemp(folder) == NULL || (root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	atexit(remove_folder);
	journal_calls.allocate = allocate;
	journal_calls.sync = no_sync;
}

static void
fill(const struct written *w, unsigned char *out)
{
	for (size_t i = 0; i < w->len; i++)
		out[i] = (unsigned char)(w->seed + i * 7);
}

static void
append(struct journal *journal, uint8_t length, uint8_t seed)
{
	unsigned char payload[256 * 16];
	struct written *w = &written[written_count];
	if (written_count == RECORDS_MAX)
		return;
	*w = (struct written){ .identifiers = 1 + seed % 3, .type = 1 + seed % 5, .len = (size_t)length * (seed % 16), .seed = seed };
	fill(w, payload);
	const struct slice part = slice_of(payload, w->len);
	if (journal_append(journal, w->type, w->identifiers, &part, 1, &w->sequence, NULL) != 0)
		abort();
	written_count++;
}

/* What is there is some of what was written, as it was written. */
static void
check(struct journal *journal, uint64_t consumed)
{
	unsigned char payload[256 * 16], expected[256 * 16];
	size_t at = 0;
	read_count = 0;
	for (const struct journal_entry *e = journal_first(journal); e != NULL; e = journal_next(journal, e)) {
		while (at < written_count && written[at].sequence != e->sequence)
			at++;
		if (at == written_count || e->sequence < consumed)
			abort();
		const struct written *w = &written[at++];
		if (e->type != w->type || e->length != w->len || e->identifiers != w->identifiers ||
		    journal_read(journal, e, 0, payload, w->len, NULL) != 0)
			abort();
		fill(w, expected);
		if (memcmp(payload, expected, w->len) != 0)
			abort();
		read_count++;
	}
	if (read_count != journal_backlog_records(journal))
		abort();
}

static struct journal *
reopen(struct journal *journal, int dir, uint64_t consumed)
{
	struct error err = { 0 };
	journal_free(journal);
	if (journal_open(dir, consumed, &journal, &err) != 0)
		abort();
	check(journal, consumed);
	return journal;
}

/* In the segment of that number: overwrites an octet, or cuts the file. */
static bool
damage(int dir, const uint8_t *args, bool cuts)
{
	char name[17] = "0000000000000001";
	off_t at = args[1] | (off_t)args[2] << 8;
	name[15] = (char)('1' + args[0] % 4);
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (cuts ? ftruncate(fd, at) != 0 : pwrite(fd, args, 1, at) != 1)
		abort();
	close(fd);
	return true;
}

static size_t
still_wanted(uint64_t consumed)
{
	size_t count = 0;
	for (size_t i = 0; i < written_count; i++)
		count += written[i].sequence >= consumed;
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal *journal = NULL;
	uint64_t consumed = 0;
	bool is_damaged = false;
	int dir;
	if (root < 0)
		prepare();
	written_count = 0;
	if (size > 400)
		return 0;
	if (file_open_private_dir(root, "journal", &dir, NULL) != 0)
		abort();
	journal = reopen(NULL, dir, 0);
	for (; size >= 4; data += 4, size -= 4) {
		enum step step = data[0] % STEPS;
		if (step == APPEND && !is_damaged)
			append(journal, data[1], data[2]);
		else if (step == COMMIT && journal_commit(journal, NULL) != 0)
			abort();
		else if (step == CONSUME && journal_commit(journal, NULL) == 0) {
			for (const struct journal_entry *e = journal_first(journal); e != NULL && data[1] > 128; e = journal_next(journal, e))
				consumed = e->sequence + e->identifiers;
			if (journal_first(journal) != NULL && data[1] <= 128)
				consumed = journal_first(journal)->sequence + journal_first(journal)->identifiers;
			journal_consume(journal, consumed);
		} else if (step == REOPEN)
			journal = reopen(journal, dir, consumed);
		else if (step == DAMAGE || step == CUT)
			is_damaged |= damage(dir, data + 1, step == CUT);
	}
	journal = reopen(journal, dir, consumed);
	if (!is_damaged && read_count != still_wanted(consumed))
		abort();
	/* It goes on, and keeps what there is. */
	size_t before = read_count;
	uint64_t next = journal_next_sequence(journal);
	/* the numbers of what was lost are given again */
	while (written_count > 0 && written[written_count - 1].sequence >= next)
		written_count--;
	if (written_count < RECORDS_MAX) {
		append(journal, 9, 9);
		if (journal_commit(journal, NULL) != 0)
			abort();
		journal = reopen(journal, dir, consumed);
		if (read_count != before + 1)
			abort();
	}
	journal_free(journal);
	close(dir);
	if (file_remove_tree(root, "journal", NULL) != 0)
		abort();
	return 0;
}
