/* SPDX-License-Identifier: ISC */
#include "cli/cmd_status.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/view.h"

#define RECENT_S 120 /* what happened to the network is told so long */

static void
print_tor(json_t *status)
{
	json_t *tor = json_object_get(status, "tor");
	long long percent = view_number(tor, "bootstrap");
	const char *version = view_text(tor, "version");
	printf("tor           %s%s%s\n", version[0] != '\0' ? version : "starting", percent == 100 ? ", connected" : "",
	    percent == 100 ? "" : ", connecting");
	if (percent < 100)
		printf("              %lld %% %s\n", percent, view_text(tor, "phase"));
	if (view_text(tor, "hint")[0] != '\0')
		printf("              %s\n", view_text(tor, "hint"));
	if (view_text(tor, "network_event")[0] != '\0' && view_number(tor, "network_event_s") < RECENT_S)
		printf("              %s %lld s ago, retrying\n", view_text(tor, "network_event"), view_number(tor, "network_event_s"));
	if (view_text(tor, "control")[0] != '\0')
		printf("              not the node's own: %s\n", view_text(tor, "control"));
	if (view_number(tor, "bridges") > 0)
		printf("              by way of bridges: %lld\n", view_number(tor, "bridges"));
}

static void
print_limits(json_t *status)
{
	json_t *limits = json_object_get(status, "limits");
	long long allowed = view_number(limits, "open_files"), wanted = view_number(limits, "open_files_wanted");
	if (allowed >= wanted)
		return;
	printf("open files    %lld are few where %lld would do: strangers can have fewer connections at a time;\n"
	    "              raise LimitNOFILE= of the service, or ulimit -n, and start the node again\n", allowed, wanted);
}

static void
print_endpoint(const char *label, json_t *endpoints, const char *name, const char *with)
{
	json_t *endpoint = json_object_get(endpoints, name);
	if (endpoint != NULL)
		printf("%-14s%s:%lld %s\n", label, view_text(endpoint, "host"), view_number(endpoint, "port"), with);
}

static void
print_identities(const struct paths *paths, json_t *status)
{
	size_t i;
	json_t *row, *rows = json_object_get(status, "identities");
	printf("\nIdentities\n");
	if (json_array_size(rows) == 0)
		printf("  none yet: `smtorp identity new NAME` makes one\n");
	json_array_foreach(rows, i, row) {
		char address[ADDRESS_MAX + 1], state[VIEW_STATE_MAX];
		view_row_address(paths, row, address);
		printf("  %s (%s)\n    %s\n", view_text(row, "name"), view_state_text(status, view_text(row, "name"), state), address);
		if (view_text(row, "trouble")[0] != '\0')
			printf("    %s\n", view_text(row, "trouble"));
	}
}

static void
print_process(const char *name, json_t *row, bool is_ready)
{
	printf("  %-34s", name);
	if (view_number(row, "pid") > 0)
		printf("%7lld", view_number(row, "pid"));
	else
		printf("%7s", "-");
	if (!is_ready)
		printf("  not ready");
	if (view_number(row, "silent_s") > 0)
		printf("  has not answered for %lld s", view_number(row, "silent_s"));
	if (view_number(row, "restarts") > 0)
		printf("  restarted %lld times", view_number(row, "restarts"));
	putchar('\n');
}

/* What is no role: the log, and programs that are not ours; tor has a role of the same name beside it. */
static void
print_program(json_t *row)
{
	char name[80];
	snprintf(name, sizeof name, "%.32s (program)", view_text(row, "name"));
	print_process(name, row, true);
}

static void
print_processes(json_t *status)
{
	size_t i;
	json_t *row;
	printf("\nProcesses                           process id\n");
	json_array_foreach(json_object_get(status, "roles"), i, row) {
		char name[80];
		const char *identity = view_text(row, "identity");
		snprintf(name, sizeof name, "%.30s%s%.32s", view_text(row, "role"), identity[0] != '\0' ? "@" : "", identity);
		print_process(name, row, json_is_true(json_object_get(row, "ready")));
	}
	json_array_foreach(json_object_get(status, "programs"), i, row)
		print_program(row);
}

/* One line when all roles are alike, as they are but for a moment. */
static void
print_sandbox(json_t *status)
{
	size_t i, ready = 0, filtered = 0, landlocked = 0;
	json_t *row;
	long long version = 0;
	bool wide = true;
	json_array_foreach(json_object_get(status, "roles"), i, row) {
		json_t *sandbox = json_object_get(row, "sandbox");
		ready += json_is_true(json_object_get(row, "ready"));
		filtered += json_is_true(json_object_get(sandbox, "seccomp"));
		landlocked += view_number(sandbox, "landlock") > 0;
		if (view_number(sandbox, "landlock") > version)
			version = view_number(sandbox, "landlock");
	}
	printf("sandbox       seccomp holds %zu of %zu processes, ", filtered, ready);
	if (landlocked > 0)
		printf("Landlock (version %lld) %zu of %zu\n", version, landlocked, ready);
	else
		printf("and this kernel has no Landlock\n");
	json_array_foreach(json_object_get(status, "programs"), i, row)
		if (strcmp(view_text(row, "name"), "tor") == 0 || strcmp(view_text(row, "name"), "dovecot") == 0)
			wide &= json_is_true(json_object_get(json_object_get(row, "sandbox"), "seccomp"));
	if (wide)
		printf("              a wider filter holds smtorpd and the programs that it starts\n");
}

int
cmd_status_main(struct cli *cli)
{
	struct error err;
	json_t *status = NULL;
	if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, &err) != 0)
		return cli_fail(&err);
	if (cli_has(cli, "json"))
		return view_print_json(status);
	json_t *endpoints = json_object_get(status, "endpoints");
	printf("folder        %s\n", cli->paths.data);
	print_tor(status);
	print_endpoint("sending", endpoints, "submission", "(STARTTLS)");
	print_endpoint("", endpoints, "submissions", "(TLS)");
	print_endpoint("reading", endpoints, "imap", "(IMAP, STARTTLS)");
	print_endpoint("", endpoints, "imaps", "(IMAP, TLS)");
	print_limits(status);
	print_sandbox(status);
	print_identities(&cli->paths, status);
	print_processes(status);
	json_decref(status);
	return cli_end_output();
}
