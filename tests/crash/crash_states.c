/* SPDX-License-Identifier: ISC
 *
 * Cuts the power at any moment of runs of a mail store, and looks whether the mail is there: records what a run does to its files,
 * draws states that a file system may leave (disk.h), lets the real code recover from each, in a process of its own, and compares
 * (scenario.h). Some recoveries are recorded and cut as well, after another cut or after the process was killed.
 *
 *   crash-states [--states N] [--seed S] [--state I]   I: only this one, and say what was on the disk
 *                [--without "fsync queue"]             as if this sync were not there
 *                [--each-sync [--short]]               so for each of them: which ones are needed? Short: but those that are not,
 *                                                      or seldom
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "disk.h"
#include "recorder.h"
#include "scenario.h"

#define RUNS 8
#define DEPTH_MOST 2           /* recoveries that are cut, one after the other */
#define STATE_MOST_S 30
#define DIFFERENT_MOST (1u << 20)
#define LABELS_MOST 64
#define JOURNAL_NAME_BYTES 16  /* its files, and no others that are renamed in their folder */
#define STRIDE 7919            /* a prime: moments are taken from all over the run */

static struct {
	uint64_t seed;
	struct disk_blindness blind;
	bool explains;
	char folder[64];
	struct scenario scenarios[RUNS];
	struct trace *runs[RUNS], *recoveries[DEPTH_MOST], *continued[DEPTH_MOST];
	uint64_t *shared;          /* [0]: fingerprint of a state */
	int said;                  /* what a state's processes say: a file in memory */
	uint64_t *different;       /* a set */
	size_t different_count, reuses;
} all;

static void
fail(const char *what)
{
	fprintf(stderr, "crash-states: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	uint64_t state = a * 0x9e3779b97f4a7c15u + b;
	return disk_random(&state);
}

/* ---- recording */

static const struct disk_style everything = { .names = 100, .sizes = 100, .sectors = 100 };

static void
run_and_record(unsigned which)
{
	static unsigned char kept[TRACE_OPS_MAX];
	const ino_t none = 0;
	struct trace *t = all.runs[which];
	struct disk empty, replayed;
	char what[200];
	uint64_t random = 1;
	if (chdir(all.folder) != 0 || mkdir("run", 0700) != 0 || chdir("run") != 0)
		fail("cannot make a folder");
	recorder_seed(mix(all.seed, which));
	recorder_start(t, &none, 1);
	scenario_run(&all.scenarios[which]);
	recorder_stop();
	if (t->problem[0] != '\0') {
		fprintf(stderr, "the run cannot be recorded: %s\n", t->problem);
		_exit(1);
	}
	disk_init(&empty);
	disk_cut(&empty, t, t->count, &everything, &(struct disk_blindness){ 0 }, &random, &replayed, kept);
	if (!disk_is_here(&replayed, what)) {
		fprintf(stderr, "not all that the run did was recorded: %s\n", what);
		_exit(1);
	}
	_exit(0);
}

static bool
ends_well(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid");
	if (WIFSIGNALED(status))
		dprintf(STDERR_FILENO, "died of signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static pid_t
divide(void)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	return pid;
}

static void
clean(void)
{
	static const char *const names[] = { "run", "state0", "state1", "state2" };
	int fd = open(all.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		file_remove_tree(fd, names[i], NULL);
	close(fd);
}

/* How often a file of the journal was begun anew in a run: then records of its former use stand behind those that count. */
static size_t
count_reuses(const struct trace *t)
{
	size_t count = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		const struct op *op = &t->ops[i];
		count += op->kind == OP_NAMES && op->sets == 2 && op->set[0].dir == op->set[1].dir &&
		    strlen(trace_text(t, op->set[1].name)) == JOURNAL_NAME_BYTES;
	}
	return count;
}

static void
record_runs(void)
{
	for (unsigned i = 0; i < RUNS; i++) {
		scenario_draw(mix(all.seed, 100 + i), &all.scenarios[i]);
		pid_t pid = divide();
		if (pid == 0)
			run_and_record(i);
		if (!ends_well(pid))
			exit(1);
		clean();
		all.reuses += count_reuses(all.runs[i]);
	}
	if (all.reuses == 0) {
		fputs("no file of the journal was used again: the runs show nothing\n", stderr);
		exit(1);
	}
}

/* ---- a state */

/* Where the power fails, and how much is on the disk of what is not synced. pass: 0 and 1 go through all moments; else by chance. */
static uint32_t
draw_cut(const struct trace *t, uint32_t from, uint64_t index, uint64_t *random, struct disk_style *style)
{
	static const struct disk_style styles[] = {
		{ 0 }, { .names = 100, .sizes = 100, .sectors = 100 }, { .names = 100, .sizes = 100 }, { .sizes = 100, .sectors = 100 },
		{ .names = 50, .sizes = 50, .sectors = 50, .is_torn = true }, { .only = DISK_ALL_BUT_ONE }, { .only = DISK_ONLY_ONE },
		{ .sectors = 50, .is_ordered = true, .is_torn = true }, { .is_ordered = true }, { .names = 50, .sizes = 100, .sectors = 100 },
	};
	uint64_t moments = t->count + 1, pass = index / moments;
	if (pass < 2) {
		*style = styles[pass];
		return (uint32_t)(index * STRIDE % moments);
	}
	uint64_t which = disk_random(random) % (sizeof styles / sizeof *styles + 2);
	if (which < sizeof styles / sizeof *styles)
		*style = styles[which];
	else {
		static const unsigned percents[] = { 0, 3, 50, 97, 100 };
		*style = (struct disk_style){ .names = percents[disk_random(random) % 5], .sizes = percents[disk_random(random) % 5],
			.sectors = percents[disk_random(random) % 5], .is_torn = disk_random(random) % 2 == 0 };
	}
	uint32_t moment = from + (uint32_t)(disk_random(random) % (moments - from));
	/* Just before a sync there is most that may be lost. */
	if (disk_random(random) % 2 == 0)
		while (moment < t->count && t->ops[moment].kind != OP_SYNC && t->ops[moment].kind != OP_SYNC_ALL)
			moment++;
	return moment;
}

static const char *
name_of(const struct trace *t, uint32_t node)
{
	for (uint32_t i = 0; i < t->count; i++)
		for (unsigned s = 0; t->ops[i].kind == OP_NAMES && s < t->ops[i].sets; s++)
			if (t->ops[i].set[s].node == node)
				return trace_text(t, t->ops[i].set[s].name);
	return "(there before)";
}

static void
explain(const struct trace *t, uint32_t length, const unsigned char *kept)
{
	printf("the power fails after operation %u of %u\n", length, t->count);
	for (uint32_t i = 0; i < length; i++) {
		const struct op *op = &t->ops[i];
		printf("%5u %s ", i, op->kind == OP_MARK || op->kind == OP_SYNC || op->kind == OP_SYNC_ALL ? "    " : kept[i] ? "kept" : "LOST");
		if (op->kind == OP_WRITE)
			printf("write %s %llu at %llu\n", name_of(t, op->node), (unsigned long long)op->len, (unsigned long long)op->offset);
		else if (op->kind == OP_SIZE)
			printf("size %s %llu\n", name_of(t, op->node), (unsigned long long)op->offset);
		else if (op->kind == OP_MARK)
			printf("mark %u %u\n", op->mark, op->value);
		else if (op->kind == OP_NAMES)
			printf("%s %s%s%s\n", op->set[0].node == TRACE_NOTHING ? op->sets == 2 ? "rename" : "unlink" : "make",
			    trace_text(t, op->set[0].name), op->sets == 2 ? " to " : "", op->sets == 2 ? trace_text(t, op->set[1].name) : "");
		else
			printf("%s %s (what came before %u)\n", trace_text(t, op->label), name_of(t, op->node), op->covers);
	}
	fflush(stdout);
}

/* The rest of a state: where the run, or what came after it, is cut. */
struct life {
	const struct scenario *scenario;
	const struct disk *base;   /* what was on the disk when the trace began */
	const struct trace *trace;
	uint32_t from;             /* not to be cut before */
	uint64_t index;
	unsigned depth;
	struct knowledge known;    /* from before the trace */
	uint64_t random;
};

/* Writes out a state, lets a process of its own recover from it, and records that. */
static bool
recover_and_record(struct life *l, struct disk *state, const struct knowledge *known, struct trace *out)
{
	pid_t pid = divide();
	if (pid == 0) {
		disk_start_recording(state, out);
		_exit(scenario_recover(l->scenario, known, l->depth) == 0 ? 0 : 1);
	}
	return ends_well(pid);
}

static void
enter_state(struct life *l, struct disk *state)
{
	char path[96];
	snprintf(path, sizeof path, "%s/state%u", all.folder, l->depth);
	if (disk_write_out(state, path) != 0 || chdir(path) != 0)
		fail("cannot write out a state");
	recorder_seed(disk_random(&l->random));
}

static int survive(struct life *l);

/* Only the process dies: the next one finds all that was done, and little of it may be on the disk. Then the power fails. */
static int
survive_kill(struct life *l, uint32_t length, unsigned char *kept)
{
	struct disk state;
	struct knowledge known = l->known;
	struct trace *recovery = all.recoveries[l->depth], *both = all.continued[l->depth];
	disk_cut(l->base, l->trace, length, &everything, &all.blind, &l->random, &state, kept);
	scenario_learn(l->trace, length, kept, &known);
	if (all.explains)
		printf("the process is killed after operation %u\n", length);
	enter_state(l, &state);
	if (!recover_and_record(l, &state, &known, recovery))
		return -1;
	disk_free(&state);
	trace_join(l->trace, length, recovery, both);
	l->trace = both;
	l->from = length;
	l->depth++;
	return survive(l);
}

static int
survive(struct life *l)
{
	static unsigned char kept[TRACE_OPS_MAX];
	struct disk_style style;
	struct disk state;
	uint32_t length = draw_cut(l->trace, l->from, l->index, &l->random, &style);
	uint64_t way = l->depth == DEPTH_MOST ? 5 : disk_random(&l->random) % 6;
	l->index = UINT64_MAX; /* what follows is by chance */
	if (way == 0)
		return survive_kill(l, length, kept);
	disk_cut(l->base, l->trace, length, &style, &all.blind, &l->random, &state, kept);
	scenario_learn(l->trace, length, kept, &l->known);
	if (all.explains)
		explain(l->trace, length, kept);
	all.shared[0] += disk_fingerprint(&state);
	enter_state(l, &state);
	if (way > 1)
		return scenario_recover(l->scenario, &l->known, l->depth);
	if (!recover_and_record(l, &state, &l->known, all.recoveries[l->depth]))
		return -1;
	l->base = &state;
	l->trace = all.recoveries[l->depth];
	l->from = 0;
	l->depth++;
	return survive(l);
}

static void
live(uint64_t index)
{
	struct disk empty;
	struct life l = { .scenario = &all.scenarios[index % RUNS], .base = &empty, .trace = all.runs[index % RUNS],
		.index = index / RUNS, .random = mix(all.seed, 1000 + index) };
	alarm(STATE_MOST_S);
	dup2(all.said, STDERR_FILENO);
	disk_init(&empty);
	all.shared[0] = 0;
	_exit(survive(&l) == 0 ? 0 : 1);
}

/* Whether the mail outlives the state. */
static bool
try_state(uint64_t index)
{
	if (ftruncate(all.said, 0) != 0 || lseek(all.said, 0, SEEK_SET) != 0)
		fail("a file in memory");
	pid_t pid = divide();
	if (pid == 0)
		live(index);
	bool is_well = ends_well(pid);
	clean();
	return is_well;
}

/* The same state once more: runs with threads are not the same in another process. */
static void
explain_state(uint64_t index)
{
	char text[2000];
	ssize_t n = pread(all.said, text, sizeof text, 0); /* kept, since the repetition says it anew */
	char name[64];
	snprintf(name, sizeof name, "crash-state-%llu-%llu.log", (unsigned long long)all.seed, (unsigned long long)index);
	int out = dup(STDOUT_FILENO), fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || fd < 0)
		fail(name);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	all.explains = true;
	try_state(index);
	all.explains = false;
	dup2(out, STDOUT_FILENO);
	close(out);
	close(fd);
	if (ftruncate(all.said, 0) != 0 || (n > 0 && write(all.said, text, (size_t)n) != n))
		fail("a file in memory");
	printf("what was on the disk: %s\n", name);
}

static void
show_said(void)
{
	char text[2000];
	ssize_t n = pread(all.said, text, sizeof text, 0);
	fwrite(text, 1, n > 0 ? (size_t)n : 0, stdout);
}

static void
count_different(void)
{
	uint64_t value = all.shared[0] | 1;
	for (size_t at = value >> 44;; at = (at + 1) % DIFFERENT_MOST) {
		if (all.different[at] == value || all.different_count > DIFFERENT_MOST / 2)
			return;
		if (all.different[at] == 0) {
			all.different[at] = value;
			all.different_count++;
			return;
		}
	}
}

/* ---- all of them */

static int
try_states(uint64_t count)
{
	size_t operations = 0, failed = 0;
	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned i = 0; i < RUNS; i++)
		operations += all.runs[i]->count;
	for (uint64_t i = 0; i < count && failed < 10; i++) {
		bool is_well = try_state(i);
		count_different();
		if (is_well)
			continue;
		if (failed++ == 0)
			explain_state(i);
		printf("state %llu, seed %llu:\n", (unsigned long long)i, (unsigned long long)all.seed);
		show_said();
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("seed %llu: %llu states (%zu different) of %u runs with %zu operations, %zu of them parts of the journal begun anew, in %lld s: %s\n",
	    (unsigned long long)all.seed, (unsigned long long)count, all.different_count, RUNS, operations, all.reuses,
	    (long long)(end.tv_sec - begin.tv_sec), failed == 0 ? "nothing lost, nothing twice" : "FAILED");
	return failed == 0 ? 0 : 1;
}

static size_t
collect_labels(const char *labels[LABELS_MOST])
{
	size_t count = 0;
	for (unsigned r = 0; r < RUNS; r++)
		for (uint32_t i = 0; i < all.runs[r]->count; i++) {
			const struct op *op = &all.runs[r]->ops[i];
			size_t known = 0;
			if (op->kind != OP_SYNC && op->kind != OP_SYNC_ALL)
				continue;
			const char *label = trace_text(all.runs[r], op->label);
			while (known < count && strcmp(labels[known], label) != 0)
				known++;
			if (known == count && count < LABELS_MOST)
				labels[count++] = label;
		}
	return count;
}

/* Syncs without which nothing is lost, because another one covers the same: SQLite's own in the first moments, that of a new
 * segment, which the first commit syncs again, and that of Maildir's folders, which a group's does. And those that are missed only if
 * the power fails soon after a kill, or in the first moments. */
static bool
is_spare(const char *label)
{
	static const char *const spare[] = { "fdatasync mail.db-journal at the start", "fdatasync (mail) at the start",
		"fsync journal/(files)", "fsync Maildir at the start", "fdatasync journal/(files) at the start",
		"fdatasync mail.db-wal at the start", "fdatasync mail.db at the start", "fsync journal at the start" };
	for (size_t i = 0; i < sizeof spare / sizeof *spare; i++)
		if (strcmp(label, spare[i]) == 0)
			return true;
	return false;
}

/* What each sync is for: the first state in which mail is lost without it. Fails if there is none. */
static int
try_without_each(uint64_t states, bool is_short)
{
	const char *labels[LABELS_MOST];
	size_t count = collect_labels(labels), needed = 0, missing = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t state = 0;
		if (is_short && is_spare(labels[i]))
			continue;
		all.blind.label = labels[i];
		while (state < states && try_state(state))
			state++;
		if (state == states) {
			printf("not missed in %llu states: %s\n", (unsigned long long)states, labels[i]);
			missing += !is_spare(labels[i]);
		} else {
			char text[160] = "";
			if (pread(all.said, text, sizeof text - 1, 0) < 0)
				fail("a file in memory");
			text[strcspn(text, "\n")] = '\0';
			printf("needed (state %llu): %s: %s\n", (unsigned long long)state, labels[i], text);
			needed++;
		}
		fflush(stdout);
	}
	printf("%zu of %zu kinds of syncs are needed\n", needed, count);
	return missing == 0 && needed > 0 ? 0 : 1;
}

static void
prepare(void)
{
	snprintf(all.folder, sizeof all.folder, "%s/smtorp-crash-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(all.folder) == NULL)
		fail("cannot make a folder");
	for (unsigned i = 0; i < RUNS; i++)
		all.runs[i] = trace_new();
	for (unsigned i = 0; i < DEPTH_MOST; i++) {
		all.recoveries[i] = trace_new();
		all.continued[i] = trace_new();
	}
	all.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	all.said = memfd_create("said", MFD_CLOEXEC);
	if (all.said >= 0)
		fcntl(all.said, F_SETFL, O_APPEND);
	all.different = calloc(DIFFERENT_MOST, sizeof *all.different);
	if (all.shared == MAP_FAILED || all.said < 0 || all.different == NULL)
		fail("no memory");
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "states", 1, NULL, 'n' }, { "seed", 1, NULL, 's' }, { "state", 1, NULL, 'i' },
		{ "without", 1, NULL, 'w' }, { "each-sync", 0, NULL, 'e' }, { "short", 0, NULL, 'q' }, { 0 } };
	uint64_t states = 10000, only = UINT64_MAX;
	bool is_each = false, is_short = false;
	int option, result;
	all.seed = (uint64_t)time(NULL);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'n': states = strtoull(optarg, NULL, 10); break;
		case 's': all.seed = strtoull(optarg, NULL, 10); break;
		case 'i': only = strtoull(optarg, NULL, 10); break;
		case 'w': all.blind.label = optarg; break;
		case 'e': is_each = true; break;
		case 'q': is_short = true; break;
		default: return 2;
		}
	prepare();
	record_runs();
	if (only != UINT64_MAX) {
		all.explains = true;
		result = try_state(only) ? 0 : 1;
		show_said();
		puts(result == 0 ? "nothing lost" : "FAILED");
	} else
		result = is_each ? try_without_each(states, is_short) : try_states(states);
	rmdir(all.folder);
	return result;
}
