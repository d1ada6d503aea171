/* SPDX-License-Identifier: ISC */
#include "daemon/mail_destinations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/address.h"
#include "ipc/pack.h"
#include "queue/record.h"

/* The onion to which a submitted recipient goes: "" for the own mailbox. *mailbox: its address in the normal form. */
static int
destination_of(const struct mail_intake_config *own, struct slice recipient, char onion[IPC_ONION_MAX + 1],
    char mailbox[ADDRESS_MAX + 1], struct error *err)
{
	struct address a;
	if (address_parse(recipient, &a, err) != 0)
		return -1;
	address_format(&a, mailbox);
	snprintf(onion, IPC_ONION_MAX + 1, "%s", a.onion);
	if (strcmp(a.onion, own->onion) != 0)
		return 0;
	onion[0] = '\0';
	struct slice local = slice_of_string(a.local_part);
	if (address_is_mailbox(local, own->local_part) || slice_is_nocase(local, "postmaster"))
		return 0;
	return error_set(err, ERROR_INVALID, "there is no such mailbox at your own address");
}

struct destination {
	char onion[IPC_ONION_MAX + 1];
	struct buffer recipients;
};

/* Whether two addresses of one onion are the same mailbox, and the label of one begins that of the other (or is not there). */
static bool
are_the_same(struct slice a, struct slice b, const char *onion)
{
	struct slice label_a = address_label_of(a, onion), label_b = address_label_of(b, onion);
	size_t shorter = label_a.len < label_b.len ? label_a.len : label_b.len;
	size_t front_a = a.len - label_a.len - (label_a.len > 0), front_b = b.len - label_b.len - (label_b.len > 0);
	return front_a == front_b && memcmp(a.data, b.data, front_a - strlen(onion)) == 0 &&
	    (shorter == 0 || memcmp(label_a.data, label_b.data, shorter) == 0);
}

/* Adds a mailbox to a list. One that is named twice, with a fingerprint and without, stands there once, by the form that
 * asks for more. */
static int
add_once(struct buffer *recipients, struct slice mailbox, const char *onion, struct error *err)
{
	struct slice list = slice_of(buffer_bytes(recipients), buffer_len(recipients)), each;
	if (onion[0] == '\0') /* the own mailbox, however it is called */
		return pack_string(recipients, mailbox, err);
	struct buffer kept;
	char longest[ADDRESS_MAX + 1];
	int result = 0;
	buffer_init(&kept, IPC_RECIPIENTS_MAX);
	while (result == 0 && pack_next(&list, &each))
		if (!are_the_same(each, mailbox, onion)) {
			result = pack_string(&kept, each, err);
		} else if (each.len > mailbox.len) {
			memcpy(longest, each.data, each.len);
			mailbox = slice_of(longest, each.len);
		}
	if (result == 0)
		result = pack_string(&kept, mailbox, err);
	buffer_finish(recipients);
	*recipients = kept;
	return result;
}

static int
add_recipient(struct destination **list, size_t *count, const char *onion, struct slice recipient, struct error *err)
{
	size_t i = 0;
	while (i < *count && strcmp((*list)[i].onion, onion) != 0)
		i++;
	if (i == *count) {
		struct destination *grown = reallocarray(*list, *count + 1, sizeof **list);
		if (grown == NULL)
			return error_set(err, ERROR_NO_MEMORY, "out of memory");
		*list = grown;
		snprintf(grown[i].onion, sizeof grown[i].onion, "%s", onion);
		buffer_init(&grown[i].recipients, IPC_RECIPIENTS_MAX);
		(*count)++;
	}
	return add_once(&(*list)[i].recipients, recipient, onion, err);
}

int
mail_destinations_group(const struct mail_intake_config *own, struct slice recipients, struct buffer *out, struct error *err)
{
	struct destination *list = NULL;
	struct slice recipient;
	char onion[IPC_ONION_MAX + 1], mailbox[ADDRESS_MAX + 1];
	size_t count = 0;
	int result = 0;
	while (result == 0 && pack_next(&recipients, &recipient)) {
		result = destination_of(own, recipient, onion, mailbox, err);
		if (result == 0)
			result = add_recipient(&list, &count, onion, slice_of_string(mailbox), err);
		if (result == 0 && own->stands_by && onion[0] == '\0')
			result = add_recipient(&list, &count, own->onion, slice_of_string(mailbox), err);
	}
	for (size_t i = 0; i < count; i++) {
		struct buffer *b = &list[i].recipients;
		if (result == 0)
			result = record_add_destination(out, slice_of_string(list[i].onion), slice_of(buffer_bytes(b), buffer_len(b)), err);
		buffer_finish(b);
	}
	free(list);
	return result;
}
