/* SPDX-License-Identifier: ISC
 *
 * For tests of PGP/MIME: alice, who writes, and bob, who reads.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/random.h"
#include "mime/library.h"
#include "seal/pgpmime.h"

#define ALICE "alice@aliceonion.onion"
#define BOB "bob@bobonion.onion"

struct person {
	struct openpgp *pgp;
	struct buffer secret, public;
	struct slice key; /* public */
	struct openpgp_key is;
};

static struct person alice, bob, carol;

static inline struct slice
all_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static inline bool
has_text(struct slice s, const char *text)
{
	return memmem(s.data, s.len, text, strlen(text)) != NULL;
}

static inline void
person_make(struct person *p, const char *address)
{
	struct error err = { 0 };
	buffer_init(&p->secret, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&p->public, OPENPGP_ARMOURED_MAX_BYTES);
	if (openpgp_generate(address, (int64_t)time(NULL), &p->secret, &err) != 0)
		fail_msg("%s", err.text);
	struct slice secret = all_of(&p->secret);
	if (openpgp_new(&secret, 1, &p->pgp, &err) != 0 || openpgp_public_key(p->pgp, &p->public, &err) != 0 ||
	    openpgp_look(all_of(&p->public), &p->is, &err) != 0)
		fail_msg("%s", err.text);
	p->key = all_of(&p->public);
}

static inline void
person_forget(struct person *p)
{
	openpgp_free(p->pgp);
	buffer_finish(&p->secret);
	buffer_finish(&p->public);
}

static inline int
people_come(void **state)
{
	(void)state;
	random_init();
	library_init();
	person_make(&alice, ALICE);
	person_make(&bob, BOB);
	person_make(&carol, "carol@carolonion.onion");
	return 0;
}

static inline int
people_go(void **state)
{
	(void)state;
	person_forget(&alice);
	person_forget(&bob);
	person_forget(&carol);
	return 0;
}

/* A message of alice's for these readers. */
static inline void
seal_for(const struct slice *keys, size_t count, struct slice message, struct buffer *out)
{
	struct error err = { 0 };
	bool is_8bit;
	struct pgpmime_seal how = { alice.pgp, keys, count, (int64_t)time(NULL), "" };
	random_name(how.boundary_letters, sizeof how.boundary_letters);
	buffer_init(out, 64 << 20);
	if (pgpmime_seal_message(&how, message, out, &is_8bit, &err) != 0)
		fail_msg("%s", err.text);
}

#define FRAME_BEGIN "MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=frame\r\n\r\n" \
	"--frame\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--frame\r\nContent-Type: application/octet-stream\r\n\r\n"
#define FRAME_END "\r\n--frame--\r\n"

/* Any payload of anybody's, encrypted to bob and signed. */
static inline void
wrap_payload(const struct person *by, const char *header, struct slice payload, struct buffer *out)
{
	struct error err = { 0 };
	struct buffer armoured;
	buffer_init(&armoured, 64 << 20);
	buffer_init(out, 64 << 20);
	if (openpgp_encrypt(by->pgp, &bob.key, 1, (int64_t)time(NULL), payload, &armoured, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(buffer_append_string(out, header, &err), 0);
	assert_int_equal(buffer_append_string(out, FRAME_BEGIN, &err), 0);
	assert_int_equal(buffer_append(out, buffer_bytes(&armoured), buffer_len(&armoured), &err), 0);
	assert_int_equal(buffer_append_string(out, FRAME_END, &err), 0);
	buffer_finish(&armoured);
}

/* How bob finds a message, who knows this one key of the sender's. */
static inline struct pgpmime_facts
bob_opens(const struct slice *keys, size_t count, const char *from, struct slice message, struct buffer *out)
{
	struct error err = { 0 };
	struct pgpmime_facts facts;
	const struct pgpmime_open how = { bob.pgp, keys, count, from };
	buffer_init(out, 64 << 20);
	if (pgpmime_open(&how, message, &facts, out, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(facts.encryption == PGPMIME_OPENED, buffer_len(out) > 0);
	assert_int_equal(facts.signature == PGPMIME_SIGNED_GOOD, facts.fingerprint[0] != '\0');
	return facts;
}
