/* SPDX-License-Identifier: ISC */
#include "store/syncer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"

#define STACK_BYTES (128 * 1024)

enum state { IDLE, ASKED, ENDED, LEAVING };

struct syncer {
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	enum state state;
	syncer_call *call;
	int fd, errnum;
	int event_fd; /* written to with each end */
};

static void *
work(void *context)
{
	struct syncer *s = context;
	const uint64_t one = 1;
	pthread_mutex_lock(&s->lock);
	while (s->state != LEAVING) {
		if (s->state != ASKED) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		int result, errnum;
		do {
			result = s->call(s->fd);
			errnum = result == 0 ? 0 : errno;
		} while (errnum == EINTR);
		pthread_mutex_lock(&s->lock);
		s->errnum = errnum;
		s->state = ENDED;
		if (write(s->event_fd, &one, sizeof one) != (ssize_t)sizeof one)
			abort(); /* a counter that is read before it is written again takes it */
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Signals are the loop's: a thread takes over what is blocked while it is made. */
static int
start_thread(struct syncer *s)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	sigfillset(&all);
	int errnum = pthread_attr_init(&attributes);
	if (errnum != 0)
		return errnum;
	errnum = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (errnum == 0)
		errnum = pthread_create(&s->thread, &attributes, work, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return errnum;
}

int
syncer_new(struct syncer **out, struct error *err)
{
	struct syncer *s = calloc(1, sizeof *s);
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int errnum = s->event_fd < 0 ? errno : start_thread(s);
	if (errnum == 0) {
		*out = s;
		return 0;
	}
	file_close(&s->event_fd);
	free(s);
	return error_set_errno(err, errnum, "cannot start a thread that waits for the disk");
}

void
syncer_free(struct syncer *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	while (s->state == ASKED)
		pthread_cond_wait(&s->changed, &s->lock);
	s->state = LEAVING;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	file_close(&s->event_fd);
	free(s);
}

int
syncer_fd(const struct syncer *s)
{
	return s->event_fd;
}

void
syncer_start(struct syncer *s, syncer_call *call, int fd)
{
	pthread_mutex_lock(&s->lock);
	assert(s->state == IDLE);
	s->call = call;
	s->fd = fd;
	s->state = ASKED;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool
syncer_take(struct syncer *s, bool wait, int *errnum)
{
	uint64_t count;
	pthread_mutex_lock(&s->lock);
	assert(s->state == ASKED || s->state == ENDED);
	while (wait && s->state == ASKED)
		pthread_cond_wait(&s->changed, &s->lock);
	bool has_ended = s->state == ENDED;
	if (has_ended) {
		s->state = IDLE;
		*errnum = s->errnum;
		if (read(s->event_fd, &count, sizeof count) != (ssize_t)sizeof count)
			abort(); /* it was written to before */
	}
	pthread_mutex_unlock(&s->lock);
	return has_ended;
}
