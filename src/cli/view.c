/* SPDX-License-Identifier: ISC */
#include "cli/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "identity/lock.h"

json_t *
view_status(const struct paths *paths)
{
	json_t *status = NULL;
	client_call(paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, NULL);
	return status;
}

json_t *
view_row(json_t *status, const char *name)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(status, "identities"), i, row)
		if (strcmp(view_text(row, "name"), name) == 0)
			return row;
	return NULL;
}

const char *
view_state(json_t *status, const char *name)
{
	json_t *row = view_row(status, name);
	if (status == NULL)
		return "offline";
	return row != NULL ? view_text(row, "state") : "not loaded";
}

void
view_address(const struct identity *identity, char out[ADDRESS_MAX + 1])
{
	snprintf(out, ADDRESS_MAX + 1, "%s@%s", identity->local_part, identity->onion);
}

/* "" when it is not to be had. */
static void
load_fingerprint(const struct paths *paths, const struct identity *identity, char out[ADDRESS_FINGERPRINT_MAX + 1])
{
	int fd;
	out[0] = '\0';
	if (identity_open_all(paths->data, false, &fd, NULL) != 0)
		return;
	if (identity_load_fingerprint(fd, identity->name, out, NULL) != 0)
		out[0] = '\0';
	file_close(&fd);
}

/* local@fingerprint.onion, the address that names the TLS key too; local@onion when the certificate cannot be read. */
static void
write_full_address(const struct paths *paths, const struct identity *identity, char out[ADDRESS_MAX + 1])
{
	struct address address = { 0 };
	snprintf(address.local_part, sizeof address.local_part, "%s", identity->local_part);
	snprintf(address.onion, sizeof address.onion, "%s", identity->onion);
	load_fingerprint(paths, identity, address.fingerprint);
	address_format(&address, out);
}

void
view_row_address(const struct paths *paths, json_t *row, char out[ADDRESS_MAX + 1])
{
	struct identity identity;
	int fd;
	snprintf(out, ADDRESS_MAX + 1, "%s", view_text(row, "onion"));
	if (identity_open_all(paths->data, false, &fd, NULL) != 0)
		return;
	if (identity_load(fd, view_text(row, "name"), &identity, NULL) == 0)
		view_address(&identity, out);
	file_close(&fd);
}

/* Whether its keys are behind a passphrase, unlocked or not. */
static bool
has_passphrase(const struct paths *paths, const char *name)
{
	int fd, dir_fd = -1;
	if (identity_open_all(paths->data, false, &fd, NULL) != 0)
		return false;
	bool has = identity_open(fd, name, ".", &dir_fd, NULL) == 0 && lock_look(dir_fd) == LOCK_WHOLE;
	file_close(&dir_fd);
	file_close(&fd);
	return has;
}

const char *
view_state_text(json_t *status, const char *name, char out[VIEW_STATE_MAX])
{
	const char *state = view_state(status, name), *detail = view_text(view_row(status, name), "detail");
	snprintf(out, VIEW_STATE_MAX, "%s%s%s", state, detail[0] != '\0' ? ": " : "", detail);
	return out;
}

json_t *
view_identity(const struct paths *paths, const struct identity *identity, json_t *status)
{
	char address[ADDRESS_MAX + 1], full[ADDRESS_MAX + 1], fingerprint[ADDRESS_FINGERPRINT_MAX + 1];
	char path_25[PATHS_MAX + 64], path_465[PATHS_MAX + 64];
	view_address(identity, address);
	write_full_address(paths, identity, full);
	load_fingerprint(paths, identity, fingerprint);
	snprintf(path_25, sizeof path_25, "%s/onion/%s/25", paths->runtime, identity->name);
	snprintf(path_465, sizeof path_465, "%s/onion/%s/465", paths->runtime, identity->name);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:b}", "name", identity->name, "address", address,
	    "full_address", full, "fingerprint", fingerprint, "onion", identity->onion, "local_part", identity->local_part, "login", address,
	    "created", identity->created,
	    "sockets", "25", path_25, "465", path_465, "state", view_state(status, identity->name), "passphrase",
	    has_passphrase(paths, identity->name));
}

const char *
view_text(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

long long
view_number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int
view_print_json(json_t *value)
{
	if (value == NULL)
		return cli_fail_with(CLI_FAILED, "not enough memory");
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(value);
	return cli_end_output();
}

int
view_for_identities(struct cli *cli, int (*each)(struct cli *cli, const char *name, void *context), void *context)
{
	struct error err;
	const char *only = cli_option_value(cli, "identity");
	json_t *status = NULL, *row;
	size_t i;
	int result = CLI_OK;
	if (only != NULL)
		return each(cli, only, context);
	if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, &err) != 0)
		return cli_fail(&err);
	json_array_foreach(json_object_get(status, "identities"), i, row) {
		if (strcmp(view_text(row, "state"), "locked") == 0) { /* no role of it runs that could be asked */
			fprintf(stderr, "Identity %s is left out: it is locked. `%s` unlocks it.\n", view_text(row, "name"),
			    view_text(row, "detail"));
			continue;
		}
		int one = each(cli, view_text(row, "name"), context);
		if (result == CLI_OK)
			result = one;
	}
	json_decref(status);
	return result;
}

void
view_time(long long when_s, char out[32])
{
	time_t t = (time_t)when_s;
	struct tm tm;
	if (localtime_r(&t, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		out[0] = '\0';
}
