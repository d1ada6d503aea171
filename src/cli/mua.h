/* SPDX-License-Identifier: ISC
 *
 * Settings for mail programs: what `smtorp mua` knows of an identity, and the programs that need more than a few lines.
 */
#pragma once

#include <limits.h>

#include "cli/cli.h"
#include "config/config.h"
#include "identity/identity.h"

struct mua_settings {
	struct cli *cli;
	char address[ADDRESS_MAX + 1];
	struct identity identity;
	struct config_endpoint submission, submissions, imap, imaps; /* port 0: not known */
	char sendmail[2 * PATH_MAX]; /* the program, and --home where the node is not in its usual place */
	char certificate[PATHS_MAX + 32];
};

/* Borrowed. The certificate is made out to "localhost", so that is better than the usual address. */
const char *mua_host_name(const struct config_endpoint *endpoint);

/* What a person enters. */
void mua_thunderbird_print(const struct mua_settings *s);

/* Makes the folder, in which a Thunderbird that is started with --profile asks for nothing but the password: user.js, and in
 * cert_override.txt the node's certificate, no other. An exit status; CLI_EXISTS when there is something already. */
int mua_thunderbird_make_profile(const struct mua_settings *s, const char *folder);
