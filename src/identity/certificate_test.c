/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "identity/certificate.h"

#define ONION "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"

struct pair {
	struct buffer key, certificate;
	X509 *x509;
};

static void
make(const char *name, struct pair *out)
{
	struct error err;
	buffer_init(&out->key, CERTIFICATE_PEM_MAX);
	buffer_init(&out->certificate, CERTIFICATE_PEM_MAX);
	if (certificate_create(name, &out->key, &out->certificate, &err) != 0)
		fail_msg("%s", err.text);
	BIO *bio = BIO_new_mem_buf(buffer_bytes(&out->certificate), (int)buffer_len(&out->certificate));
	out->x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	assert_non_null(out->x509);
}

static void
destroy(struct pair *pair)
{
	X509_free(pair->x509);
	buffer_finish(&pair->key);
	buffer_finish(&pair->certificate);
}

static void
a_certificate_names_its_onion_and_nothing_else(void **state)
{
	(void)state;
	struct pair pair;
	make(ONION, &pair);
	char name[100];
	X509_NAME *subject = X509_get_subject_name(pair.x509);
	assert_int_equal(X509_NAME_entry_count(subject), 1);
	assert_int_equal(X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof name), strlen(ONION));
	assert_string_equal(name, ONION);
	assert_int_equal(X509_NAME_cmp(subject, X509_get_issuer_name(pair.x509)), 0);
	assert_int_equal(X509_get_ext_count(pair.x509), 1);
	assert_int_equal(X509_check_host(pair.x509, ONION, 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(pair.x509, "localhost", 0, 0, NULL), 0);
	assert_int_equal(X509_verify(pair.x509, X509_get0_pubkey(pair.x509)), 1);
	destroy(&pair);
}

static void
certificates_have_one_length(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		static int len;
		struct pair pair;
		make(ONION, &pair);
		assert_int_equal(X509_verify(pair.x509, X509_get0_pubkey(pair.x509)), 1);
		if (i == 0)
			len = i2d_X509(pair.x509, NULL);
		assert_int_equal(i2d_X509(pair.x509, NULL), len);
		destroy(&pair);
	}
}

static void
certificates_differ_in_key_and_serial_only(void **state)
{
	(void)state;
	struct pair a, b;
	make(ONION, &a);
	make(ONION, &b);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notBefore(a.x509), X509_get0_notBefore(b.x509)), 0);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(a.x509), X509_get0_notAfter(b.x509)), 0);
	ASN1_TIME *expected = ASN1_TIME_new();
	assert_int_equal(ASN1_TIME_set_string(expected, "20200101000000Z"), 1);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notBefore(a.x509), expected), 0);
	assert_int_equal(ASN1_TIME_set_string(expected, "20491231235959Z"), 1);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(a.x509), expected), 0);
	ASN1_TIME_free(expected);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.x509), X509_get0_serialNumber(b.x509)), 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(a.x509), X509_get0_pubkey(b.x509)), 0);
	destroy(&a);
	destroy(&b);
}

static void
serials_are_positive_and_of_one_length(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++) {
		struct pair pair;
		make("localhost", &pair);
		const ASN1_INTEGER *serial = X509_get0_serialNumber(pair.x509);
		assert_int_equal(ASN1_STRING_length(serial), 16);
		assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
		assert_int_equal(ASN1_STRING_get0_data(serial)[0] & 0xc0, 0x40);
		destroy(&pair);
	}
}

static void
a_pair_that_is_there_stays_and_a_broken_one_is_replaced(void **state)
{
	(void)state;
	char folder[] = "/tmp/smtorp-certificate-XXXXXX";
	struct stat first, second;
	struct error err;
	assert_non_null(mkdtemp(folder));
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(certificate_ensure(dir, "localhost", &err), 0);
	assert_int_equal(fstatat(dir, CERTIFICATE_KEY_FILE, &first, 0), 0);
	assert_int_equal(first.st_mode & 0777, 0600);
	assert_int_equal(certificate_ensure(dir, "localhost", &err), 0);
	assert_int_equal(fstatat(dir, CERTIFICATE_KEY_FILE, &second, 0), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	struct pair other;
	make("localhost", &other);
	assert_int_equal(file_replace(dir, CERTIFICATE_FILE, buffer_bytes(&other.certificate),
	    buffer_len(&other.certificate), 0600, &err), 0);
	assert_int_equal(certificate_ensure(dir, "localhost", &err), 0);
	struct buffer now;
	buffer_init(&now, CERTIFICATE_PEM_MAX);
	assert_int_equal(file_load(dir, CERTIFICATE_FILE, &now, &err), 0);
	assert_false(buffer_len(&now) == buffer_len(&other.certificate) &&
	    memcmp(buffer_bytes(&now), buffer_bytes(&other.certificate), buffer_len(&now)) == 0);
	buffer_finish(&now);
	destroy(&other);
	close(dir);
	assert_int_equal(file_remove_tree(AT_FDCWD, folder, &err), 0);
}

/* One "certificate" line of the vectors, without its first word. */
static void
check_vector(char *line)
{
	struct error err;
	char fingerprint[CERTIFICATE_FINGERPRINT_LEN + 1], pem[CERTIFICATE_PEM_MAX];
	char *expected = strchr(line, '\t');
	assert_non_null(expected);
	*expected++ = '\0';
	int len = snprintf(pem, sizeof pem, "-----BEGIN CERTIFICATE-----\n");
	for (const char *p = line; *p != '\0'; p += strnlen(p, 64))
		len += snprintf(pem + len, sizeof pem - (size_t)len, "%.64s\n", p);
	len += snprintf(pem + len, sizeof pem - (size_t)len, "-----END CERTIFICATE-----\n");
	assert_true((size_t)len < sizeof pem);
	assert_int_equal(certificate_fingerprint(slice_of_string(pem), fingerprint, &err), 0);
	assert_string_equal(fingerprint, expected);
}

static void
fingerprints_are_those_of_the_specification(void **state)
{
	(void)state;
	char line[8192];
	unsigned count = 0;
	FILE *file = test_vectors_open("fingerprints.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		if (strncmp(line, "certificate\t", 12) != 0)
			continue;
		check_vector(line + 12);
		count++;
	}
	assert_true(count >= 4);
	char fingerprint[CERTIFICATE_FINGERPRINT_LEN + 1];
	struct error err;
	assert_int_equal(certificate_fingerprint(slice_of_string("no certificate"), fingerprint, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_names_its_onion_and_nothing_else),
		cmocka_unit_test(certificates_differ_in_key_and_serial_only),
		cmocka_unit_test(certificates_have_one_length),
		cmocka_unit_test(serials_are_positive_and_of_one_length),
		cmocka_unit_test(fingerprints_are_those_of_the_specification),
		cmocka_unit_test(a_pair_that_is_there_stays_and_a_broken_one_is_replaced),
	};
	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
