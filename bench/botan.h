/* SPDX-License-Identifier: ISC
 *
 * The curve arithmetic below RNP, which has it of Botan: what RNP 0.16 calls for one message, without all else. It is looked for in
 * the process, where RNP has brought it, so that no bench needs Botan's headers.
 */
#pragma once

#include <stdbool.h>

/* false: RNP stands on another library here, or on a Botan without these functions. */
bool botan_find(void);

/* What RNP has computed to sign (the public key anew from the secret one, the signature) and to encrypt to one key (one of the moment, and what
 * both share); then what it has computed to decrypt (the public key anew, what both share) and to verify. In microseconds. */
void botan_seal_and_open(double *seal_us, double *open_us);
