/* SPDX-License-Identifier: ISC
 *
 * The OpenPGP keys of identities. They are made with an identity; one of before gets its key from content@ID, the first time that it
 * runs, because this process is not linked with what makes keys. Locked ones get it from `smtorp unlock`.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/parent.h"

void
parent_openpgp_tell_content(struct parent_identity *identity)
{
	if (identity->content.channel == NULL)
		return; /* it is told when it begins */
	struct ipc_message m = { .type = IPC_TYPE_OPENPGP_KEY, .fd = -1 };
	struct error err = { 0 };
	const struct identity *is = &identity->is;
	bool has_key = parent_lock_open_key(identity, IDENTITY_OPENPGP_FILE, &m.fd, &err) == 0;
	identity->makes_openpgp_key = !has_key && err.code == ERROR_NOT_FOUND && identity->secrets == NULL;
	if (!has_key && !identity->makes_openpgp_key) {
		log_warn("%s is without its OpenPGP keys: %s", is->name, err.text);
		return;
	}
	snprintf(m.openpgp_key.local_part, sizeof m.openpgp_key.local_part, "%s", is->local_part);
	snprintf(m.openpgp_key.onion, sizeof m.openpgp_key.onion, "%s", is->onion);
	snprintf(m.openpgp_key.created, sizeof m.openpgp_key.created, "%s", is->created);
	parent_role_send(&identity->content, &m);
	file_close(&m.fd);
}

void
parent_openpgp_on_made(struct parent_identity *identity, struct slice key)
{
	struct error err = { 0 };
	int fd = -1;
	if (!identity->makes_openpgp_key || identity->secrets != NULL || key.len == 0)
		return;
	identity->makes_openpgp_key = false;
	if (identity_open(identity->parent->identities_fd, identity->is.name, ".", &fd, &err) != 0)
		log_warn("the OpenPGP key of %s is not kept: %s", identity->is.name, err.text);
	else if (faccessat(fd, IDENTITY_OPENPGP_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		log_info("%s has an OpenPGP key already", identity->is.name);
	else if (file_replace(fd, IDENTITY_OPENPGP_FILE, key.data, key.len, 0600, &err) != 0)
		log_warn("the OpenPGP key of %s is not kept: %s", identity->is.name, err.text);
	else
		log_info("%s has an OpenPGP key now", identity->is.name);
	file_close(&fd);
}
