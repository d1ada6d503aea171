/* SPDX-License-Identifier: ISC */
#include "ipc/codec.h"

#include <assert.h>
#include <string.h>

#include "base/encode.h"

enum descriptor_rule { FD_NONE, FD_ALWAYS, FD_MAY };

struct reader {
	const unsigned char *p;
	size_t left;
	bool failed;
};

static void
put_number(struct buffer *out, uint64_t value, size_t bytes, int *result, struct error *err)
{
	unsigned char raw[8];
	encode_number(raw, value, bytes);
	if (*result == 0)
		*result = buffer_append(out, raw, bytes, err);
}

static void
put_bytes(struct buffer *out, const void *bytes, size_t len, size_t max, int *result, struct error *err)
{
	if (*result == 0 && len > max)
		*result = error_set(err, ERROR_TOO_LARGE, "a message field of %zu bytes, at most %zu are allowed", len, max);
	put_number(out, len, 4, result, err);
	if (*result == 0)
		*result = buffer_append(out, bytes, len, err);
}

static uint64_t
get_number(struct reader *r, size_t bytes)
{
	if (r->failed || r->left < bytes) {
		r->failed = true;
		return 0;
	}
	uint64_t value = encode_from_number(r->p, bytes);
	r->p += bytes;
	r->left -= bytes;
	return value;
}

static struct slice
get_bytes(struct reader *r, size_t max)
{
	size_t len = (size_t)get_number(r, 4);
	if (r->failed || len > max || len > r->left) {
		r->failed = true;
		return slice_of("", 0);
	}
	struct slice s = slice_of(r->p, len);
	r->p += len;
	r->left -= len;
	return s;
}

static void
get_string(struct reader *r, char *out, size_t max)
{
	struct slice s = get_bytes(r, max);
	if (memchr(s.data, '\0', s.len) != NULL)
		r->failed = true;
	memcpy(out, s.data, s.len);
	out[s.len] = '\0';
}

#define ENCODE_U8(name) put_number(out, f->name, 1, &result, err);
#define ENCODE_U16(name) put_number(out, f->name, 2, &result, err);
#define ENCODE_U32(name) put_number(out, f->name, 4, &result, err);
#define ENCODE_U64(name) put_number(out, f->name, 8, &result, err);
#define ENCODE_STR(name, max) put_bytes(out, f->name, strnlen(f->name, (max) + 1), max, &result, err);
#define ENCODE_BYTES(name, max) put_bytes(out, f->name.data, f->name.len, max, &result, err);

#define DECODE_U8(name) f->name = (uint8_t)get_number(r, 1);
#define DECODE_U16(name) f->name = (uint16_t)get_number(r, 2);
#define DECODE_U32(name) f->name = (uint32_t)get_number(r, 4);
#define DECODE_U64(name) f->name = get_number(r, 8);
#define DECODE_STR(name, max) get_string(r, f->name, max);
#define DECODE_BYTES(name, max) f->name = get_bytes(r, max);

int
ipc_encode(const struct ipc_message *m, struct buffer *out, struct error *err)
{
	int result = 0;
	put_number(out, m->type, 2, &result, err);
	switch (m->type) {
#define ENCODE(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) \
	case IPC_TYPE_##NAME: { \
		const struct ipc_##name *f = &m->name; \
		(void)f; \
		FIELDS(ENCODE_U8, ENCODE_U16, ENCODE_U32, ENCODE_U64, ENCODE_STR, ENCODE_BYTES) \
		break; \
	}
		IPC_MESSAGES(ENCODE)
	case IPC_TYPE_NONE:
	case IPC_TYPE_COUNT:
		assert(!"a message without a type");
	}
	return result;
}

int
ipc_decode(const void *bytes, size_t len, struct ipc_message *m, struct error *err)
{
	struct reader reader = { .p = bytes, .left = len };
	struct reader *r = &reader;
	m->fd = -1;
	m->type = (enum ipc_type)get_number(r, 2);
	switch (m->type) {
#define DECODE(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) \
	case IPC_TYPE_##NAME: { \
		struct ipc_##name *f = &m->name; \
		(void)f; \
		FIELDS(DECODE_U8, DECODE_U16, DECODE_U32, DECODE_U64, DECODE_STR, DECODE_BYTES) \
		break; \
	}
		IPC_MESSAGES(DECODE)
	case IPC_TYPE_NONE:
	case IPC_TYPE_COUNT:
	default:
		return error_set(err, ERROR_PROTOCOL, "a message of unknown type %d", (int)m->type);
	}
	if (r->failed || r->left != 0)
		return error_set(err, ERROR_PROTOCOL, "a malformed %s message", ipc_type_name(m->type));
	return 0;
}

bool
ipc_is_allowed(enum ipc_type type, enum role from, enum role to, bool has_fd)
{
	static const struct {
		int from, to;
		enum descriptor_rule rule;
	} table[] = {
#define ALLOW(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) [IPC_TYPE_##NAME] = { FROM, TO, DESCRIPTOR },
		IPC_MESSAGES(ALLOW)
	};
	if (type <= IPC_TYPE_NONE || type >= IPC_TYPE_COUNT)
		return false;
	if ((table[type].from & from) == 0 || (table[type].to & to) == 0)
		return false;
	return table[type].rule == FD_MAY || has_fd == (table[type].rule == FD_ALWAYS);
}

const char *
ipc_type_name(enum ipc_type type)
{
	static const char *const names[] = {
#define NAME_OF(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) [IPC_TYPE_##NAME] = #NAME,
		IPC_MESSAGES(NAME_OF)
	};
	return type > IPC_TYPE_NONE && type < IPC_TYPE_COUNT ? names[type] : "unknown";
}

const char *
ipc_role_name(enum role role)
{
	switch (role) {
	case ROLE_PARENT:
		return "parent";
	case ROLE_TOR:
		return "tor";
	case ROLE_SMTP:
		return "smtp";
	case ROLE_SUBMISSION:
		return "submission";
	case ROLE_MAIL:
		return "mail";
	case ROLE_CONTENT:
		return "content";
	case ROLE_CONTROL:
		return "control";
	case ROLE_SIGN:
		return "sign";
	case ROLE_LOG:
		return "log";
	}
	return "unknown";
}
