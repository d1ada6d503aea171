/* SPDX-License-Identifier: ISC
 *
 * Memory for secrets: never written to swap where the system lets us lock it, wiped when it is given back, with pages
 * around it that nobody may touch, and zeroed in a child process, which may not free it. random_init() comes first.
 */
#pragma once

#include <stddef.h>

/* Zeroed; ends the process when there is none, as every small allocation that cannot be done without. */
void *secret_new(size_t bytes);
void secret_free(void *secret); /* takes NULL */

/* For a library that keeps secrets in ordinary memory: free() that wipes first. */
void secret_free_ordinary(void *memory);

/* From here on this process writes no core file, and no other of the same user may look into it. */
void secret_shield_process(void);

/* A pipe's reading end that gives the bytes once: the kernel's own memory, which is never written to swap. Of
 * SECRET_PIPE_BYTES there is always room; -1 when there is none for more, or no descriptor left. */
#define SECRET_PIPE_BYTES 4096
int secret_pipe(const void *bytes, size_t len);
