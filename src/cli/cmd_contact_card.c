/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "address/address.h"
#include "base/encode.h"
#include "base/file.h"
#include "card/person.h"
#include "cli/client.h"
#include "cli/cmd_contact.h"
#include "cli/contact_book.h"
#include "cli/view.h"
#include "openpgp/openpgp.h"

#define FILE_MAX_BYTES (64 * 1024 * 1024)

const struct cli_option cmd_contact_export_options[] = {
	{ "identity", "NAME", "of this identity's address book; needed when several could be meant" },
	{ 0 },
};

const struct cli_option cmd_contact_import_options[] = {
	{ "identity", "NAME", "into this identity's address book; needed when there are several" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- out */

/* The key that counts, which the node says in base64. */
static int
read_key(json_t *contact, struct buffer *out, struct error *err)
{
	json_t *key;
	size_t i;
	json_array_foreach(json_object_get(contact, "keys"), i, key) {
		const char *text = view_text(key, "key");
		size_t len = ENCODE_BASE64_LEN(OPENPGP_AUTOCRYPT_MAX_BYTES);
		unsigned char *room = text[0] != '\0' ? buffer_reserve(out, len, err) : NULL;
		if (text[0] == '\0')
			continue;
		if (room == NULL || encode_from_base64(room, &len, text, strlen(text), err) != 0)
			return -1;
		buffer_commit(out, len);
		break;
	}
	return 0;
}

/* As a card says it. */
static void
read_person(json_t *contact, struct card_person *out)
{
	const char *encrypt = view_text(contact, "encrypt");
	json_t *carrier;
	size_t i;
	*out = (struct card_person){ 0 };
	snprintf(out->address, sizeof out->address, "%s", view_text(contact, "address"));
	snprintf(out->name, sizeof out->name, "%s", view_text(contact, "name"));
	snprintf(out->encrypt, sizeof out->encrypt, "%s", strcmp(encrypt, "default") == 0 ? "" : encrypt);
	json_array_foreach(json_object_get(contact, "carriers"), i, carrier)
		if (out->carrier_count < CARD_PERSON_CARRIERS_MAX)
			snprintf(out->carriers[out->carrier_count++], sizeof out->carriers[0], "%s", json_string_value(carrier));
}

static int
print_card(json_t *contact)
{
	struct buffer key, card;
	struct card_person person;
	struct error err = { 0 };
	read_person(contact, &person);
	buffer_init(&key, ENCODE_BASE64_LEN(OPENPGP_AUTOCRYPT_MAX_BYTES));
	buffer_init(&card, CARD_PERSON_MAX_BYTES);
	int result = read_key(contact, &key, &err);
	if (result == 0)
		result = card_person_write(&person, slice_of(buffer_bytes(&key), buffer_len(&key)), &card, &err);
	if (result == 0)
		fwrite(buffer_bytes(&card), 1, buffer_len(&card), stdout);
	buffer_finish(&card);
	buffer_finish(&key);
	return result == 0 ? CLI_OK : cli_fail(&err);
}

int
cmd_contact_export(struct cli *cli)
{
	char identity[33];
	json_t *people = json_array(), *contact = NULL;
	size_t i;
	int status;
	if (cli->argument_count > 0) {
		status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_KEY, &contact);
		json_array_append_new(people, contact != NULL ? contact : json_null());
	} else {
		status = contact_book_identity(cli, identity);
		if (status == CLI_OK)
			status = contact_book_load(cli, identity, CONTACT_BOOK_KEY, people);
	}
	json_array_foreach(people, i, contact)
		if (status == CLI_OK && (cli->argument_count > 0 || !json_is_true(json_object_get(contact, "stranger"))))
			status = print_card(contact);
	json_decref(people);
	return status == CLI_OK ? cli_end_output() : status;
}

/* ---- in */

struct import {
	const struct cli *cli;
	const char *identity;
	size_t added, known, keys, left_out;
};

/* Gives the node a key that the owner has. Returns 0, or -1. */
static int
give_key(const struct cli *cli, const char *identity, const char *address, struct slice file, bool in_person, struct openpgp_key *key, struct error *err)
{
	struct buffer binary;
	char base64[ENCODE_BASE64_LEN(OPENPGP_AUTOCRYPT_MAX_BYTES) + 1];
	buffer_init(&binary, OPENPGP_AUTOCRYPT_MAX_BYTES);
	int result = openpgp_minimal(file, key, &binary, err);
	if (result == 0) {
		encode_base64(base64, buffer_bytes(&binary), buffer_len(&binary));
		json_t *asked = json_pack("{s:s, s:s, s:s, s:s}", "name", identity, "address", address, "fingerprint", key->fingerprint, "key", base64);
		if (in_person)
			json_object_set_new(asked, "how", json_string("in-person"));
		result = client_call(&cli->paths, "contact.key", asked, CLIENT_TIMEOUT_MS, NULL, err);
	}
	buffer_finish(&binary);
	return result;
}

/* Whoever is there already keeps what is known of them. *is_new: they were not. */
static int
add(struct import *in, const struct card_person *person, bool *is_new, struct error *err)
{
	json_t *result = NULL;
	*is_new = client_call(&in->cli->paths, "contact.add", json_pack("{s:s, s:s, s:s}", "name", in->identity, "address", person->address, "called",
	    person->name), CLIENT_TIMEOUT_MS, NULL, err) == 0;
	if (*is_new)
		return 0;
	struct error why = *err;
	if (client_call(&in->cli->paths, "contact.show", json_pack("{s:s, s:s}", "name", in->identity, "address", person->address), CLIENT_TIMEOUT_MS,
	        &result, err) != 0) {
		*err = why;
		return -1;
	}
	json_decref(result);
	return 0;
}

/* Strangers are not in the book for its owner. */
static bool
is_known(const struct import *in, const char *address)
{
	json_t *result = NULL;
	bool is = client_call(&in->cli->paths, "contact.show", json_pack("{s:s, s:s}", "name", in->identity, "address", address), CLIENT_TIMEOUT_MS,
	    &result, NULL) == 0 && json_is_false(json_object_get(json_array_get(json_object_get(result, "items"), 0), "stranger"));
	json_decref(result);
	return is;
}

/* A card that its onion has signed says more than the others. */
static int
add_signed(struct import *in, struct slice card, struct error *err)
{
	return client_call(&in->cli->paths, "card.add", json_pack("{s:s, s:s#}", "name", in->identity, "text", card.data, (int)card.len),
	    CLIENT_TIMEOUT_MS, NULL, err);
}

/* A file may make it stricter. Less strict only the owner makes it: who writes such a file might want to read what is sent. */
static int
take_encryption(const struct import *in, const struct card_person *person, struct error *err)
{
	char word[ADDRESS_WORD_MAX + 1];
	if (strcmp(person->encrypt, "require") == 0)
		return client_call(&in->cli->paths, "contact.encrypt", json_pack("{s:s, s:s, s:s}", "name", in->identity, "address", person->address, "encrypt",
		    person->encrypt), CLIENT_TIMEOUT_MS, NULL, err);
	if (strcmp(person->encrypt, "prefer") == 0 || strcmp(person->encrypt, "never") == 0)
		fprintf(stderr, "smtorp: %s: the file says '%s' of encrypting to them, which is not taken from a file. If you want it: "
		    "smtorp contact edit --identity %s --encrypt %s %s\n", person->address, person->encrypt, in->identity, person->encrypt,
		    address_as_word(person->address, word));
	return 0;
}

static int
take_carriers(const struct import *in, const struct card_person *person, struct error *err)
{
	char list[CARD_PERSON_CARRIERS_MAX * (ADDRESS_MAX + 1) + 1] = "";
	size_t len = 0;
	for (size_t i = 0; i < person->carrier_count; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "%s\n", person->carriers[i]);
	return len == 0 ? 0 : client_call(&in->cli->paths, "contact.carry", json_pack("{s:s, s:s, s:s}", "name", in->identity, "address",
	    person->address, "note", list), CLIENT_TIMEOUT_MS, NULL, err);
}

static void
take(struct import *in, struct slice card)
{
	struct card_person person;
	struct buffer key;
	struct openpgp_key known;
	struct error err = { 0 };
	bool is_new = false;
	buffer_init(&key, CARD_PERSON_KEY_MAX_BYTES);
	int result = card_person_parse(card, &person, &key, &err);
	if (result == 0 && person.is_signed) {
		is_new = !is_known(in, person.address);
		if (is_new)
			result = add_signed(in, card, &err);
		in->added += result == 0 && is_new;
		in->known += result == 0 && !is_new;
	} else if (result == 0) {
		result = add(in, &person, &is_new, &err);
		in->added += result == 0 && is_new;
		in->known += result == 0 && !is_new;
		if (result == 0 && is_new && buffer_len(&key) > 0) {
			result = give_key(in->cli, in->identity, person.address, slice_of(buffer_bytes(&key), buffer_len(&key)), false, &known, &err);
			in->keys += result == 0;
		}
		if (result == 0 && is_new)
			result = take_encryption(in, &person, &err);
		if (result == 0 && is_new)
			result = take_carriers(in, &person, &err);
	}
	if (result != 0) {
		in->left_out++;
		fprintf(stderr, "smtorp: %s: %s\n", person.address[0] != '\0' ? person.address : "a card is left out", err.text);
	}
	buffer_finish(&key);
}

static int
load(const char *path, struct buffer *out)
{
	struct error err = { 0 };
	int fd = strcmp(path, "-") == 0 ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return cli_fail_with(CLI_FAILED, "cannot open %s: %s", path, strerror(errno));
	int result = file_read_all(fd, out, &err);
	file_close(&fd);
	return result == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "%s: %s", path, err.text);
}

int
cmd_contact_import(struct cli *cli)
{
	char identity[33];
	struct import in = { .cli = cli, .identity = identity };
	struct buffer text;
	struct slice card;
	buffer_init(&text, FILE_MAX_BYTES);
	int status = contact_book_identity(cli, identity);
	if (status == CLI_OK)
		status = load(cli->arguments[0], &text);
	struct slice rest = slice_of(buffer_bytes(&text), buffer_len(&text));
	while (status == CLI_OK && card_find(rest, &card)) {
		const unsigned char *end = card.data + card.len;
		take(&in, card);
		rest = slice_of(end, (size_t)(rest.data + rest.len - end));
	}
	buffer_finish(&text);
	if (status != CLI_OK)
		return status;
	if (in.added + in.known + in.left_out == 0)
		return cli_fail_with(CLI_FAILED, "there is no card in %s: no lines from " CARD_FIRST_LINE " to END:VCARD", cli->arguments[0]);
	if (cli_has(cli, "json"))
		status = view_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I}", "identity", identity, "added", (json_int_t)in.added, "known",
		    (json_int_t)in.known, "keys", (json_int_t)in.keys, "left_out", (json_int_t)in.left_out));
	else {
		printf("%zu %s added to the address book of %s, %zu %s in it already, and %zu %s left out.\n", in.added, in.added == 1 ? "person was" :
		    "people were", identity, in.known, in.known == 1 ? "was" : "were", in.left_out, in.left_out == 1 ? "card was" : "cards were");
		status = cli_end_output();
	}
	return status == CLI_OK && in.added + in.known == 0 ? CLI_FAILED : status;
}

/* ---- a key alone */

int
cmd_contact_take_key(struct cli *cli, json_t *contact, const char *path)
{
	struct buffer file;
	struct openpgp_key key;
	struct error err = { 0 };
	char group[CONTACT_BOOK_FINGERPRINT_TEXT];
	buffer_init(&file, OPENPGP_ARMOURED_MAX_BYTES);
	int status = load(path, &file);
	if (status == CLI_OK && give_key(cli, view_text(contact, "identity"), view_text(contact, "address"),
	        slice_of(buffer_bytes(&file), buffer_len(&file)), cli_has(cli, "in-person"), &key, &err) != 0)
		status = cli_fail(&err);
	buffer_finish(&file);
	if (status != CLI_OK || cli_has(cli, "json"))
		return status;
	printf("What you write to %s is encrypted to\n  %s\n", contact_book_called(contact), contact_book_group(key.fingerprint, group));
	return cli_end_output();
}
