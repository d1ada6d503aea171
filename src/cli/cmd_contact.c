/* SPDX-License-Identifier: ISC */
#include "cli/cmd_contact.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "address/address.h"
#include "card/person.h"
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/cmd_card.h"
#include "cli/contact_book.h"
#include "cli/contact_graph.h"
#include "cli/contact_why.h"
#include "cli/view.h"
#include "cli/wrap.h"

#define CARRIERS_MAX_BYTES 4096 /* as the node takes them */

#define IDENTITY_OPTION { "identity", "NAME", "of this identity's address book; needed when several could be meant" }
#define WIDTH 100

const struct cli_option cmd_contact_options[] = {
	IDENTITY_OPTION,
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_contact_add_options[] = {
	IDENTITY_OPTION,
	{ "name", "TEXT", "what you call them" },
	{ "in-person", NULL, "they gave you the card themselves: their key counts as verified" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_contact_edit_options[] = {
	IDENTITY_OPTION,
	{ "name", "TEXT", "what you call them from now on; '' for nothing" },
	{ "key", "FILE", "take the OpenPGP key in this file for theirs" },
	{ "in-person", NULL, "with --key: they gave it to you themselves, so it is verified" },
	{ "carriers", "LIST", "who takes mail for them while they are away: addresses or names with commas between them, or none" },
	{ "encrypt", "WORD", "mail to them: prefer, require or never, or default for what the identity does" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_contact_delete_options[] = {
	IDENTITY_OPTION,
	{ "yes", NULL, "do not ask" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_contact_list_options[] = {
	{ "identity", "NAME", "only the address book of this identity" },
	{ "strangers", NULL, "those who wrote to you, and whom you have not added or answered" },
	{ "introduced", NULL, "those who were introduced to you, and whom you have not accepted or refused" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_contact_introduce_options[] = {
	IDENTITY_OPTION,
	{ "to", "WHOM", "to whom: an address, or somebody of the address book" },
	{ "note", "TEXT", "what you say to them about it" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_contact_graph_options[] = {
	IDENTITY_OPTION,
	{ "format", "FORMAT", "dot (the default; for graphviz) or svg (for a browser)" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- printing */

static const char *
trust_in_words(json_t *contact)
{
	const char *trust = view_text(contact, "trust");
	if (strcmp(trust, "verified") == 0)
		return view_number(contact, "vouching") >= 2 ? "verified: introducers agree" : "verified";
	if (strcmp(trust, "introduced") == 0)
		return "introduced by one";
	if (json_is_null(json_object_get(contact, "fingerprint")))
		return "no key of theirs is known";
	return "not verified";
}

static const char *
how_in_words(json_t *contact)
{
	const char *how = view_text(contact, "how");
	return strcmp(how, "scanned") == 0 ? "you took in their card" :
	    strcmp(how, "introduced") == 0 ? "introduced" :
	    strcmp(how, "wrote-first") == 0 ? "they wrote first" : "you added or wrote to the address";
}

static void
print_contact(json_t *contact)
{
	char day[11], heard[11], word[ADDRESS_WORD_MAX + 1];
	contact_why_day(view_number(contact, "since"), day);
	contact_why_day(view_number(contact, "heard"), heard);
	printf("%s", view_text(contact, "address"));
	if (view_text(contact, "name")[0] != '\0')
		printf(" (%s)", view_text(contact, "name"));
	printf("\n  %s; since %s, %s%s%s\n", trust_in_words(contact), day, how_in_words(contact),
	    view_number(contact, "heard") != 0 ? "; last mail " : "", view_number(contact, "heard") != 0 ? heard : "");
	const char *encrypt = view_text(contact, "encrypt");
	if (strcmp(encrypt, "default") != 0)
		printf("  %s\n", strcmp(encrypt, "require") == 0 ? "nothing goes to them without being encrypted" :
		    strcmp(encrypt, "never") == 0 ? "nothing to them is encrypted" : "what goes to them is encrypted if it can be");
	json_t *move = json_object_get(contact, "move");
	if (json_is_object(move))
		printf("  %s%s\n", strcmp(view_text(move, "state"), "revoked") == 0 ? "REVOKED: nothing is sent there; see `smtorp contact why`" :
		    strcmp(view_text(move, "state"), "moved") == 0 ? "MOVED: what you write to them goes to " :
		    strcmp(view_text(move, "state"), "held") == 0 ? "says that it moved, and you decide (`smtorp contact why`): to " :
		                                                      "FROZEN: it says that it moved to several places; see `smtorp contact why`. One is ",
		    view_text(move, "to"));
	if (view_number(contact, "held") > 0)
		printf("  %lld key%s held, and you decide: smtorp contact why %s\n", view_number(contact, "held"),
		    view_number(contact, "held") == 1 ? " is" : "s are", address_as_word(view_text(contact, "address"), word));
}

static void
print_keys(json_t *contact)
{
	json_t *row;
	size_t i;
	char group[CONTACT_BOOK_FINGERPRINT_TEXT], day[11];
	json_array_foreach(json_object_get(contact, "keys"), i, row) {
		const char *state = view_text(row, "state");
		contact_why_day(view_number(row, "since"), day);
		printf("  key   %s\n        %s since %s%s\n", contact_book_group(view_text(row, "fingerprint"), group),
		    strcmp(state, "counts") == 0 ? "what you write to them is encrypted to it," : state, day,
		    view_number(row, "compared") != 0 ? "; verified" : "");
	}
	json_array_foreach(json_object_get(contact, "carriers"), i, row)
		printf(i == 0 ? "  carriers, who take mail for them while they are away (nothing is given to them yet)\n        %s\n" : "        %s\n",
		    json_string_value(row));
	json_array_foreach(json_object_get(contact, "introductions"), i, row) {
		contact_why_day(view_number(row, "since"), day);
		printf("  by    %s\n        introduced the key %s on %s\n", view_text(row, "by"), contact_book_group(view_text(row, "fingerprint"), group), day);
	}
}

/* The TLS key that mail to their onion is held to, if there is one. The caller's. */
static json_t *
load_pin(const struct cli *cli, json_t *contact)
{
	json_t *result = NULL, *pin = json_null();
	const char *at = strchr(view_text(contact, "address"), '@');
	if (at != NULL)
		client_call(&cli->paths, "peer.show", json_pack("{s:s, s:s}", "name", view_text(contact, "identity"), "onion", at + 1),
		    CLIENT_TIMEOUT_MS, &result, NULL);
	if (json_array_size(json_object_get(result, "items")) == 1)
		pin = json_incref(json_array_get(json_object_get(result, "items"), 0));
	json_decref(result);
	return pin;
}

static int
print_one(const struct cli *cli, json_t *contact)
{
	json_t *pin = load_pin(cli, contact);
	if (cli_has(cli, "json")) {
		json_object_set_new(contact, "tls", pin);
		return view_print_json(json_incref(contact));
	}
	print_contact(contact);
	print_keys(contact);
	if (json_is_object(pin))
		printf("  TLS   %s\n        %s\n", view_text(pin, "fingerprint"), strcmp(view_text(pin, "state"), "changed") == 0 ?
		    "CHANGED: mail is held, see `smtorp peer list`" : "of their node; see `smtorp peer show`");
	json_decref(pin);
	return cli_end_output();
}

/* ---- list and show */

struct listing {
	json_t *all;
	bool of_strangers;
};

static int
list_identity(struct cli *cli, const char *name, void *context)
{
	struct listing *l = context;
	json_t *people = json_array(), *contact;
	size_t i;
	int status = contact_book_load(cli, name, cli_has(cli, "json") ? CONTACT_BOOK_HISTORY : CONTACT_BOOK_PEOPLE, people);
	json_array_foreach(people, i, contact)
		if (json_is_true(json_object_get(contact, "stranger")) == l->of_strangers)
			json_array_append(l->all, contact);
	json_decref(people);
	return status;
}

static int
list_introduced(struct cli *cli)
{
	json_t *proposals = json_array(), *row;
	size_t i;
	int status = contact_book_proposals(cli, NULL, proposals);
	if (cli_has(cli, "json")) {
		int ended = view_print_json(proposals);
		return status != CLI_OK ? status : ended;
	}
	if (status == CLI_OK && json_array_size(proposals) == 0)
		puts("Nobody was introduced who waits for you to accept or refuse them.");
	json_array_foreach(proposals, i, row) {
		char day[11], group[CONTACT_BOOK_FINGERPRINT_TEXT];
		contact_why_day(view_number(row, "since"), day);
		printf("%s%s%s%s\n  introduced to %s on %s by %s\n  key   %s\n", view_text(row, "address"), view_text(row, "name")[0] != '\0' ? " (" : "",
		    view_text(row, "name"), view_text(row, "name")[0] != '\0' ? ")" : "", view_text(row, "identity"), day, view_text(row, "by"),
		    contact_book_group(view_text(row, "fingerprint"), group));
	}
	json_decref(proposals);
	int ended = cli_end_output();
	return status != CLI_OK ? status : ended;
}

int
cmd_contact_list(struct cli *cli)
{
	if (cli_has(cli, "introduced"))
		return list_introduced(cli);
	struct listing l = { json_array(), cli_has(cli, "strangers") };
	const char *last = "";
	json_t *contact;
	size_t i;
	int status = view_for_identities(cli, list_identity, &l);
	if (cli_has(cli, "json")) {
		int ended = view_print_json(l.all);
		return status != CLI_OK ? status : ended;
	}
	if (status == CLI_OK && json_array_size(l.all) == 0)
		puts(l.of_strangers ? "No strangers have written." :
		    "Nobody is in the address book yet: whom you write to comes into it, and `smtorp contact add` adds people; `smtorp contact list --strangers` shows who has written to you.");
	json_array_foreach(l.all, i, contact) {
		const char *identity = view_text(contact, "identity");
		if (strcmp(identity, last) != 0)
			printf("%s%s knows:\n\n", i > 0 ? "\n" : "", identity);
		last = identity;
		print_contact(contact);
	}
	json_decref(l.all);
	int ended = cli_end_output();
	return status != CLI_OK ? status : ended;
}

int
cmd_contact_show(struct cli *cli)
{
	json_t *contact;
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_HISTORY, &contact);
	if (status == CLI_OK)
		status = print_one(cli, contact);
	json_decref(contact);
	return status;
}

int
cmd_contact_why(struct cli *cli)
{
	json_t *contact, *people = json_array();
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_HISTORY, &contact);
	if (status == CLI_OK && cli_has(cli, "json"))
		status = print_one(cli, contact);
	else if (status == CLI_OK)
		status = contact_book_load(cli, view_text(contact, "identity"), CONTACT_BOOK_PEOPLE, people);
	if (status == CLI_OK && !cli_has(cli, "json")) {
		contact_why_say(stdout, contact, people, wrap_columns(stdout, WIDTH));
		status = cli_end_output();
	}
	json_decref(people);
	json_decref(contact);
	return status;
}

int
cmd_contact_graph(struct cli *cli)
{
	char identity[33];
	json_t *people = json_array();
	const char *format = cli_option_value(cli, "format");
	bool is_svg = format != NULL && strcmp(format, "svg") == 0;
	if (format != NULL && !is_svg && strcmp(format, "dot") != 0)
		return cli_fail_with(CLI_USAGE, "the format is dot or svg, not '%s'", format);
	int status = contact_book_identity(cli, identity);
	if (status == CLI_OK)
		status = contact_book_load(cli, identity, CONTACT_BOOK_HISTORY, people);
	if (status == CLI_OK && cli_has(cli, "json"))
		return view_print_json(people);
	if (status == CLI_OK) {
		(is_svg ? contact_graph_svg : contact_graph_dot)(stdout, people, identity);
		status = cli_end_output();
	}
	json_decref(people);
	return status;
}

/* ---- changes */

int
cmd_contact_add(struct cli *cli)
{
	char identity[33];
	struct error err;
	struct address address;
	const char *name = cli_option_value(cli, "name"), *text = cli->arguments[0];
	bool is_address = address_parse(slice_of_string(text), &address, &err) == 0;
	if (!is_address && strchr(text, '@') != NULL && strpbrk(text, ":/\n") == NULL)
		return cli_fail_with(CLI_USAGE, "'%s' is no address: %s", text, err.text);
	if (is_address && cli_has(cli, "in-person"))
		return cli_fail_with(CLI_USAGE, "an address brings no key that could be verified: take their card, or `smtorp contact verify` later");
	int status = contact_book_identity(cli, identity);
	if (status != CLI_OK)
		return status;
	if (!is_address)
		return cmd_card_add(cli, identity, text);
	if (client_call(&cli->paths, "contact.add", json_pack("{s:s, s:s, s:s}", "name", identity, "address", cli->arguments[0], "called",
	        name != NULL ? name : ""), CLIENT_TIMEOUT_MS, NULL, &err) != 0)
		return cli_fail(&err);
	if (!cli_has(cli, "json")) {
		printf("%s is in the address book of %s.\n", cli->arguments[0], identity);
		return cli_end_output();
	}
	return cmd_contact_show(cli);
}

int
cmd_contact_end_change(const struct cli *cli, json_t *contact, int status)
{
	json_t *after = NULL;
	if (status == CLI_OK && cli_has(cli, "json")) {
		status = contact_book_again(cli, contact, &after);
		if (status == CLI_OK)
			status = print_one(cli, after);
	}
	json_decref(after);
	json_decref(contact);
	return status;
}

/* list: addresses and names with commas between them, or "none". */
static int
set_carriers(struct cli *cli, json_t *contact, const char *list)
{
	struct buffer lines;
	char text[ADDRESS_MAX + 1], address[ADDRESS_MAX + 1];
	int status = CLI_OK;
	buffer_init(&lines, CARRIERS_MAX_BYTES);
	if (strcmp(list, "none") == 0)
		list = "";
	while (status == CLI_OK && *list != '\0') {
		list += strspn(list, ", ");
		size_t whole = strcspn(list, ","), len = whole;
		while (len > 0 && list[len - 1] == ' ')
			len--;
		slice_to_string(slice_of(list, len), text, sizeof text);
		list += whole;
		if (len > 0)
			status = contact_book_find_other(cli, contact, text, address);
		if (len > 0 && status == CLI_OK && buffer_printf(&lines, NULL, "%s\n", address) != 0)
			status = cli_fail_with(CLI_USAGE, "these are too many carriers: name at most %d", CARD_PERSON_CARRIERS_MAX);
	}
	if (status == CLI_OK)
		status = contact_book_order(cli, "contact.carry", contact, json_pack("{s:s%}", "note", buffer_bytes(&lines) != NULL ?
		    (const char *)buffer_bytes(&lines) : "", buffer_len(&lines)));
	buffer_finish(&lines);
	return status;
}

static bool
is_encryption(const char *word)
{
	return strcmp(word, "default") == 0 || strcmp(word, "prefer") == 0 || strcmp(word, "require") == 0 || strcmp(word, "never") == 0;
}

int
cmd_contact_edit(struct cli *cli)
{
	json_t *contact;
	const char *name = cli_option_value(cli, "name"), *key = cli_option_value(cli, "key"), *encrypt = cli_option_value(cli, "encrypt");
	const char *carriers = cli_option_value(cli, "carriers");
	if (name == NULL && key == NULL && encrypt == NULL && carriers == NULL)
		return cli_fail_with(CLI_USAGE, "say what is to be changed, with --name TEXT, --key FILE, --encrypt WORD or --carriers LIST");
	if (encrypt != NULL && !is_encryption(encrypt))
		return cli_fail_with(CLI_USAGE, "--encrypt is prefer, require, never or default, not '%s'", encrypt);
	if (cli_has(cli, "in-person") && key == NULL)
		return cli_fail_with(CLI_USAGE, "--in-person belongs to --key FILE; for a key that you have already: smtorp contact verify");
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_PEOPLE, &contact);
	if (status == CLI_OK && name != NULL)
		status = contact_book_order(cli, "contact.rename", contact, json_pack("{s:s}", "called", name));
	if (status == CLI_OK && encrypt != NULL)
		status = contact_book_order(cli, "contact.encrypt", contact, json_pack("{s:s}", "encrypt", encrypt));
	if (status == CLI_OK && carriers != NULL)
		status = set_carriers(cli, contact, carriers);
	if (status == CLI_OK && key != NULL)
		status = cmd_contact_take_key(cli, contact, key);
	return cmd_contact_end_change(cli, contact, status);
}

int
cmd_contact_delete(struct cli *cli)
{
	json_t *contact;
	char answer[ASK_LINE_MAX];
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_PEOPLE, &contact);
	if (status == CLI_OK && !cli_has(cli, "yes")) {
		if (isatty(STDIN_FILENO) != 1)
			status = cli_fail_with(CLI_USAGE, "with them goes what is known of their keys: say --yes when nobody is there to be asked");
		else {
			fprintf(stderr, "With %s goes what you know of their keys, and whom they introduced loses them as an introducer.\n",
			    contact_book_called(contact));
			if (ask_line("Delete them? Type 'yes': ", false, answer) != 0 || strcmp(answer, "yes") != 0)
				status = cli_fail_with(CLI_FAILED, "nothing was changed");
		}
	}
	if (status == CLI_OK)
		status = contact_book_order(cli, "contact.delete", contact, NULL);
	if (status == CLI_OK && cli_has(cli, "json"))
		status = view_print_json(json_pack("{s:s, s:s}", "identity", view_text(contact, "identity"), "deleted", view_text(contact, "address")));
	json_decref(contact);
	return status;
}

/* ---- introducing */

int
cmd_contact_follow(struct cli *cli)
{
	json_t *contact;
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_PEOPLE, &contact);
	if (status == CLI_OK)
		status = contact_book_order(cli, "contact.follow", contact, json_pack("{s:s}", "to", cli->arguments[1]));
	if (status == CLI_OK && !cli_has(cli, "json"))
		printf("What you write to %s goes to %s from now on.\n", contact_book_called(contact), cli->arguments[1]);
	return cmd_contact_end_change(cli, contact, status);
}

int
cmd_contact_introduce(struct cli *cli)
{
	json_t *contact;
	char to[ADDRESS_MAX + 1] = "";
	const char *note = cli_option_value(cli, "note");
	if (cli_option_value(cli, "to") == NULL)
		return cli_fail_with(CLI_USAGE, "say to whom, with --to WHOM");
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_PEOPLE, &contact);
	if (status == CLI_OK)
		status = contact_book_find_other(cli, contact, cli_option_value(cli, "to"), to);
	if (status == CLI_OK)
		status = contact_book_order(cli, "contact.introduce", contact, json_pack("{s:s, s:s}", "to", to, "note", note != NULL ? note : ""));
	if (status == CLI_OK && cli_has(cli, "json"))
		status = view_print_json(json_pack("{s:s, s:s, s:s}", "identity", view_text(contact, "identity"), "introduced", view_text(contact, "address"),
		    "to", to));
	else if (status == CLI_OK) {
		printf("A message with the card of %s is on its way to\n  %s\n", contact_book_called(contact), to);
		status = cli_end_output();
	}
	json_decref(contact);
	return status;
}
