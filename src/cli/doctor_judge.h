/* SPDX-License-Identifier: ISC
 *
 * What the doctor thinks of what a server said: pure functions on bytes that a stranger chose.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define JUDGE_WORD_MAX 80

/* What replies tell that they should not, the worst first. */
enum judge_leak {
	JUDGE_MACHINE,  /* one of the words that only this machine or its user knows */
	JUDGE_HOST,     /* the name of another host than the onion */
	JUDGE_ADDRESS,  /* an IP address */
	JUDGE_SOFTWARE, /* the name of a program */
	JUDGE_VERSION,
	JUDGE_DATE,     /* a date or a time of day */
	JUDGE_LEAKS,
	JUDGE_NOTHING = JUDGE_LEAKS,
};

struct judge_leaks {
	char word[JUDGE_LEAKS][JUDGE_WORD_MAX + 1]; /* the first of each kind, printable; "" when there is none */
};

/* Looks through SMTP replies; true when there is anything. Codes and enhanced codes are left out, as are names that the doctor itself
 * said (".invalid") and own, the onion's. words: those of this machine, count of them; short or common ones (judge_has_word())
 * count as a part of a host's name. */
bool judge_text(struct slice replies, const char *own, const char *const *words, size_t count, struct judge_leaks *out);

/* Whether word, of letters and digits and what else it has, stands in text as a word of its own, whatever the case. Words that any
 * server may say ("mail") and those of one or two letters never do. */
bool judge_has_word(struct slice text, const char *word);

/* Whether two replies to RCPT differ in nothing but the addresses that were asked about: codes and texts, what reply.h keeps. */
struct judge_answer {
	unsigned code;
	const char *enhanced, *text, *address;
};
bool judge_is_same(const struct judge_answer *a, const struct judge_answer *b);

/* Whether the times that one kind of question took differ grossly from another's: all of one below all of the other, and the
 * medians at least JUDGE_DELAY_MS and half the smaller apart. Sorts both. Through tor nothing finer can be told; with 8 of each, chance alone
 * does this once in 6,000 times. */
#define JUDGE_DELAY_MS 100
#define JUDGE_DELAY_SAMPLES 8
bool judge_is_slower(int64_t *a_ms, int64_t *b_ms, size_t count, int64_t *difference_ms);
