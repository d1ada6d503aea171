/* SPDX-License-Identifier: ISC */
#include "cli/cmd_queue.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/rawjson.h"
#include "cli/view.h"

const struct cli_option cmd_queue_list_options[] = {
	{ "identity", "NAME", "only what this identity has sent" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_queue_retry_options[] = {
	{ "all", NULL, "everything that waits" },
	{ "identity", "NAME", "with --all: only what this identity has sent" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- one message */

/* Takes NAME/NUMBER apart. Returns the parameters of a call, NULL when it is none. */
static json_t *
parameters(const char *id)
{
	const char *slash = strchr(id, '/');
	char *end = NULL;
	if (slash == NULL || slash[1] < '0' || slash[1] > '9' || strlen(slash) > 19)
		return NULL;
	long long item = strtoll(slash + 1, &end, 10);
	return *end != '\0' ? NULL : json_pack("{s:s%, s:I}", "name", id, (size_t)(slash - id), "item", (json_int_t)item);
}

/* One call about the message that the first argument names. *out may be NULL. Returns the exit status. */
static int
call_about(struct cli *cli, const char *method, json_t **out)
{
	struct error err;
	json_t *asked = parameters(cli->arguments[0]);
	if (asked == NULL)
		return cli_fail_with(CLI_USAGE, "'%s' names no message; `smtorp queue list` shows the names, like alice/12",
		    cli->arguments[0]);
	if (client_call(&cli->paths, method, asked, CLIENT_TIMEOUT_MS, out, &err) != 0)
		return cli_fail(&err);
	return CLI_OK;
}

/* ---- printing */

/* "12 min": two digits or so of the largest fitting unit. */
static void
say_span(int64_t seconds, char out[32])
{
	if (seconds < 100)
		snprintf(out, 32, "%" PRId64 " s", seconds < 0 ? 0 : seconds);
	else if (seconds < 100 * 60)
		snprintf(out, 32, "%" PRId64 " min", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(out, 32, "%" PRId64 " h", seconds / 3600);
	else
		snprintf(out, 32, "%" PRId64 " days", seconds / 86400);
}

static void
say_size(long long bytes, char out[32])
{
	if (bytes < 1024)
		snprintf(out, 32, "%lld bytes", bytes);
	else if (bytes < 1024 * 1024)
		snprintf(out, 32, "%.1f KiB", (double)bytes / 1024);
	else
		snprintf(out, 32, "%.1f MiB", (double)bytes / (1024 * 1024));
}

/* What a line of the list shows of a row. */
struct shown {
	char id[64], address[ADDRESS_MAX + 1], text[640];
	long long recipient_count, size, arrived, tries, next_try;
};

static void
read_row(struct slice row, struct shown *out)
{
	struct slice name, value, first;
	*out = (struct shown){ .id = "" };
	while (rawjson_next_member(&row, &name, &value)) {
		if (slice_is(name, "id"))
			rawjson_text(value, out->id, sizeof out->id);
		else if (slice_is(name, "recipients") && rawjson_next_element(&value, &first))
			rawjson_text(rawjson_member(first, "address"), out->address, sizeof out->address);
		else if (slice_is(name, "recipient_count"))
			out->recipient_count = rawjson_number(value, 0);
		else if (slice_is(name, "size"))
			out->size = rawjson_number(value, 0);
		else if (slice_is(name, "arrived"))
			out->arrived = rawjson_number(value, 0);
		else if (slice_is(name, "tries"))
			out->tries = rawjson_number(value, 0);
		else if (slice_is(name, "next_try"))
			out->next_try = rawjson_number(value, 0);
		else if (slice_is(name, "text"))
			rawjson_text(value, out->text, sizeof out->text);
	}
}

static void
print_row(struct slice raw, int64_t now_s)
{
	char size[32], age[32], next[32];
	struct shown row;
	read_row(raw, &row);
	say_size(row.size, size);
	say_span(now_s - row.arrived, age);
	printf("%s  %s", row.id, row.address);
	if (row.recipient_count > 1)
		printf(" and %lld more", row.recipient_count - 1);
	printf("\n  %s, sent %s ago, %lld %s", size, age, row.tries, row.tries == 1 ? "try" : "tries");
	if (row.next_try > now_s) {
		say_span(row.next_try - now_s, next);
		printf(", next in %s", next);
	}
	printf("\n  %s\n", row.text);
}

/* ---- list */

struct listing {
	size_t count;
	bool is_json;
};

static void
print_page(struct listing *l, struct slice items)
{
	struct slice row;
	int64_t now_s = clock_wall_s();
	for (; rawjson_next_element(&items, &row); l->count++) {
		if (l->is_json) {
			fputs(l->count == 0 ? "\n" : ",\n", stdout);
			fwrite(row.data, 1, row.len, stdout);
		} else {
			print_row(row, now_s);
		}
	}
}

/* Page by page, so that neither side ever holds more than one. */
static int
list_identity(struct cli *cli, const char *name, void *context)
{
	struct error err;
	long long after = 0, next = 0;
	do {
		struct buffer line;
		struct slice page;
		after = next;
		int result = client_call_raw(&cli->paths, "queue.list", json_pack("{s:s, s:I}", "name", name, "after",
		    (json_int_t)after), CLIENT_TIMEOUT_MS, &line, &page, &err);
		for (struct slice member, value; result == 0 && rawjson_next_member(&page, &member, &value);) {
			if (slice_is(member, "items"))
				print_page(context, value);
			else if (slice_is(member, "next"))
				next = rawjson_number(value, 0);
		}
		buffer_finish(&line);
		if (result != 0)
			return cli_fail(&err);
	} while (next > after);
	return CLI_OK;
}

int
cmd_queue_list(struct cli *cli)
{
	struct listing l = { .is_json = cli_has(cli, "json") };
	if (l.is_json)
		putchar('[');
	int status = view_for_identities(cli, list_identity, &l);
	if (l.is_json)
		puts(l.count == 0 ? "]" : "\n]");
	else if (l.count == 0 && status == CLI_OK)
		puts("Nothing waits to be delivered.");
	int ended = cli_end_output();
	return status != CLI_OK ? status : ended;
}

/* ---- show */

static void
print_time(const char *label, long long when_s)
{
	char text[32];
	view_time(when_s, text);
	printf("  %-12s%s\n", label, text);
}

static void
print_whole(json_t *row)
{
	char size[32];
	size_t i;
	json_t *recipient, *next_try = json_object_get(row, "next_try");
	say_size(view_number(row, "size"), size);
	printf("%s\n  %-12s%s\n", view_text(row, "id"), "from", view_text(row, "from"));
	json_array_foreach(json_object_get(row, "recipients"), i, recipient) {
		const char *reply = view_text(recipient, "reply");
		printf("  %-12s%s\n", i == 0 ? "to" : "", view_text(recipient, "address"));
		if (reply[0] != '\0')
			printf("  %-12s  %s\n", "", reply);
	}
	if (view_number(row, "recipient_count") > (long long)i)
		printf("  %-12sand %lld more\n", "", view_number(row, "recipient_count") - (long long)i);
	printf("  %-12s%s\n", "size", size);
	print_time("sent", view_number(row, "arrived"));
	printf("  %-12s%lld\n", "tries", view_number(row, "tries"));
	if (json_is_integer(next_try))
		print_time("next try", json_integer_value(next_try));
	printf("  %-12s%s\n", "because", view_text(row, "text"));
}

int
cmd_queue_show(struct cli *cli)
{
	json_t *result = NULL;
	int status = call_about(cli, "queue.show", &result);
	if (status != CLI_OK)
		return status;
	json_t *row = json_incref(json_array_get(json_object_get(result, "items"), 0));
	json_decref(result);
	if (cli_has(cli, "json"))
		return view_print_json(row);
	print_whole(row);
	json_decref(row);
	return cli_end_output();
}

/* ---- orders */

static int
retry_identity(struct cli *cli, const char *name, void *context)
{
	struct error err;
	long long *count = context;
	json_t *result = NULL;
	if (client_call(&cli->paths, "queue.retry", json_pack("{s:s}", "name", name), CLIENT_TIMEOUT_MS, &result, &err) != 0)
		return cli_fail(&err);
	*count += view_number(result, "count");
	json_decref(result);
	return CLI_OK;
}

int
cmd_queue_retry(struct cli *cli)
{
	long long count = 0;
	bool is_all = cli_has(cli, "all");
	if (is_all == (cli->argument_count == 1) || (!is_all && cli_has(cli, "identity")))
		return cli_fail_with(CLI_USAGE, "say which: smtorp queue retry ID, or smtorp queue retry --all [--identity NAME]");
	if (!is_all) {
		int status = call_about(cli, "queue.retry", NULL);
		if (status != CLI_OK)
			return status;
		if (cli_has(cli, "json"))
			return view_print_json(json_pack("{s:i}", "retried", 1));
		printf("%s is tried now; `smtorp queue show %s` tells how it goes.\n", cli->arguments[0], cli->arguments[0]);
		return cli_end_output();
	}
	int status = view_for_identities(cli, retry_identity, &count);
	if (status == CLI_OK && cli_has(cli, "json"))
		return view_print_json(json_pack("{s:I}", "retried", (json_int_t)count));
	if (status == CLI_OK && count == 0)
		puts("Nothing waits to be delivered.");
	else if (count > 0)
		printf("%lld %s tried now; `smtorp queue list` tells how it goes.\n", count, count == 1 ? "message is" : "messages are");
	int ended = cli_end_output();
	return status != CLI_OK ? status : ended;
}

int
cmd_queue_cancel(struct cli *cli)
{
	int status = call_about(cli, "queue.cancel", NULL);
	if (status != CLI_OK)
		return status;
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s}", "cancelled", cli->arguments[0]));
	printf("%s is cancelled: it is not sent to those who still waited for it, and no report about it will come.\n",
	    cli->arguments[0]);
	return cli_end_output();
}
