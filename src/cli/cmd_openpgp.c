/* SPDX-License-Identifier: ISC */
#include "cli/cmd_openpgp.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/contact_book.h"
#include "cli/passphrase.h"
#include "cli/unlock.h"
#include "cli/view.h"
#include "identity/openpgpkey.h"

const struct cli_option cmd_openpgp_options[] = {
	{ "passphrase-stdin", NULL, "take passphrases from standard input, a line each: of the identity's keys, if locked, and of FILE" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_openpgp_export_options[] = {
	{ "secret", NULL, "the secret keys, all of them, for another program of yours" },
	{ "revocation", NULL, "a certificate by which others learn that the key is not to be used any more" },
	{ "passphrase-stdin", NULL, "take the passphrase of the identity's keys, if locked, from standard input (one line)" },
	{ 0 },
};

const struct cli_option cmd_openpgp_rotate_options[] = {
	{ "revoke", NULL, "print a certificate by which others learn that the former key is not to be used any more" },
	{ "passphrase-stdin", NULL, "take the passphrase of the identity's keys, if locked, from standard input (one line)" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

struct opened {
	struct identity identity;
	int folder;
	struct unlocked *unlocked;
	struct slice keys[OPENPGP_OWN_KEYS_MAX]; /* in it */
	size_t count;
};

static struct slice
file_of(const struct opened *o)
{
	return slice_of(o->unlocked->secrets.openpgp_key, o->unlocked->secrets.openpgp_key_len);
}

static void
close_it(struct opened *o)
{
	file_close(&o->folder);
	unlock_free(o->unlocked);
}

/* Durable, and a node that runs has the new ones. */
static int
save(const struct cli *cli, const struct opened *o, struct error *err)
{
	const struct secrets *secrets = &o->unlocked->secrets;
	struct lock lock;
	if (o->unlocked->state != LOCK_WHOLE) {
		if (file_replace(o->folder, IDENTITY_OPENPGP_FILE, secrets->openpgp_key, secrets->openpgp_key_len, 0600, err) != 0)
			return -1;
		return client_call_name(&cli->paths, "identity.load", o->identity.name, err) == 0 || err->code == ERROR_UNREACHABLE ? 0 : -1;
	}
	if (lock_load(o->folder, &lock, err) != 0 || lock_seal_again(&lock, secrets, o->unlocked->key, err) != 0 ||
	    lock_save(o->folder, &lock, err) != 0)
		return -1;
	json_t *status = view_status(&cli->paths);
	bool is_awake = view_row(status, o->identity.name) != NULL && strcmp(view_state(status, o->identity.name), "locked") != 0;
	json_decref(status);
	return is_awake ? unlock_tell_node(&cli->paths, o->identity.name, o->unlocked->key, err) : 0;
}

/* Takes the bytes for the identity's keys. */
static int
replace(const struct cli *cli, struct opened *o, struct buffer *file, struct error *err)
{
	struct secrets *secrets = &o->unlocked->secrets;
	if (buffer_len(file) > sizeof secrets->openpgp_key)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP keys of the identity are too large together");
	memcpy(secrets->openpgp_key, buffer_bytes(file), buffer_len(file));
	secrets->openpgp_key_len = buffer_len(file);
	return save(cli, o, err);
}

/* Identities of before have none. */
static int
make_first(const struct cli *cli, struct opened *o, struct error *err)
{
	struct buffer made;
	buffer_init(&made, IDENTITY_OPENPGP_MAX_BYTES);
	int result = openpgpkey_make(&o->identity, &made, err);
	if (result == 0)
		result = replace(cli, o, &made, err);
	openpgpkey_wipe(&made);
	return result;
}

/* Returns an exit status, after its text. */
static int
open_it(const struct cli *cli, struct opened *o)
{
	struct error err = { 0 };
	int all = -1;
	*o = (struct opened){ .folder = -1 };
	int status = cmd_identity_load(cli, &o->identity);
	if (status != CLI_OK)
		return status;
	o->unlocked = unlock_new();
	int result = cmd_identity_open_all(cli, &all, &err);
	if (result == 0)
		result = identity_open(all, o->identity.name, ".", &o->folder, &err);
	file_close(&all);
	if (result == 0 && flock(o->folder, LOCK_EX) != 0)
		result = error_set_errno(&err, errno, "cannot lock the folder of %s", o->identity.name);
	status = result == 0 ? unlock_identity(cli, &o->identity, o->folder, o->unlocked) : cli_fail(&err);
	if (status == CLI_OK && ((o->unlocked->secrets.openpgp_key_len == 0 && make_first(cli, o, &err) != 0) ||
	    openpgpkey_list(file_of(o), o->keys, &o->count, &err) != 0))
		status = cli_fail(&err);
	if (status != CLI_OK)
		close_it(o);
	return status;
}

/* ---- showing */

static json_t *
describe(const struct opened *o)
{
	char address[ADDRESS_MAX + 1];
	json_t *keys = json_array();
	view_address(&o->identity, address);
	for (size_t i = 0; i < o->count; i++) {
		struct openpgp_key key;
		if (openpgp_look(o->keys[i], &key, NULL) == 0)
			json_array_append_new(keys, json_pack("{s:s, s:s, s:I, s:I, s:b}", "fingerprint", key.fingerprint, "user_id", key.user_id,
			    "created", (json_int_t)key.created_s, "expires", (json_int_t)key.expires_s, "present", i == 0));
	}
	return json_pack("{s:s, s:s, s:o}", "identity", o->identity.name, "address", address, "keys", keys);
}

static void
print_keys(json_t *keys)
{
	size_t i;
	json_t *key;
	json_array_foreach(keys, i, key) {
		char when[32], until[32], group[CONTACT_BOOK_FINGERPRINT_TEXT];
		view_time(view_number(key, "created"), when);
		view_time(view_number(key, "expires"), until);
		printf("%s\n  %s, made on %.10s%s%s\n  %s\n", contact_book_group(view_text(key, "fingerprint"), group), view_text(key, "user_id"), when,
		    view_number(key, "expires") != 0 ? ", expires on " : "", view_number(key, "expires") != 0 ? until : "",
		    i == 0 ? "the present one: others are to encrypt to it" : "a former one, kept to read what was encrypted to it");
	}
}

static int
print(struct cli *cli, const struct opened *o)
{
	json_t *all = describe(o);
	if (cli_has(cli, "json"))
		return view_print_json(all);
	print_keys(json_object_get(all, "keys"));
	json_decref(all);
	return cli_end_output();
}

int
cmd_openpgp_show(struct cli *cli)
{
	struct opened o;
	int status = open_it(cli, &o);
	if (status != CLI_OK)
		return status;
	status = print(cli, &o);
	close_it(&o);
	return status;
}

/* ---- out */

enum what { PUBLIC, SECRET, REVOCATION };

static int
write_key(const struct slice *keys, size_t count, enum what what, struct buffer *out, struct error *err)
{
	struct openpgp *pgp;
	if (what == SECRET) {
		for (size_t i = 0; i < count; i++)
			if (openpgp_armour_secret(keys[i], out, err) != 0)
				return -1;
		return 0;
	}
	if (openpgp_new(keys, 1, &pgp, err) != 0)
		return -1;
	int result = what == PUBLIC ? openpgp_public_key(pgp, out, err) : openpgp_revocation(pgp, out, err);
	openpgp_free(pgp);
	return result;
}

static int
print_key(const struct slice *keys, size_t count, enum what what)
{
	struct buffer text;
	struct error err = { 0 };
	buffer_init(&text, OPENPGP_OWN_KEYS_MAX * OPENPGP_ARMOURED_MAX_BYTES);
	int result = write_key(keys, count, what, &text, &err);
	if (result == 0)
		fwrite(buffer_bytes(&text), 1, buffer_len(&text), stdout);
	openpgpkey_wipe(&text);
	return result == 0 ? cli_end_output() : cli_fail(&err);
}

int
cmd_openpgp_export(struct cli *cli)
{
	struct opened o;
	if (cli_has(cli, "secret") && cli_has(cli, "revocation"))
		return cli_fail_with(CLI_USAGE, "say --secret or --revocation, not both");
	if (cli_has(cli, "secret") && cli_output_is_open_to_others())
		return cli_fail_with(CLI_USAGE, "others could read that file, and with it your mail: say `umask 077` and then name a new file, or hand the "
		    "keys to the other program with '|'");
	int status = open_it(cli, &o);
	if (status != CLI_OK)
		return status;
	status = print_key(o.keys, o.count, cli_has(cli, "secret") ? SECRET : cli_has(cli, "revocation") ? REVOCATION : PUBLIC);
	close_it(&o);
	return status;
}

/* ---- in */

/* Its cards name the new key from now on; if this fails, they do when the node runs again. */
static void
renew_cards(const struct cli *cli, const char *name)
{
	static const char *const methods[] = { "card.show", "card.onion" };
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		client_call_name(&cli->paths, methods[i], name, NULL);
}

/* Puts a key before the others. Returns an exit status, after its text. */
static int
put_first(const struct cli *cli, struct opened *o, const struct buffer *key)
{
	struct buffer file;
	struct error err = { 0 };
	buffer_init(&file, IDENTITY_OPENPGP_MAX_BYTES);
	int result = openpgpkey_put_first(file_of(o), slice_of(buffer_bytes(key), buffer_len(key)), &file, &err);
	if (result == 0)
		result = replace(cli, o, &file, &err);
	if (result == 0) {
		renew_cards(cli, o->identity.name);
		result = openpgpkey_list(file_of(o), o->keys, &o->count, &err);
	}
	openpgpkey_wipe(&file);
	return result == 0 ? CLI_OK : cli_fail(&err);
}

/* Without a passphrase, or with the one that is asked for then. */
static int
read_key(const struct cli *cli, struct slice file, struct buffer *key)
{
	struct error err = { 0 };
	if (openpgp_import(file, NULL, key, &err) == 0)
		return CLI_OK;
	if (err.code != ERROR_DENIED)
		return cli_fail_with(CLI_FAILED, "%s", err.text);
	char *passphrase = secret_new(ASK_LINE_MAX);
	int status = passphrase_ask(cli, "Passphrase of the OpenPGP key: ", passphrase);
	if (status == CLI_OK && openpgp_import(file, passphrase, key, &err) != 0)
		status = cli_fail_with(err.code == ERROR_DENIED ? CLI_WRONG_PASSPHRASE : CLI_FAILED, "%s", err.text);
	secret_free(passphrase);
	return status;
}

int
cmd_openpgp_import(struct cli *cli)
{
	struct opened o;
	struct buffer file, key;
	struct error err = { 0 };
	buffer_init(&file, OPENPGP_ARMOURED_MAX_BYTES);
	buffer_init(&key, OPENPGP_KEY_MAX_BYTES);
	int status = open_it(cli, &o);
	if (status != CLI_OK)
		return status;
	if (file_load(AT_FDCWD, cli->arguments[1], &file, &err) != 0)
		status = cli_fail_with(CLI_FAILED, "%s", err.text);
	else
		status = read_key(cli, slice_of(buffer_bytes(&file), buffer_len(&file)), &key);
	if (status == CLI_OK)
		status = put_first(cli, &o, &key);
	if (status == CLI_OK)
		status = print(cli, &o);
	openpgpkey_wipe(&file);
	openpgpkey_wipe(&key);
	close_it(&o);
	return status;
}

/* ---- a new one */

/* As `openpgp show`, and the certificate for the former key. */
static int
print_revoked(const struct opened *o)
{
	struct buffer text;
	struct error err = { 0 };
	json_t *all = describe(o);
	buffer_init(&text, OPENPGP_ARMOURED_MAX_BYTES);
	int result = write_key(&o->keys[1], 1, REVOCATION, &text, &err);
	if (result == 0)
		json_object_set_new(all, "certificate", json_stringn((const char *)buffer_bytes(&text), buffer_len(&text)));
	buffer_finish(&text);
	if (result == 0)
		return view_print_json(all);
	json_decref(all);
	return cli_fail(&err);
}

/* Made now, and put before the others. Returns an exit status, after its text. */
static int
put_new_first(const struct cli *cli, struct opened *o)
{
	struct buffer key;
	struct error err = { 0 };
	char address[ADDRESS_MAX + 1];
	buffer_init(&key, OPENPGP_KEY_MAX_BYTES);
	view_address(&o->identity, address);
	int status = openpgp_generate(address, clock_wall_s(), &key, &err) == 0 ? put_first(cli, o, &key) : cli_fail(&err);
	openpgpkey_wipe(&key);
	return status;
}

int
cmd_openpgp_rotate(struct cli *cli)
{
	struct opened o;
	int status = open_it(cli, &o);
	if (status != CLI_OK)
		return status;
	status = put_new_first(cli, &o);
	if (status == CLI_OK && cli_has(cli, "revoke"))
		status = cli_has(cli, "json") ? print_revoked(&o) : print_key(&o.keys[1], 1, REVOCATION);
	else if (status == CLI_OK)
		status = print(cli, &o);
	if (status == CLI_OK && !cli_has(cli, "json"))
		fputs("Your next mail brings the new key to whoever gets it, and it counts there at once; those who have verified the\n"
		      "former one are asked first, so let them compare it.\n", stderr);
	close_it(&o);
	return status;
}

/* ---- revoking */

int
cmd_openpgp_retire(struct cli *cli, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct buffer *certificate, struct onionkey *onion)
{
	struct opened o;
	struct openpgp_key before;
	struct error err = { 0 };
	int status = open_it(cli, &o);
	if (status != CLI_OK)
		return status;
	if (openpgp_look(o.keys[0], &before, &err) != 0 || write_key(o.keys, 1, REVOCATION, certificate, &err) != 0 ||
	    secrets_onion_key(&o.unlocked->secrets, &o.identity, onion, &err) != 0) {
		status = cli_fail(&err);
	} else {
		memcpy(fingerprint, before.fingerprint, sizeof before.fingerprint);
		status = put_new_first(cli, &o);
	}
	close_it(&o);
	return status;
}
