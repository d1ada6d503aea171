/* SPDX-License-Identifier: ISC */
#include "identity/certificate_look.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"

#define NOT_BEFORE_S 1577836800 /* 2020-01-01 00:00:00 UTC, as certificate.c makes them */
#define NOT_AFTER_S 2524607999  /* 2049-12-31 23:59:59 UTC */
#define SERIAL_BYTES 16

/* ---- text */

static void
append(struct certificate_facts *facts, const void *bytes, size_t len)
{
	size_t at = strlen(facts->text);
	for (size_t i = 0; i < len && at < CERTIFICATE_TEXT_MAX; i++) {
		unsigned char c = ((const unsigned char *)bytes)[i];
		facts->text[at++] = c < ' ' || c > '~' ? '?' : (char)c;
	}
	facts->text[at] = '\0';
}

static void
end_line(struct certificate_facts *facts)
{
	size_t at = strlen(facts->text);
	if (at < CERTIFICATE_TEXT_MAX)
		strcpy(facts->text + at, "\n");
}

static void
append_string(struct certificate_facts *facts, const ASN1_STRING *string)
{
	append(facts, ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
	end_line(facts);
}

/* ---- names */

static bool
is_string(const ASN1_STRING *string, const char *text)
{
	return (size_t)ASN1_STRING_length(string) == strlen(text) && memcmp(ASN1_STRING_get0_data(string), text, strlen(text)) == 0;
}

/* Appends all of it; whether it is CN=name and nothing else. */
static bool
look_at_name(const X509_NAME *whole, const char *name, struct certificate_facts *facts)
{
	int count = X509_NAME_entry_count(whole);
	bool is_only = count == 1;
	for (int i = 0; i < count; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(whole, i);
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
		append_string(facts, value);
		is_only &= OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName && is_string(value, name);
	}
	return is_only;
}

static void
append_address(struct certificate_facts *facts, const ASN1_OCTET_STRING *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	int len = ASN1_STRING_length(address);
	if (len == 4 || len == 16)
		inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
	append(facts, text, strlen(text));
	end_line(facts);
}

static bool
look_at_other_names(X509 *certificate, const char *name, struct certificate_facts *facts)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
	bool is_only = count == 1;
	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
		is_only &= one->type == GEN_DNS && is_string(one->d.dNSName, name);
		if (one->type == GEN_DNS || one->type == GEN_EMAIL || one->type == GEN_URI)
			append_string(facts, one->d.ia5);
		else if (one->type == GEN_IPADD)
			append_address(facts, one->d.iPAddress);
		else if (one->type == GEN_DIRNAME)
			look_at_name(one->d.directoryName, name, facts);
	}
	GENERAL_NAMES_free(names);
	return is_only;
}

/* ---- the rest */

static int64_t
seconds(const ASN1_TIME *time)
{
	struct tm tm;
	return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

static bool
is_usual(X509 *certificate, const struct certificate_facts *facts)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	const unsigned char *bytes = ASN1_STRING_get0_data(serial);
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	char group[32] = "";
	size_t len;
	bool has_key = key != NULL && EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 && strcmp(group, "prime256v1") == 0;
	return has_key && facts->not_before_s == NOT_BEFORE_S && facts->not_after_s == NOT_AFTER_S &&
	    ASN1_STRING_length(serial) == SERIAL_BYTES && bytes[0] >= 0x40 && bytes[0] <= 0x7f && X509_get_ext_count(certificate) == 1 &&
	    X509_get_signature_nid(certificate) == NID_ecdsa_with_SHA256;
}

int
certificate_look(struct slice der, const char *name, struct certificate_facts *out, struct error *err)
{
	const unsigned char *at = der.data;
	unsigned char hash[EVP_MAX_MD_SIZE], *key = NULL;
	*out = (struct certificate_facts){ 0 };
	X509 *certificate = der.len <= CERTIFICATE_DER_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;
	if (certificate == NULL)
		return error_set(err, ERROR_INVALID, "the TLS certificate cannot be read");
	out->is_only_name = look_at_name(X509_get_subject_name(certificate), name, out);
	out->is_only_name &= look_at_name(X509_get_issuer_name(certificate), name, out);
	out->is_only_name &= look_at_other_names(certificate, name, out);
	out->not_before_s = seconds(X509_get0_notBefore(certificate));
	out->not_after_s = seconds(X509_get0_notAfter(certificate));
	out->is_usual = is_usual(certificate, out);
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	bool ok = len > 0 && EVP_Digest(key, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1;
	if (ok)
		encode_base32(out->fingerprint, hash, 32);
	OPENSSL_free(key);
	X509_free(certificate);
	return ok ? 0 : error_set(err, ERROR_INVALID, "the TLS certificate has no key that can be read");
}
