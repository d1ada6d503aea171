/* SPDX-License-Identifier: ISC
 *
 * What this machine and its user are called: words that nothing that leaves may hold. Nobody is asked for it, least of all a name server.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define MACHINE_WORDS_MAX 64
#define MACHINE_WORD_MAX 255

struct machine {
	char words[MACHINE_WORDS_MAX][MACHINE_WORD_MAX + 1];
	const char *list[MACHINE_WORDS_MAX]; /* the same, for judge_text() */
	size_t count;
	char host[MACHINE_WORD_MAX + 1];     /* its short name, "" when it has none */
	char full_host[MACHINE_WORD_MAX + 1]; /* with a domain, "" when none is known */
};

/* The host name, what /etc/hosts and /etc/mailname add to it, the user's name and home, the addresses of network interfaces, and the
 * time zone. What cannot be had is left out. */
void machine_look(struct machine *machine);

/* Adds a word; too long, too many and doubled ones are left out. */
void machine_add(struct machine *machine, const char *word);

/* Takes names that belong to machine->host from the text of a hosts(5) file. */
void machine_take_hosts(struct machine *machine, struct slice text);
