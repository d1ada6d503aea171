/* SPDX-License-Identifier: ISC */
#include "cli/contact_book.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/client.h"
#include "cli/view.h"

static const char *const details[] = { "people", "history", "key" };

/* ---- rows */

/* Rows of keys, introductions and carriers go into the contact before them. */
static void
take_rows(json_t *rows, json_t *people)
{
	size_t i;
	json_t *row, *contact = NULL;
	json_array_foreach(rows, i, row) {
		const char *kind = view_text(row, "kind");
		if (strcmp(kind, "contact") == 0) {
			contact = row;
			json_object_set_new(contact, "keys", json_array());
			json_object_set_new(contact, "introductions", json_array());
			json_object_set_new(contact, "carriers", json_array());
			json_array_append(people, contact);
		} else if (contact != NULL && strcmp(kind, "carrier") == 0) {
			json_array_append(json_object_get(contact, "carriers"), json_object_get(row, "by"));
		} else if (contact != NULL) {
			json_array_append(json_object_get(contact, strcmp(kind, "key") == 0 ? "keys" : "introductions"), row);
			json_object_del(row, "contact");
		}
		json_object_del(row, "kind");
	}
}

int
contact_book_load(const struct cli *cli, const char *identity, enum contact_book_detail detail, json_t *people)
{
	struct error err;
	json_int_t after = 0;
	bool has_more = true;
	while (has_more) {
		json_t *page = NULL;
		if (client_call(&cli->paths, "contact.list", json_pack("{s:s, s:I, s:s}", "name", identity, "after", after, "detail", details[detail]),
		        CLIENT_TIMEOUT_MS, &page, &err) != 0)
			return cli_fail(&err);
		json_t *next = json_object_get(page, "next");
		has_more = json_is_integer(next) && json_integer_value(next) > after;
		after = json_integer_value(next);
		take_rows(json_object_get(page, "items"), people);
		json_decref(page);
	}
	return CLI_OK;
}

/* ---- one */

struct wanted {
	const char *text;
	enum contact_book_detail detail;
	json_t *found;
};

static int
show(const struct cli *cli, const char *identity, const char *address, const struct wanted *w)
{
	struct error err;
	json_t *result = NULL;
	if (client_call(&cli->paths, "contact.show", json_pack("{s:s, s:s, s:s}", "name", identity, "address", address, "detail",
	        details[w->detail]), CLIENT_TIMEOUT_MS, &result, &err) != 0)
		return err.code == ERROR_NOT_FOUND && cli_option_value(cli, "identity") == NULL ? CLI_OK : cli_fail(&err);
	take_rows(json_object_get(result, "items"), w->found);
	json_decref(result);
	return CLI_OK;
}

bool
contact_book_is_called(json_t *contact, const char *text)
{
	const char *address = view_text(contact, "address");
	size_t len = strlen(text);
	if (json_is_true(json_object_get(contact, "stranger")) || len == 0)
		return false;
	return strcasecmp(view_text(contact, "name"), text) == 0 || (strncasecmp(address, text, len) == 0 && address[len] == '@');
}

static int
look_in(struct cli *cli, const char *identity, void *context)
{
	const struct wanted *w = context;
	if (strchr(w->text, '@') != NULL)
		return show(cli, identity, w->text, w);
	json_t *people = json_array(), *contact;
	size_t i;
	int status = contact_book_load(cli, identity, CONTACT_BOOK_PEOPLE, people);
	json_array_foreach(people, i, contact)
		if (status == CLI_OK && contact_book_is_called(contact, w->text))
			status = show(cli, identity, view_text(contact, "address"), w);
	json_decref(people);
	return status;
}

static int
fail_several(const struct wanted *w)
{
	json_t *contact;
	size_t i;
	bool is_one_address = strchr(w->text, '@') != NULL;
	fprintf(stderr, "smtorp: '%s' means several:\n", w->text);
	json_array_foreach(w->found, i, contact)
		fprintf(stderr, "  %s, whom %s knows\n", view_text(contact, "address"), view_text(contact, "identity"));
	return cli_fail_with(CLI_USAGE, is_one_address ? "say whose contact you mean with --identity NAME" :
	    "say which one with the address, and with --identity NAME");
}

int
contact_book_find(struct cli *cli, const char *text, enum contact_book_detail detail, json_t **contact)
{
	struct wanted w = { text, detail, json_array() };
	struct address address;
	struct error err;
	int status = CLI_OK;
	*contact = NULL;
	if (strchr(text, '@') != NULL && address_parse(slice_of_string(text), &address, &err) != 0)
		status = cli_fail_with(CLI_USAGE, "'%s' is no address: %s", text, err.text);
	else
		status = view_for_identities(cli, look_in, &w);
	if (status == CLI_OK && json_array_size(w.found) == 0)
		status = cli_fail_with(CLI_NOT_FOUND, "nobody in the address book is called '%s'; `smtorp contact list` shows who is there, "
		    "with --introduced who waits to be accepted", text);
	else if (status == CLI_OK && json_array_size(w.found) > 1)
		status = fail_several(&w);
	if (status == CLI_OK)
		*contact = json_incref(json_array_get(w.found, 0));
	json_decref(w.found);
	return status;
}

int
contact_book_again(const struct cli *cli, json_t *contact, json_t **after)
{
	struct wanted w = { view_text(contact, "address"), CONTACT_BOOK_HISTORY, json_array() };
	int status = show(cli, view_text(contact, "identity"), w.text, &w);
	*after = json_incref(json_array_get(w.found, 0));
	json_decref(w.found);
	return status != CLI_OK || *after != NULL ? status : cli_fail_with(CLI_NOT_FOUND, "%s is not in the address book any more", w.text);
}

int
contact_book_find_other(const struct cli *cli, json_t *contact, const char *text, char out[ADDRESS_MAX + 1])
{
	json_t *people = json_array(), *row, *found = NULL;
	size_t i, count = 0;
	int status = CLI_OK;
	if (strchr(text, '@') != NULL) {
		snprintf(out, ADDRESS_MAX + 1, "%s", text);
		json_decref(people);
		return CLI_OK;
	}
	status = contact_book_load(cli, view_text(contact, "identity"), CONTACT_BOOK_PEOPLE, people);
	json_array_foreach(people, i, row)
		if (contact_book_is_called(row, text)) {
			found = row;
			count++;
		}
	if (status == CLI_OK && count != 1)
		status = cli_fail_with(count == 0 ? CLI_NOT_FOUND : CLI_USAGE, count == 0 ? "nobody in the address book of %s is called '%s'" :
		    "in the address book of %s '%s' means several: say the address", view_text(contact, "identity"), text);
	if (status == CLI_OK)
		snprintf(out, ADDRESS_MAX + 1, "%s", view_text(found, "address"));
	json_decref(people);
	return status;
}

/* ---- who was introduced */

struct proposed {
	const char *text;
	json_t *out;
};

static int
look_at_proposals(struct cli *cli, const char *identity, void *context)
{
	const struct proposed *p = context;
	struct error err;
	json_t *result = NULL, *row;
	size_t i, len = p->text != NULL ? strlen(p->text) : 0;
	if (client_call(&cli->paths, "contact.proposals", json_pack("{s:s}", "name", identity), CLIENT_TIMEOUT_MS, &result, &err) != 0)
		return cli_fail(&err);
	json_array_foreach(json_object_get(result, "items"), i, row) {
		const char *address = view_text(row, "address");
		json_object_del(row, "kind");
		if (p->text == NULL || (len > 0 && strncasecmp(address, p->text, len) == 0 && (address[len] == '@' || address[len] == '\0')))
			json_array_append(p->out, row);
	}
	json_decref(result);
	return CLI_OK;
}

int
contact_book_proposals(struct cli *cli, const char *text, json_t *proposals)
{
	struct proposed p = { text, proposals };
	return view_for_identities(cli, look_at_proposals, &p);
}

/* ---- which identity */

struct only {
	char *out;
	size_t count;
};

static int
count_one(struct cli *cli, const char *identity, void *context)
{
	struct only *only = context;
	(void)cli;
	snprintf(only->out, 33, "%s", identity);
	only->count++;
	return CLI_OK;
}

int
contact_book_only(struct cli *cli, char out[33], const char *several)
{
	struct only only = { out, 0 };
	int status = view_for_identities(cli, count_one, &only);
	if (status == CLI_OK && only.count == 0)
		return cli_fail_with(CLI_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	if (status == CLI_OK && only.count > 1)
		return cli_fail_with(CLI_USAGE, "%s", several);
	return status;
}

int
contact_book_identity(struct cli *cli, char out[33])
{
	return contact_book_only(cli, out, "there are several identities, and each has an address book of its own: say which one with --identity NAME");
}

int
contact_book_order(const struct cli *cli, const char *method, json_t *contact, json_t *more)
{
	struct error err;
	json_t *asked = more != NULL ? more : json_object();
	json_object_set(asked, "name", json_object_get(contact, "identity"));
	json_object_set(asked, "address", json_object_get(contact, "address"));
	return client_call(&cli->paths, method, asked, CLIENT_TIMEOUT_MS, NULL, &err) == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- words */

int
contact_book_read_fingerprint(const char *text, char out[OPENPGP_FINGERPRINT_LEN + 1])
{
	size_t len = 0;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		if (strchr("0123456789abcdefABCDEF", *p) == NULL || len == OPENPGP_FINGERPRINT_LEN)
			return -1;
		out[len++] = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p);
	}
	out[len] = '\0';
	return len == OPENPGP_FINGERPRINT_LEN ? 0 : -1;
}

const char *
contact_book_group(const char *fingerprint, char out[CONTACT_BOOK_FINGERPRINT_TEXT])
{
	size_t len = 0;
	for (size_t i = 0; i < OPENPGP_FINGERPRINT_LEN && fingerprint[i] != '\0'; i++) {
		if (i > 0 && i % 4 == 0)
			out[len++] = ' ';
		out[len++] = fingerprint[i];
	}
	out[len] = '\0';
	return out;
}

const char *
contact_book_called(json_t *contact)
{
	const char *name = view_text(contact, "name");
	return name[0] != '\0' ? name : view_text(contact, "address");
}
