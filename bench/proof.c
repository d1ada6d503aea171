/* SPDX-License-Identifier: ISC
 *
 * What it costs to find out who wrote a message, beside the one Ed25519 signature that is in it. See usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "mime/header.h"
#include "mime/library.h"
#include "onionkey/onionkey.h"
#include "proof/onionsig.h"

#define BODY_BYTES 4096

static const char usage[] =
    "usage: proof [CHECKS]\n\n"
    "Checks the Onion-Signature of a message of 4 KiB, as content@ID does before a 250: header, body and signature; CHECKS (2000) times, the median. Beside\n"
    "each, the bare verification of one Ed25519 signature by the library, with that key. x: how much more the whole is.\n";

struct person {
	struct onionkey key;
	char onion[ONIONKEY_NAME_LEN + sizeof ".onion"];
};

static void
make_person(struct person *p, unsigned char seed_byte)
{
	unsigned char seed[32];
	memset(seed, seed_byte, sizeof seed);
	onionkey_from_seed(seed, &p->key);
	onionkey_name(p->key.public_key, p->onion);
	strcat(p->onion, ".onion");
}

static void
digest_body(struct slice body, unsigned char digest[HASH_SHA256_BYTES])
{
	struct dkim_body state;
	dkim_body_init(&state);
	dkim_body_update(&state, body.data, body.len);
	dkim_body_final(&state, digest);
}

/* The header with its signature, and the body. */
static void
make_message(const struct person *alice, const struct person *bob, struct buffer *section, struct buffer *body, unsigned char digest[HASH_SHA256_BYTES],
    unsigned char signature[ONIONKEY_SIGNATURE_BYTES])
{
	unsigned char body_digest[HASH_SHA256_BYTES];
	struct buffer header;
	buffer_init(&header, 1 << 16);
	buffer_init(section, 1 << 16);
	buffer_init(body, BODY_BYTES);
	for (size_t i = 0; i < BODY_BYTES / 64; i++)
		buffer_append(body, "a line of sixty-two letters, as they stand in mail every day...\r\n", 64, NULL);
	buffer_printf(&header, NULL, "From: alice@%s\r\nTo: bob@%s\r\nSubject: Measured\r\nDate: Sun, 01 Nov 2026 10:00:00 +0000\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n", alice->onion, bob->onion);
	struct slice text = buffer_slice(&header);
	digest_body(buffer_slice(body), body_digest);
	if (onionsig_begin(text, body_digest, alice->onion, bob->onion, section, digest, &err) != 0)
		stop("sign");
	onionkey_sign(&alice->key, slice_of(digest, HASH_SHA256_BYTES), signature);
	if (onionsig_end(section, signature, &err) != 0 || buffer_append(section, text.data, text.len, &err) != 0)
		stop("sign");
	buffer_finish(&header);
}

static double
check(struct slice section, struct slice body, const char *to)
{
	unsigned char digest[HASH_SHA256_BYTES];
	enum onionsig_verdict verdict;
	struct address sender;
	struct error why;
	double begun = now_us(CLOCK_MONOTONIC);
	digest_body(body, digest);
	if (onionsig_check(section, digest, to, &verdict, &sender, &why, &err) != 0 || verdict != ONIONSIG_PROVED)
		stop("check");
	return now_us(CLOCK_MONOTONIC) - begun;
}

int
main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	unsigned char digest[HASH_SHA256_BYTES], signature[ONIONKEY_SIGNATURE_BYTES];
	struct buffer section, body;
	struct person alice, bob;
	if (argc > 2 || count == 0) {
		fputs(usage, stderr);
		return 2;
	}
	onionkey_library_init();
	library_init();
	make_person(&alice, 1);
	make_person(&bob, 2);
	make_message(&alice, &bob, &section, &body, digest, signature);
	double *whole = calloc(count, sizeof *whole), *bare = calloc(count, sizeof *bare);
	if (whole == NULL || bare == NULL)
		stop("memory");
	for (size_t i = 0; i < count; i++) {
		whole[i] = check(buffer_slice(&section), buffer_slice(&body), bob.onion);
		double begun = now_us(CLOCK_MONOTONIC);
		if (onionkey_verify(alice.key.public_key, slice_of(digest, sizeof digest), signature, &err) != 0)
			stop("verify");
		bare[i] = now_us(CLOCK_MONOTONIC) - begun;
	}
	double whole_us = median(whole, count), bare_us = median(bare, count);
	printf("check of an Onion-Signature %.3f ms, of a bare Ed25519 signature %.3f ms: %.2f x\n", whole_us / 1e3, bare_us / 1e3, whole_us / bare_us);
	free(whole);
	free(bare);
	buffer_finish(&section);
	buffer_finish(&body);
	return 0;
}
