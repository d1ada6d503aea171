/* SPDX-License-Identifier: ISC */
#include "cli/up_show.h"

#include <string.h>

#include "cli/view.h"

void
up_show_init(struct up_show *show, const struct paths *paths, FILE *out)
{
	memset(show, 0, sizeof *show);
	show->paths = paths;
	progress_init(&show->progress, out);
}

void
up_show_finish(struct up_show *show)
{
	progress_clear(&show->progress);
	json_decref(show->last);
	show->last = NULL;
}

static long long
bootstrap(json_t *status)
{
	return view_number(json_object_get(status, "tor"), "bootstrap");
}

static void
show_published(struct up_show *show, json_t *row)
{
	const char *name = view_text(row, "name");
	char address[ADDRESS_MAX + 1];
	view_row_address(show->paths, row, address);
	bool is_told = strncmp(address, name, strlen(name)) == 0 && address[strlen(name)] == '@';
	progress_say(&show->progress, "published: %s%s%s%s", address, is_told ? "" : " (", is_told ? "" : name, is_told ? "" : ")");
}

static void
show_identity(struct up_show *show, json_t *row)
{
	const char *name = view_text(row, "name"), *state = view_text(row, "state");
	json_t *before = view_row(show->last, name);
	if (before != NULL && strcmp(view_text(before, "state"), state) == 0)
		return;
	if (strcmp(state, "published") == 0)
		show_published(show, row);
	else if (strcmp(state, "failed") == 0)
		progress_say(&show->progress, "%s cannot be published: %s", name, view_text(row, "detail"));
	else if (strcmp(state, "locked") == 0)
		progress_say(&show->progress, "%s is locked: `smtorp unlock %s` asks for its passphrase", name, name);
	else if (before != NULL && strcmp(view_text(before, "state"), "published") == 0)
		progress_say(&show->progress, "%s is not published any more; the node tries again", name);
}

static void
show_pair(struct up_show *show, json_t *endpoints, const char *what, const char *with_starttls, const char *with_tls)
{
	json_t *first = json_object_get(endpoints, with_starttls), *second = json_object_get(endpoints, with_tls);
	if (first != NULL && second != NULL)
		progress_say(&show->progress, "%s %s:%lld (STARTTLS) or %s:%lld (TLS)", what, view_text(first, "host"),
		    view_number(first, "port"), view_text(second, "host"), view_number(second, "port"));
}

static void
show_endpoints(struct up_show *show, json_t *status)
{
	json_t *endpoints = json_object_get(status, "endpoints");
	show_pair(show, endpoints, "Mail programs send to", "submission", "submissions");
	show_pair(show, endpoints, "and read by IMAP from", "imap", "imaps");
	progress_say(&show->progress, "`smtorp mua NAME` prints settings for them.");
}

/* What helps when tor gets stuck, and what happened to the machine's network: once each. */
static void
show_news(struct up_show *show, json_t *tor)
{
	json_t *before = json_object_get(show->last, "tor");
	const char *hint = view_text(tor, "hint"), *event = view_text(tor, "network_event");
	if (hint[0] != '\0' && strcmp(hint, view_text(before, "hint")) != 0)
		progress_say(&show->progress, "%s", hint);
	bool is_new = before == NULL || strcmp(event, view_text(before, "network_event")) != 0 ||
	    view_number(tor, "network_event_s") < view_number(before, "network_event_s");
	if (event[0] != '\0' && is_new)
		progress_say(&show->progress, "%s %lld s ago, retrying", event, view_number(tor, "network_event_s"));
}

static void
show_tor(struct up_show *show, json_t *status)
{
	json_t *tor = json_object_get(status, "tor");
	show_news(show, tor);
	if (bootstrap(status) < 100) {
		if (show->last != NULL && bootstrap(show->last) == 100)
			progress_say(&show->progress, "tor has lost its connection or has been started again");
		progress_show(&show->progress, "tor", (int)bootstrap(status), view_text(tor, "phase"));
	} else if (show->last == NULL || bootstrap(show->last) < 100)
		progress_say(&show->progress, "tor %s is connected%s (100 %%).", view_text(tor, "version"),
		    view_number(tor, "bridges") > 0 ? " by way of a bridge" : "");
}

/* Once, when tor stands for the first time. */
static void
show_ready(struct up_show *show, json_t *status)
{
	if (show->has_shown_ready || bootstrap(status) < 100)
		return;
	show->has_shown_ready = true;
	show_endpoints(show, status);
	if (json_array_size(json_object_get(status, "identities")) == 0)
		progress_say(&show->progress, "No identity yet. In another terminal: `smtorp identity new alice --wait`");
}

bool
up_show_status(struct up_show *show, json_t *status)
{
	size_t i, waiting = 0;
	json_t *row, *rows = json_object_get(status, "identities");
	show_tor(show, status);
	show_ready(show, status);
	json_array_foreach(rows, i, row) {
		show_identity(show, row);
		waiting += strcmp(view_text(row, "state"), "waiting") == 0;
	}
	json_decref(show->last);
	show->last = status;
	if (bootstrap(status) == 100 && waiting > 0) {
		char text[64];
		snprintf(text, sizeof text, "%zu of %zu identities to go", waiting, json_array_size(rows));
		progress_show(&show->progress, "publishing", -1, text);
	} else if (bootstrap(status) == 100)
		progress_clear(&show->progress);
	return bootstrap(status) == 100 && waiting == 0;
}
