/* SPDX-License-Identifier: ISC
 *
 * What a hostile server says, before the doctor's judge: the first line is the text of a second reply.
 */
#include "cli/doctor_judge.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const words[] = { "laptop", "laptop.home.example", "vm", "/home/carol" };
	struct judge_leaks leaks;
	bool is_any = judge_text(slice_of(bytes, len), "a.onion", words, sizeof words / sizeof words[0], &leaks);
	for (size_t i = 0; i < JUDGE_LEAKS; i++) {
		if (leaks.word[i][0] != '\0' && !is_any)
			abort();
		for (const char *p = leaks.word[i]; *p != '\0'; p++)
			if (*p < ' ' || *p > '~')
				abort();
	}
	char text[512];
	slice_to_string(slice_of(bytes, len), text, sizeof text);
	char *other = strchr(text, '\n');
	if (other != NULL)
		*other++ = '\0';
	struct judge_answer a = { 550, "5.7.1", text, "x@a.example" }, b = { 550, "5.7.1", other != NULL ? other : "", "x@b.example" };
	if (judge_is_same(&a, &b) != judge_is_same(&b, &a) || !judge_is_same(&a, &a))
		abort();
	return 0;
}
