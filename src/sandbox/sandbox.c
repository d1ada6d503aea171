/* SPDX-License-Identifier: ISC */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <stddef.h>

#include "sandbox/sandbox_internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER true
#else
#define HAS_SANITIZER false
#endif

int
sandbox_enter_parent(struct sandbox_holds *out, struct error *err)
{
	*out = (struct sandbox_holds){ 0 };
	int seccomp = HAS_SANITIZER ? 0 : filter_load_never(err);
	out->seccomp = seccomp > 0;
	return seccomp < 0 ? -1 : 0;
}

static int
enter(const struct sandbox_rules *rules, struct sandbox_holds *out, struct error *err)
{
	*out = (struct sandbox_holds){ 0 };
	if (HAS_SANITIZER)
		return 0;
	int landlock = landlock_load(rules->own_folder, LANDLOCK_ANY_VERSION, err); /* first: its own system calls are in no row */
	if (landlock < 0)
		return -1;
	int seccomp = filter_load(rules, err);
	if (seccomp < 0)
		return -1;
	out->landlock = (unsigned)landlock;
	out->seccomp = seccomp > 0;
	return 0;
}

int
sandbox_enter(enum role role, struct sandbox_holds *out, struct error *err)
{
	const struct sandbox_rules *rules = rules_of(role);
	assert(rules != NULL);
	return enter(rules, out, err);
}

int
sandbox_enter_scanner(struct sandbox_holds *out, struct error *err)
{
	return enter(rules_of_scanner(), out, err);
}
