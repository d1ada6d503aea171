/* SPDX-License-Identifier: ISC
 *
 * What is written into a notice and read from it. Within this module only.
 */
#pragma once

#include "notice/notice.h"

#define NOTICE_FIRST_LINE "SMTorP notice 1"
#define NOTICE_KIND "Kind"
#define NOTICE_ONION "Onion"
#define NOTICE_SEQUENCE "Sequence"
#define NOTICE_DAY "Day"
#define NOTICE_TO "To"
#define NOTICE_KEY "Key"
#define NOTICE_RECOVERY "Recovery"
#define NOTICE_SIGNATURE "Signature"
#define NOTICE_TO_SIGNATURE "To-Signature"
#define NOTICE_RECOVERY_SIGNATURE "Recovery-Signature"

/* What the kinds are called; NULL beyond them. */
const char *notice_kind_name(enum notice_kind kind);
