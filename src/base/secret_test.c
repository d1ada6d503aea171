/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"

static void
secret_memory_is_zeroed_and_can_be_used(void **state)
{
	(void)state;
	unsigned char *secret = secret_new(5000);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(secret[i], 0);
	memset(secret, 'x', 5000);
	secret_free(secret);
	secret_free(NULL);
	secret_free_ordinary(NULL);
	secret_free_ordinary(strdup("x"));
}

/* Whether a child still finds anything in the 4096 bytes. */
static bool
child_finds(const unsigned char *memory)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		int left = 0;
		for (int i = 0; i < 4096; i++)
			left |= memory[i];
		_exit(left != 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) != 0;
}

/* qemu-user takes MADV_WIPEONFORK and does nothing. */
static bool
kernel_wipes_on_fork(void)
{
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(page != MAP_FAILED);
	memset(page, 'x', 4096);
	bool wipes = madvise(page, 4096, MADV_WIPEONFORK) == 0 && !child_finds(page);
	munmap(page, 4096);
	return wipes;
}

static void
a_child_inherits_no_secret(void **state)
{
	(void)state;
	if (!kernel_wipes_on_fork())
		return;
	unsigned char *secret = secret_new(5000);
	memset(secret, 'x', 5000);
	assert_false(child_finds(secret));
	assert_false(child_finds(secret + 5000 - 4096));
	assert_int_equal(secret[4999], 'x');
	secret_free(secret);
}

static void
a_pipe_gives_its_bytes_once_to_who_reads_files(void **state)
{
	(void)state;
	struct buffer out;
	char bytes[SECRET_PIPE_BYTES];
	memset(bytes, 'k', sizeof bytes);
	buffer_init(&out, sizeof bytes);
	int fd = secret_pipe(bytes, sizeof bytes);
	assert_true(fd >= 0);
	assert_int_equal(file_read_all(fd, &out, NULL), 0);
	assert_int_equal(buffer_len(&out), sizeof bytes);
	assert_memory_equal(buffer_bytes(&out), bytes, sizeof bytes);
	buffer_finish(&out);
	assert_int_equal(file_read_all(fd, &out, NULL), 0);
	assert_int_equal(buffer_len(&out), 0);
	close(fd);
}

static void
a_shielded_process_cannot_be_dumped(void **state)
{
	(void)state;
	secret_shield_process();
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	prctl(PR_SET_DUMPABLE, 1); /* so that sanitizers can still look */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secret_memory_is_zeroed_and_can_be_used),
		cmocka_unit_test(a_child_inherits_no_secret),
		cmocka_unit_test(a_pipe_gives_its_bytes_once_to_who_reads_files),
		cmocka_unit_test(a_shielded_process_cannot_be_dumped),
	};
	random_init();
	return cmocka_run_group_tests_name("base/secret", tests, NULL, NULL);
}
