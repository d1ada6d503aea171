/* SPDX-License-Identifier: ISC */
#include "mime/date.h"

#include <gmime/gmime.h>
#include <string.h>

#define TEXT_MAX 200

int
date_parse(struct slice value, int64_t *time_s, struct error *err)
{
	char text[TEXT_MAX + 1];
	if (value.len > TEXT_MAX || memchr(value.data, '\0', value.len) != NULL)
		return error_set(err, ERROR_INVALID, "the date is not one");
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	GDateTime *moment = g_mime_utils_header_decode_date(text);
	if (moment == NULL)
		return error_set(err, ERROR_INVALID, "the date is not one");
	*time_s = g_date_time_to_unix(moment);
	g_date_time_unref(moment);
	if (*time_s < 0 || *time_s > DATE_LAST_S)
		return error_set(err, ERROR_INVALID, "the date lies outside the years 1970 to 9999");
	return 0;
}
