/* SPDX-License-Identifier: ISC
 *
 * Why a node did not start, as an exit status: one for each cause, the same from smtorpd(8) and from `smtorp up`, whose
 * own 3, 4 and 6 (enum cli_exit) lie between them.
 */
#pragma once

enum exits {
	EXITS_WRONG_USE = 2,
	EXITS_RUNS_ALREADY = 5,
	EXITS_NO_PROGRAM = 7,    /* tor, Dovecot, a transport's program or our own roles' are missing */
	EXITS_TOR_TOO_OLD = 8,
	EXITS_CONFIGURATION = 9, /* smtorp.conf, or a bridge */
	EXITS_PORT_IN_USE = 10,
	EXITS_DISK_FULL = 11,
	EXITS_DATABASE_DAMAGED = 12, /* of every identity that there is */
	EXITS_LAST = EXITS_DATABASE_DAMAGED,
};
