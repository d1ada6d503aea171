/* SPDX-License-Identifier: ISC
 *
 * Files and descriptors, with EINTR, short writes and durability taken care of.
 * All opens set O_CLOEXEC and never follow a symbolic link in the last component.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

int file_write_all(int fd, const void *bytes, size_t len, struct error *err);
int file_read_all(int fd, struct buffer *out, struct error *err); /* from offset 0 by pread; a pipe to its end */

/* Makes name in dir hold exactly these bytes or what it held before: temporary file, fsync, rename,
 * fsync of the folder. mode as for open(2). */
int file_replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode, struct error *err);

/* Removes such a file, and what is left of it where writing it was cut off: a secret may be in that, too. Missing is no error. The folder is not
 * synced. */
int file_remove_replaced(int dir_fd, const char *name, struct error *err);

/* Reads a whole file into out (bounded by its maximum). ERROR_NOT_FOUND when it is not there. */
int file_load(int dir_fd, const char *name, struct buffer *out, struct error *err);

/* Makes the folder if it is missing and opens it. Fails when it is not a folder of ours, mode 0700. */
int file_open_private_dir(int dir_fd, const char *name, int *out_fd, struct error *err);

/* mkdir -p with mode 0700 for what is missing. */
int file_make_dirs(const char *path, struct error *err);

/* Removes a folder with all that is in it; does not follow links. Missing is no error. */
int file_remove_tree(int dir_fd, const char *name, struct error *err);

/* A memfd holding the bytes, sealed against every change (F_SEAL_SEAL|SHRINK|GROW|WRITE). */
int file_sealed_memory(const void *bytes, size_t len, int *out_fd, struct error *err);

/* Seals a memfd like that; it was made with MFD_ALLOW_SEALING. */
int file_seal(int fd, struct error *err);

/* Checks that fd is a memfd sealed like that and tells its size, at most max_bytes. */
int file_check_sealed(int fd, size_t max_bytes, size_t *out_len, struct error *err);

/* What may still be written to the file system of the path; UINT64_MAX when the kernel does not say. */
uint64_t file_free_bytes(const char *path);

/* Whether so many bytes could be written below the folder: ERROR_NO_SPACE with "path" in the text when they could not, also for a
 * quota. File systems that cannot be asked have room. Makes a file "room" for a moment. */
int file_check_room(int dir_fd, const char *path, off_t bytes, struct error *err);
/* A file without a name in the folder's file system, for reading and writing; its space is free when it is closed. */
int file_open_unnamed(int dir_fd, int *out_fd, struct error *err);

void file_close(int *fd); /* closes if >= 0 and sets -1 */
