/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "contacts/contacts_internal.h"

/* One line of the list, as contacts have addresses. */
static int
read_carrier(struct slice line, const struct contact *contact, char out[ADDRESS_MAX + 1], struct error *err)
{
	struct address address;
	if (contacts_address(line, &address, out, err) != 0)
		return -1;
	if (strcmp(address.onion, contact->onion) == 0)
		return error_set(err, ERROR_INVALID, "%s is at the onion of whom it is to carry for, and away when they are", out);
	return 0;
}

/* The next line of a list, without its end; false: there is none. Empty ones do not count. */
static bool
next_line(struct slice *rest, struct slice *line)
{
	do {
		const unsigned char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
		size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
		*line = slice_of(rest->data, len);
		len += end != NULL;
		*rest = slice_of(rest->data + len, rest->len - len);
	} while (line->len == 0 && rest->len > 0);
	return line->len > 0;
}

struct carriers {
	char addresses[CONTACTS_CARRIERS_MAX][ADDRESS_MAX + 1];
	size_t count;
};

/* Each once, at its first place. */
static int
read_list(struct slice list, const struct contact *contact, struct carriers *out, struct error *err)
{
	struct slice line;
	char carrier[ADDRESS_MAX + 1];
	while (next_line(&list, &line)) {
		bool is_there = false;
		if (read_carrier(line, contact, carrier, err) != 0)
			return -1;
		for (size_t i = 0; i < out->count; i++)
			is_there = is_there || strcmp(out->addresses[i], carrier) == 0;
		if (is_there)
			continue;
		if (out->count == CONTACTS_CARRIERS_MAX)
			return error_set(err, ERROR_TOO_LARGE, "at most %d carriers are kept for each contact", CONTACTS_CARRIERS_MAX);
		memcpy(out->addresses[out->count++], carrier, sizeof carrier);
	}
	return 0;
}

int
contacts_set_carriers(struct contacts *c, struct slice address, struct slice list, struct error *err)
{
	struct contact contact;
	struct carriers carriers = { 0 };
	struct statement *forget = c->statements[CONTACTS_SQL_CARRIERS_FORGET], *add = c->statements[CONTACTS_SQL_CARRIER_ADD];
	if (contacts_find_or_say(c, address, &contact, err) != 0 || read_list(list, &contact, &carriers, err) != 0)
		return -1;
	statement_bind_int(forget, 1, (int64_t)contact.id);
	int result = statement_run(forget, err);
	for (size_t i = 0; result == 0 && i < carriers.count; i++) {
		statement_bind_int(add, 1, (int64_t)contact.id);
		statement_bind_int(add, 2, (int64_t)i);
		statement_bind_string(add, 3, carriers.addresses[i]);
		result = statement_run(add, err);
	}
	return result;
}

int
contacts_look_carriers(struct contacts *c, uint64_t contact, contacts_take_carrier *take, void *context, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_CARRIERS];
	char address[ADDRESS_MAX + 1];
	int row;
	statement_bind_int(s, 1, (int64_t)contact);
	while ((row = statement_step(s, err)) == 1) {
		slice_to_string(statement_bytes(s, 0), address, sizeof address);
		if (!take(context, address))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}
