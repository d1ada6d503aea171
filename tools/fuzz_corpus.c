/* SPDX-License-Identifier: ISC
 *
 * Runs a fuzz target over the files of a folder, so that a corpus is a regression test in every build.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size > 0 ? size : 1); /* exactly as large, so that ASan sees the byte after it */
	if (data == NULL || read(fd, data, size) != (ssize_t)size)
		abort();
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	close(fd);
}

int
main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	if (dir == NULL) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER (a readable folder)\n", argv[0]);
		return 2;
	}
	unsigned count = 0;
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.') {
			run_file(dirfd(dir), entry->d_name);
			count++;
		}
	closedir(dir);
	printf("%u inputs\n", count);
	return count > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
