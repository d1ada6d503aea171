/* SPDX-License-Identifier: ISC
 *
 * The onion services of a node's identities: added to tor with our own keys, watched until they are published.
 *
 * tor forgets them when the control connection ends. Keys are not kept here: whoever makes a new connection adds
 * them again.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "ipc/messages.h"
#include "loop/loop.h"
#include "onionkey/onionkey.h"
#include "tor/access.h"
#include "tor/control.h"

#define SERVICES_MAX 256
/* Connections that one stranger's circuit may have at a time. tor refuses what is more, and leaves the circuit: deliveries that
 * are under way in it are not lost. Servers that send much use 20 at a time. */
#define SERVICES_STREAMS_OF_CIRCUIT_MAX 32

struct services;

/* The state of a service changed. uploaded: directories that hold its descriptor. detail: one line for people. */
typedef void services_callback(void *context, const char *identity, enum ipc_publication state, unsigned uploaded,
    const char *detail);

/* control and context are borrowed for the life of the object. The connection must deliver HS_DESC events. */
struct services *services_new(struct control *control, services_callback *callback, void *context);
void services_free(struct services *services); /* takes NULL; leaves tor as it is */

/* Publishes an identity's service, whose ports 25 and 465 lead to these Unix sockets. key is borrowed for the call.
 * access: who may find it, borrowed for the call; NULL, or not private: everybody.
 * A service of this identity that is there already is taken back first, unless it is the same, which stays as it is. Later trouble comes by the callback.
 * ERROR_INVALID when tor could not take a path (it must be absolute, printable ASCII, without spaces and quotes),
 * ERROR_EXISTS when another identity has this key, ERROR_BUSY. */
struct services_paths {
	const char *port_25, *port_465;
};
int services_add(struct services *services, const char *identity, const struct onionkey *key, const struct services_paths *paths,
    const struct access_list *access, struct error *err);

/* Takes the service back. Streams that are open stay so: their owner closes them. Unknown names are no error. */
void services_remove(struct services *services, const char *identity);

/* The 56 letters of its onion name, NULL when there is no such service. */
const char *services_onion(struct services *services, const char *identity);

/* To be called with the words of each HS_DESC event. */
void services_take_event(struct services *services, struct slice words, int64_t now_ms);
