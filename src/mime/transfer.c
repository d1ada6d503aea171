/* SPDX-License-Identifier: ISC */
#include "mime/transfer.h"

#include <gmime/gmime.h>
#include <stdio.h>

#include "mime/header.h"

#define WORD_MAX 32

/* *word: in lower case, without what stands around it; "" when the field is not there. */
static int
find_encoding(struct slice header, char word[WORD_MAX + 1], struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	unsigned count = 0;
	int got;
	word[0] = '\0';
	header_scan_init(&scan, header);
	while ((got = header_scan_next(&scan, &field, err)) == 1) {
		if (!slice_is_nocase(field.name, "Content-Transfer-Encoding"))
			continue;
		size_t len = 0;
		for (size_t i = 0; i < field.value.len; i++)
			if (!g_ascii_isspace(field.value.data[i]) && len < WORD_MAX)
				word[len++] = g_ascii_tolower(field.value.data[i]);
		word[len] = '\0';
		count++;
	}
	return got == 0 && count > 1 ? error_set(err, ERROR_INVALID, "a part says twice how it is encoded") : got;
}

int
transfer_decode(struct slice header, struct slice content, struct buffer *out, struct error *err)
{
	char word[WORD_MAX + 1];
	GMimeEncoding decoder;
	if (find_encoding(header, word, err) != 0)
		return -1;
	GMimeContentEncoding encoding = g_mime_content_encoding_from_string(word);
	if (encoding != GMIME_CONTENT_ENCODING_BASE64 && encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE) {
		if (word[0] != '\0' && strcmp(word, "7bit") != 0 && strcmp(word, "8bit") != 0 && strcmp(word, "binary") != 0)
			return error_set(err, ERROR_INVALID, "a part is encoded in a way that is not known");
		return buffer_append(out, content.data, content.len, err);
	}
	g_mime_encoding_init_decode(&decoder, encoding);
	unsigned char *room = buffer_reserve(out, g_mime_encoding_outlen(&decoder, content.len), err);
	if (room == NULL)
		return -1;
	size_t len = g_mime_encoding_step(&decoder, (const char *)content.data, content.len, (char *)room);
	len += g_mime_encoding_flush(&decoder, "", 0, (char *)room + len);
	buffer_commit(out, len);
	return 0;
}
