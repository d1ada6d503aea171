/* SPDX-License-Identifier: ISC */
#include "base/date.h"

#include <stdio.h>

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

void
date_format(int64_t time_s, char out[DATE_TEXT_SIZE])
{
	static const char *const weekdays[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }; /* 1970 began on a Thursday */
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int year, month, day;
	if (time_s < 0)
		time_s = 0;
	if (time_s > DATE_LAST_S)
		time_s = DATE_LAST_S;
	civil_from_days(time_s / DAY_S, &year, &month, &day);
	unsigned second = (unsigned)(time_s % DAY_S);
	snprintf(out, DATE_TEXT_SIZE, "%s, %d %s %04d %02u:%02u:%02u +0000", weekdays[time_s / DAY_S % 7], day,
	    months[month - 1], year, second / 3600, second / 60 % 60, second % 60);
}
