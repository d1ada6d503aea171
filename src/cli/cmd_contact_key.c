/* SPDX-License-Identifier: ISC */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "address/address.h"
#include "cli/ask.h"
#include "cli/cmd_contact.h"
#include "cli/contact_book.h"
#include "cli/view.h"

/* The fingerprint that the second argument names; else that of the only key with this state. Returns an exit status, after its text. */
static int
choose(const struct cli *cli, json_t *contact, const char *state, char out[OPENPGP_FINGERPRINT_LEN + 1])
{
	json_t *key;
	size_t i, count = 0;
	char word[ADDRESS_WORD_MAX + 1];
	if (cli->argument_count > 1) {
		if (contact_book_read_fingerprint(cli->arguments[1], out) != 0)
			return cli_fail_with(CLI_USAGE, "'%s' is no fingerprint: it has %d digits 0 to 9 and A to F", cli->arguments[1], OPENPGP_FINGERPRINT_LEN);
		return CLI_OK;
	}
	json_array_foreach(json_object_get(contact, "keys"), i, key)
		if (strcmp(view_text(key, "state"), state) == 0) {
			snprintf(out, OPENPGP_FINGERPRINT_LEN + 1, "%s", view_text(key, "fingerprint"));
			count++;
		}
	if (count == 1)
		return CLI_OK;
	if (count > 1)
		return cli_fail_with(CLI_USAGE, "several keys of theirs are held: say which one, by its fingerprint; `smtorp contact why %s` shows them",
		    address_as_word(view_text(contact, "address"), word));
	return cli_fail_with(CLI_NOT_FOUND, strcmp(state, "held") == 0 ?
	    "no key of theirs is held; `smtorp contact show %s` shows those that there are" :
	    "no key of theirs is known yet; it comes with their first signed mail, see `smtorp contact show %s`",
	    address_as_word(view_text(contact, "address"), word));
}

static int
decide(struct cli *cli, const char *method, const char *state, const char *done)
{
	json_t *contact;
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], group[CONTACT_BOOK_FINGERPRINT_TEXT];
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_HISTORY, &contact);
	if (status == CLI_OK)
		status = choose(cli, contact, state, fingerprint);
	if (status == CLI_OK)
		status = contact_book_order(cli, method, contact, json_pack("{s:s}", "fingerprint", fingerprint));
	if (status == CLI_OK && !cli_has(cli, "json")) {
		printf("The key\n  %s\n%s\n", contact_book_group(fingerprint, group), done);
		status = cli_end_output();
	}
	return cmd_contact_end_change(cli, contact, status);
}

/* Whoever was introduced, and is named without a key: CLI_NOT_FOUND without a text when nobody was. */
static int
settle(struct cli *cli, const char *method, const char *done)
{
	json_t *proposals = json_array(), *row, *first;
	size_t i;
	bool is_one = true, is_refusal = strcmp(method, "contact.refuse") == 0;
	int status = cli->argument_count > 1 ? CLI_NOT_FOUND : contact_book_proposals(cli, cli->arguments[0], proposals);
	if (status == CLI_OK && json_array_size(proposals) == 0)
		status = CLI_NOT_FOUND;
	first = json_array_get(proposals, 0);
	json_array_foreach(proposals, i, row)
		is_one = is_one && strcmp(view_text(row, "address"), view_text(first, "address")) == 0 &&
		    strcmp(view_text(row, "identity"), view_text(first, "identity")) == 0;
	if (status == CLI_OK && !is_one)
		status = cli_fail_with(CLI_USAGE, "'%s' means several; `smtorp contact list --introduced` shows their addresses, and to whom they were introduced "
		    "(--identity)", cli->arguments[0]);
	if (status == CLI_OK)
		status = contact_book_order(cli, method, first, NULL);
	if (status == CLI_OK && cli_has(cli, "json"))
		status = is_refusal ? view_print_json(json_pack("{s:s, s:s}", "identity", view_text(first, "identity"), "refused",
		    view_text(first, "address"))) : cmd_contact_end_change(cli, json_incref(first), status);
	else if (status == CLI_OK) {
		printf("%s %s\n", view_text(first, "address"), done);
		status = cli_end_output();
	}
	json_decref(proposals);
	return status;
}

int
cmd_contact_accept(struct cli *cli)
{
	int status = settle(cli, "contact.accept", "is in the address book now.");
	return status != CLI_NOT_FOUND ? status : decide(cli, "contact.accept", "held", "counts now: what you write to them is encrypted to it.");
}

int
cmd_contact_refuse(struct cli *cli)
{
	int status = settle(cli, "contact.refuse", "stays unknown.");
	return status != CLI_NOT_FOUND ? status : decide(cli, "contact.refuse", "held", "never counts, unless you accept it.");
}

/* Shows the key that counts and asks. Returns an exit status. */
static int
ask(json_t *contact)
{
	char answer[ASK_LINE_MAX], group[CONTACT_BOOK_FINGERPRINT_TEXT], word[ADDRESS_WORD_MAX + 1];
	const char *fingerprint = view_text(contact, "fingerprint");
	if (fingerprint[0] == '\0')
		return CLI_OK; /* choose() has the word */
	if (isatty(STDIN_FILENO) != 1)
		return cli_fail_with(CLI_USAGE, "say the fingerprint that they have told you: smtorp contact verify %s FINGERPRINT",
		    address_as_word(view_text(contact, "address"), word));
	fprintf(stderr, "Ask %s, face to face or by telephone and not by mail, for the fingerprint of their key (`smtorp openpgp show` tells\n"
	    "it to them). You have\n\n  %s\n\n", contact_book_called(contact), contact_book_group(fingerprint, group));
	if (ask_line("Is it the same? Type 'yes': ", false, answer) != 0 || strcmp(answer, "yes") != 0)
		return cli_fail_with(CLI_FAILED, "nothing was changed. If theirs is another one, somebody may sit in between: do not write to them before "
		    "you know");
	return CLI_OK;
}

int
cmd_contact_verify(struct cli *cli)
{
	json_t *contact;
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	int status = contact_book_find(cli, cli->arguments[0], CONTACT_BOOK_HISTORY, &contact);
	if (status == CLI_OK && cli->argument_count == 1)
		status = ask(contact);
	if (status == CLI_OK)
		status = choose(cli, contact, "counts", fingerprint);
	if (status == CLI_OK)
		status = contact_book_order(cli, "contact.verify", contact, json_pack("{s:s}", "fingerprint", fingerprint));
	if (status == CLI_OK && !cli_has(cli, "json")) {
		printf("The key of %s is verified.\n", contact_book_called(contact));
		status = cli_end_output();
	}
	return cmd_contact_end_change(cli, contact, status);
}
