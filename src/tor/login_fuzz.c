/* SPDX-License-Identifier: ISC
 *
 * Whoever answers at the control port before we are let in. The first octet: whether there is a cookie. Whoever does not
 * know it never gets us to go on, and never sees it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "tor/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char cookie[] = "0123456789abcdefghijklmnopqrstuv";
	static unsigned char said[65536];
	static bool ready;
	struct error err = { 0 };
	int fds[2];
	if (size == 0 || size > 100000)
		return 0;
	if (!ready)
		random_init();
	ready = true;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		abort();
	if (send(fds[1], data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		abort();
	shutdown(fds[1], SHUT_WR);
	bool has_cookie = (data[0] & 1) != 0;
	int result = login(fds[0], has_cookie ? slice_of(cookie, LOGIN_COOKIE_BYTES) : slice_of("", 0), "127.0.0.1:9050", 10000, &err);
	if (result == 0 && has_cookie)
		abort(); /* the nonce is new: nobody can have proved it beforehand */
	if (result != 0 && (err.code == ERROR_NONE || err.code == ERROR_TIMEOUT || err.text[0] == '\0'))
		abort();
	for (const char *p = err.text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
	ssize_t n = recv(fds[1], said, sizeof said, MSG_DONTWAIT);
	if (n > 0 && memmem(said, (size_t)n, cookie, LOGIN_COOKIE_BYTES) != NULL)
		abort();
	if (n > 0 && has_cookie && memmem(said, (size_t)n, "AUTHENTICATE", 12) != NULL)
		abort();
	close(fds[0]);
	close(fds[1]);
	return 0;
}
