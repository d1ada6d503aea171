/* SPDX-License-Identifier: ISC
 *
 * Stands in the place of a role's executable: says all that this role may say to the parent, with any content and at any time, and then
 * one thing that it may not, or nothing more. What is left out is the owner's own power over the node (control) and the word
 * of a mail role that its database is damaged, since both may rightly end the node.
 */
#include "daemon/test_hostile.h"

#include <libgen.h>
#include <poll.h>

#define MESSAGES 500
#define FLOOD 50000

static const struct {
	const char *name;
	enum role role;
} names[] = { { "smtorp-tor", ROLE_TOR }, { "smtorp-mail", ROLE_MAIL }, { "smtorp-content", ROLE_CONTENT },
	{ "smtorp-control", ROLE_CONTROL }, { "smtorp-smtp", ROLE_SMTP } };

static enum role own;

static bool
may_end_the_node(const struct ipc_message *m)
{
	if (m->type == IPC_TYPE_STORE_STATE)
		return m->store_state.state == STORE_DAMAGED;
	return m->type == IPC_TYPE_CONTROL_REQUEST && m->control_request.verb != CONTROL_STATUS &&
	    m->control_request.verb <= CONTROL_IDENTITY_LOCK;
}

/* false: the parent hears no more. */
static bool
say(const struct ipc_message *m)
{
	struct pollfd room = { ROLE_PARENT_FD, POLLOUT, 0 };
	while (!hostile_send_message(ROLE_PARENT_FD, m)) {
		if (errno != EAGAIN && errno != EMSGSIZE)
			return false;
		if (errno == EMSGSIZE)
			return true;
		poll(&room, 1, -1);
	}
	return true;
}

static bool
say_something(void)
{
	struct ipc_message m = { .fd = -1 };
	do {
		m.type = (enum ipc_type)(1 + hostile_below(IPC_TYPE_COUNT - 1));
		hostile_fill(&m);
	} while (!ipc_is_allowed(m.type, own, ROLE_PARENT, false) || may_end_the_node(&m));
	return say(&m);
}

static void
break_the_rules(void)
{
	static unsigned char long_one[IPC_MESSAGE_MAX + 1];
	const struct ipc_message not_mine = { .type = IPC_TYPE_STOP, .fd = -1 }, ready = { .type = IPC_TYPE_READY, .fd = STDIN_FILENO };
	const int fds[] = { 0, 1, 2 };
	switch (hostile_below(7)) {
	case 0:
		hostile_send(ROLE_PARENT_FD, "\xff\xff\xff\xff", 4, NULL, 0);
		break;
	case 1:
		hostile_send(ROLE_PARENT_FD, "\x05\x00\x01\x0d", 4, fds, 3);
		break;
	case 2:
		hostile_send(ROLE_PARENT_FD, long_one, sizeof long_one, NULL, 0);
		break;
	case 3:
		say(&not_mine);
		break;
	case 4:
		say(&ready);
		break;
	case 5: /* asks, and reads no answer */
		for (int i = 0; i < FLOOD && say_something(); i++)
			;
		_exit(3);
	default: /* neither speaks nor ends */
		close(ROLE_PARENT_FD);
	}
}

int
main(int argc, char **argv)
{
	const struct ipc_message ready = { .type = IPC_TYPE_READY, .fd = -1, .ready = { 1, 1 } };
	const struct ipc_message works = { .type = IPC_TYPE_STORE_STATE, .fd = -1, .store_state.state = STORE_WORKS };
	hostile_seed = (uint64_t)getpid() << 20 | 1;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(basename(argv[0]), names[i].name) == 0)
			own = names[i].role;
	if (own == ROLE_SMTP && argc > 1 && strcmp(argv[1], "submission") == 0)
		own = ROLE_SUBMISSION;
	say(&ready);
	if (own == ROLE_MAIL)
		say(&works);
	for (int i = 0; i < MESSAGES && say_something(); i++)
		;
	break_the_rules();
	for (;;)
		pause();
}
