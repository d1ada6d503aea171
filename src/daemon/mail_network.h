/* SPDX-License-Identifier: ISC
 *
 * mail@ID's tries after the machine woke up, or came to another network: what could not be reached before may be reached now.
 */
#pragma once

#include "loop/loop.h"
#include "queue/dispatch.h"

struct mail_network;

struct mail_network *mail_network_new(struct loop *loop, struct dispatch *dispatch); /* borrowed */
void mail_network_free(struct mail_network *network); /* takes NULL */
void mail_network_changed(struct mail_network *network);
