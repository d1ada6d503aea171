/* SPDX-License-Identifier: ISC
 *
 * What stands before the C library's functions, for SQLite and the threads as well: the call, and its record. The lock is held over a
 * call that changes something, so that the record has the order of the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "recorder_internal.h"

#define SYNC_MOST_NS 3000000

/* One function may have to be there under several names: with 64 bits they are one. */
#define ALSO(symbol, function) \
	extern __typeof__(function) also_##symbol __asm__(#symbol) __attribute__((alias(#function), used))

/* SQLite draws its salts from there. */
static int
open_random(void)
{
	unsigned char bytes[1024];
	int fd = memfd_create("random", MFD_CLOEXEC);
	for (size_t i = 0; i < sizeof bytes; i++) {
		recorder.random = recorder.random * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (unsigned char)(recorder.random >> 56);
	}
	if (pwrite(fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		abort();
	return fd;
}

static int
open_recorded(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct stat before, st;
	const char *name;
	recorder_enter();
	bool existed = fstatat(dir_fd, path, &before, 0) == 0;
	uint32_t dir = recorder_folder_of(dir_fd, path, &name);
	int fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
	if (fd >= 0 && fstat(fd, &st) == 0 && dir != TRACE_NOTHING) {
		if ((flags & O_TMPFILE) == O_TMPFILE)
			recorder_give_up("O_TMPFILE");
		else if (!existed)
			recorder_add_made(dir, name, &st);
		else if ((flags & O_TRUNC) != 0 && before.st_size != 0)
			recorder_add_size(recorder_node_of_stat(&st), 0);
	}
	recorder_leave();
	return fd;
}

int shim_openat(int dir_fd, const char *path, int flags, ...);
int
shim_openat(int dir_fd, const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(arguments, int) : 0;
	va_end(arguments);
	if (strcmp(path, "/dev/urandom") == 0)
		return open_random();
	if (recorder.trace == NULL || ((flags & (O_CREAT | O_TRUNC)) == 0 && (flags & O_TMPFILE) != O_TMPFILE))
		return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
	return open_recorded(dir_fd, path, flags, mode);
}
ALSO(openat, shim_openat);
ALSO(openat64, shim_openat);

int shim_open(const char *path, int flags, ...);
int
shim_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(arguments, int) : 0;
	va_end(arguments);
	return shim_openat(AT_FDCWD, path, flags, mode);
}
ALSO(open, shim_open);
ALSO(open64, shim_open);

/* With the lock. */
static void
note_write(int fd, const struct iovec *iov, int count, uint64_t offset, ssize_t written)
{
	uint32_t node = recorder_node_of_fd(fd);
	if (written <= 0 || node == TRACE_NOTHING)
		return;
	struct op *op = recorder_add(OP_WRITE, node);
	op->offset = offset;
	op->len = (uint64_t)written;
	op->data = recorder.trace->used;
	for (size_t left = (size_t)written; left > 0 && count > 0; iov++, count--) {
		size_t step = iov->iov_len < left ? iov->iov_len : left;
		recorder_keep_bytes(iov->iov_base, step);
		left -= step;
	}
}

ssize_t shim_pwritev(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t
shim_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (recorder.trace == NULL)
		return syscall(SYS_pwritev, fd, iov, count, offset, 0);
	recorder_enter();
	ssize_t n = syscall(SYS_pwritev, fd, iov, count, offset, 0);
	note_write(fd, iov, count, (uint64_t)offset, n);
	recorder_leave();
	return n;
}
ALSO(pwritev, shim_pwritev);
ALSO(pwritev64, shim_pwritev);

ssize_t shim_pwrite(int fd, const void *bytes, size_t len, off_t offset);
ssize_t
shim_pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	return shim_pwritev(fd, &iov, 1, offset);
}
ALSO(pwrite, shim_pwrite);
ALSO(pwrite64, shim_pwrite);

ssize_t shim_writev(int fd, const struct iovec *iov, int count);
ssize_t
shim_writev(int fd, const struct iovec *iov, int count)
{
	if (recorder.trace == NULL)
		return syscall(SYS_writev, fd, iov, count);
	recorder_enter();
	ssize_t n = syscall(SYS_writev, fd, iov, count);
	if (n > 0)
		note_write(fd, iov, count, (uint64_t)(lseek(fd, 0, SEEK_CUR) - n), n);
	recorder_leave();
	return n;
}
ALSO(writev, shim_writev);

ssize_t shim_write(int fd, const void *bytes, size_t len);
ssize_t
shim_write(int fd, const void *bytes, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	return shim_writev(fd, &iov, 1);
}
ALSO(write, shim_write);

int shim_ftruncate(int fd, off_t size);
int
shim_ftruncate(int fd, off_t size)
{
	if (recorder.trace == NULL)
		return (int)syscall(SYS_ftruncate, fd, size);
	recorder_enter();
	int result = (int)syscall(SYS_ftruncate, fd, size);
	uint32_t node = recorder_node_of_fd(fd);
	if (result == 0 && node != TRACE_NOTHING)
		recorder_add_size(node, (uint64_t)size);
	recorder_leave();
	return result;
}
ALSO(ftruncate, shim_ftruncate);
ALSO(ftruncate64, shim_ftruncate);

/* Space costs nothing here: only the size is changed. */
int shim_posix_fallocate(int fd, off_t offset, off_t len);
int
shim_posix_fallocate(int fd, off_t offset, off_t len)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return errno;
	return st.st_size >= offset + len ? 0 : shim_ftruncate(fd, offset + len) == 0 ? 0 : errno;
}
ALSO(posix_fallocate, shim_posix_fallocate);
ALSO(posix_fallocate64, shim_posix_fallocate);

int shim_fallocate(int fd, int mode, off_t offset, off_t len);
int
shim_fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (mode == 0) {
		errno = shim_posix_fallocate(fd, offset, len);
		return errno == 0 ? 0 : -1;
	}
	if (recorder.trace != NULL && recorder_node_of_fd(fd) != TRACE_NOTHING)
		recorder_give_up("fallocate() with a mode");
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}
ALSO(fallocate, shim_fallocate);
ALSO(fallocate64, shim_fallocate);

/* ---- names */

static void
set_name(struct op *op, unsigned which, uint32_t dir, const char *name, uint32_t node)
{
	op->set[which].dir = dir;
	op->set[which].name = recorder_keep_text(name);
	op->set[which].node = node;
	op->sets = which + 1;
	op->mark = recorder.reader_mark;
	op->value = recorder.reader_value;
}

int shim_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int
shim_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	const char *from_name, *to_name;
	if (recorder.trace == NULL)
		return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
	recorder_enter();
	uint32_t node = recorder_node_of_path(from_fd, from);
	int result = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
	uint32_t from_dir = recorder_folder_of(from_fd, from, &from_name), to_dir = recorder_folder_of(to_fd, to, &to_name);
	if (result == 0 && node != TRACE_NOTHING) {
		if (from_dir == TRACE_NOTHING || to_dir == TRACE_NOTHING || (flags & ~(unsigned)RENAME_NOREPLACE) != 0)
			recorder_give_up("a rename across the border, or with flags");
		else {
			struct op *op = recorder_add(OP_NAMES, node);
			set_name(op, 0, from_dir, from_name, TRACE_NOTHING);
			set_name(op, 1, to_dir, to_name, node);
		}
	}
	recorder_leave();
	return result;
}
ALSO(renameat2, shim_renameat2);

int shim_renameat(int from_fd, const char *from, int to_fd, const char *to);
int
shim_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return shim_renameat2(from_fd, from, to_fd, to, 0);
}
ALSO(renameat, shim_renameat);

int shim_rename(const char *from, const char *to);
int
shim_rename(const char *from, const char *to)
{
	return shim_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
ALSO(rename, shim_rename);

int shim_unlinkat(int dir_fd, const char *path, int flags);
int
shim_unlinkat(int dir_fd, const char *path, int flags)
{
	const char *name;
	if (recorder.trace == NULL)
		return (int)syscall(SYS_unlinkat, dir_fd, path, flags);
	recorder_enter();
	uint32_t node = recorder_node_of_path(dir_fd, path), dir = recorder_folder_of(dir_fd, path, &name);
	int result = (int)syscall(SYS_unlinkat, dir_fd, path, flags);
	if (result == 0 && node != TRACE_NOTHING && dir != TRACE_NOTHING)
		set_name(recorder_add(OP_NAMES, node), 0, dir, name, TRACE_NOTHING);
	recorder_leave();
	return result;
}
ALSO(unlinkat, shim_unlinkat);

int shim_unlink(const char *path);
int
shim_unlink(const char *path)
{
	return shim_unlinkat(AT_FDCWD, path, 0);
}
ALSO(unlink, shim_unlink);

int shim_rmdir(const char *path);
int
shim_rmdir(const char *path)
{
	return shim_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
ALSO(rmdir, shim_rmdir);

int shim_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int
shim_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	const char *name;
	if (recorder.trace == NULL)
		return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
	recorder_enter();
	uint32_t node = recorder_node_of_path(from_fd, from), dir = recorder_folder_of(to_fd, to, &name);
	int result = (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
	if (result == 0 && dir != TRACE_NOTHING) {
		if (node == TRACE_NOTHING)
			recorder_give_up("a link to a file without a name");
		else
			set_name(recorder_add(OP_NAMES, node), 0, dir, name, node);
	}
	recorder_leave();
	return result;
}
ALSO(linkat, shim_linkat);

int shim_link(const char *from, const char *to);
int
shim_link(const char *from, const char *to)
{
	return shim_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
ALSO(link, shim_link);

int shim_mkdirat(int dir_fd, const char *path, mode_t mode);
int
shim_mkdirat(int dir_fd, const char *path, mode_t mode)
{
	const char *name;
	struct stat st;
	if (recorder.trace == NULL)
		return (int)syscall(SYS_mkdirat, dir_fd, path, mode);
	recorder_enter();
	uint32_t dir = recorder_folder_of(dir_fd, path, &name);
	int result = (int)syscall(SYS_mkdirat, dir_fd, path, mode);
	if (result == 0 && dir != TRACE_NOTHING && fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		recorder_add_made(dir, name, &st);
	recorder_leave();
	return result;
}
ALSO(mkdirat, shim_mkdirat);

int shim_mkdir(const char *path, mode_t mode);
int
shim_mkdir(const char *path, mode_t mode)
{
	return shim_mkdirat(AT_FDCWD, path, mode);
}
ALSO(mkdir, shim_mkdir);

/* ---- syncs: they cover what had returned when they began, and only once they have returned */

static pthread_cond_t may_end = PTHREAD_COND_INITIALIZER;

void
recorder_end_syncs(void)
{
	pthread_cond_broadcast(&may_end);
}

/* A disk takes its time, too. */
static void
take_a_while(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += SYNC_MOST_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&mutex);
	pthread_cond_timedwait(&may_end, &mutex, &until);
	pthread_mutex_unlock(&mutex);
}

static int
sync_recorded(enum op_kind kind, const char *call, int fd)
{
	char label[LABEL_BYTES + 64];
	if (recorder.trace == NULL)
		return 0;
	recorder_enter();
	uint32_t node = recorder_node_of_fd(fd), covers = recorder.trace->count;
	recorder_leave();
	if (node == TRACE_NOTHING)
		return 0;
	if (gettid() != getpid())
		take_a_while();
	recorder_enter();
	struct op *op = recorder_add(kind, node);
	op->covers = covers;
	snprintf(label, sizeof label, "%s%s%s%s", call, kind == OP_SYNC_ALL ? "" : " ",
	    kind == OP_SYNC_ALL ? "" : recorder.labels[node], recorder.phase);
	op->label = recorder_keep_text(label);
	recorder_leave();
	return 0;
}

int shim_fsync(int fd);
int
shim_fsync(int fd)
{
	return sync_recorded(OP_SYNC, "fsync", fd);
}
ALSO(fsync, shim_fsync);

int shim_fdatasync(int fd);
int
shim_fdatasync(int fd)
{
	return sync_recorded(OP_SYNC, "fdatasync", fd);
}
ALSO(fdatasync, shim_fdatasync);

int shim_syncfs(int fd);
int
shim_syncfs(int fd)
{
	return sync_recorded(OP_SYNC_ALL, "syncfs", fd);
}
ALSO(syncfs, shim_syncfs);

/* It begins writing, and promises nothing. */
int shim_sync_file_range(int fd, off_t offset, off_t len, unsigned flags);
int
shim_sync_file_range(int fd, off_t offset, off_t len, unsigned flags)
{
	(void)fd, (void)offset, (void)len, (void)flags;
	return 0;
}
ALSO(sync_file_range, shim_sync_file_range);

void *shim_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *
shim_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (recorder.trace != NULL && fd >= 0 && (flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE) != 0 &&
	    recorder_node_of_fd(fd) != TRACE_NOTHING)
		recorder_give_up("a file is written through memory");
	return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}
ALSO(mmap, shim_mmap);
ALSO(mmap64, shim_mmap);

/* ---- chance and time */

void randombytes_buf(void *out, size_t len);
void
randombytes_buf(void *out, size_t len)
{
	unsigned char *p = out;
	for (size_t i = 0; i < len; i++) {
		recorder.random = recorder.random * 6364136223846793005u + 1442695040888963407u;
		p[i] = (unsigned char)(recorder.random >> 56);
	}
}

int64_t clock_wall_ms(void);
int64_t
clock_wall_ms(void)
{
	return 1700000000000 + recorder.now_ms++;
}

int64_t clock_wall_s(void);
int64_t
clock_wall_s(void)
{
	return clock_wall_ms() / 1000;
}

int64_t clock_monotonic_ms(void);
int64_t
clock_monotonic_ms(void)
{
	return 1000000 + recorder.now_ms++;
}

int64_t clock_awake_ms(void);
int64_t
clock_awake_ms(void)
{
	return clock_monotonic_ms();
}
