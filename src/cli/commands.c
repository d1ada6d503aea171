/* SPDX-License-Identifier: ISC */
#include "cli/commands.h"

#include <stdio.h>

#include "cli/cmd_access.h"
#include "cli/cmd_card.h"
#include "cli/cmd_contact.h"
#include "cli/cmd_doctor.h"
#include "cli/cmd_identity.h"
#include "cli/cmd_lock.h"
#include "cli/cmd_logs.h"
#include "cli/cmd_move.h"
#include "cli/cmd_mua.h"
#include "cli/cmd_openpgp.h"
#include "cli/cmd_peer.h"
#include "cli/cmd_queue.h"
#include "cli/cmd_scrub.h"
#include "cli/cmd_status.h"
#include "cli/cmd_up.h"
#include "cli/complete.h"
#include "cli/help.h"

static int
version(struct cli *cli)
{
	(void)cli;
	puts("smtorp " SMTORP_VERSION);
	return cli_end_output();
}

const struct cli_command commands_all[] = {
	{ "up", "", 0, 0, "start the node and show how it goes, until Ctrl-C", cmd_up_options, cmd_up_main, 0 },
	{ "down", "", 0, 0, "stop the node", NULL, cmd_up_down, 0 },
	{ "status", "", 0, 0, "show how Tor, your identities and the node's processes are", cmd_identity_json_options, cmd_status_main, 0 },
	{ "logs", "", 0, 0, "show the log: what has happened, without addresses", cmd_logs_options, cmd_logs_main, 0 },
	{ "doctor", "[NAME]", 0, 1, "look at the node through Tor, as an adversary would, and say what is found", cmd_doctor_options,
	    cmd_doctor_main, 0 },
	{ "unlock", "NAME", 1, 1, "open an identity's locked keys for the running node", cmd_lock_unlock_options, cmd_lock_unlock,
	    0 },
	{ "lock", "NAME", 1, 1, "make the running node forget an identity's locked keys", cmd_identity_json_options, cmd_lock_lock, 0 },
	{ "identity new", "NAME", 1, 1, "make an address of its own: a key, a mailbox, a password", cmd_identity_new_options,
	    cmd_identity_new, 0 },
	{ "identity list", "", 0, 0, "list the identities", cmd_identity_json_options, cmd_identity_list, 0 },
	{ "identity show", "NAME", 1, 1, "show one identity", cmd_identity_json_options, cmd_identity_show, 0 },
	{ "identity delete", "NAME", 1, 1, "delete an identity and its mail for good", cmd_identity_delete_options,
	    cmd_identity_delete, 0 },
	{ "identity takeover", "NAME", 1, 1, "publish an identity here that another copy has taken over", cmd_identity_json_options,
	    cmd_identity_takeover, 0 },
	{ "identity repair", "NAME", 1, 1, "begin a new database for a damaged one", cmd_identity_repair_options,
	    cmd_identity_repair, 0 },
	{ "identity password", "NAME", 1, 1, "set a new password, a random one or your own", cmd_identity_password_options,
	    cmd_identity_password, 0 },
	{ "identity passphrase", "NAME", 1, 1, "lock an identity's keys with a passphrase, or change or remove it",
	    cmd_lock_passphrase_options, cmd_lock_passphrase, 0 },
	{ "identity export", "NAME FILE", 2, 2, "write an identity and its mail to one encrypted file", cmd_identity_export_options,
	    cmd_identity_export, 0 },
	{ "identity import", "FILE", 1, 1, "take an identity in from an exported file", cmd_identity_import_options,
	    cmd_identity_import, 0 },
	{ "identity import-key", "NAME", 1, 1, "make an identity of a key that tor made", cmd_identity_import_key_options,
	    cmd_identity_import_key, 0 },
	{ "identity sheet", "NAME [FILE]", 1, 2, "write a recovery sheet: the address's key, to be printed", cmd_identity_sheet_options,
	    cmd_identity_sheet, 0 },
	{ "identity import-sheet", "NAME [FILE]", 1, 2, "bring an address back from its recovery sheet",
	    cmd_identity_import_sheet_options, cmd_identity_import_sheet, 0 },
	{ "identity move", "NAME", 1, 1, "tell your contacts that you are at another address of yours from now on", cmd_move_options, cmd_move_main, 0 },
	{ "identity revoke", "NAME", 1, 1, "tell your contacts not to trust an address, or its OpenPGP key, any more", cmd_move_revoke_options,
	    cmd_move_revoke, 0 },
	{ "identity recovery", "NAME", 1, 1, "make a recovery key for an identity that has none", cmd_identity_json_options, cmd_move_recovery, 0 },
	{ "identity private", "NAME", 1, 1, "be found only by those who were given a key", cmd_identity_json_options, cmd_access_private, 0 },
	{ "identity public", "NAME", 1, 1, "be found by whoever knows the address", cmd_identity_json_options, cmd_access_public, 0 },
	{ "openpgp show", "[NAME]", 0, 1, "show an identity's OpenPGP keys", cmd_openpgp_options, cmd_openpgp_show, 0 },
	{ "openpgp export", "NAME", 1, 1, "print its public key, for programs that know nothing of SMTorP", cmd_openpgp_export_options,
	    cmd_openpgp_export, 0 },
	{ "openpgp import", "NAME FILE", 2, 2, "take a secret key that you have from elsewhere", cmd_openpgp_options, cmd_openpgp_import, 0 },
	{ "openpgp rotate", "NAME", 1, 1, "make a new key; mail to the former ones can still be read", cmd_openpgp_rotate_options,
	    cmd_openpgp_rotate, 0 },
	{ "card", "[NAME]", 0, 1, "show an identity's card: the address and keys, for others", cmd_card_options, cmd_card, 0 },
	{ "invite", "[NAME]", 0, 1, "make an invitation for one person, who knows you and is known from it", cmd_card_options, cmd_invite, 0 },
	{ "contact add", "WHOM", 1, 1, "put somebody into the address book: an address, a link, or a file or picture with their card",
	    cmd_contact_add_options, cmd_contact_add, 0 },
	{ "contact list", "", 0, 0, "list whom your identities know", cmd_contact_list_options, cmd_contact_list, 0 },
	{ "contact show", "WHO", 1, 1, "show one of them, with their keys", cmd_contact_options, cmd_contact_show, 0 },
	{ "contact edit", "WHO", 1, 1, "change what you call them, their key, or whether mail to them is encrypted", cmd_contact_edit_options, cmd_contact_edit, 0 },
	{ "contact delete", "WHO", 1, 1, "forget somebody, and what is known of their keys", cmd_contact_delete_options, cmd_contact_delete, 0 },
	{ "contact why", "WHO", 1, 1, "say in sentences why somebody's key is trusted", cmd_contact_options, cmd_contact_why, 0 },
	{ "contact verify", "WHO [FINGERPRINT]", 1, 2, "say that you have compared their key with them", cmd_contact_options,
	    cmd_contact_verify, 0 },
	{ "contact accept", "WHO [FINGERPRINT]", 1, 2, "take a key that is held for theirs, or somebody who was introduced", cmd_contact_options,
	    cmd_contact_accept, 0 },
	{ "contact follow", "WHO ADDRESS", 2, 2, "say that they have moved there, as their notice says", cmd_contact_options, cmd_contact_follow, 0 },
	{ "contact refuse", "WHO [FINGERPRINT]", 1, 2, "never take a key for theirs, or forget that they were introduced", cmd_contact_options,
	    cmd_contact_refuse, 0 },
	{ "contact export", "[WHO]", 0, 1, "write people as vCards, all or one", cmd_contact_export_options, cmd_contact_export, 0 },
	{ "contact import", "FILE", 1, 1, "take people from a file of vCards", cmd_contact_import_options, cmd_contact_import, 0 },
	{ "contact graph", "", 0, 0, "draw who introduced whom", cmd_contact_graph_options, cmd_contact_graph, 0 },
	{ "contact access", "", 0, 0, "show who finds a private identity, and which private onions it finds", cmd_access_options,
	    cmd_access_list, 0 },
	{ "contact grant", "WHO", 1, 1, "make a key by which somebody finds a private identity", cmd_access_options, cmd_access_grant, 0 },
	{ "contact withdraw", "WHO", 1, 1, "take that key back", cmd_access_options, cmd_access_withdraw, 0 },
	{ "contact key", "", 0, 0, "take a key for somebody's private onion, from standard input", cmd_access_options,
	    cmd_access_key, 0 },
	{ "contact drop-key", "ONION", 1, 1, "forget the key for a private onion", cmd_access_options, cmd_access_drop_key, 0 },
	{ "introduce", "WHO", 1, 1, "introduce somebody whom you know to somebody else", cmd_contact_introduce_options, cmd_contact_introduce, 0 },
	{ "queue list", "", 0, 0, "list what waits to be delivered, and why", cmd_queue_list_options, cmd_queue_list, 0 },
	{ "queue show", "ID", 1, 1, "show one message that waits", cmd_identity_json_options, cmd_queue_show, 0 },
	{ "queue retry", "[ID]", 0, 1, "try now what waits, without waiting for the next time", cmd_queue_retry_options, cmd_queue_retry,
	    0 },
	{ "queue cancel", "ID", 1, 1, "give up a message that waits; no report comes", cmd_identity_json_options, cmd_queue_cancel, 0 },
	{ "peer list", "", 0, 0, "list the TLS keys of those you write to", cmd_peer_list_options, cmd_peer_list, 0 },
	{ "peer show", "PEER", 1, 1, "show the TLS key of one", cmd_identity_json_options, cmd_peer_show, 0 },
	{ "peer accept", "PEER", 1, 1, "take the new key of a peer for right, and send what was held", cmd_identity_json_options, cmd_peer_accept, 0 },
	{ "peer forget", "PEER", 1, 1, "forget a peer's key: the next one it shows is taken", cmd_identity_json_options, cmd_peer_forget, 0 },
	{ "scrub", "", 0, 0, "show what would leave of a message on standard input, and why", cmd_scrub_options, cmd_scrub_main, 0 },
	{ "mua", "NAME", 1, 1, "print settings for mail programs", cmd_mua_options, cmd_mua_main, 0 },
	{ "version", "", 0, 0, "print the version", NULL, version, CLI_NO_HOME },
	{ "help", "[COMMAND]", 0, 2, "print this, or the help of a command", NULL, help_main, CLI_NO_HOME },
	{ "complete", "", 0, 0, "for the shells' completion", NULL, complete_main, CLI_NO_HOME | CLI_HIDDEN | CLI_RAW },
	{ 0 },
};
