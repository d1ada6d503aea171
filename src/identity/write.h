/* SPDX-License-Identifier: ISC
 *
 * The writing side of identity folders; see identity/identity.h, which has its public functions.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"

/* Replaces the password file of the identity whose folder is open. */
int identity_write_password(int dir_fd, struct slice password, struct error *err);
