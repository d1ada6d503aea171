/* SPDX-License-Identifier: ISC
 *
 * smtorp.conf(5): lines "key = value", '#' begins a comment at the start of a line. A key that does not exist is
 * an error that names the line and the nearest key there is. identity.conf has the same form.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define CONFIG_LINES_MAX 64
#define CONFIG_VALUE_MAX 1024
#define CONFIG_PLACE_MAX 128
#define CONFIG_TOR_COOKIE "/run/tor/control.authcookie" /* need not be there */
#define CONFIG_TOR_COOKIE_NONE "none"                   /* whatever answers is taken for the tor that is meant */

struct config_endpoint {
	char host[64]; /* a loopback address; other addresses are refused */
	uint16_t port; /* 0: any free one; `smtorp status` tells which */
};

/* The values of a key that may be repeated. */
struct config_lines {
	char text[CONFIG_LINES_MAX][CONFIG_VALUE_MAX];
	unsigned count;
};

struct config {
	struct config_endpoint submission, submissions, imap, imaps;  /* submission.listen = 127.0.0.1:1587 ... */
	char tor_program[CONFIG_VALUE_MAX];                           /* tor.program = tor */
	char tor_control[CONFIG_PLACE_MAX];                           /* tor.control = unix:PATH; "": a tor of our own */
	char tor_socks[CONFIG_PLACE_MAX];                             /* tor.socks = unix:PATH */
	char tor_cookie[CONFIG_VALUE_MAX];                            /* tor.cookie = CONFIG_TOR_COOKIE */
	struct config_lines tor_bridge;                               /* tor.bridge = LINE */
	struct config_lines tor_transport;                            /* tor.transport = NAME PROGRAM ARGUMENTS */
	struct config_lines tor_extra;                                /* tor.extra = LINE */
	uint32_t watch_copies_s;                                      /* tor.watch-copies = 30m; 0: never */
	uint32_t stagger_s;                                           /* tor.stagger = 2s; 0: never */
	char dovecot_program[CONFIG_VALUE_MAX];                       /* imap.program = dovecot; "none": no IMAP server */
	bool log_addresses;                                           /* log.addresses = no */
	uint32_t date_step_s;                                         /* message.date-precision = minute */
	uint64_t message_max_bytes;                                   /* message.max-size = 64M */
	uint64_t keep_free_bytes;                                     /* mailbox.keep-free = 256M */
	bool require_starttls;                                        /* smtp.require-starttls = yes */
	uint32_t retry_first_s, retry_most_s;                         /* queue.retry-first = 30s, queue.retry-most = 4h */
	uint32_t expire_s;                                            /* queue.expire = 7d */
	uint32_t delay_notice_s;                                      /* queue.delay-notice = 1d; 0: never */
	uint32_t keep_delivered_s;                                    /* queue.keep-delivered = 30d; 0: never */
};

void config_defaults(struct config *config);

/* The SIZE that strangers are told: message_max_bytes, or the power of two below it, so that who has chosen a number of his own
 * is not known by it. */
uint64_t config_shown_max_bytes(const struct config *config);

/* ERROR_INVALID: "line 3: there is no key 'submision.listen'; did you mean 'submission.listen'?" */
int config_parse(struct slice text, struct config *out, struct error *err);

/* The same from a file, which may be a symbolic link; the defaults when it is not there. Errors begin with the path. */
int config_load(const char *path, struct config *out, struct error *err);

/* One value more, as from an option of a command line: ERROR_TOO_LARGE, ERROR_INVALID when it is empty. */
int config_add_line(struct config_lines *lines, struct slice value, struct error *err);

/* The keys there are, for the manual's test and completion: NULL-terminated, borrowed for ever. */
const char *const *config_keys(void);

/* The scanner below config_parse(), for other small files of this form. Calls back for each line. */
typedef int config_line_callback(void *context, unsigned line, struct slice key, struct slice value, struct error *err);
int config_scan(struct slice text, config_line_callback *callback, void *context, struct error *err);
