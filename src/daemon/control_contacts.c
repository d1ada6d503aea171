/* SPDX-License-Identifier: ISC */
#include "daemon/control_contacts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "contacts/moves.h"
#include "daemon/control_json.h"

static const char *const encryptions[] = { [CONTACTS_ENCRYPTION_DEFAULT] = "default", [CONTACTS_ENCRYPTION_PREFERRED] = "prefer",
	[CONTACTS_ENCRYPTION_REQUIRED] = "require", [CONTACTS_ENCRYPTION_NEVER] = "never" };

#define WORD(words, value) word((words), sizeof(words) / sizeof(words)[0], (value))

/* ---- orders */

/* A text of the request; one that is not there is empty. -1: it is none, or too long. */
static int
take_text(json_t *params, const char *name, char *out, size_t room)
{
	json_t *value = json_object_get(params, name);
	if (value == NULL)
		return 0;
	if (!json_is_string(value) || json_string_length(value) >= room || strlen(json_string_value(value)) != json_string_length(value))
		return -1;
	memcpy(out, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

static int
take_number(json_t *params, const char *name, uint64_t most, uint64_t *out)
{
	json_t *value = json_object_get(params, name);
	if (value != NULL && (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > most))
		return -1;
	*out = (uint64_t)json_integer_value(value);
	return 0;
}

/* The number of a word in a list; 0 when it is not said. */
static int
take_word(json_t *params, const char *name, const char *const *words, size_t count, uint8_t *out)
{
	json_t *value = json_object_get(params, name);
	const char *said = json_string_value(value);
	*out = 0;
	for (size_t i = 0; said != NULL && i < count; i++)
		if (words[i] != NULL && strcmp(words[i], said) == 0) {
			*out = (uint8_t)i;
			return 0;
		}
	return value == NULL ? 0 : -1;
}

static int
take_key(json_t *params, struct control_contacts_order *out)
{
	json_t *value = json_object_get(params, "key");
	size_t len = sizeof out->key;
	if (value == NULL)
		return 0;
	if (!json_is_string(value) ||
	    encode_from_base64(out->key, &len, json_string_value(value), json_string_length(value), NULL) != 0)
		return -1;
	out->message.contact_request.key = slice_of(out->key, len);
	return 0;
}

int
control_contacts_order(enum ipc_contact_verb verb, json_t *params, struct control_contacts_order *out, struct error *err)
{
	static const char *const details[] = { "people", "history", "key" };
	static const char *const hows[] = { [CONTACTS_TYPED] = "typed", [CONTACTS_SCANNED] = "scanned", [CONTACTS_KEY_IN_PERSON] = "in-person" };
	uint64_t limit;
	uint8_t encryption;
	out->message = (struct ipc_message){ .type = IPC_TYPE_CONTACT_REQUEST, .fd = -1, .contact_request.verb = (uint8_t)verb };
	struct ipc_contact_request *r = &out->message.contact_request;
	if (take_text(params, "address", r->address, sizeof r->address) != 0 || 
	    (r->address[0] == '\0' && verb != CONTACT_VERB_LIST && verb != CONTACT_VERB_PROPOSALS && verb != CONTACT_VERB_NOTIFY))
		return error_set(err, ERROR_INVALID, "\"address\" is the address of a contact");
	if (take_text(params, "called", r->name, sizeof r->name) != 0)
		return error_set(err, ERROR_INVALID, "\"called\" is a name of at most %d octets", IPC_CONTACT_NAME_MAX);
	if (take_number(params, "after", INT64_MAX, &r->after) != 0 || take_number(params, "limit", UINT32_MAX, &limit) != 0)
		return error_set(err, ERROR_INVALID, "\"after\" and \"limit\" are numbers");
	if (take_word(params, "detail", details, sizeof details / sizeof *details, &r->detail) != 0)
		return error_set(err, ERROR_INVALID, "\"detail\" is people, history or key");
	if (take_word(params, "how", hows, sizeof hows / sizeof *hows, &r->how) != 0)
		return error_set(err, ERROR_INVALID, "\"how\" is typed, scanned or in-person");
	if (take_word(params, "encrypt", encryptions, sizeof encryptions / sizeof *encryptions, &encryption) != 0 ||
	    (verb == CONTACT_VERB_ENCRYPT && json_object_get(params, "encrypt") == NULL))
		return error_set(err, ERROR_INVALID, "\"encrypt\" is default, prefer, require or never");
	if (verb == CONTACT_VERB_ENCRYPT)
		r->how = encryption;
	if (take_text(params, "fingerprint", r->fingerprint, sizeof r->fingerprint) != 0)
		return error_set(err, ERROR_INVALID, "\"fingerprint\" has %d digits", IPC_OPENPGP_FINGERPRINT_LEN);
	if (take_text(params, "to", r->to, sizeof r->to) != 0 || (r->to[0] == '\0' && (verb == CONTACT_VERB_INTRODUCE || verb == CONTACT_VERB_FOLLOW)))
		return error_set(err, ERROR_INVALID, "\"to\" is an address");
	if (json_string_length(json_object_get(params, "note")) > IPC_NOTE_MAX)
		return error_set(err, ERROR_INVALID, "\"note\" is a text of at most %d octets", IPC_NOTE_MAX);
	if (json_is_string(json_object_get(params, "note")))
		r->note = slice_of_string(json_string_value(json_object_get(params, "note")));
	if (take_key(params, out) != 0)
		return error_set(err, ERROR_INVALID, "\"key\" is a public key in base64, of at most %d octets", IPC_PUBLIC_KEY_MAX);
	r->limit = (uint32_t)limit;
	return 0;
}

/* ---- rows */

static const char *
word(const char *const *words, size_t count, unsigned value)
{
	return value < count && words[value] != NULL ? words[value] : "unknown";
}

static int
put_contact(struct buffer *out, const char *identity, const struct ipc_contact_row *row, struct error *err)
{
	static const char *const hows[] = { [CONTACTS_TYPED] = "typed", [CONTACTS_SCANNED] = "scanned", [CONTACTS_INTRODUCED] = "introduced",
		[CONTACTS_WROTE_FIRST] = "wrote-first" };
	static const char *const trusts[] = { [CONTACTS_STRANGER] = "stranger", [CONTACTS_KNOWN] = "known",
		[CONTACTS_INTRODUCED_KEY] = "introduced", [CONTACTS_VERIFIED_KEY] = "verified" };
	static const char *const fates[] = { [CONTACTS_MOVE_HELD] = "held", [CONTACTS_MOVED] = "moved", [CONTACTS_MOVES_FROZEN] = "frozen",
		[CONTACTS_ONION_REVOKED] = "revoked" };
	char id[IPC_NAME_MAX + 1 + IPC_MAILBOX_MAX + 1];
	snprintf(id, sizeof id, "%s/%s", identity, row->address);
	if (control_json_member(out, "{\"kind\":\"contact\",\"id\":", id, err) != 0 ||
	    control_json_member(out, ",\"identity\":", identity, err) != 0 || control_json_member(out, ",\"address\":", row->address, err) != 0 ||
	    control_json_member(out, ",\"name\":", row->name, err) != 0 || control_json_member(out, ",\"how\":", WORD(hows, row->how), err) != 0 ||
	    control_json_member(out, ",\"trust\":", WORD(trusts, row->state), err) != 0)
		return -1;
	if (buffer_printf(out, err, ",\"stranger\":%s,\"since\":%" PRIu64, row->is_stranger ? "true" : "false", row->since_s) != 0 ||
	    control_json_number_or_null(out, ",\"heard\":", row->changed_s, err) != 0 ||
	    control_json_number_or_null(out, ",\"verified\":", row->checked_s, err) != 0 ||
	    control_json_member_or_null(out, ",\"fingerprint\":", row->fingerprint, err) != 0)
		return -1;
	if (buffer_printf(out, err, ",\"vouching\":%" PRIu32 ",\"held\":%" PRIu32, row->count, row->held) != 0)
		return -1;
	if (control_json_member(out, ",\"encrypt\":", WORD(encryptions, row->encryption), err) != 0)
		return -1;
	if (row->fate == CONTACTS_STAYS)
		return buffer_append_string(out, ",\"move\":null}", err);
	return control_json_member(out, ",\"move\":{\"state\":", WORD(fates, row->fate), err) != 0 ||
	    control_json_member_or_null(out, ",\"to\":", row->moved, err) != 0 ||
	    control_json_member_or_null(out, ",\"other\":", row->moved_other, err) != 0 ? -1 : buffer_append_string(out, "}}", err);
}

static int
put_proposal(struct buffer *out, const char *identity, const struct ipc_contact_row *row, struct error *err)
{
	if (control_json_member(out, "{\"kind\":\"proposal\",\"identity\":", identity, err) != 0 ||
	    control_json_member(out, ",\"address\":", row->address, err) != 0 || control_json_member(out, ",\"name\":", row->name, err) != 0 ||
	    control_json_member(out, ",\"by\":", row->by, err) != 0 || control_json_member(out, ",\"fingerprint\":", row->fingerprint, err) != 0)
		return -1;
	return buffer_printf(out, err, ",\"since\":%" PRIu64 "}", row->since_s);
}

static int
put_key(struct buffer *out, const struct ipc_contact_row *row, struct error *err)
{
	static const char *const hows[] = { [CONTACTS_KEY_SIGNED] = "signed", [CONTACTS_KEY_CARD] = "card", [CONTACTS_KEY_INTRODUCED] = "introduced",
		[CONTACTS_KEY_OWNER] = "owner", [CONTACTS_KEY_IN_PERSON] = "in-person" };
	static const char *const states[] = { [CONTACTS_KEY_COUNTS] = "counts", [CONTACTS_KEY_HELD] = "held", [CONTACTS_KEY_FORMER] = "former",
		[CONTACTS_KEY_REFUSED] = "refused", [CONTACTS_KEY_REVOKED] = "revoked" };
	char base64[ENCODE_BASE64_LEN(IPC_PUBLIC_KEY_MAX) + 1];
	if (control_json_member(out, "{\"kind\":\"key\",\"contact\":", row->address, err) != 0 ||
	    control_json_member(out, ",\"fingerprint\":", row->fingerprint, err) != 0 ||
	    control_json_member(out, ",\"state\":", WORD(states, row->state), err) != 0 ||
	    control_json_member(out, ",\"how\":", WORD(hows, row->how), err) != 0 ||
	    control_json_member_or_null(out, ",\"by\":", row->by, err) != 0 ||
	    buffer_printf(out, err, ",\"since\":%" PRIu64 ",\"changed\":%" PRIu64, row->since_s, row->changed_s) != 0 ||
	    control_json_number_or_null(out, ",\"signed\":", row->signed_s, err) != 0 ||
	    control_json_number_or_null(out, ",\"compared\":", row->checked_s, err) != 0)
		return -1;
	if (row->key.len == 0)
		return buffer_append_string(out, "}", err);
	encode_base64(base64, row->key.data, row->key.len);
	return buffer_printf(out, err, ",\"key\":\"%s\"}", base64);
}

int
control_contacts_put(struct buffer *out, const char *identity, const struct ipc_contact_row *row, struct error *err)
{
	if (row->kind == CONTACT_ROW_CONTACT)
		return put_contact(out, identity, row, err);
	if (row->kind == CONTACT_ROW_KEY)
		return put_key(out, row, err);
	if (row->kind == CONTACT_ROW_PROPOSAL)
		return put_proposal(out, identity, row, err);
	if (row->kind == CONTACT_ROW_CARRIER)
		return control_json_member(out, "{\"kind\":\"carrier\",\"contact\":", row->address, err) != 0 ||
		    control_json_member(out, ",\"by\":", row->by, err) != 0 ? -1 : buffer_append_string(out, "}", err);
	if (control_json_member(out, "{\"kind\":\"introduction\",\"contact\":", row->address, err) != 0 ||
	    control_json_member(out, ",\"by\":", row->by, err) != 0 || control_json_member(out, ",\"fingerprint\":", row->fingerprint, err) != 0)
		return -1;
	return buffer_printf(out, err, ",\"since\":%" PRIu64 "}", row->since_s);
}
