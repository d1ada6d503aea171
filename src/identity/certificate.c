/* SPDX-License-Identifier: ISC */
#include "identity/certificate.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/random.h"

/* The same in every certificate, so that none tells when or where it was made. */
#define NOT_BEFORE "20200101000000Z"
#define NOT_AFTER "20491231235959Z"
#define SERIAL_BYTES 16
/* ECDSA signatures are two numbers, whose DER has 70, 71 or 72 octets (seldom less), by chance. So that all certificates are of one
 * length, a signature is made until it has this one: every second has it. */
#define SIGNATURE_BYTES 71
#define SIGN_TRIES_MOST 200

static int
fail(struct error *err)
{
	return error_set(err, ERROR_NO_MEMORY, "cannot make a TLS certificate: OpenSSL refused, probably for want of memory");
}

/* Positive and always 16 bytes long in DER. */
static int
set_random_serial(X509 *certificate)
{
	unsigned char bytes[SERIAL_BYTES];
	random_bytes(bytes, sizeof bytes);
	bytes[0] = (bytes[0] & 0x3f) | 0x40;
	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	int ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return ok ? 0 : -1;
}

static int
add_alternative_name(X509 *certificate, const char *name)
{
	char value[80];
	snprintf(value, sizeof value, "DNS:%s", name);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
	int ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok ? 0 : -1;
}

static int
sign(X509 *certificate, EVP_PKEY *key)
{
	const ASN1_BIT_STRING *signature = NULL;
	for (int i = 0; i < SIGN_TRIES_MOST; i++) {
		if (X509_sign(certificate, key, EVP_sha256()) == 0)
			return -1;
		X509_get0_signature(&signature, NULL, certificate);
		if (ASN1_STRING_length(signature) == SIGNATURE_BYTES)
			return 0;
	}
	return -1;
}

static int
fill(X509 *certificate, EVP_PKEY *key, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	if (X509_set_version(certificate, X509_VERSION_3) != 1 || set_random_serial(certificate) != 0)
		return -1;
	if (ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), NOT_BEFORE) != 1 ||
	    ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), NOT_AFTER) != 1)
		return -1;
	if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(certificate, subject) != 1 || add_alternative_name(certificate, name) != 0)
		return -1;
	return X509_set_pubkey(certificate, key) == 1 ? sign(certificate, key) : -1;
}

static int
append_memory(BIO *bio, struct buffer *out, struct error *err)
{
	char *bytes;
	long len = BIO_get_mem_data(bio, &bytes);
	int result = buffer_append(out, bytes, (size_t)len, err);
	OPENSSL_cleanse(bytes, (size_t)len);
	return result;
}

int
certificate_create(const char *name, struct buffer *key_pem, struct buffer *certificate_pem, struct error *err)
{
	int result = -1;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	BIO *key_bio = BIO_new(BIO_s_mem()), *certificate_bio = BIO_new(BIO_s_mem());
	if (key == NULL || certificate == NULL || key_bio == NULL || certificate_bio == NULL ||
	    fill(certificate, key, name) != 0 ||
	    PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509(certificate_bio, certificate) != 1) {
		fail(err);
		goto out;
	}
	if (append_memory(key_bio, key_pem, err) != 0 || append_memory(certificate_bio, certificate_pem, err) != 0)
		goto out;
	result = 0;
out:
	BIO_free(certificate_bio);
	BIO_free(key_bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return result;
}

static bool
do_belong_together(struct slice key_pem, struct slice certificate_pem)
{
	BIO *key_bio = BIO_new_mem_buf(key_pem.data, (int)key_pem.len);
	BIO *certificate_bio = BIO_new_mem_buf(certificate_pem.data, (int)certificate_pem.len);
	EVP_PKEY *key = key_bio == NULL ? NULL : PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	X509 *certificate = certificate_bio == NULL ? NULL : PEM_read_bio_X509(certificate_bio, NULL, NULL, NULL);
	bool together = key != NULL && certificate != NULL && X509_check_private_key(certificate, key) == 1;
	X509_free(certificate);
	EVP_PKEY_free(key);
	BIO_free(certificate_bio);
	BIO_free(key_bio);
	return together;
}

static struct slice
slice_of_buffer(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

int
certificate_ensure(int dir_fd, const char *name, struct error *err)
{
	struct buffer key, certificate;
	int result = -1;
	buffer_init(&key, CERTIFICATE_PEM_MAX);
	buffer_init(&certificate, CERTIFICATE_PEM_MAX);
	if (file_load(dir_fd, CERTIFICATE_KEY_FILE, &key, NULL) == 0 &&
	    file_load(dir_fd, CERTIFICATE_FILE, &certificate, NULL) == 0 &&
	    do_belong_together(slice_of_buffer(&key), slice_of_buffer(&certificate))) {
		result = 0;
		goto out;
	}
	buffer_consume(&key, buffer_len(&key));
	buffer_consume(&certificate, buffer_len(&certificate));
	if (certificate_create(name, &key, &certificate, err) != 0)
		goto out;
	result = file_replace(dir_fd, CERTIFICATE_KEY_FILE, buffer_bytes(&key), buffer_len(&key), 0600, err);
	if (result == 0)
		result = file_replace(dir_fd, CERTIFICATE_FILE, buffer_bytes(&certificate), buffer_len(&certificate), 0600, err);
out:
	if (buffer_len(&key) > 0)
		OPENSSL_cleanse(key.data, key.capacity);
	buffer_finish(&certificate);
	buffer_finish(&key);
	return result;
}

static X509 *
parse(struct slice pem, struct error *err)
{
	BIO *bio = pem.len > CERTIFICATE_PEM_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (certificate == NULL)
		error_set(err, ERROR_INVALID, "the TLS certificate cannot be read");
	BIO_free(bio);
	return certificate;
}

int
certificate_fingerprint(struct slice pem, char out[CERTIFICATE_FINGERPRINT_LEN + 1], struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE], *der = NULL;
	X509 *certificate = parse(pem, err);
	if (certificate == NULL)
		return -1;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	bool ok = len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1;
	if (ok)
		encode_base32(out, hash, 32);
	OPENSSL_free(der);
	X509_free(certificate);
	return ok ? 0 : error_set(err, ERROR_INVALID, "the TLS certificate has no key that can be read");
}

int
certificate_sha256(struct slice pem, char out[CERTIFICATE_SHA256_LEN + 1], struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	X509 *certificate = parse(pem, err);
	if (certificate == NULL)
		return -1;
	bool ok = X509_digest(certificate, EVP_sha256(), hash, &len) == 1;
	for (unsigned i = 0; ok && i < len; i++)
		snprintf(out + (size_t)3 * i, 4, i + 1 < len ? "%02X:" : "%02X", hash[i]);
	X509_free(certificate);
	return ok ? 0 : error_set(err, ERROR_NO_MEMORY, "out of memory");
}
