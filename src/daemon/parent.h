/* SPDX-License-Identifier: ISC
 *
 * The inside of smtorpd, the parent of all processes of a node. Each group of functions below is the file that
 * its names begin with.
 *
 * The parent reads the configuration and the identities' folders, opens listening sockets, starts the others, joins
 * them by channels, and starts again what dies. It parses nothing that comes from a network; password
 * hashes and keys only pass through.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"
#include "config/paths.h"
#include "daemon/notify.h"
#include "identity/identity.h"
#include "identity/secrets.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "loop/loop.h"
#include "sandbox/sandbox.h"

struct parent;
struct process;

/* What the parent waits for a process to end by itself before it is killed. */
#define PARENT_GRACE_MS 5000

/* The order of the end: those who take mail first, those who keep it then, tor and control, the log last. */
enum stop_phase { STOP_INTAKE, STOP_MAIL, STOP_REST, STOP_LOG, STOP_PHASES };

/* ---- parent_process.c: one child process, a role or a program, started again when it dies */

struct process_kind {
	/* Starts it with parent_process_spawn(); what fails here is tried again later. */
	int (*start)(struct process *process, struct error *err);
	/* It is gone (and will be started again, when that is wanted). May be NULL. */
	void (*on_dead)(struct process *process);
	/* Asks it to end, more than once; it is killed when it has not after PARENT_GRACE_MS. */
	void (*ask_to_end)(struct process *process);
	enum stop_phase stop_phase;
	int orphan_signal; /* the kernel sends it when the parent dies; 0: none */
	bool may_end;      /* ends by itself when it has nothing to do, with exit status 0 */
};

#define PROCESS_DEATHS 5

struct process {
	const struct process_kind *kind;
	struct parent *parent;
	struct process *next;              /* all processes of the parent */
	char name[16 + IPC_NAME_MAX];      /* "mail@work", for the log */
	pid_t pid;                         /* 0: not running */
	bool wanted;                       /* is to be started (again) */
	bool ending;                       /* was asked to end, so its death is no surprise */
	unsigned restarts;                 /* how often it died without being asked to */
	int64_t started_ms, interval_ms;   /* monotonic; the wait before the next start */
	int64_t deaths_ms[PROCESS_DEATHS]; /* of the last deaths, a ring */
	unsigned deaths;
	bool said_often;
	int64_t kill_ms;                   /* when it is asked to end: what it has until then */
	struct timer *timer;               /* not running: the next start; running and asked to end: ask again or kill */
};

struct process_spawn {
	const char *program;          /* absolute */
	const char *const *arguments; /* NULL-terminated, with argv[0] */
	int fd3, fd4;                 /* handed on as descriptors 3 and 4, borrowed; -1: none */
	int directory_fd;             /* working directory, borrowed; -1: the root */
	int stdin_fd;                 /* standard input, borrowed; 0 or less: /dev/null */
	int stderr_fd;                /* standard error, borrowed; 0: the parent's */
	bool has_children;            /* under a keeper (parent_keeper.c), so that they end with it */
};

/* Adds it to the parent's list; name is copied. */
void parent_process_init(struct process *process, struct parent *parent, const struct process_kind *kind,
    const char *name);
void parent_process_finish(struct process *process); /* must not be running; takes one that was never made */
/* From now on it is to run; started at once unless it runs. */
void parent_process_want(struct process *process);
/* It is not to run any more. */
void parent_process_end(struct process *process);
/* Ends it and starts it again at once. */
void parent_process_renew(struct process *process);
/* For process_kind.start: forks and executes, with empty hands but for the descriptors named. */
int parent_process_spawn(struct process *process, const struct process_spawn *how, struct error *err);
/* Collects the dead. */
void parent_process_reap(struct parent *parent);
bool parent_process_any_is_running(const struct parent *parent, enum stop_phase up_to);

/* ---- parent_keeper.c: a process between the parent and a program that has children of its own */

/* After fork(), with all signals blocked: the calling process becomes the keeper, and a new one returns, in a
 * process group of its own, with the keeper's number. The keeper ends the program when it is asked to by SIGTERM or when
 * parent dies, ends what the program leaves behind, and exits with its status. */
pid_t parent_keeper_fork(pid_t parent);

/* ---- parent_role.c: a role: a process with a channel */

struct role_process {
	struct process process;            /* first, so that one can be had from the other */
	enum role role;
	struct parent_identity *identity;  /* NULL: one for the node */
	struct channel *channel;           /* NULL: not running */
	bool ready, asked_to_end;
	struct ipc_ready holds;        /* of its sandbox, when it is ready */
	unsigned unanswered;               /* how many PINGs */
	bool needed;                       /* content: asked for again while the last one was ending */
};

void parent_role_init(struct role_process *role, struct parent *parent, enum role which,
    struct parent_identity *identity);
void parent_role_finish(struct role_process *role);
/* From now on roles that hang are killed and started again (pulse.h). */
void parent_role_watch_all(struct parent *parent);
/* For the tor role, which is not started by itself: control_fd (borrowed) becomes its descriptor 4, stdin_fd (-1: none)
 * its standard input. */
int parent_role_start_with(struct role_process *role, int control_fd, int stdin_fd, struct error *err);
/* Sends when it runs; nothing when it does not. m->fd stays the caller's. */
void parent_role_send(struct role_process *role, const struct ipc_message *m);
/* Sends TLS_KEY, TLS_CERTIFICATE or TICKET_KEYS with the opened file, and closes it. */
void parent_role_send_file(struct role_process *role, enum ipc_type type, int fd);

/* Its configuration: when it starts, and again when something of it has changed that the role takes while it runs. */
void parent_role_tell_mail(struct role_process *role);

/* ---- parent_identity.c: the identities and their sockets */

struct parent_identity {
	struct parent_identity *next;
	struct parent *parent;
	struct identity is;
	int listen_25, listen_465;
	char path_25[IPC_PATH_MAX + 1], path_465[IPC_PATH_MAX + 1];
	struct role_process mail, smtp, content;
	bool makes_openpgp_key; /* content was asked to */
	enum ipc_store_condition store;
	char trouble[IPC_TEXT_MAX + 1]; /* of the store, in words; "" when there is none */
	enum ipc_publication state;
	uint32_t uploaded;
	char detail[128 + 1];
	struct timer *publish;     /* runs while it waits for its turn */
	bool is_with_tor;          /* tor was told of it */
	bool stands_by;            /* another copy of it is published */
	bool leaving;              /* asked to go; gone when its processes are */
	bool is_locked;            /* its secrets are behind a passphrase: nothing of it runs, it has no sockets */
	bool comes_back;           /* when it is gone, it is taken in again, locked */
	struct secrets *secrets;   /* unlocked; NULL: they are in plain files, or it is locked */
	struct tickets *tickets;   /* keys (identity/tickets.h); NULL until smtp@ID runs for the first time */
	uint64_t leave_request_id; /* of the control request that waits for it */
	pid_t leave_dovecot_pid;   /* the Dovecot that may have its mail open */
};

/* NULL: there is none. */
struct parent_identity *parent_identity_find(struct parent *parent, const char *name);
/* Whether it is to be served: neither going nor locked. */
bool parent_identity_is_awake(const struct parent_identity *identity);
/* One that was locked gets its sockets and begins. */
int parent_identity_wake(struct parent_identity *identity, struct error *err);
/* Loads every folder in identities/; one that cannot be loaded is logged and left out. */
int parent_identity_load_all(struct parent *parent, struct error *err);
void parent_identity_start_all(struct parent *parent);
/* Loads a new one and starts it, or takes in the changed password of one that runs. */
int parent_identity_load(struct parent *parent, const char *name, struct error *err);
/* Its file "access" was changed: tells tor, and mail@ID that an onion may be found now. */
int parent_identity_look_at_access(struct parent *parent, const char *name, struct error *err);
/* Publishes it here although another copy is, or was, which then notices and stands by. */
int parent_identity_take_over(struct parent *parent, const char *name, struct error *err);
/* Begins to stop everything of it; parent_identity_sweep() answers the request when all is gone. */
int parent_identity_unload(struct parent *parent, const char *name, uint64_t request_id, struct error *err);
void parent_identity_sweep(struct parent *parent);
void parent_identity_free_all(struct parent *parent); /* nothing of them may be running */
/* Sends the role what it has to know: LISTEN, TLS_KEY, TLS_CERTIFICATE, LOGIN. */
int parent_identity_tell_smtp(struct parent_identity *identity, struct error *err);
/* Hands the onion keys of those that are awake to the role that signs. */
void parent_identity_tell_sign_all(struct parent *parent);
/* All of them, if there are several each in its turn (tor.stagger): when the tor role has begun, and when tor is ready. */
void parent_identity_publish_all(struct parent *parent);
/* Within how many seconds each is shown to Tor; 0: at once. */
uint32_t parent_identity_stagger_s(const struct parent *parent);
int parent_identity_tell_submission(struct parent_identity *identity, struct error *err);
void parent_identity_on_state(struct parent *parent, const struct ipc_service_state *state);
/* Of a mail role. When no identity's database is whole, and none was since the start, the node ends. */
void parent_identity_on_store(struct parent_identity *identity, const struct ipc_store_state *state);
void parent_identity_nothing_published(struct parent *parent); /* tor is gone */
/* The Argon2id text of its password; the caller wipes it. */
int parent_identity_password(const struct parent_identity *identity, char out[PASSWORD_HASH_MAX], struct error *err);

/* ---- parent_openpgp.c: the OpenPGP keys of identities, which content@ID has */

/* Sends OPENPGP_KEY when content runs: as it begins, and when the keys have changed. Without a key it does what needs none. */
void parent_openpgp_tell_content(struct parent_identity *identity);
/* Keeps a key that was asked for, unless there is one by now. */
void parent_openpgp_on_made(struct parent_identity *identity, struct slice key);

/* ---- parent_tickets.c: the keys of tickets */

/* Sends TICKET_KEYS: those that were kept, with a new one when it is time for it. */
int parent_tickets_tell_smtp(struct parent_identity *identity, struct error *err);
/* Called now and then: makes and sends what is due. */
void parent_tickets_look(struct parent *parent);

/* ---- parent_lock.c: secrets behind a passphrase (identity/lock.h) */

/* Sees whether the identity is locked. ERROR_IO and the like when its folder cannot be read. */
int parent_lock_look(struct parent_identity *identity, struct error *err);
/* Its secrets are in plain files again: those count from now on. */
void parent_lock_look_again(struct parent_identity *identity);
/* A descriptor that gives the file of a key, from the disk or from memory. */
int parent_lock_open_key(const struct parent_identity *identity, const char *file, int *out_fd, struct error *err);
/* Opens the secrets with the key that their passphrase gives. ERROR_DENIED when it is the wrong one. */
int parent_lock_unlock(struct parent *parent, const char *name, struct slice key, struct error *err);
/* Like parent_identity_unload(), but it comes back, locked. *is_done: it was locked already. */
int parent_lock_lock(struct parent *parent, const char *name, uint64_t request_id, bool *is_done, struct error *err);

/* ---- parent_tor.c: tor and its role, which live and die together */

struct parent_tor {
	struct process program;
	struct role_process role;
	uint8_t bootstrap_percent;
	bool has_been_ready; /* since it was started */
	char version[64 + 1], phase[128 + 1], hint[IPC_HINT_MAX + 1];
	bool was_ready;        /* it has reached its network before */
	int64_t progress_ms;   /* when it last came further */
	bool shares; /* the system's tor connects to our sockets as another user, by its group */
	gid_t gid;
};

void parent_tor_init(struct parent *parent);
void parent_tor_finish(struct parent *parent);
/* Starts what there is to start: tor and its role, or the role alone. */
void parent_tor_want(struct parent *parent);
int parent_tor_write_torrc(struct parent *parent, struct error *err);
void parent_tor_on_role_dead(struct parent *parent);
void parent_tor_on_state(struct parent *parent, const struct ipc_tor_state *state);
/* Where its SOCKS port is, as endpoint_parse() takes it. */
#define PARENT_TOR_SOCKS_MAX (PATHS_MAX + 16)
void parent_tor_socks(const struct parent *parent, char out[PARENT_TOR_SOCKS_MAX]);
/* Makes a connection to it for the tor role, without a look at what goes over it. */
void parent_tor_on_socks_wanted(struct parent *parent);

/* ---- parent_tor_system.c: a tor that is not ours */

bool parent_tor_is_system(const struct parent *parent);
/* ERROR_INVALID when something is configured that only a tor of our own can have. */
int parent_tor_system_check(const struct parent *parent, struct error *err);
/* Finds out as whom it runs, and lets it pass through the runtime folder. ERROR_DENIED with a text that says what to do. */
int parent_tor_system_setup(struct parent *parent, struct error *err);
/* Lets it connect to the sockets in the folder of an identity. */
int parent_tor_system_share(const struct parent *parent, int folder_fd, struct error *err);
/* For process_kind.start of the role. */
int parent_tor_system_start(struct process *process, struct error *err);

#define TORRC_MAX_BYTES (3 * CONFIG_LINES_MAX * (CONFIG_VALUE_MAX + PATH_MAX) + 16384)

/* ---- parent_check.c: the programs that a node needs */

/* Whether the roles' programs, tor, those of the bridges' transports and Dovecot are there: ERROR_NOT_FOUND when one is missing,
 * ERROR_UNSUPPORTED when tor is too old, ERROR_INVALID for a wrong bridge. Waits for `tor --version`, at most 10 s. */
int parent_check_programs(struct parent *parent, struct error *err);

/* ---- parent_bridge.c: where tor is blocked */

/* Appends to tor's configuration what the configured bridges need. ERROR_INVALID for a line that is no bridge, ERROR_NOT_FOUND
 * when the program of a transport is missing. */
int parent_bridge_write(struct parent *parent, struct buffer *out, struct error *err);

/* ---- parent_log.c: what everybody writes to standard error */

struct parent_log {
	struct process program;             /* smtorp-log */
	int read_fd, folder_fd, stderr_fd;  /* its end of the pipe, the folder of its file, what smtorpd was started with */
	bool is_open;                       /* our standard error is the pipe */
};

/* From now on all of this process and of those that it starts goes to the log. */
int parent_log_start(struct parent *parent, struct error *err);
/* Standard error is again what it was; waits until the last line is written, 2 s at most. */
void parent_log_finish(struct parent *parent);
/* Names in the log are hidden (log.addresses): to be called before anything is said about them. */
void parent_log_hide(struct parent *parent, const char *word);
void parent_log_hide_identity(struct parent *parent, const struct identity *identity);

/* ---- parent_network.c: sleep, other networks, another clock */

struct parent_network {
	struct watching *watching;
	char event[64];   /* what happened last, for people; "": nothing yet */
	int64_t event_ms;
};

void parent_network_open(struct parent *parent);
void parent_network_close(struct parent *parent);
/* Tells who waits for the network to try again. */
void parent_network_tell(struct parent *parent, bool reconnect);

/* ---- parent_dovecot.c: IMAP */

struct parent_dovecot {
	struct process program;
	bool enabled;                 /* imap.program is not "none" */
	uint16_t imap_port, imaps_port;
	int64_t passwd_s;             /* the time stamp of the last passwd file */
};

int parent_dovecot_init(struct parent *parent, struct error *err); /* finds the ports, writes the configuration */
void parent_dovecot_finish(struct parent *parent);
/* Writes the passwd file for the identities that there are; Dovecot reads it at the next login. */
int parent_dovecot_write_passwd(struct parent *parent, struct error *err);

/* ---- parent_listen.c: listening sockets that outlive the roles that accept on them */

struct parent_listeners {
	int submission, submissions, sendmail, control;
	uint16_t submission_port, submissions_port;
	char sendmail_path[IPC_PATH_MAX + 1], control_path[IPC_PATH_MAX + 1];
};

int parent_listen_open(struct parent *parent, struct error *err);
void parent_listen_close(struct parent *parent);
/* Below the runtime folder, mode 0600. path is the whole name. */
int parent_listen_unix(const char *path, int *out_fd, struct error *err);
/* A bound socket; *port is what it got. key is the configuration's, for the error text. */
int parent_listen_bind(const struct config_endpoint *endpoint, const char *key, int *out_fd, uint16_t *port,
    struct error *err);
/* Sends LISTEN with fd. */
void parent_listen_send(struct role_process *role, enum ipc_listener listener, int fd);

/* ---- parent_control.c: what the owner's programs ask, by way of the control role */

#define CONTROL_ANSWERS_MAX 64

struct parent_control {
	uint64_t request_ids[CONTROL_ANSWERS_MAX]; /* done, to be answered when timer fires */
	unsigned count;
	struct timer *timer;
};

void parent_control_init(struct parent *parent);
void parent_control_finish(struct parent *parent);
void parent_control_on_request(struct parent *parent, const struct ipc_control_request *request);
void parent_control_on_unlock(struct parent *parent, const struct ipc_unlock *unlock);
/* The answer that ends a request; err NULL: it was done. */
void parent_control_answer(struct parent *parent, uint64_t request_id, const struct error *err);

/* ---- parent_notify.c: what the service manager is told (sd_notify) */

struct parent_notify {
	struct notify manager;
	bool is_ready;     /* READY=1 was sent */
	char status[192];  /* what it was told last */
};

void parent_notify_open(struct parent *parent);
/* To be called whenever something may have changed: tells what is new, and READY=1 once when every role is ready. */
void parent_notify_look(struct parent *parent);
void parent_notify_stopping(struct parent *parent);
void parent_notify_close(struct parent *parent);

/* ---- parent.c */

struct parent {
	struct loop *loop;
	struct paths paths;
	struct config config;
	struct config_lines bridges; /* of the command line, besides those of the configuration */
	char role_folder[PATH_MAX]; /* where the roles' executables are */
	int lock_fd, data_fd, identities_fd, node_fd, runtime_fd;
	struct sandbox_holds holds; /* of the parent itself */
	struct process *processes;
	struct role_process control, submission, sign;
	struct parent_control control_answers;
	struct parent_log log;
	struct parent_network network;
	struct parent_tor tor;
	struct parent_dovecot dovecot;
	struct parent_listeners listeners;
	struct parent_notify notify;
	struct parent_identity *identities;
	struct timer *sweep, *deadline, *pulse;
	bool stopping;
	bool has_worked; /* an identity's store, since the start */
	int exit_status;
	enum stop_phase stop_phase;
};

/* Looks after identities that leave and after the end of the node, in the next round of the loop. */
void parent_sweep_soon(struct parent *parent);
/* Begins the end of the node. */
void parent_stop(struct parent *parent);

/* ---- parent_setup.c: before anything runs */

/* Folders, lock, the node's certificate for TLS on loopback. ERROR_EXISTS when a node runs in this home already,
 * ERROR_NO_SPACE when the disk is full. */
int parent_setup_home(struct parent *parent, struct error *err);
void parent_setup_limits(void);
void parent_setup_remove_runtime(struct parent *parent);
/* Where the executables of the roles are. */
int parent_setup_find_roles(struct parent *parent, struct error *err);
/* The absolute name of a program: as it is, or looked for in PATH and the folders of system programs. */
int parent_setup_find_program(const char *name, const char *key, char out[PATH_MAX], struct error *err);
