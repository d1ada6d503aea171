/* SPDX-License-Identifier: ISC */
#include "archive/seal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/random.h"

#define MAGIC_BYTES 16
#define VERSION 1
#define AT_VERSION MAGIC_BYTES
#define AT_PASSES (AT_VERSION + 1)
#define AT_MEMORY (AT_PASSES + 4)
#define AT_SALT (AT_MEMORY + 4)
#define AT_STREAM (AT_SALT + crypto_pwhash_SALTBYTES)
#define SEALED_MAX (SEAL_CHUNK_BYTES + SEAL_OVERHEAD_BYTES)

static_assert(AT_STREAM + crypto_secretstream_xchacha20poly1305_HEADERBYTES == SEAL_HEADER_BYTES,
    "the header's layout");
static_assert(SEAL_SALT_BYTES == crypto_pwhash_SALTBYTES && SEAL_KEY_BYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES,
    "Argon2id's sizes");
static_assert(SEAL_OVERHEAD_BYTES == crypto_secretstream_xchacha20poly1305_ABYTES, "the chunk's layout");

struct seal_writer {
	int fd;
	size_t have;
	crypto_secretstream_xchacha20poly1305_state state;
	unsigned char plain[SEAL_CHUNK_BYTES], sealed[SEALED_MAX];
};

struct seal_reader {
	int fd;
	crypto_secretstream_xchacha20poly1305_state state;
	unsigned char plain[SEAL_CHUNK_BYTES], sealed[SEALED_MAX];
};

int
seal_check_cost(struct seal_cost cost, struct error *err)
{
	if (cost.passes < 1 || cost.passes > SEAL_PASSES_MAX || cost.memory_kib < SEAL_MEMORY_KIB_MIN ||
	    cost.memory_kib > SEAL_MEMORY_KIB_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the file asks for %u passes over %u KiB of memory to open it: it was not made "
		    "by smtorp, which asks for %u over %u", cost.passes, cost.memory_kib, SEAL_COST_USUAL.passes,
		    SEAL_COST_USUAL.memory_kib);
	return 0;
}

int
seal_derive_key(const unsigned char salt[SEAL_SALT_BYTES], struct seal_cost cost, struct slice passphrase,
    unsigned char key[SEAL_KEY_BYTES], struct error *err)
{
	if (passphrase.len == 0 || passphrase.len > SEAL_PASSPHRASE_MAX)
		return error_set(err, ERROR_INVALID, "a passphrase is 1 to %d bytes long", SEAL_PASSPHRASE_MAX);
	if (seal_check_cost(cost, err) != 0)
		return -1;
	if (crypto_pwhash(key, SEAL_KEY_BYTES, (const char *)passphrase.data, passphrase.len, salt, cost.passes,
	        (size_t)cost.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return error_set(err, ERROR_NO_MEMORY, "no memory to make a key of the passphrase: it takes %u MiB",
		    cost.memory_kib / 1024);
	return 0;
}

static int
derive(const unsigned char *header, struct slice passphrase, unsigned char *key, struct error *err)
{
	const struct seal_cost cost = { (uint32_t)encode_from_number(header + AT_PASSES, 4),
		(uint32_t)encode_from_number(header + AT_MEMORY, 4) };
	return seal_derive_key(header + AT_SALT, cost, passphrase, key, err);
}

static int
push(struct seal_writer *w, const unsigned char *header, unsigned char tag, struct error *err)
{
	unsigned long long len;
	crypto_secretstream_xchacha20poly1305_push(&w->state, w->sealed, &len, w->plain, w->have, header,
	    header != NULL ? SEAL_HEADER_BYTES : 0, tag);
	w->have = 0;
	return file_write_all(w->fd, w->sealed, (size_t)len, err);
}

struct seal_writer *
seal_writer_new(int fd, struct slice passphrase, struct seal_cost cost, struct error *err)
{
	unsigned char header[SEAL_HEADER_BYTES] = SEAL_MAGIC, key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	struct seal_writer *w = calloc(1, sizeof *w);
	if (w == NULL) {
		error_set(err, ERROR_NO_MEMORY, "no memory to encrypt");
		return NULL;
	}
	w->fd = fd;
	header[AT_VERSION] = VERSION;
	encode_number(header + AT_PASSES, cost.passes, 4);
	encode_number(header + AT_MEMORY, cost.memory_kib, 4);
	random_bytes(header + AT_SALT, crypto_pwhash_SALTBYTES);
	int result = derive(header, passphrase, key, err);
	if (result == 0) {
		crypto_secretstream_xchacha20poly1305_init_push(&w->state, header + AT_STREAM, key);
		result = file_write_all(fd, header, sizeof header, err);
	}
	sodium_memzero(key, sizeof key);
	/* An empty chunk first: it tells a wrong passphrase from a damaged file, and vouches for the header. */
	if (result != 0 || push(w, header, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE, err) != 0) {
		seal_writer_free(w);
		return NULL;
	}
	return w;
}

int
seal_write(struct seal_writer *w, const void *bytes, size_t len, struct error *err)
{
	const unsigned char *p = bytes;
	while (len > 0) {
		if (w->have == sizeof w->plain && push(w, NULL, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE, err) != 0)
			return -1;
		size_t n = sizeof w->plain - w->have < len ? sizeof w->plain - w->have : len;
		memcpy(w->plain + w->have, p, n);
		w->have += n;
		p += n;
		len -= n;
	}
	return 0;
}

int
seal_finish(struct seal_writer *w, struct error *err)
{
	return push(w, NULL, crypto_secretstream_xchacha20poly1305_TAG_FINAL, err);
}

void
seal_writer_free(struct seal_writer *w)
{
	if (w == NULL)
		return;
	sodium_memzero(w, sizeof *w);
	free(w);
}

/* Fewer bytes than len: the file ends there. */
static int
read_up_to(int fd, unsigned char *out, size_t len, size_t *out_len, struct error *err)
{
	*out_len = 0;
	while (*out_len < len) {
		ssize_t n = read(fd, out + *out_len, len - *out_len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot read the file");
		if (n == 0)
			return 0;
		*out_len += (size_t)n;
	}
	return 0;
}

static int
read_header(struct seal_reader *r, unsigned char header[SEAL_HEADER_BYTES], size_t *out_len, struct error *err)
{
	if (read_up_to(r->fd, header, SEAL_HEADER_BYTES, out_len, err) != 0)
		return -1;
	if (*out_len < MAGIC_BYTES || memcmp(header, SEAL_MAGIC, MAGIC_BYTES) != 0)
		return error_set(err, ERROR_INVALID, "this is no file that `smtorp identity export` made");
	if (*out_len > AT_VERSION && header[AT_VERSION] != VERSION)
		return error_set(err, ERROR_UNSUPPORTED, "the file is of version %u, made by a later smtorp: install that",
		    header[AT_VERSION]);
	return 0;
}

static int
open_stream(struct seal_reader *r, struct slice passphrase, struct error *err)
{
	unsigned char header[SEAL_HEADER_BYTES], key[crypto_secretstream_xchacha20poly1305_KEYBYTES], tag;
	size_t header_len, len = 0;
	if (read_header(r, header, &header_len, err) != 0 ||
	    read_up_to(r->fd, r->sealed, SEAL_OVERHEAD_BYTES, &len, err) != 0)
		return -1;
	if (len < SEAL_OVERHEAD_BYTES)
		return error_set(err, ERROR_INVALID, "the file is cut off: copy it again from where it was made");
	if (derive(header, passphrase, key, err) != 0)
		return -1;
	int result = crypto_secretstream_xchacha20poly1305_init_pull(&r->state, header + AT_STREAM, key);
	sodium_memzero(key, sizeof key);
	if (result != 0 || crypto_secretstream_xchacha20poly1305_pull(&r->state, r->plain, NULL, &tag, r->sealed, len, header,
	        SEAL_HEADER_BYTES) != 0 || tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
		return error_set(err, ERROR_DENIED, "the passphrase is wrong (or the very beginning of the file is damaged)");
	return 0;
}

struct seal_reader *
seal_reader_new(int fd, struct slice passphrase, struct error *err)
{
	struct seal_reader *r = calloc(1, sizeof *r);
	if (r == NULL) {
		error_set(err, ERROR_NO_MEMORY, "no memory to decrypt");
		return NULL;
	}
	r->fd = fd;
	if (open_stream(r, passphrase, err) == 0)
		return r;
	seal_reader_free(r);
	return NULL;
}

int
seal_read(struct seal_reader *r, struct slice *out, bool *is_last, struct error *err)
{
	unsigned char tag, more;
	size_t len, more_len = 0;
	unsigned long long plain_len;
	if (read_up_to(r->fd, r->sealed, sizeof r->sealed, &len, err) != 0)
		return -1;
	bool is_short = len < sizeof r->sealed;
	if (len < SEAL_OVERHEAD_BYTES || crypto_secretstream_xchacha20poly1305_pull(&r->state, r->plain, &plain_len, &tag,
	        r->sealed, len, NULL, 0) != 0)
		return error_set(err, ERROR_INVALID, "the file is %s: copy it again from where it was made",
		    is_short ? "cut off or damaged at its end" : "damaged");
	*is_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	if (is_short && !*is_last)
		return error_set(err, ERROR_INVALID, "the file is cut off: copy it again from where it was made");
	if (*is_last && read_up_to(r->fd, &more, 1, &more_len, err) != 0)
		return -1;
	if (more_len > 0)
		return error_set(err, ERROR_INVALID, "something follows the end of the file");
	*out = slice_of(r->plain, (size_t)plain_len);
	return 0;
}

void
seal_reader_free(struct seal_reader *r)
{
	if (r == NULL)
		return;
	sodium_memzero(r, sizeof *r);
	free(r);
}
