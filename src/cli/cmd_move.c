/* SPDX-License-Identifier: ISC */
#include "cli/cmd_move.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/seal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/cmd_openpgp.h"
#include "cli/passphrase.h"
#include "cli/unlock.h"
#include "cli/view.h"
#include "identity/import.h"
#include "identity/recovery.h"
#include "notice/notice.h"

#define NOTICE_FILE "notice" /* the last one, in the identity's folder: its number is the last */
#define SHEET_MOST_BYTES 65536
#define NOTIFY_TIMEOUT_MS (10 * 60 * 1000)
#define DAY_S 86400

const struct cli_option cmd_move_options[] = {
	{ "to", "NEW", "another identity of this node: the address that you move to" },
	{ "recovery", "FILE", "the recovery key: the exported file, or a text with lines A and B of the sheet ('-': standard input)" },
	{ "passphrase-stdin", NULL, "take passphrases from standard input, a line each: of NAME's keys and NEW's, if locked, and of FILE" },
	{ "yes", NULL, "do not ask" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_move_revoke_options[] = {
	{ "onion", NULL, "the address: somebody else may have its key" },
	{ "openpgp", NULL, "its OpenPGP key; it gets a new one, and the certificate for the former is printed" },
	{ "passphrase-stdin", NULL, "take the passphrase of the identity's keys, if locked, from standard input (one line)" },
	{ "yes", NULL, "do not ask" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- an identity and its key */

struct side {
	struct identity identity;
	struct onionkey key;
	int folder;
};

static void
close_side(struct side *s)
{
	onionkey_wipe(&s->key);
	file_close(&s->folder);
}

/* Without its key. Returns an exit status, after its text. */
static int
open_folder(const struct cli *cli, const char *name, struct side *out)
{
	struct error err = { 0 };
	int all = -1;
	*out = (struct side){ .folder = -1 };
	int result = cmd_identity_open_all(cli, &all, &err) != 0 || identity_load(all, name, &out->identity, &err) != 0 ||
	    identity_open(all, name, ".", &out->folder, &err) != 0 ? -1 : 0;
	file_close(&all);
	return result == 0 ? CLI_OK : cli_fail(&err);
}

static int
open_side(const struct cli *cli, const char *name, struct side *out)
{
	struct error err = { 0 };
	int status = open_folder(cli, name, out);
	if (status != CLI_OK)
		return status;
	struct unlocked *unlocked = unlock_new();
	status = unlock_identity(cli, &out->identity, out->folder, unlocked);
	if (status == CLI_OK && secrets_onion_key(&unlocked->secrets, &out->identity, &out->key, &err) != 0)
		status = cli_fail(&err);
	unlock_free(unlocked);
	return status;
}

/* ---- the recovery key */

static int
read_export(const struct cli *cli, int fd, struct recovery *out)
{
	struct error err = { 0 };
	char *passphrase = secret_new(ASK_LINE_MAX);
	int status = passphrase_ask(cli, "Passphrase of the exported file: ", passphrase);
	if (status == CLI_OK && import_recovery(fd, slice_of_string(passphrase), out, &err) != 0)
		status = cli_fail(&err);
	secret_free(passphrase);
	return status;
}

static int
read_lines(int fd, struct recovery *out)
{
	struct error err = { 0 };
	struct buffer text;
	buffer_init(&text, SHEET_MOST_BYTES);
	buffer_reserve(&text, SHEET_MOST_BYTES, NULL); /* so that it does not leave copies behind when it grows */
	int result = file_read_all(fd, &text, &err);
	if (result == 0)
		result = recovery_read_text(slice_of(buffer_bytes(&text), buffer_len(&text)), out, &err);
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	return result == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "%s", err.text);
}

static int
read_recovery(const struct cli *cli, const char *path, struct recovery *out)
{
	char magic[sizeof SEAL_MAGIC - 1];
	bool is_input = strcmp(path, "-") == 0;
	int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail_with(CLI_FAILED, "cannot open %s: %s", path, strerror(errno));
	bool is_export = pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic && memcmp(magic, SEAL_MAGIC, sizeof magic) == 0;
	int status = is_export ? read_export(cli, fd, out) : read_lines(fd, out);
	if (!is_input)
		close(fd);
	return status;
}

/* That those who know the identity know the key, too. */
static int
check_recovery(const struct side *s, const struct recovery *recovery)
{
	struct error err = { 0 };
	char known[NOTICE_HASH_LEN + 1], hash[NOTICE_HASH_LEN + 1];
	recovery_hash(recovery, hash);
	if (recovery_load_hash(s->folder, known, &err) != 0)
		return cli_fail(&err);
	return strcmp(hash, known) == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "this is not the recovery key of %s, but another identity's: it is on the "
	    "first sheet of %s, or in the first file that was exported", s->identity.name, s->identity.name);
}

/* From where the command says, or else from the folder, if it is still there. */
static int
find_recovery(const struct cli *cli, const struct side *s, struct onionkey *out, bool *is_found)
{
	struct recovery recovery = { 0 };
	struct error err = { 0 };
	const char *path = cli_option_value(cli, "recovery");
	int status = CLI_OK;
	*is_found = true;
	if (path != NULL)
		status = read_recovery(cli, path, &recovery);
	else if (recovery_load(s->folder, &recovery, &err) != 0) {
		*is_found = false;
		status = err.code == ERROR_NOT_FOUND ? CLI_OK : cli_fail(&err);
	}
	if (status == CLI_OK && *is_found)
		status = check_recovery(s, &recovery);
	if (status == CLI_OK && *is_found)
		recovery_key(&recovery, out);
	recovery_wipe(&recovery);
	return status;
}

/* ---- the notice */

/* One more than the last one. */
static int
number(const struct side *s, struct notice *out, struct error *err)
{
	struct buffer text;
	struct error why = { 0 };
	struct notice last;
	buffer_init(&text, NOTICE_MAX_BYTES);
	int result = file_load(s->folder, NOTICE_FILE, &text, &why);
	out->sequence = 1;
	if (result == 0 && notice_parse(slice_of(buffer_bytes(&text), buffer_len(&text)), &last, NULL) == 0)
		out->sequence = last.sequence + 1;
	else if (result != 0 && why.code != ERROR_NOT_FOUND)
		error_set(err, why.code, "%s", why.text);
	else
		result = 0;
	buffer_finish(&text);
	out->day_s = clock_wall_s() / DAY_S * DAY_S;
	return result;
}

/* Hands it to the node for everybody who is in the book, and keeps it. */
static int
tell(const struct cli *cli, const struct side *s, const struct notice *notice, struct buffer *text, long long *told, struct error *err)
{
	json_t *result = NULL;
	if (notice_write(notice, text, err) != 0 ||
	    client_call(&cli->paths, "contact.notify", json_pack("{s:s, s:s%}", "name", s->identity.name, "note", (const char *)buffer_bytes(text),
	        buffer_len(text)), NOTIFY_TIMEOUT_MS, &result, err) != 0)
		return -1;
	*told = view_number(result, "count");
	json_decref(result);
	return file_replace(s->folder, NOTICE_FILE, buffer_bytes(text), buffer_len(text), 0600, err);
}

static int
print(const struct cli *cli, const struct notice *notice, const struct buffer *text, long long told, const char *certificate)
{
	if (!cli_has(cli, "json"))
		return cli_end_output();
	json_t *all = json_pack("{s:s, s:s%, s:I, s:b}", "onion", notice->onion, "notice", (const char *)buffer_bytes(text), buffer_len(text), "told",
	    (json_int_t)told, "recovery", notice->has_recovery);
	if (certificate != NULL)
		json_object_set_new(all, "certificate", json_string(certificate));
	return view_print_json(all);
}

static int
confirm(const struct cli *cli, const char *question)
{
	char answer[ASK_LINE_MAX];
	if (cli_has(cli, "yes"))
		return CLI_OK;
	fprintf(stderr, "%s\n", question);
	if (isatty(STDIN_FILENO) != 1)
		return cli_fail_with(CLI_USAGE, "this cannot be taken back: say --yes");
	if (ask_line("It cannot be taken back. Type 'yes': ", false, answer) != 0 || strcmp(answer, "yes") != 0)
		return cli_fail_with(CLI_FAILED, "nothing was done");
	return CLI_OK;
}

/* The node is who tells: without it nothing is begun. */
static int
check_node(const struct cli *cli)
{
	struct error err;
	json_t *status = NULL;
	int result = client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, &err);
	json_decref(status);
	return result == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- commands */

int
cmd_move_recovery(struct cli *cli)
{
	struct side s;
	struct error err = { 0 };
	char hash[NOTICE_HASH_LEN + 1];
	secret_shield_process();
	int status = open_folder(cli, cli->arguments[0], &s);
	if (status != CLI_OK)
		return status;
	int result = recovery_make(s.folder, &err) != 0 ? -1 : recovery_load_hash(s.folder, hash, &err);
	close_side(&s);
	if (result != 0)
		return cli_fail(&err);
	if (client_call_name(&cli->paths, "identity.load", cli->arguments[0], &err) != 0 && err.code != ERROR_UNREACHABLE)
		return cli_fail(&err); /* without a node it is read when that starts */
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:s}", "identity", cli->arguments[0], "recovery", hash));
	printf("Identity %s has a recovery key now, and its cards name it. The next `smtorp identity sheet` or\n"
	       "`smtorp identity export` takes it, and then it is there alone.\n", cli->arguments[0]);
	return cli_end_output();
}

static int
move(const struct cli *cli, const struct side *from, const struct side *to, const struct onionkey *recovery)
{
	struct notice n = { .kind = NOTICE_MOVE };
	struct buffer text;
	struct error err = { 0 };
	long long told = 0;
	int status;
	buffer_init(&text, NOTICE_MAX_BYTES);
	view_address(&to->identity, n.to);
	if (number(from, &n, &err) != 0 || notice_sign(&n, &from->key, &to->key, recovery, &err) != 0 || tell(cli, from, &n, &text, &told, &err) != 0)
		status = cli_fail(&err);
	else {
		if (!cli_has(cli, "json"))
			printf("%lld contact%s told that %s is at\n\n  %s\n\nfrom now on; `smtorp queue list` shows who has it already.\n%sKeep %s until nobody writes to it any more.\n"
			    "To take your address book along: smtorp contact export --identity %s | smtorp contact import --identity %s -\n", told,
			    told == 1 ? " is" : "s are", from->identity.name, n.to, recovery != NULL ? "" :
			    "Without the recovery key their nodes ask them first whether it is true: tell them, in another way than by mail.\n",
			    from->identity.name, from->identity.name, to->identity.name);
		status = print(cli, &n, &text, told, NULL);
	}
	buffer_finish(&text);
	return status;
}

int
cmd_move_main(struct cli *cli)
{
	struct side from = { .folder = -1 }, to = { .folder = -1 };
	struct onionkey recovery = { 0 };
	bool has_recovery = false;
	const char *name = cli_option_value(cli, "to");
	random_init();
	if (name == NULL || strcmp(name, cli->arguments[0]) == 0)
		return cli_fail_with(CLI_USAGE, "say --to NEW, another identity of this node: `smtorp identity new` makes one");
	int status = check_node(cli);
	if (status == CLI_OK)
		status = open_side(cli, cli->arguments[0], &from);
	if (status == CLI_OK)
		status = open_side(cli, name, &to);
	if (status == CLI_OK)
		status = find_recovery(cli, &from, &recovery, &has_recovery);
	if (status == CLI_OK)
		status = confirm(cli, has_recovery ? "All contacts are told that you have moved, and their mail follows." :
		    "All contacts are told that you have moved. There is no recovery key here (see --recovery), so each of them is asked whether it is true.");
	if (status == CLI_OK)
		status = move(cli, &from, &to, has_recovery ? &recovery : NULL);
	onionkey_wipe(&recovery);
	close_side(&from);
	close_side(&to);
	return status;
}

/* certificate: of the OpenPGP key, or empty. */
static int
send_revocation(const struct cli *cli, const struct side *s, struct notice *n, const struct buffer *certificate)
{
	struct buffer text;
	struct error err = { 0 };
	long long told = 0;
	int status;
	bool is_key = n->kind == NOTICE_REVOKE_KEY;
	char armour[OPENPGP_ARMOURED_MAX_BYTES + 1];
	slice_to_string(slice_of(buffer_bytes(certificate), buffer_len(certificate)), armour, sizeof armour);
	buffer_init(&text, NOTICE_MAX_BYTES);
	if (number(s, n, &err) != 0 || notice_sign(n, &s->key, NULL, NULL, &err) != 0 || tell(cli, s, n, &text, &told, &err) != 0) {
		fputs(armour, stdout); /* there would be no other way to it */
		status = cli_fail(&err);
	} else {
		fprintf(stderr, is_key ? "%lld contact%s told, and %s has a new key. The certificate is for those who have the former one from elsewhere:\n"
		    "upload it to the key servers that have the key; this program never does.\n" :
		    "%lld contact%s told; `smtorp queue list` shows who knows already. When that is empty, `smtorp identity delete %s`.\n", told,
		    told == 1 ? " is" : "s are", s->identity.name);
		if (is_key && !cli_has(cli, "json"))
			fputs(armour, stdout);
		status = print(cli, n, &text, told, is_key ? armour : NULL);
	}
	buffer_finish(&text);
	return status;
}

static int
revoke_onion(struct cli *cli, struct side *s, struct notice *n)
{
	int status = open_side(cli, cli->arguments[0], s);
	n->kind = NOTICE_REVOKE_ONION;
	return status != CLI_OK ? status : confirm(cli, "All contacts are told never to send anything to this address again, whoever asks them to.");
}

static int
revoke_key(struct cli *cli, struct side *s, struct notice *n, struct buffer *certificate)
{
	int status = confirm(cli, "All contacts are told never to encrypt anything to the present OpenPGP key again, and a new one is made.");
	n->kind = NOTICE_REVOKE_KEY;
	if (status == CLI_OK)
		status = open_folder(cli, cli->arguments[0], s);
	return status != CLI_OK ? status : cmd_openpgp_retire(cli, n->fingerprint, certificate, &s->key);
}

int
cmd_move_revoke(struct cli *cli)
{
	struct side s = { .folder = -1 };
	struct notice n = { 0 };
	struct buffer certificate;
	if (cli_has(cli, "onion") == cli_has(cli, "openpgp"))
		return cli_fail_with(CLI_USAGE, "say what is revoked: --onion, the address; or --openpgp, its OpenPGP key");
	buffer_init(&certificate, OPENPGP_ARMOURED_MAX_BYTES);
	int status = check_node(cli);
	if (status == CLI_OK)
		status = cli_has(cli, "onion") ? revoke_onion(cli, &s, &n) : revoke_key(cli, &s, &n, &certificate);
	if (status == CLI_OK)
		status = send_revocation(cli, &s, &n, &certificate);
	buffer_finish(&certificate);
	close_side(&s);
	return status;
}
