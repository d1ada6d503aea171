/* SPDX-License-Identifier: ISC
 *
 * smtorp-tor [SOCKS]: the role that speaks to tor. Descriptor 3 is the parent, descriptor 4 an authenticated control
 * connection that owns the tor process. With the place of its SOCKS port, tor is not ours: descriptor 4 is not authenticated
 * yet, and the cookie, if there is one, is on standard input.
 *
 * It publishes the onion services and makes the connections that mail@ID asks for, which it hands to smtp@ID. It reads
 * nothing that a peer wrote. When tor is gone, so is this process: the parent starts both anew and adds the services again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/role_peers.h"
#include "onionkey/onionkey.h"
#include "tor/clientkeys.h"
#include "tor/control.h"
#include "tor/copies.h"
#include "tor/dialer.h"
#include "tor/login.h"
#include "tor/services.h"
#include "tor/status.h"

#define CONTROL_FD 4
#define LOGIN_TIMEOUT_MS 20000
#define HEARTBEAT_MS 60000 /* a tor that hangs shows by not answering */

static struct {
	struct control *control;
	struct services *services;
	struct clientkeys *clientkeys;
	struct copies *copies;
	struct access_list *access; /* of the service that is to be added next, in memory for secrets */
	char access_identity[IPC_NAME_MAX + 1];
	struct error access_error;
	struct dialer *dialer;
	struct timer *heartbeat;
	struct status status;
	bool version_is_known, may_reconnect;
	struct role_peers peers;
} self;

/* ---- what tor says */

static void
tell_status(void)
{
	struct ipc_message m = { .type = IPC_TYPE_TOR_STATE, .fd = -1 };
	m.tor_state.bootstrap_percent = (uint8_t)self.status.bootstrap_percent;
	snprintf(m.tor_state.version, sizeof m.tor_state.version, "%s", self.status.version);
	snprintf(m.tor_state.phase, sizeof m.tor_state.phase, "%s", self.status.phase);
	snprintf(m.tor_state.hint, sizeof m.tor_state.hint, "%s", self.status.hint);
	role_tell_parent(&m);
	dialer_set_ready(self.dialer, self.version_is_known && self.status.bootstrap_percent == 100);
}

static void
take_status(struct slice words)
{
	unsigned before = self.status.bootstrap_percent;
	char said[sizeof self.status.hint];
	memcpy(said, self.status.hint, sizeof said);
	if (!self.version_is_known || !status_take(&self.status, words))
		return; /* before the version is known the same comes with it: see on_info() */
	if (self.status.hint[0] != '\0' && strcmp(self.status.hint, said) != 0)
		log_warn("%s", self.status.hint);
	if (self.status.bootstrap_percent == 100 && before < 100)
		log_info("tor has reached its network");
	tell_status();
}

static void
on_event(void *context, const struct control_reply *event)
{
	(void)context;
	struct slice words = control_reply_text(event, 0), rest = words, kind;
	if (!control_reply_next_word(&rest, &kind))
		return;
	if (slice_is(kind, "STATUS_CLIENT") || slice_is(kind, "STATUS_GENERAL"))
		take_status(rest);
	else if (slice_is(kind, "HS_DESC")) {
		services_take_event(self.services, words, clock_monotonic_ms());
		dialer_take_event(self.dialer, words);
		copies_take_event(self.copies, words);
	} else if (slice_is(kind, "STREAM"))
		dialer_take_event(self.dialer, words);
}

static void
on_control_end(void *context, const struct error *err)
{
	(void)context;
	log_error("%s, so this role ends; the parent starts it again, and tor if that is ours", err->text);
	role_quit(1);
}

static void
on_info(void *context, const struct control_reply *answer)
{
	(void)context;
	struct slice version, phase;
	struct error err = { 0 };
	if (answer->code != 250 || !control_reply_value(answer, "version", &version))
		version = slice_of_string("");
	if (status_set_version(&self.status, version, &err) != 0) {
		log_error("%s", err.text);
		snprintf(self.status.phase, sizeof self.status.phase, "%.*s", STATUS_PHASE_MAX, err.text);
		tell_status();
		role_quit(1); /* and tor with us: nothing is to be published by it */
		return;
	}
	log_info("tor %s", self.status.version);
	self.version_is_known = true;
	if (control_reply_value(answer, "status/bootstrap-phase", &phase))
		status_take(&self.status, phase);
	tell_status();
	timer_start(self.heartbeat, HEARTBEAT_MS);
}

static void
on_phase(void *context, const struct control_reply *answer)
{
	(void)context;
	struct slice phase;
	if (control_reply_value(answer, "status/bootstrap-phase", &phase))
		take_status(phase);
	timer_start(self.heartbeat, HEARTBEAT_MS);
}

static void
on_heartbeat(void *context)
{
	(void)context;
	control_send(self.control, slice_of_string("GETINFO status/bootstrap-phase"), on_phase, NULL, NULL);
}

#define EVENTS "SETEVENTS STATUS_CLIENT STATUS_GENERAL HS_DESC"

static void
on_subscribed(void *context, const struct control_reply *answer)
{
	(void)context;
	struct slice why = control_reply_text(answer, 0);
	if (answer->code == 250)
		return;
	log_error("tor does not tell its events (%u %.*s), so this role ends", answer->code, (int)why.len,
	    (const char *)why.data);
	role_quit(1);
}

/* A tor that is not ours may have a guard before its control port that keeps streams to itself, since they are everybody's. Mail
 * goes without them, a round trip later to a peer that is known. */
static void
on_subscribed_streams(void *context, const struct control_reply *answer)
{
	(void)context;
	dialer_set_streams_told(self.dialer, answer->code == 250);
	if (answer->code != 250)
		control_send(self.control, slice_of_string(EVENTS), on_subscribed, NULL, NULL);
}

/* ---- a tor that is not ours */

static int
log_in(const char *socks, struct error *err)
{
	unsigned char cookie[LOGIN_COOKIE_BYTES];
	ssize_t n = pread(STDIN_FILENO, cookie, sizeof cookie, 0); /* nothing when there is none: it is /dev/null then */
	int result = login(CONTROL_FD, slice_of(cookie, n > 0 ? (size_t)n : 0), socks, LOGIN_TIMEOUT_MS, err);
	explicit_bzero(cookie, sizeof cookie);
	return result;
}

static void
refuse(const struct error *err)
{
	log_error("%s", err->text);
	struct ipc_message m = { .type = IPC_TYPE_TOR_STATE, .fd = -1 };
	snprintf(m.tor_state.phase, sizeof m.tor_state.phase, "%.*s", STATUS_PHASE_MAX, err->text);
	role_tell_parent(&m);
}

static void
greet_tor(void)
{
	struct error err = { 0 };
	if (control_send(self.control, slice_of_string(EVENTS " STREAM"), on_subscribed_streams, NULL, &err) != 0 ||
	    control_send(self.control, slice_of_string("GETINFO version status/bootstrap-phase"), on_info, NULL, &err) != 0)
		on_control_end(NULL, &err);
}

/* ---- another network */

/* Whoever has switched tor's network off in its configuration wants it to stay so. */
static void
on_disabled(void *context, const struct control_reply *answer)
{
	(void)context;
	struct slice value;
	self.may_reconnect = answer->code == 250 && control_reply_value(answer, "DisableNetwork", &value) && slice_is(value, "0");
}

/* Not before tor is done with the other half: it would open its SOCKS socket anew, and then, closing the old one, take the
 * name of the new one away. */
static void
on_switched_off(void *context, const struct control_reply *answer)
{
	(void)context;
	(void)answer;
	control_send(self.control, slice_of_string("SETCONF DisableNetwork=0"), NULL, NULL, NULL);
}

/* tor notices a dead connection after minutes. It makes new ones at once when its network is switched off and on. Guards and
 * introduction points stay what they are, so no descriptor is published anew (tried: none within 75 s), and those that peers
 * have are right still. */
static void
reconnect(void)
{
	if (!self.may_reconnect)
		return;
	control_send(self.control, slice_of_string("SETCONF DisableNetwork=1"), on_switched_off, NULL, NULL);
}

/* ---- services */

static void
on_service(void *context, const char *identity, enum ipc_publication state, unsigned uploaded, const char *detail)
{
	(void)context;
	struct ipc_message m = { .type = IPC_TYPE_SERVICE_STATE, .fd = -1 };
	snprintf(m.service_state.identity, sizeof m.service_state.identity, "%s", identity);
	m.service_state.state = (uint8_t)state;
	m.service_state.uploaded = uploaded;
	snprintf(m.service_state.detail, sizeof m.service_state.detail, "%.*s", (int)sizeof m.service_state.detail - 1, detail);
	role_tell_parent(&m);
	if (state == SERVICE_FAILED)
		log_warn("the onion service of %s is not published: %s", identity, detail);
}

/* Reads what the parent handed over; the caller wipes it with drop(). */
static int
read_secret(int fd, size_t max_bytes, struct buffer *bytes, struct error *err)
{
	buffer_init(bytes, max_bytes);
	return file_read_all(fd, bytes, err);
}

static void
drop(struct buffer *bytes)
{
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->capacity);
	buffer_finish(bytes);
}

static int
read_key(int fd, struct onionkey *key, struct error *err)
{
	struct buffer bytes;
	int result = read_secret(fd, ONIONKEY_FILE_BYTES + 1, &bytes, err);
	if (result == 0)
		result = onionkey_from_file(slice_of(buffer_bytes(&bytes), buffer_len(&bytes)), key, err);
	drop(&bytes);
	return result;
}

/* Kept until the service is added, or refused, which is the next message. */
static void
take_access(const struct ipc_message *m)
{
	struct buffer bytes;
	access_free(self.access);
	self.access = access_new();
	self.access_error = (struct error){ 0 };
	snprintf(self.access_identity, sizeof self.access_identity, "%s", m->service_access.identity);
	if (read_secret(m->fd, ACCESS_FILE_BYTES_MAX, &bytes, &self.access_error) == 0)
		access_parse(slice_of(buffer_bytes(&bytes), buffer_len(&bytes)), self.access, &self.access_error);
	drop(&bytes);
}

/* NULL in *access: everybody may find the service. Whoever wants to be hidden is rather not published than public. */
static int
find_access(const struct ipc_service_add *add, const struct access_list **access, struct error *err)
{
	*access = NULL;
	if (!add->has_access)
		return 0;
	if (self.access == NULL || strcmp(self.access_identity, add->identity) != 0)
		return error_set(err, ERROR_INVALID, "who may find it was not told");
	if (self.access_error.code != ERROR_NONE)
		return error_set(err, self.access_error.code, "%s", self.access_error.text);
	*access = self.access;
	return 0;
}

static void
add_service(const struct ipc_message *m)
{
	const struct ipc_service_add *add = &m->service_add;
	const struct services_paths paths = { add->path_25, add->path_465 };
	const struct access_list *access = NULL;
	struct onionkey key = { 0 };
	struct error err = { 0 };
	copies_unwatch(self.copies, add->identity);
	if (find_access(add, &access, &err) != 0 || clientkeys_set(self.clientkeys, add->identity, access, &err) != 0 ||
	    read_key(m->fd, &key, &err) != 0 || services_add(self.services, add->identity, &key, &paths, access, &err) != 0) {
		services_remove(self.services, add->identity); /* what was there before may be found by whom it should not be */
		on_service(NULL, add->identity, SERVICE_FAILED, 0, err.text);
	}
	const char *onion = services_onion(self.services, add->identity);
	if (onion != NULL && add->watch_s > 0)
		copies_watch(self.copies, add->identity, onion, (int64_t)add->watch_s * 1000);
	onionkey_wipe(&key);
	access_free(self.access);
	self.access = NULL;
}

static void
remove_service(const char *identity)
{
	struct error err = { 0 };
	copies_unwatch(self.copies, identity);
	services_remove(self.services, identity);
	if (clientkeys_set(self.clientkeys, identity, NULL, &err) != 0)
		log_warn("%s", err.text);
}

/* Two would fight for the descriptor, and mail would arrive now here, now there. */
static void
on_copy_found(void *context, const char *identity)
{
	log_warn("another copy of %s was published after this one, so this one stands by", identity);
	services_remove(self.services, identity);
	on_service(context, identity, SERVICE_STANDBY, 0, "");
}

/* ---- dialling */

static void
on_failed(void *context, const char *identity, uint64_t session_id, enum ipc_dial_reason reason, const char *text)
{
	(void)context;
	struct role_peer *mail = role_peers_find(&self.peers, ROLE_MAIL, identity);
	struct ipc_message m = { .type = IPC_TYPE_DIAL_FAILED, .fd = -1 };
	if (mail == NULL)
		return;
	m.dial_failed.session_id = session_id;
	m.dial_failed.reason = (uint8_t)reason;
	snprintf(m.dial_failed.text, sizeof m.dial_failed.text, "%s", text);
	channel_send(mail->channel, &m, NULL); /* when it is gone, role_peers.c sees to it */
}

static void
on_socks_wanted(void *context)
{
	(void)context;
	role_tell_parent(&(const struct ipc_message){ .type = IPC_TYPE_SOCKS_WANTED, .fd = -1 });
}

static void
take_socks(struct ipc_message *m)
{
	int fd = m->fd;
	m->fd = -1;
	dialer_take_socks(self.dialer, fd, (int)m->socks_connection.errnum);
}

/* See dialer.h. When tor is too busy for it, the dial still has its deadline. */
static void
on_slow(void *context, struct slice onion)
{
	(void)context;
	char command[sizeof "HSFETCH " + ONIONKEY_NAME_LEN];
	snprintf(command, sizeof command, "HSFETCH %.*s", (int)onion.len, (const char *)onion.data);
	control_send(self.control, slice_of_string(command), NULL, NULL, NULL);
}

static void
on_flight_wanted(void *context, const char *identity, uint64_t session_id, uint32_t attempt)
{
	(void)context;
	struct role_peer *smtp = role_peers_find(&self.peers, ROLE_SMTP, identity);
	const struct ipc_message m = { .type = IPC_TYPE_FLIGHT_WANTED, .fd = -1,
		.flight_wanted = { .session_id = session_id, .attempt = attempt } };
	if (smtp != NULL)
		channel_send(smtp->channel, &m, NULL);
}

static void
on_connected(void *context, const struct dialer_connection *connection)
{
	struct role_peer *smtp = role_peers_find(&self.peers, ROLE_SMTP, connection->identity);
	int fd = connection->fd;
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = fd };
	struct error err = { 0 };
	m.connected.session_id = connection->session_id;
	m.connected.attempt = connection->attempt;
	m.connected.sent_bytes = (uint32_t)connection->flight_sent_bytes;
	if (smtp == NULL)
		error_set(&err, ERROR_BUSY, "the identity's smtp role is being started again");
	if (smtp == NULL || channel_send(smtp->channel, &m, &err) != 0)
		on_failed(context, connection->identity, connection->session_id, DIAL_REASON_OTHER, err.text);
	file_close(&fd);
}

static void
on_peer_message(struct role_peer *peer, struct ipc_message *m)
{
	struct error err = { 0 };
	if (m->type == IPC_TYPE_DIAL && !clientkeys_may_dial(self.clientkeys, peer->identity, m->dial.onion))
		on_failed(NULL, peer->identity, m->dial.session_id, DIAL_REASON_AUTHORIZATION, "the onion is private, and this identity has no key for it");
	else if (m->type == IPC_TYPE_DIAL && dialer_dial(self.dialer, peer->identity, m->dial.session_id, m->dial.onion,
	    m->dial.port, &err) != 0) {
		log_error("mail@%s asks for %s, so it is heard no more", peer->identity, err.text);
		role_peers_remove(peer);
	} else if (m->type == IPC_TYPE_FLIGHT)
		dialer_take_flight(self.dialer, peer->identity, m->flight.session_id, m->flight.attempt, m->flight.bytes);
	else if (m->type == IPC_TYPE_DIAL_CANCEL)
		dialer_cancel(self.dialer, peer->identity, m->dial_cancel.session_id);
}

/* Nobody is left who knows these sessions. */
static void
on_peer_end(const struct role_peer *peer)
{
	if (peer->role == ROLE_MAIL)
		dialer_cancel_all(self.dialer, peer->identity);
}

/* ---- what the parent says */

static void
on_parent(void *context, struct ipc_message *m)
{
	(void)context;
	if (m->type == IPC_TYPE_SERVICE_ADD)
		add_service(m);
	else if (m->type == IPC_TYPE_SERVICE_ACCESS)
		take_access(m);
	else if (m->type == IPC_TYPE_SERVICE_REMOVE)
		remove_service(m->service_remove.identity);
	else if (m->type == IPC_TYPE_SOCKS_CONNECTION)
		take_socks(m);
	else if (m->type == IPC_TYPE_NETWORK && m->network.reconnect)
		reconnect();
}

/* Nothing to finish: tor takes its services back when the control connection is closed. */
static void
on_stop(void *context)
{
	(void)context;
	role_quit(0);
}

int
main(int argc, char **argv)
{
	static const struct role_events role_events = { on_parent, role_peers_come, role_peers_go, on_stop };
	static const struct control_events control_events = { on_event, on_control_end };
	static const struct dialer_events dialer_events = { on_connected, on_failed, on_slow, on_socks_wanted, on_flight_wanted };
	struct error err = { 0 };
	bool is_system = argc == 2;
	if (argc > 2) {
		fprintf(stderr, "smtorp-tor is started by smtorpd\n");
		return 2;
	}
	onionkey_library_init();
	self.peers = (struct role_peers){ .own = ROLE_TOR, .on_message = on_peer_message, .on_end = on_peer_end };
	role_init(ROLE_TOR, &role_events, &self.peers);
	if (is_system && log_in(argv[1], &err) != 0) {
		refuse(&err);
		return 1;
	}
	self.control = control_new(role_loop(), CONTROL_FD, CONTROL_TIMEOUT_MS, &control_events, NULL);
	self.services = services_new(self.control, on_service, NULL);
	self.clientkeys = clientkeys_new(self.control);
	self.copies = copies_new(role_loop(), self.control, on_copy_found, NULL);
	self.dialer = dialer_new(role_loop(), DIALER_LIMITS, &dialer_events, NULL);
	self.heartbeat = timer_new(role_loop(), on_heartbeat, NULL);
	greet_tor();
	if (!is_system) /* the network of another tor is not ours to switch */
		control_send(self.control, slice_of_string("GETCONF DisableNetwork"), on_disabled, NULL, NULL);
	int status = role_run();
	dialer_free(self.dialer);
	role_peers_finish(&self.peers);
	timer_free(self.heartbeat);
	services_free(self.services);
	copies_free(self.copies);
	clientkeys_free(self.clientkeys);
	access_free(self.access);
	control_free(self.control);
	return status;
}
