/* SPDX-License-Identifier: ISC
 *
 * The event loop: one for each process, single-threaded. libevent stands behind it
 * and is seen nowhere else.
 *
 * Callbacks run from loop_run() only, never from inside the call that registers
 * them. A callback may free the object that it belongs to, and any other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct loop;
struct watch;
struct timer;
struct listener;

typedef void loop_callback(void *context);

struct loop *loop_new(void); /* aborts when the kernel has no epoll for us */
void loop_free(struct loop *loop); /* after every object on it was freed */
void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop);

/* What all streams of the loop hold in buffers; and the most: with that none reads anything more. 0, as at first: no bound. */
size_t loop_buffered_bytes(const struct loop *loop);
void loop_bound_buffers(struct loop *loop, size_t most_bytes);

/* Watches fd (borrowed, nonblocking); fires as long as it is ready while enabled. Starts disabled. */
enum watch_kind { WATCH_READ, WATCH_WRITE };
struct watch *watch_new(struct loop *loop, int fd, enum watch_kind kind, loop_callback *callback, void *context);
void watch_enable(struct watch *watch, bool enabled);
void watch_free(struct watch *watch);

/* One shot. Starting it again moves it. 0 ms: in the next round of the loop, after what is ready now. */
struct timer *timer_new(struct loop *loop, loop_callback *callback, void *context);
void timer_start(struct timer *timer, int64_t delay_ms);
void timer_stop(struct timer *timer);
bool timer_is_running(const struct timer *timer);
void timer_free(struct timer *timer);

/* A signal, delivered as a callback. There is nothing to free; it lives as long as the loop. */
void loop_on_signal(struct loop *loop, int signal_number, loop_callback *callback, void *context);

/* Accepts connections on a listening socket (owned from now on). Each accepted descriptor is nonblocking,
 * close-on-exec and the callback's. When descriptors run out it pauses for a second instead of spinning. */
typedef void listener_callback(void *context, int fd);
struct listener *listener_new(struct loop *loop, int listening_fd, listener_callback *callback, void *context);
void listener_pause(struct listener *listener, bool paused);
void listener_free(struct listener *listener); /* closes the listening descriptor of this process */
