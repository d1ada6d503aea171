/* SPDX-License-Identifier: ISC */
#include "cli/cmd_peer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "address/address.h"
#include "cli/client.h"
#include "cli/view.h"

const struct cli_option cmd_peer_list_options[] = {
	{ "identity", "NAME", "only the peers of this identity" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- printing */

static void
print_row(json_t *row)
{
	const char *state = view_text(row, "state"), *trust = view_text(row, "trust"), *shown = view_text(row, "shown");
	char since[32];
	view_time(view_number(row, "since"), since);
	printf("%s (%s)\n  key   %s\n", view_text(row, "id"), state, view_text(row, "fingerprint"));
	if (strcmp(trust, "noted") == 0)
		printf("        seen on %s; another one would only be noted\n", since);
	else if (strcmp(trust, "label") == 0)
		printf("        since %s; addresses have named the first %lld letters of it\n", since, view_number(row, "label_letters"));
	else
		printf("        since %s; %s\n", since, strcmp(trust, "accepted") == 0 ? "you have accepted it" :
		    "it was shown first");
	if (strcmp(state, "changed") != 0)
		return;
	view_time(view_number(row, "changed"), since);
	printf("  NOW   %s\n        since %s: mail to it is held\n", shown[0] != '\0' ? shown : "no key at all", since);
	if (shown[0] != '\0')
		printf("        Ask the person in another way than by mail. If it is right: smtorp peer accept %s/%s.%s\n",
		    view_text(row, "identity"), shown, view_text(row, "onion"));
	else
		printf("        Ask the person in another way than by mail. If it is right: smtorp peer forget %s\n", view_text(row, "id"));
}

/* ---- list */

struct listing {
	size_t count;
	json_t *all; /* NULL: print */
};

static int
list_identity(struct cli *cli, const char *name, void *context)
{
	struct listing *l = context;
	struct error err;
	json_int_t after = 0;
	bool has_more = true;
	while (has_more) {
		json_t *page = NULL, *next, *row;
		size_t i;
		if (client_call(&cli->paths, "peer.list", json_pack("{s:s, s:I}", "name", name, "after", after), CLIENT_TIMEOUT_MS,
		        &page, &err) != 0)
			return cli_fail(&err);
		next = json_object_get(page, "next");
		has_more = json_is_integer(next) && json_integer_value(next) > after;
		after = json_integer_value(next);
		json_array_foreach(json_object_get(page, "items"), i, row) {
			if (l->all != NULL)
				json_array_append(l->all, row);
			else
				print_row(row);
			l->count++;
		}
		json_decref(page);
	}
	return CLI_OK;
}

int
cmd_peer_list(struct cli *cli)
{
	struct listing l = { .all = cli_has(cli, "json") ? json_array() : NULL };
	int status = view_for_identities(cli, list_identity, &l);
	if (l.all == NULL && l.count == 0 && status == CLI_OK)
		puts("No keys are known yet: the key of a node is kept once mail went to it.");
	int ended = l.all != NULL ? view_print_json(l.all) : cli_end_output();
	return status != CLI_OK ? status : ended;
}

/* ---- one peer: [NAME/][LABEL.]ONION, or an address in the place of the last */

struct named {
	const char *identity; /* in storage; NULL: whichever knows it */
	char storage[sizeof ((struct identity *)0)->name];
	struct address address;
	json_t *rows;         /* what the identities know of it */
};

static int
parse(struct cli *cli, struct named *out)
{
	struct error err;
	const char *text = cli->arguments[0], *slash = strchr(text, '/'), *at;
	*out = (struct named){ 0 };
	if (slash != NULL) {
		if ((size_t)(slash - text) >= sizeof out->storage)
			return cli_fail_with(CLI_USAGE, "what stands before the '/' is no identity's name");
		memcpy(out->storage, text, (size_t)(slash - text));
		out->identity = out->storage;
		text = slash + 1;
	}
	at = strrchr(text, '@');
	if (address_parse_domain(slice_of_string(at != NULL ? at + 1 : text), &out->address, &err) != 0)
		return cli_fail_with(CLI_USAGE, "'%s' names no onion: %s", cli->arguments[0], err.text);
	return CLI_OK;
}

static int
look_up(struct cli *cli, const char *name, void *context)
{
	struct named *n = context;
	struct error err;
	json_t *result = NULL;
	if (client_call(&cli->paths, "peer.show", json_pack("{s:s, s:s}", "name", name, "onion", n->address.onion),
	        CLIENT_TIMEOUT_MS, &result, &err) != 0)
		return err.code == ERROR_NOT_FOUND && n->identity == NULL ? CLI_OK : cli_fail(&err);
	json_array_extend(n->rows, json_object_get(result, "items"));
	json_decref(result);
	return CLI_OK;
}

/* *row: what the node knows of the peer that the first argument names; the caller owns it. */
static int
find(struct cli *cli, struct named *n, json_t **row)
{
	int status = parse(cli, n);
	if (status != CLI_OK)
		return status;
	n->rows = json_array();
	status = n->identity != NULL ? look_up(cli, n->identity, n) : view_for_identities(cli, look_up, n);
	size_t count = json_array_size(n->rows);
	*row = json_incref(json_array_get(n->rows, 0));
	if (status == CLI_OK && count == 0)
		status = cli_fail_with(CLI_NOT_FOUND, "no key of this onion is known; `smtorp peer list` shows those that are");
	else if (status == CLI_OK && count > 1)
		status = cli_fail_with(CLI_USAGE, "several identities write to it, and know nothing of each other: say which, like %s",
		    view_text(*row, "id"));
	json_decref(n->rows);
	if (status != CLI_OK)
		json_decref(*row);
	return status;
}

int
cmd_peer_show(struct cli *cli)
{
	struct named n;
	json_t *row;
	int status = find(cli, &n, &row);
	if (status != CLI_OK)
		return status;
	if (cli_has(cli, "json"))
		return view_print_json(row);
	print_row(row);
	json_decref(row);
	return cli_end_output();
}

/* Has the node do this with the key of the peer in the row; label: the key in full, or "". Returns an exit status. */
static int
order(const struct cli *cli, const char *method, const struct named *n, json_t *row, const char *label)
{
	struct error err;
	json_t *asked = json_pack("{s:s, s:s}", "name", view_text(row, "identity"), "onion", n->address.onion);
	if (label[0] != '\0')
		json_object_set_new(asked, "label", json_string(label));
	return client_call(&cli->paths, method, asked, CLIENT_TIMEOUT_MS, NULL, &err) == 0 ? CLI_OK : cli_fail(&err);
}

int
cmd_peer_accept(struct cli *cli)
{
	struct named n;
	json_t *row;
	int status = find(cli, &n, &row);
	if (status != CLI_OK)
		return status;
	/* The key in full that the row has: were it to change again meanwhile, nobody would have looked at it. */
	const char *shown = view_text(row, "shown");
	status = order(cli, "peer.accept", &n, row, n.address.fingerprint[0] != '\0' ? n.address.fingerprint : shown);
	if (status == CLI_OK && cli_has(cli, "json")) {
		status = view_print_json(json_pack("{s:s, s:s}", "id", view_text(row, "id"), "fingerprint", shown));
	} else if (status == CLI_OK) {
		printf("The key of %s is now\n  %s\nand mail that was held is sent.\n", view_text(row, "id"), shown);
		status = cli_end_output();
	}
	json_decref(row);
	return status;
}

int
cmd_peer_forget(struct cli *cli)
{
	struct named n;
	json_t *row;
	int status = find(cli, &n, &row);
	if (status != CLI_OK)
		return status;
	status = order(cli, "peer.forget", &n, row, "");
	if (status == CLI_OK && cli_has(cli, "json")) {
		status = view_print_json(json_pack("{s:s}", "forgotten", view_text(row, "id")));
	} else if (status == CLI_OK) {
		printf("The key of %s is forgotten: whichever it shows next is taken for its own.\n", view_text(row, "id"));
		status = cli_end_output();
	}
	json_decref(row);
	return status;
}
