/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/interrupt.h"

static void
an_interruption_is_noticed_and_counts_afterwards(void **state)
{
	(void)state;
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			signal(numbers[i], SIG_DFL);
			interrupt_hold();
			if (interrupt_is_due() || raise(numbers[i]) != 0 || !interrupt_is_due())
				_exit(1);
			interrupt_release();
			_exit(0);
		}
		int status;
		assert_true(waitpid(child, &status, 0) == child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
	}
}

/* nohup ignores SIGHUP, and shells ignore SIGINT for what they start in the background. */
static void
what_is_ignored_interrupts_nothing(void **state)
{
	(void)state;
	signal(SIGHUP, SIG_IGN);
	interrupt_hold();
	assert_int_equal(raise(SIGHUP), 0);
	assert_false(interrupt_is_due());
	interrupt_release();
	signal(SIGHUP, SIG_DFL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interruption_is_noticed_and_counts_afterwards),
		cmocka_unit_test(what_is_ignored_interrupts_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
