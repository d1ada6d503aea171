/* SPDX-License-Identifier: ISC */
#include "tor/upload.h"

#include <string.h>

static void
forget_old(struct upload *upload, int64_t now_ms)
{
	for (unsigned i = 0; i < upload->count;) {
		if (now_ms - upload->directories[i].heard_ms >= UPLOAD_LIFE_MS)
			upload->directories[i] = upload->directories[--upload->count];
		else
			i++;
	}
}

static struct upload_directory *
find_or_add(struct upload *upload, const unsigned char id[20])
{
	struct upload_directory *oldest = &upload->directories[0];
	for (unsigned i = 0; i < upload->count; i++) {
		struct upload_directory *d = &upload->directories[i];
		if (memcmp(d->id, id, sizeof d->id) == 0)
			return d;
		if (d->heard_ms < oldest->heard_ms)
			oldest = d;
	}
	struct upload_directory *d = upload->count < UPLOAD_DIRECTORIES_MAX ? &upload->directories[upload->count++] : oldest;
	memcpy(d->id, id, sizeof d->id);
	d->result = UPLOAD_PENDING;
	return d;
}

void
upload_take(struct upload *upload, const struct hsdesc_event *event, int64_t now_ms)
{
	enum upload_result result = event->action == HSDESC_UPLOADED ? UPLOAD_DONE :
	    event->action == HSDESC_UPLOAD_FAILED ? UPLOAD_FAILED : UPLOAD_PENDING;
	if (event->action == HSDESC_RECEIVED || event->action == HSDESC_FETCH_FAILED)
		return;
	forget_old(upload, now_ms);
	struct upload_directory *d = find_or_add(upload, event->directory);
	d->heard_ms = now_ms;
	if (result != UPLOAD_PENDING || d->result != UPLOAD_DONE)
		d->result = result;
}

static unsigned
count_of(const struct upload *upload, enum upload_result result)
{
	unsigned count = 0;
	for (unsigned i = 0; i < upload->count; i++)
		count += upload->directories[i].result == result;
	return count;
}

unsigned
upload_done_count(const struct upload *upload)
{
	return count_of(upload, UPLOAD_DONE);
}

unsigned
upload_failed_count(const struct upload *upload)
{
	return count_of(upload, UPLOAD_FAILED);
}
