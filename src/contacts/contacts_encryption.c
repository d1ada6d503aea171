/* SPDX-License-Identifier: ISC */
#include "contacts/contacts_internal.h"

enum contacts_encryption
contacts_read_encryption(int64_t value)
{
	if (value == CONTACTS_ENCRYPTION_DEFAULT || value == CONTACTS_ENCRYPTION_PREFERRED || value == CONTACTS_ENCRYPTION_NEVER)
		return (enum contacts_encryption)value;
	return CONTACTS_ENCRYPTION_REQUIRED; /* what a later version may have written: nothing leaves in clear by mistake */
}

int
contacts_set_encryption(struct contacts *c, struct slice address, enum contacts_encryption wanted, struct error *err)
{
	struct contact contact;
	if ((int)wanted < CONTACTS_ENCRYPTION_DEFAULT || wanted > CONTACTS_ENCRYPTION_NEVER)
		return error_set(err, ERROR_INVALID, "mail to somebody is encrypted by default, prefer, require or never");
	if (contacts_find_or_say(c, address, &contact, err) != 0)
		return -1;
	struct statement *s = c->statements[wanted == CONTACTS_ENCRYPTION_DEFAULT ? CONTACTS_SQL_ENCRYPTION_UNSET : CONTACTS_SQL_ENCRYPTION_SET];
	statement_bind_int(s, 1, (int64_t)contact.id);
	if (wanted != CONTACTS_ENCRYPTION_DEFAULT)
		statement_bind_int(s, 2, wanted);
	return statement_run(s, err);
}

int
contacts_look_moved_encryption(struct contacts *c, contacts_take_encryption *take, void *context, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_ENCRYPTION_MOVED];
	char address[ADDRESS_MAX + 1];
	int row;
	while ((row = statement_step(s, err)) == 1) {
		slice_to_string(statement_bytes(s, 0), address, sizeof address);
		if (!take(context, address, contacts_read_encryption(statement_int(s, 1))))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}
