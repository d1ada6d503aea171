/* SPDX-License-Identifier: ISC
 *
 * To be preloaded: a process that believes to have slept, and to be in another time. The file that SLEPT_FILE names holds two
 * int64_t, seconds to be added: to the clock that counts sleep, and to the wall clock.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t *added;

__attribute__((constructor)) static void
map_file(void)
{
	const char *path = getenv("SLEPT_FILE");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 2 * sizeof *added, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		added = map;
	if (fd >= 0)
		close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(clock, out);
	if (result == 0 && added != NULL && (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME))
		out->tv_sec += added[clock == CLOCK_REALTIME];
	return result;
}

/* The C library asks the kernel for these two in other ways. */
time_t
time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
	return 0;
}
