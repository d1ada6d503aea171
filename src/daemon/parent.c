/* SPDX-License-Identifier: ISC */
#include "daemon/parent.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/secret.h"
#include "config/exits.h"

static struct parent parent = { .lock_fd = -1, .data_fd = -1, .identities_fd = -1, .node_fd = -1, .runtime_fd = -1,
	.notify.manager.fd = -1, .log = { .read_fd = -1, .folder_fd = -1, .stderr_fd = -1 },
	.listeners = { .submission = -1, .submissions = -1, .sendmail = -1, .control = -1 } };

/* ---- the end */

static void
end_phase(enum stop_phase phase)
{
	for (struct process *p = parent.processes; p != NULL; p = p->next)
		if (p->kind->stop_phase == phase)
			parent_process_end(p);
}

static void
on_sweep(void *context)
{
	(void)context;
	parent_identity_sweep(&parent);
	parent_notify_look(&parent);
	if (!parent.stopping)
		return;
	while (parent.stop_phase < STOP_PHASES && !parent_process_any_is_running(&parent, parent.stop_phase))
		if (++parent.stop_phase < STOP_PHASES)
			end_phase(parent.stop_phase);
	if (parent.stop_phase == STOP_PHASES)
		loop_stop(parent.loop);
}

void
parent_sweep_soon(struct parent *p)
{
	timer_start(p->sweep, 0);
}

static void
on_deadline(void *context)
{
	(void)context;
	for (struct process *p = parent.processes; p != NULL; p = p->next) {
		if (p->pid == 0)
			continue;
		log_warn("%s does not end in time and is killed", p->name);
		kill(p->pid, SIGKILL);
	}
}

void
parent_stop(struct parent *p)
{
	if (p->stopping)
		return;
	log_info("ending");
	parent_notify_stopping(p);
	p->stopping = true;
	p->stop_phase = STOP_INTAKE;
	for (struct process *each = p->processes; each != NULL; each = each->next)
		each->wanted = false;
	end_phase(STOP_INTAKE);
	if (p->dovecot.enabled)
		parent_process_end(&p->dovecot.program); /* it takes its time, which nobody has to wait for */
	timer_start(p->deadline, PARENT_GRACE_MS);
	parent_sweep_soon(p);
}

/* ---- signals */

static void
on_end_signal(void *context)
{
	(void)context;
	parent_stop(&parent);
}

static void
on_hangup(void *context)
{
	(void)context;
	log_info("SIGHUP changes nothing: smtorpd reads its configuration when it starts");
}

static void
on_child(void *context)
{
	(void)context;
	parent_process_reap(&parent);
}

/* ---- the beginning */

static int
take_bridges(struct error *err)
{
	struct error why = { 0 };
	for (unsigned i = 0; i < parent.bridges.count; i++)
		if (config_add_line(&parent.config.tor_bridge, slice_of_string(parent.bridges.text[i]), &why) != 0)
			return error_set(err, why.code, "tor.bridge with --bridge %s", why.text);
	return 0;
}

static int
set_up(struct error *err)
{
	parent_setup_limits();
	parent.loop = loop_new();
	if (parent_tor_write_torrc(&parent, err) != 0 || parent_tor_system_setup(&parent, err) != 0 ||
	    parent_listen_open(&parent, err) != 0 ||
	    parent_log_start(&parent, err) != 0)
		return -1;
	parent.sweep = timer_new(parent.loop, on_sweep, NULL);
	parent.deadline = timer_new(parent.loop, on_deadline, NULL);
	loop_on_signal(parent.loop, SIGCHLD, on_child, NULL);
	loop_on_signal(parent.loop, SIGTERM, on_end_signal, NULL);
	loop_on_signal(parent.loop, SIGINT, on_end_signal, NULL);
	loop_on_signal(parent.loop, SIGHUP, on_hangup, NULL);
	parent_network_open(&parent);
	parent_role_watch_all(&parent);
	parent_control_init(&parent);
	parent_tor_init(&parent);
	parent_role_init(&parent.control, &parent, ROLE_CONTROL, NULL);
	parent_role_init(&parent.sign, &parent, ROLE_SIGN, NULL);
	parent_role_init(&parent.submission, &parent, ROLE_SUBMISSION, NULL);
	if (parent_identity_load_all(&parent, err) != 0)
		return -1;
	return parent_dovecot_init(&parent, err);
}

static void
run(void)
{
	log_info("node in %s, process %d", parent.paths.data, (int)getpid());
	parent_process_want(&parent.control.process);
	parent_process_want(&parent.sign.process);
	parent_tor_want(&parent);
	parent_process_want(&parent.submission.process);
	parent_identity_start_all(&parent);
	if (parent.dovecot.enabled)
		parent_process_want(&parent.dovecot.program);
	parent_notify_look(&parent);
	loop_run(parent.loop);
}

static void
finish(void)
{
	parent_identity_free_all(&parent);
	parent_dovecot_finish(&parent);
	parent_tor_finish(&parent);
	parent_role_finish(&parent.control);
	parent_role_finish(&parent.sign);
	parent_role_finish(&parent.submission);
	parent_log_finish(&parent);
	parent_listen_close(&parent);
	parent_control_finish(&parent);
	parent_network_close(&parent);
	timer_free(parent.pulse);
	timer_free(parent.sweep);
	timer_free(parent.deadline);
	loop_free(parent.loop);
	parent_setup_remove_runtime(&parent);
	parent_notify_close(&parent);
	file_close(&parent.runtime_fd);
	file_close(&parent.node_fd);
	file_close(&parent.identities_fd);
	file_close(&parent.data_fd);
	file_close(&parent.lock_fd);
}

/* The exit status that belongs to what failed before the node was up. */
static int
exit_of(enum error_code code)
{
	switch (code) {
	case ERROR_INVALID:
		return EXITS_CONFIGURATION;
	case ERROR_EXISTS:
		return EXITS_RUNS_ALREADY;
	case ERROR_UNSUPPORTED:
		return EXITS_TOR_TOO_OLD;
	case ERROR_NO_SPACE:
		return EXITS_DISK_FULL;
	default:
		return EXIT_FAILURE;
	}
}

static int
start_fails(const struct error *err, int status)
{
	log_error("%s", err->text);
	return status;
}

static int
main_with_home(const char *home)
{
	struct error err = { 0 };
	if (paths_resolve(home, &parent.paths, &err) != 0)
		return start_fails(&err, EXITS_WRONG_USE);
	if (config_load(parent.paths.config_file, &parent.config, &err) != 0 || take_bridges(&err) != 0)
		return start_fails(&err, EXITS_CONFIGURATION);
	if (parent_check_programs(&parent, &err) != 0)
		return start_fails(&err, err.code == ERROR_NOT_FOUND ? EXITS_NO_PROGRAM : exit_of(err.code));
	if (parent_setup_home(&parent, &err) != 0)
		return start_fails(&err, exit_of(err.code));
	parent_notify_open(&parent);
	int status;
	if (set_up(&err) != 0)
		status = start_fails(&err, err.code == ERROR_BUSY ? EXITS_PORT_IN_USE : exit_of(err.code));
	else {
		run();
		status = parent.exit_status;
	}
	finish();
	return status;
}

static void
print_help(void)
{
	puts("usage: smtorpd [--home FOLDER] [--bridge LINE ...]\n"
	     "\n"
	     "Runs a node in the foreground: mail between onion services (see smtorp(1)).\n"
	     "\n"
	     "  --home FOLDER  where the node lives (default: SMTORP_HOME, else the XDG folders)\n"
	     "  --bridge LINE  reach Tor through this bridge, too (as tor.bridge in smtorp.conf)\n"
	     "  --help         this text\n"
	     "  --version      the version");
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "home", required_argument, NULL, 'H' },
		{ "bridge", required_argument, NULL, 'b' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' }, { NULL, 0, NULL, 0 } };
	const char *home = NULL;
	struct error err = { 0 };
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'H':
			home = optarg;
			break;
		case 'b':
			if (config_add_line(&parent.bridges, slice_of_string(optarg), &err) != 0) {
				fprintf(stderr, "smtorpd: --bridge %s\n", err.text);
				return EXITS_WRONG_USE;
			}
			break;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		case 'v':
			puts("smtorpd " SMTORP_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXITS_WRONG_USE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "smtorpd takes no arguments but options; see smtorpd --help\n");
		return EXITS_WRONG_USE;
	}
	random_init();
	log_init("parent", LOG_LEVEL_INFO);
	if (geteuid() == 0 || getuid() == 0) {
		log_error("smtorpd does not run as root: it needs no such rights. Run it as the user whose mail it is");
		return EXITS_WRONG_USE;
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox_enter_parent(&parent.holds, &err) != 0)
		return start_fails(&err, exit_of(err.code));
	secret_shield_process(); /* password hashes pass through; no program that it starts writes core files either */
	return main_with_home(home);
}
