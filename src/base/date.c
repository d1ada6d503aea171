/* SPDX-License-Identifier: ISC */
#include "base/date.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400

/* Days since 1970 to year, month (1-12) and day, in the proleptic Gregorian calendar. gmtime_r would do, but it reads
 * the time zone's file on its way. */
static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t shifted = days + 719468; /* days since 1 March of year 0, where leap days end the year */
	int64_t era = shifted / 146097;
	int64_t day_of_era = shifted % 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
	*month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* What can be written in four digits. */
static int64_t
within_reach(int64_t time_s)
{
	return time_s < 0 ? 0 : time_s > DATE_LAST_S ? DATE_LAST_S : time_s;
}

void
date_format(int64_t time_s, char out[DATE_TEXT_SIZE])
{
	static const char *const weekdays[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }; /* 1970 began on a Thursday */
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int year, month, day;
	time_s = within_reach(time_s);
	civil_from_days(time_s / DAY_S, &year, &month, &day);
	unsigned second = (unsigned)(time_s % DAY_S);
	snprintf(out, DATE_TEXT_SIZE, "%s, %d %s %04d %02u:%02u:%02u +0000", weekdays[time_s / DAY_S % 7], day,
	    months[month - 1], year, second / 3600, second / 60 % 60, second % 60);
}

void
date_format_stamp(int64_t time_s, char out[DATE_STAMP_SIZE])
{
	int year, month, day;
	time_s = within_reach(time_s);
	civil_from_days(time_s / DAY_S, &year, &month, &day);
	snprintf(out, DATE_STAMP_SIZE, "%04u%02u%02uT000000Z", (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100);
}

static unsigned
number(const unsigned char *digits, size_t count)
{
	unsigned value = 0;
	for (size_t i = 0; i < count; i++)
		value = value * 10 + (digits[i] - '0');
	return value;
}

/* The other way round than civil_from_days(). */
static int64_t
days_from_civil(unsigned year, unsigned month, unsigned day)
{
	int64_t year_from_march = (int64_t)year - (month <= 2), era = year_from_march / 400, year_of_era = year_from_march % 400;
	int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int
date_from_stamp(struct slice text, int64_t *time_s)
{
	static const char form[] = "ddddddddTddddddZ";
	char again[DATE_STAMP_SIZE];
	if (text.len != sizeof form - 1)
		return -1;
	for (size_t i = 0; i < text.len; i++)
		if (form[i] == 'd' ? text.data[i] < '0' || text.data[i] > '9' : text.data[i] != (unsigned char)form[i])
			return -1;
	unsigned year = number(text.data, 4), month = number(text.data + 4, 2), day = number(text.data + 6, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || number(text.data + 9, 2) > 23 || number(text.data + 11, 2) > 59 ||
	    number(text.data + 13, 2) > 60)
		return -1;
	*time_s = days_from_civil(year, month, day) * DAY_S;
	date_format_stamp(*time_s, again); /* finds days that no month has */
	return memcmp(again, text.data, 8) == 0 ? 0 : -1;
}
