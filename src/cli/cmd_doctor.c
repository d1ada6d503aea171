/* SPDX-License-Identifier: ISC
 *
 * `smtorp doctor`: looks at onions through tor, as an adversary would, and says what it found.
 */
#include "cli/cmd_doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/doctor_node.h"
#include "cli/view.h"
#include "config/config.h"
#include "loop/tls.h"

const struct cli_option cmd_doctor_options[] = {
	{ "onion", "ADDRESS", "look at another onion of yours instead, which needs not belong to this node" },
	{ "json", NULL, "print JSON, at the end" },
	{ 0 },
};

struct check {
	const char *name; /* NULL ends a list */
	doctor_check *run;
	bool is_needed;   /* when it fails, the others have nothing to look at */
};

static const struct check onion_checks[] = {
	{ "reach", doctor_reach, true },
	{ "banner", doctor_banner, false },
	{ "certificate", doctor_certificate, false },
	{ "tls", doctor_tls, false },
	{ "starttls", doctor_starttls, false },
	{ "auth", doctor_auth, false },
	{ "relay", doctor_relay, false },
	{ "siblings", doctor_siblings, false },
	{ "mailbox", doctor_mailbox, false },
	{ "smuggling", doctor_smuggling, false },
	{ "limits", doctor_limits, false },
	{ 0 },
};

static const struct check node_checks[] = {
	{ "clock", doctor_clock, false },
	{ "tor", doctor_system_tor, false },
	{ "sandbox", doctor_sandbox, false },
	{ "files", doctor_files, false },
	{ 0 },
};

/* Looks at name, which is shown; with JSON, appends an object to all. */
static void
run_checks(struct doctor *d, const struct check *checks, const char *name, json_t *all)
{
	if (all != NULL) {
		d->report->findings = json_array();
		json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "identity", d->identity != NULL ? d->identity : "", "onion", d->onion,
		    "findings", d->report->findings));
	} else
		printf("%s%s%s\n", name, strcmp(name, d->onion) != 0 && d->onion[0] != '\0' ? "  " : "", strcmp(name, d->onion) != 0 ? d->onion : "");
	fflush(stdout);
	for (const struct check *check = checks; check->name != NULL; check++) {
		struct error err = { 0 };
		d->report->check = check->name;
		if (d->report->progress.is_terminal)
			progress_show(&d->report->progress, "looking at", -1, check->name);
		if (check->run(d, &err) == 0)
			continue;
		report_add(d->report, REPORT_UNKNOWN, check->is_needed ? "Look at `smtorp status` and `smtorp logs`, and try again." :
		    "Try again: Tor's circuits break now and then.", "%s%s", check->is_needed ? "" : "this could not be looked at to the end: ", err.text);
		if (check->is_needed)
			break;
	}
	progress_clear(&d->report->progress);
}

/* ---- what to look at */

/* What the identity's folder knows. */
static void
load_identity(struct doctor *d, const char *name)
{
	struct identity identity;
	int fd;
	if (identity_open_all(d->paths->data, false, &fd, NULL) != 0)
		return;
	if (identity_load(fd, name, &identity, NULL) == 0)
		snprintf(d->local_part, sizeof d->local_part, "%s", identity.local_part);
	if (identity_load_fingerprint(fd, name, d->fingerprint, NULL) != 0)
		d->fingerprint[0] = '\0';
	file_close(&fd);
}

/* Any other identity of the node that is published. */
static void
find_sibling(struct doctor *d)
{
	size_t i;
	json_t *row;
	struct doctor other = { .paths = d->paths };
	d->sibling[0] = '\0';
	json_array_foreach(json_object_get(d->status, "identities"), i, row) {
		if (strcmp(view_text(row, "onion"), d->onion) == 0 || d->sibling[0] != '\0')
			continue;
		snprintf(d->sibling, sizeof d->sibling, "%s", view_text(row, "onion"));
		load_identity(&other, view_text(row, "name"));
		snprintf(d->sibling_local_part, sizeof d->sibling_local_part, "%s", other.local_part[0] != '\0' ? other.local_part : "postmaster");
	}
}

/* Looks at d->onion. */
static void
examine(struct doctor *d, json_t *all)
{
	if (d->identity != NULL)
		find_sibling(d);
	d->host = d->identity != NULL ? d->machine->host : "";
	d->full_host = d->identity != NULL ? d->machine->full_host : "";
	run_checks(d, onion_checks, d->identity != NULL ? d->identity : d->onion, all);
}

static int
examine_identities(struct doctor *d, const char *only, json_t *all)
{
	size_t i, seen = 0;
	json_t *row;
	if (only == NULL)
		run_checks(d, node_checks, "the node itself", all);
	json_array_foreach(json_object_get(d->status, "identities"), i, row) {
		const char *name = view_text(row, "name"), *state = view_text(row, "state");
		if (only != NULL && strcmp(only, name) != 0)
			continue;
		if (strcmp(state, "published") != 0) {
			if (only != NULL)
				return cli_fail_with(CLI_FAILED, "%s is not published (%s): nobody can reach it, nor can this", name, state);
			fprintf(stderr, "Identity %s is left out: it is not published (%s).\n", name, state);
			continue;
		}
		d->identity = name;
		snprintf(d->onion, sizeof d->onion, "%s", view_text(row, "onion"));
		load_identity(d, name);
		examine(d, all);
		seen++;
	}
	if (seen == 0 && only != NULL)
		return cli_fail_with(CLI_NOT_FOUND, "there is no identity %s; `smtorp identity list` lists them", only);
	if (seen == 0)
		return cli_fail_with(CLI_NOT_FOUND, "no identity is published yet; `smtorp status` tells why");
	return CLI_OK;
}

static int
examine_onion(struct doctor *d, const char *text, json_t *all)
{
	struct error err;
	struct address address;
	const char *at = strrchr(text, '@');
	int failed = at != NULL ? address_parse(slice_of_string(text), &address, &err) :
	    address_parse_domain(slice_of_string(text), &address, &err);
	if (failed != 0)
		return cli_fail_with(CLI_USAGE, "'%s' names no onion: %s", text, err.text);
	snprintf(d->onion, sizeof d->onion, "%s", address.onion);
	snprintf(d->fingerprint, sizeof d->fingerprint, "%s", address.fingerprint);
	snprintf(d->local_part, sizeof d->local_part, "%s", at != NULL ? address.local_part : "");
	examine(d, all);
	return CLI_OK;
}

/* ---- */

static int
prepare(struct cli *cli, struct doctor *d)
{
	struct error err;
	struct config *config = calloc(1, sizeof *config);
	int status = CLI_OK;
	if (config == NULL)
		return cli_fail_with(CLI_FAILED, "not enough memory");
	if (config_load(cli->paths.config_file, config, &err) != 0 ||
	    client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &d->status, &err) != 0 ||
	    tls_context_new_client(&d->tls, &err) != 0)
		status = cli_fail(&err);
	else if (config->tor_socks[0] != '\0')
		snprintf(d->tor, sizeof d->tor, "%s", config->tor_socks);
	else
		snprintf(d->tor, sizeof d->tor, "%s/tor/socks", cli->paths.runtime);
	free(config);
	return status;
}

/* What is wrong counts before what could not be looked at. */
static int
end_status(const struct report *report, int status)
{
	if (report->count[REPORT_WRONG] > 0)
		return CLI_FOUND_WRONG;
	if (status != CLI_OK)
		return status;
	return report->count[REPORT_UNKNOWN] > 0 ? CLI_FAILED : CLI_OK;
}

int
cmd_doctor_main(struct cli *cli)
{
	const char *onion = cli_option_value(cli, "onion"), *only = cli->argument_count > 0 ? cli->arguments[0] : NULL;
	struct machine *machine;
	struct report report = { 0 };
	struct doctor d = { .report = &report, .paths = &cli->paths };
	if (onion != NULL && only != NULL)
		return cli_fail_with(CLI_USAGE, "say NAME or --onion, not both");
	if ((d.machine = machine = calloc(1, sizeof *machine)) == NULL)
		return cli_fail_with(CLI_FAILED, "not enough memory");
	json_t *all = cli_has(cli, "json") ? json_array() : NULL;
	tls_library_init();
	progress_init(&report.progress, stderr);
	machine_look(machine);
	machine_add(machine, cli->paths.data);
	d.loop = loop_new();
	int status = prepare(cli, &d);
	if (status == CLI_OK)
		status = onion != NULL ? examine_onion(&d, onion, all) : examine_identities(&d, only, all);
	bool has_looked = report.count[REPORT_OK] + report.count[REPORT_WARNING] + report.count[REPORT_WRONG] + report.count[REPORT_UNKNOWN] > 0;
	if (has_looked && all != NULL)
		view_print_json(json_incref(all));
	else if (has_looked)
		printf("%u ok, %u warnings, %u wrong, %u could not be tested\n", report.count[REPORT_OK], report.count[REPORT_WARNING],
		    report.count[REPORT_WRONG], report.count[REPORT_UNKNOWN]);
	json_decref(all);
	json_decref(d.status);
	tls_context_free(d.tls);
	loop_free(d.loop);
	free(machine);
	if (cli_end_output() != CLI_OK)
		return CLI_FAILED;
	return end_status(&report, status);
}
