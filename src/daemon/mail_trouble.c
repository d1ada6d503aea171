/* SPDX-License-Identifier: ISC */
#include "daemon/mail_trouble.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "daemon/role.h"
#include "store/salvage_journal.h"

static enum ipc_store_condition told;

static void
say(enum ipc_store_condition state, const char *text)
{
	struct ipc_message m = { .type = IPC_TYPE_STORE_STATE, .fd = -1, .store_state.state = (uint8_t)state };
	snprintf(m.store_state.text, sizeof m.store_state.text, "%s", text);
	role_tell_parent(&m);
}

static void
tell(enum ipc_store_condition state, const char *text)
{
	if (told == state)
		return;
	told = state;
	say(state, text);
}

void
mail_trouble_note(const struct error *err)
{
	if (err->code == ERROR_NO_SPACE)
		tell(STORE_FULL, "the disk is full: mail is refused until there is room again; free some space");
	else if (err->code == ERROR_DAMAGED)
		tell(STORE_DAMAGED, err->text);
	else if (err->code == ERROR_IO)
		say(STORE_OPENING, err->text); /* this process ends; if the next one opens the store, it is over */
}

void
mail_trouble_note_reserve(void)
{
	tell(STORE_FULL, "the disk is nearly full: mail from others is refused, what is left is for yours (mailbox.keep-free); free some space");
}

/* The journal goes on behind what was damaged (doc/durability.md), but somebody has to be told. */
static bool
journal_was_damaged(void)
{
	int fd = open("journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	bool result = fd >= 0 && salvage_journal_is_damaged(fd);
	file_close(&fd);
	return result;
}

static const char part_was_damaged[] = "a part of the journal was damaged, so mail may be missing; the part is kept in "
    "mail/journal, and `smtorp identity repair` looks for what can be read in it";

void
mail_trouble_is_over(void)
{
	tell(STORE_WORKS, journal_was_damaged() ? part_was_damaged : "");
}

void
mail_trouble_look_again(void)
{
	if (told == STORE_WORKS && journal_was_damaged())
		say(STORE_WORKS, part_was_damaged);
}

bool
mail_trouble_is_full(void)
{
	return told == STORE_FULL;
}
