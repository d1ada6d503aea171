/* SPDX-License-Identifier: ISC */
#include "cli/cmd_move.h"

#include <jansson.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/cmd_identity.h"
#include "cli/view.h"
#include "identity/recovery.h"

int
cmd_move_recovery(struct cli *cli)
{
	struct identity identity;
	struct error err = { 0 };
	char hash[NOTICE_HASH_LEN + 1];
	int all = -1, folder = -1, status = cmd_identity_load(cli, &identity);
	if (status != CLI_OK)
		return status;
	int result = cmd_identity_open_all(cli, &all, &err) != 0 || identity_open(all, identity.name, ".", &folder, &err) != 0 ||
	    recovery_make(folder, &err) != 0 || recovery_load_hash(folder, hash, &err) != 0 ? -1 : 0;
	file_close(&folder);
	file_close(&all);
	if (result != 0)
		return cli_fail(&err);
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:s}", "identity", identity.name, "recovery", hash));
	printf("Identity %s has a recovery key now. The next `smtorp identity sheet` or `smtorp identity export` takes it,\n"
	       "and then it is there alone. Its cards name it when the node was started again.\n", identity.name);
	return cli_end_output();
}
