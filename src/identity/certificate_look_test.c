/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "identity/certificate_look.h"

#define ONION "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"

static void
our_own_tells_the_onion_and_nothing_else(void **state)
{
	struct buffer key, pem;
	struct certificate_facts facts;
	struct error err;
	char fingerprint[CERTIFICATE_FINGERPRINT_LEN + 1];
	unsigned char *der = NULL;
	(void)state;
	buffer_init(&key, CERTIFICATE_PEM_MAX);
	buffer_init(&pem, CERTIFICATE_PEM_MAX);
	assert_int_equal(certificate_create(ONION, &key, &pem, &err), 0);
	BIO *bio = BIO_new_mem_buf(buffer_bytes(&pem), (int)buffer_len(&pem));
	X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	size_t len = (size_t)i2d_X509(x509, &der);
	assert_int_equal(certificate_look(slice_of(der, len), ONION, &facts, &err), 0);
	assert_true(facts.is_only_name && facts.is_usual);
	assert_string_equal(facts.text, ONION "\n" ONION "\n" ONION "\n");
	assert_int_equal(certificate_fingerprint(slice_of(buffer_bytes(&pem), buffer_len(&pem)), fingerprint, &err), 0);
	assert_string_equal(facts.fingerprint, fingerprint);
	assert_int_equal(certificate_look(slice_of(der, len), "localhost", &facts, &err), 0);
	assert_false(facts.is_only_name);
	for (size_t cut = 0; cut < len; cut += 7)
		assert_int_equal(certificate_look(slice_of(der, cut), ONION, &facts, &err), -1);
	OPENSSL_free(der);
	X509_free(x509);
	BIO_free(bio);
	buffer_finish(&pem);
	buffer_finish(&key);
}

static void
all_names_of_a_talkative_one_are_told(void **state)
{
	char path[512];
	struct buffer der;
	struct certificate_facts facts;
	struct error err;
	(void)state;
	snprintf(path, sizeof path, "%s/src/identity/corpus/certificate_look/talkative", getenv("SMTORP_SOURCE"));
	buffer_init(&der, CERTIFICATE_DER_MAX);
	assert_int_equal(file_load(AT_FDCWD, path, &der, &err), 0);
	assert_int_equal(certificate_look(slice_of(buffer_bytes(&der), buffer_len(&der)), "laptop.home.example", &facts, &err), 0);
	assert_false(facts.is_only_name || facts.is_usual);
	assert_string_equal(facts.text, "Carol\nlaptop.home.example\nCarol\nlaptop.home.example\nlaptop.home.example\n192.0.2.1\n"
	    "2001:db8::1\ncarol@example.org\nhttps://example.org/\n");
	assert_true(facts.not_before_s > 1700000000 && facts.not_after_s > facts.not_before_s);
	buffer_finish(&der);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_tells_the_onion_and_nothing_else),
		cmocka_unit_test(all_names_of_a_talkative_one_are_told),
	};
	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
