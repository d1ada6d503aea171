/* SPDX-License-Identifier: ISC */
#include "mime/library.h"

#include <gmime/gmime.h>

#include "base/slice.h"
#include "mime/date.h"
#include "mime/mailboxes.h"

void
library_init(void)
{
	g_mime_init();
	/* First uses make types and caches: have them behind us. */
	int64_t ignored;
	date_parse(slice_of_string("Thu, 1 Jan 1970 01:00:00 +0100"), &ignored, NULL);
	mailboxes_are_own(slice_of_string("Alice <alice@example.onion>"), "alice", "example.onion", NULL);
}
