/* SPDX-License-Identifier: ISC */
#pragma once

#include "base/error.h"
#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

/* 1: it holds; 0: the kernel has no seccomp filters; -1 for errors. */
int filter_load(const struct sandbox_rules *rules, struct error *err);

/* The same with rules_never_calls, and everything else allowed. */
int filter_load_never(struct error *err);

/* The version of Landlock that holds, 0 when the kernel has none of use; -1 for errors. version_most: to act as on an older kernel. */
#define LANDLOCK_ANY_VERSION 1000
int landlock_load(bool own_folder, long version_most, struct error *err);
