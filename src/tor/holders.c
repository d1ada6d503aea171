/* SPDX-License-Identifier: ISC */
#include "tor/holders.h"

#include <string.h>

#include "base/random.h"

static struct holder *
find(struct holders *holders, const unsigned char directory[HSDESC_DIRECTORY_BYTES])
{
	for (unsigned i = 0; i < holders->count; i++)
		if (memcmp(holders->list[i].directory, directory, HSDESC_DIRECTORY_BYTES) == 0)
			return &holders->list[i];
	return NULL;
}

static struct holder *
add(struct holders *holders, const unsigned char directory[HSDESC_DIRECTORY_BYTES])
{
	struct holder *h;
	if (holders->count < HOLDERS_MAX)
		h = &holders->list[holders->count++];
	else
		h = &holders->list[holders->oldest++ % HOLDERS_MAX];
	*h = (struct holder){ .uploads_out = 0 };
	memcpy(h->directory, directory, HSDESC_DIRECTORY_BYTES);
	return h;
}

static bool
was_sent(const struct holder *h, struct slice descriptor)
{
	return slice_is(descriptor, h->last[0]) || slice_is(descriptor, h->last[1]);
}

static void
take_upload(struct holder *h, struct slice descriptor, int64_t now_ms)
{
	if (now_ms - h->sent_ms >= HOLDERS_PATIENCE_MS)
		h->uploads_out = 0;
	if (h->uploads_out++ == 0)
		h->has_failed = false;
	h->sent_ms = now_ms;
	if (was_sent(h, descriptor))
		return;
	memcpy(h->last[1], h->last[0], sizeof h->last[1]);
	slice_to_string(descriptor, h->last[0], sizeof h->last[0]);
}

static void
take_end(struct holder *h, bool has_failed)
{
	if (h->uploads_out == 0)
		return;
	h->uploads_out--;
	h->has_failed |= has_failed;
	if (h->uploads_out == 0 && h->has_failed) /* of which nobody knows */
		h->last[0][0] = h->last[1][0] = '\0';
}

void
holders_take(struct holders *holders, const struct hsdesc_event *event, int64_t now_ms)
{
	struct holder *h = find(holders, event->directory);
	if (event->action == HSDESC_UPLOAD && event->descriptor.len == HOLDERS_DESCRIPTOR_LEN)
		take_upload(h != NULL ? h : add(holders, event->directory), event->descriptor, now_ms);
	else if (h == NULL)
		return;
	else if (event->action == HSDESC_UPLOADED || event->action == HSDESC_UPLOAD_FAILED)
		take_end(h, event->action == HSDESC_UPLOAD_FAILED);
	else
		h->asked_ms = 0;
}

static bool
is_sure(const struct holder *h, struct slice descriptor)
{
	return h->uploads_out == 0 && (descriptor.len > 0 ? was_sent(h, descriptor) : h->last[0][0] != '\0');
}

bool
holders_is_sure(const struct holders *holders, const unsigned char directory[HSDESC_DIRECTORY_BYTES], struct slice descriptor)
{
	const struct holder *h = find((struct holders *)holders, directory);
	return h != NULL && descriptor.len > 0 && is_sure(h, descriptor);
}

const struct holder *
holders_ask(struct holders *holders, const char *descriptor, int64_t now_ms)
{
	struct holder *chosen = NULL, *again = NULL;
	unsigned count = 0;
	for (unsigned i = 0; i < holders->count; i++) {
		struct holder *h = &holders->list[i];
		bool is_asked = h->asked_ms != 0 && now_ms - h->asked_ms < HOLDERS_PATIENCE_MS;
		if (is_asked || !is_sure(h, slice_of_string(descriptor)))
			continue;
		if (memcmp(h->directory, holders->asked_last, sizeof holders->asked_last) == 0)
			again = h;
		else if (random_below(++count) == 0)
			chosen = h;
	}
	if (chosen == NULL)
		chosen = again;
	if (chosen != NULL) {
		chosen->asked_ms = now_ms;
		memcpy(holders->asked_last, chosen->directory, sizeof holders->asked_last);
	}
	return chosen;
}

void
holders_forget(struct holders *holders, const unsigned char directory[HSDESC_DIRECTORY_BYTES])
{
	struct holder *h = find(holders, directory);
	if (h != NULL)
		*h = holders->list[--holders->count];
}
