/* SPDX-License-Identifier: ISC
 *
 * Runs a fuzz target without libFuzzer: over the files of its corpus, so that they are a regression test in every build, and
 * then over inputs made from them by chance: the same ones in each run, but for how many of them a slow machine has time.
 * With a SEED other ones, and all ROUNDS of them. What it is given last before it dies is in the file "crash-" and the corpus's name.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUTS_MAX 1024
#define WORDS_MAX 512
#define MADE_MAX 4096
#define ROUNDS 10000
#define MOST_S 2 /* of the processor for the made ones: targets that are slow stop earlier */
#define LONGEST_S 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	uint8_t *data;
	size_t size;
};

static struct bytes inputs[INPUTS_MAX], words[WORDS_MAX];
static size_t input_count, word_count;
static const uint8_t *current;
static size_t current_size;
static char crash_name[256];
static uint64_t state = 0x9e3779b97f4a7c15;

/* ---- chance (xorshift): the same in each run */

static size_t
below(size_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return bound == 0 ? 0 : (size_t)((state >> 11) % bound);
}

/* ---- corpus and dictionary */

static int
by_bytes(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;
	int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
	return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static void
read_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && input_count < INPUTS_MAX) {
		struct bytes *in = &inputs[input_count++];
		in->size = (size_t)st.st_size;
		in->data = malloc(in->size > 0 ? in->size : 1);
		if (in->data == NULL || read(fd, in->data, in->size) != (ssize_t)in->size)
			abort();
	}
	if (fd >= 0)
		close(fd);
}

/* "\xNN" and '\\', as in libFuzzer's dictionaries. */
static void
add_word(const char *text, const char *end)
{
	uint8_t *out = malloc((size_t)(end - text) + 1);
	size_t len = 0;
	unsigned byte;
	if (out == NULL || word_count == WORDS_MAX)
		abort();
	while (text < end) {
		if (text[0] == '\\' && text[1] == 'x' && sscanf(text + 2, "%2x", &byte) == 1) {
			out[len++] = (uint8_t)byte;
			text += 4;
		} else {
			text += text[0] == '\\' && text + 1 < end;
			out[len++] = (uint8_t)*text++;
		}
	}
	words[word_count++] = (struct bytes){ out, len };
}

static void
read_dictionary(const char *path)
{
	char line[1024];
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		char *first = strchr(line, '"'), *last = strrchr(line, '"');
		if (line[0] != '#' && first != NULL && last > first)
			add_word(first + 1, last);
	}
	if (file != NULL)
		fclose(file);
}

/* ---- one input */

static void
on_death(int number)
{
	int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, current, current_size) < 0)
		_exit(2);
	signal(number, SIG_DFL);
	raise(number);
}

static void
run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1); /* exactly as large, so that ASan sees the byte after it */
	if (exact == NULL)
		abort();
	memcpy(exact, data, size);
	current = exact;
	current_size = size;
	alarm(LONGEST_S);
	LLVMFuzzerTestOneInput(exact, size);
	alarm(0);
	free(exact);
}

/* ---- inputs made by chance */

static size_t
replace(uint8_t *made, size_t size, size_t at, size_t gone, const uint8_t *with, size_t len)
{
	uint8_t copy[MADE_MAX];
	if (size - gone + len > MADE_MAX)
		return size;
	memcpy(copy, with, len); /* it may be a part of what is moved */
	memmove(made + at + len, made + at + gone, size - at - gone);
	memcpy(made + at, copy, len);
	return size - gone + len;
}

static size_t
change(uint8_t *made, size_t size)
{
	static const uint8_t favourites[] = { 0, '\n', '\r', '.', ' ', '-', '"', '\\', '<', '@', 0x7f, 0x80, 0xff };
	size_t at = below(size + 1), len = below(size - at + 1 < 64 ? size - at + 1 : 64);
	const struct bytes *other = &inputs[below(input_count)];
	size_t from = below(other->size + 1), part = below(other->size - from + 1);
	uint8_t byte = below(2) == 0 ? (uint8_t)below(256) : favourites[below(sizeof favourites)];
	switch (below(word_count > 0 ? 8 : 7)) {
	case 0: /* a bit turned */
		if (at < size)
			made[at] ^= (uint8_t)(1u << below(8));
		return size;
	case 1:
		if (at < size)
			made[at] = byte;
		return size;
	case 2:
		return replace(made, size, at, 0, &byte, 1);
	case 3:
		return replace(made, size, at, len, &byte, 0);
	case 4: /* twice */
		return replace(made, size, at, 0, made + at, len);
	case 5:
		return replace(made, size, at, below(2) == 0 ? 0 : len, other->data + from, part < MADE_MAX ? part : MADE_MAX);
	case 6: /* cut off */
		return below(4) == 0 ? at : size;
	default:
		other = &words[below(word_count)];
		return replace(made, size, at, below(2) == 0 ? 0 : (len < other->size ? len : other->size), other->data, other->size);
	}
}

static unsigned
run_made(unsigned long most, bool is_hurried)
{
	static uint8_t made[MADE_MAX];
	const clock_t end = clock() + MOST_S * CLOCKS_PER_SEC;
	unsigned rounds = 0;
	while (rounds < most && (!is_hurried || clock() < end)) {
		const struct bytes *seed = &inputs[below(input_count)];
		size_t size = seed->size < MADE_MAX ? seed->size : MADE_MAX;
		memcpy(made, seed->data, size);
		for (size_t n = 1 + below(6); n > 0; n--)
			size = change(made, size);
		run(made, size);
		rounds++;
	}
	return rounds;
}

int
main(int argc, char **argv)
{
	DIR *dir = argc >= 2 && argc <= 4 ? opendir(argv[1]) : NULL;
	if (dir == NULL) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER [SEED [ROUNDS]] (a readable folder)\n", argv[0]);
		return 2;
	}
	if (argc > 2)
		state += strtoull(argv[2], NULL, 0);
	char path[4096];
	snprintf(path, sizeof path, "%s.dict", argv[1]);
	read_dictionary(path);
	snprintf(path, sizeof path, "%s", argv[0]);
	snprintf(crash_name, sizeof crash_name, "crash-%.200s", basename(path));
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			read_file(dirfd(dir), entry->d_name);
	closedir(dir);
	qsort(inputs, input_count, sizeof inputs[0], by_bytes); /* a folder has no order of its own */
	signal(SIGABRT, on_death);
	signal(SIGSEGV, on_death);
	signal(SIGALRM, on_death);
	for (size_t i = 0; i < input_count; i++)
		run(inputs[i].data, inputs[i].size);
	if (input_count == 0) /* an empty corpus tests nothing */
		return 1;
	unsigned made = run_made(argc > 3 ? strtoul(argv[3], NULL, 0) : ROUNDS, argc < 3);
	printf("%zu inputs, %u made of them\n", input_count, made);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	for (size_t i = 0; i < word_count; i++)
		free(words[i].data);
	return 0;
}
