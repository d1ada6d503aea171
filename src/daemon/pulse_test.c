/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/pulse.h"

static void
who_does_not_answer_has_time_according_to_what_it_does(void **state)
{
	(void)state;
	static const struct {
		char state;
		unsigned most; /* questions without an answer; 0: any number */
	} table[] = { { 'S', 1 }, { 'T', 1 }, { 'I', 1 }, { 'R', 9 }, { '?', 9 }, { 'D', 0 }, { 't', 0 } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		for (unsigned unanswered = 0; unanswered < 100; unanswered++)
			assert_int_equal(pulse_is_lost(unanswered, table[i].state), table[i].most > 0 && unanswered > table[i].most);
}

static void
the_state_of_a_process_is_seen(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(pulse_state(pid), 'T');
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(pulse_state(pid), '?');
	assert_int_equal(pulse_state(getpid()), 'R');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_answer_has_time_according_to_what_it_does),
		cmocka_unit_test(the_state_of_a_process_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
