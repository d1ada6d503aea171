/* SPDX-License-Identifier: ISC
 *
 * Randomness from libsodium's CSPRNG. random_init() before anything else, once
 * for each process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_init(void); /* aborts when the kernel gives no randomness */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
uint64_t random_below(uint64_t bound); /* uniform in [0, bound); bound >= 1 */

/* base_ms scaled by a uniform factor in [1 - spread, 1 + spread], spread in percent. */
int64_t random_jitter_ms(int64_t base_ms, unsigned spread_percent);

/* Fills out with len - 1 letters and digits of the base32 alphabet and a NUL: 5 bits each. */
void random_name(char *out, size_t len);
