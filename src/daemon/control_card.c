/* SPDX-License-Identifier: ISC */
#include "daemon/control_card.h"

#include <inttypes.h>

#include "base/encode.h"
#include "card/card.h"
#include "card/invitation.h"
#include "daemon/control_json.h"

static int
put_bytes(struct buffer *out, const char *name, struct slice bytes, struct error *err)
{
	char text[ENCODE_BASE64_LEN(IPC_CARD_MAX) + 1];
	encode_base64(text, bytes.data, bytes.len);
	return buffer_printf(out, err, "%s\"%s\"", name, text);
}

int
control_card_put(struct buffer *out, const char *identity, const struct ipc_card_facts *facts, struct error *err)
{
	if (buffer_printf(out, err, "{\"identity\":\"%s\",\"kind\":\"%s\"", identity, facts->kind == CARD_PERSONAL ? "personal" : "onion") != 0 ||
	    control_json_member_or_null(out, ",\"address\":", facts->address, err) != 0 ||
	    control_json_member(out, ",\"onion\":", facts->onion, err) != 0 || control_json_member(out, ",\"called\":", facts->name, err) != 0 ||
	    control_json_member_or_null(out, ",\"tls\":", facts->tls, err) != 0 ||
	    control_json_member_or_null(out, ",\"recovery\":", facts->recovery, err) != 0 ||
	    control_json_member_or_null(out, ",\"fingerprint\":", facts->fingerprint, err) != 0 ||
	    buffer_printf(out, err, ",\"day\":%" PRIu64 ",\"sequence\":%" PRIu64, facts->day_s, facts->sequence) != 0)
		return -1;
	if (facts->secret.len == INVITATION_SECRET_BYTES) {
		char letters[INVITATION_LETTERS + 1];
		invitation_write(facts->secret.data, letters);
		if (buffer_printf(out, err, ",\"invitation\":\"%s\",\"until\":%" PRIu64, letters, facts->until_s) != 0)
			return -1;
	}
	return put_bytes(out, ",\"key\":", facts->key, err) != 0 || put_bytes(out, ",\"card\":", facts->card, err) != 0 ? -1 :
	    buffer_append_string(out, "}", err);
}
