/* SPDX-License-Identifier: ISC */
#include "cli/scrub_warn.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PICTURE "pictures and recordings often say in themselves when, where and with which device they were made: `exiftool` shows it"
#define DOCUMENT "documents often say in themselves who made them, when and with what: `exiftool` shows it, `mat2` makes a clean copy"
#define PROGRAM "calendars and cards say which program made them, and often whose they are"
#define MESSAGE "an attached message leaves as it is, with all its header fields: in an answer that you received, In-Reply-To and " \
	"References hold the ids of your mail program, which may name your machine; to forward it as text tells none"
#define SIGNED "what was signed leaves as it is, with all that the mail program wrote into it"

/* A type begins so. */
static const struct {
	const char *type, *text;
} types[] = {
	{ "image/", PICTURE },
	{ "video/", PICTURE },
	{ "audio/", PICTURE },
	{ "application/pdf", DOCUMENT },
	{ "application/postscript", DOCUMENT },
	{ "application/rtf", DOCUMENT },
	{ "application/msword", DOCUMENT },
	{ "application/vnd.ms-", DOCUMENT },
	{ "application/vnd.openxmlformats-", DOCUMENT },
	{ "application/vnd.oasis.opendocument", DOCUMENT },
	{ "application/zip", DOCUMENT },
	{ "text/calendar", PROGRAM },
	{ "text/vcard", PROGRAM },
	{ "text/x-vcard", PROGRAM },
	{ "message/rfc822", MESSAGE },
	{ "message/global", MESSAGE },
	{ "multipart/signed", SIGNED },
};

/* A file's name ends so, where the type says nothing. */
static const struct {
	const char *end, *text;
} ends[] = {
	{ ".jpg", PICTURE }, { ".jpeg", PICTURE }, { ".tif", PICTURE }, { ".tiff", PICTURE }, { ".heic", PICTURE },
	{ ".png", PICTURE }, { ".webp", PICTURE }, { ".mp3", PICTURE }, { ".mp4", PICTURE }, { ".mov", PICTURE },
	{ ".pdf", DOCUMENT }, { ".doc", DOCUMENT }, { ".docx", DOCUMENT }, { ".xls", DOCUMENT }, { ".xlsx", DOCUMENT },
	{ ".ppt", DOCUMENT }, { ".pptx", DOCUMENT }, { ".odt", DOCUMENT }, { ".ods", DOCUMENT }, { ".odp", DOCUMENT },
	{ ".rtf", DOCUMENT }, { ".zip", DOCUMENT }, { ".eml", MESSAGE },
};

static bool
begins(struct slice s, const char *text)
{
	size_t len = strlen(text);
	return s.len >= len && strncasecmp((const char *)s.data, text, len) == 0;
}

/* The end of the first "filename=..." or "filename*=...". */
static bool
name_ends(struct slice field, const char *end)
{
	static const char marker[] = "filename";
	const unsigned char *name = memmem(field.data, field.len, marker, sizeof marker - 1);
	if (name == NULL)
		return false;
	const unsigned char *stop = field.data + field.len;
	while (stop > name && strchr("\r\n\"; ", stop[-1]) != NULL)
		stop--;
	size_t len = strlen(end);
	return (size_t)(stop - name) > len && strncasecmp((const char *)stop - len, end, len) == 0;
}

const char *
scrub_warn_about(struct slice field)
{
	static const char type[] = "Content-Type: ", disposition[] = "Content-Disposition: ";
	if (begins(field, type)) {
		struct slice value = slice_of(field.data + sizeof type - 1, field.len - sizeof type + 1);
		for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
			if (begins(value, types[i].type))
				return types[i].text;
	}
	for (size_t i = 0; begins(field, disposition) && i < sizeof ends / sizeof ends[0]; i++)
		if (name_ends(field, ends[i].end))
			return ends[i].text;
	return NULL;
}
