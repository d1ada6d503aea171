/* SPDX-License-Identifier: ISC */
#include "daemon/content_findings.h"

#include <ctype.h>
#include <string.h>

#include "card/invitation.h"
#include "ipc/pack.h"
#include "mime/transfer.h"
#include "notice/notice.h"
#include "seal/entity.h"

#define LEVELS_MAX 4
#define LOOKED_MAX_BYTES (1024 * 1024) /* of a message in a file nothing is looked for: who sends a card sends no film with it */

static const struct {
	const char *type;
	char kind;
} kinds[] = {
	{ "text/vcard", '0' + FINDING_CARD },
	{ "application/smtorp-notice", '0' + FINDING_NOTICE },
	{ INVITATION_TYPE, '0' + FINDING_INVITATION },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static bool
has_word(struct slice text, const char *word)
{
	const size_t len = strlen(word);
	const unsigned char *at = text.data, *end = at + text.len;
	while ((at = memchr(at, '/', (size_t)(end - at))) != NULL) { /* rarer than letters */
		const size_t before = (size_t)(strchr(word, '/') - word);
		if ((size_t)(at - text.data) >= before && (size_t)(end - at) >= len - before &&
		    strncasecmp((const char *)at - before, word, len) == 0)
			return true;
		at++;
	}
	return false;
}

bool
content_findings_are_likely(const struct body *message)
{
	if (message->file_bytes > 0 || message->bytes.len > LOOKED_MAX_BYTES)
		return false;
	for (size_t i = 0; i < KINDS; i++)
		if (has_word(message->bytes, kinds[i].type))
			return true;
	return false;
}

/* A notice is verified here, where strangers' bytes are read; what goes on is in the one form that it has. */
static int
verify_notice(struct buffer *text, struct error *err)
{
	struct notice notice;
	if (notice_parse(slice_of(buffer_bytes(text), buffer_len(text)), &notice, err) != 0)
		return -1;
	buffer_consume(text, buffer_len(text));
	return notice_write(&notice, text, err);
}

static int
take(const struct entity *part, char kind, struct buffer *out, struct error *err)
{
	struct buffer decoded;
	struct error why = { 0 };
	buffer_init(&decoded, CONTENT_FINDING_MAX_BYTES);
	int result = transfer_decode(part->header, part->body, &decoded, &why);
	if (result == 0 && kind == '0' + FINDING_NOTICE)
		result = verify_notice(&decoded, &why);
	if (result == 0 && (pack_string(out, slice_of(&kind, 1), err) != 0 ||
	    pack_string(out, slice_of(buffer_bytes(&decoded), buffer_len(&decoded)), err) != 0))
		result = 1;
	buffer_finish(&decoded);
	return result == 1 || why.code == ERROR_NO_MEMORY ? -1 : 0; /* what is malformed is no finding */
}

static int
walk(struct slice bytes, unsigned level, size_t *count, struct buffer *out, struct error *err)
{
	struct slice parts[ENTITY_PARTS_MAX];
	struct entity entity;
	size_t parts_count;
	if (*count == CONTENT_FINDINGS_MAX || entity_read(bytes, &entity, NULL) != 0)
		return 0;
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(entity.type, kinds[i].type) == 0) {
			(*count)++;
			return take(&entity, kinds[i].kind, out, err);
		}
	if (strncmp(entity.type, "multipart/", 10) != 0 || level == LEVELS_MAX ||
	    entity_split(&entity, parts, ENTITY_PARTS_MAX, &parts_count, NULL) != 0)
		return 0;
	for (size_t i = 0; i < parts_count; i++)
		if (walk(parts[i], level + 1, count, out, err) != 0)
			return -1;
	return 0;
}

int
content_findings(struct slice message, struct buffer *out, struct error *err)
{
	size_t count = 0;
	return walk(message, 0, &count, out, err);
}
