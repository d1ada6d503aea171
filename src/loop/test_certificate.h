/* SPDX-License-Identifier: ISC
 *
 * A TLS key for tests, known to everybody; and the hash that openssl(1) gives for its SubjectPublicKeyInfo.
 */
#pragma once

static const char test_certificate_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBiDCCAS2gAwIBAgIUSA/pFENNmy2dC38FEVIKyZttA8EwCgYIKoZIzj0EAwIw\n"
    "GDEWMBQGA1UEAwwNZXhhbXBsZS5vbmlvbjAgFw0yNjExMjIxMDU5MjVaGA8yMTI2\n"
    "MTAyOTEwNTkyNVowGDEWMBQGA1UEAwwNZXhhbXBsZS5vbmlvbjBZMBMGByqGSM49\n"
    "AgEGCCqGSM49AwEHA0IABCicXMAmwk6xgmXcP2SrECUnioE6KiiDRolGR+HLkDuA\n"
    "fVQERcjBeC5H/Hk3mCLAeFp3THSwzzxU+1J/ikpm+eKjUzBRMB0GA1UdDgQWBBS5\n"
    "OcWxodJ8v5gweQzHK7wnC13vaTAfBgNVHSMEGDAWgBS5OcWxodJ8v5gweQzHK7wn\n"
    "C13vaTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCmFBpuNxwF\n"
    "FG43ftCGNqddir4nEptLr3VncnfZmLKdhQIhAIe6dumKTsj+iVaFHr67cszixWoT\n"
    "0GA4bN2gZzCfeFdR\n"
    "-----END CERTIFICATE-----\n";

static const char test_key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2A7jDjEPe+XgN63W\n"
    "N6dJ2sl/1Co48KvpiU2WZWwsGFahRANCAAQonFzAJsJOsYJl3D9kqxAlJ4qBOioo\n"
    "g0aJRkfhy5A7gH1UBEXIwXguR/x5N5giwHhad0x0sM88VPtSf4pKZvni\n"
    "-----END PRIVATE KEY-----\n";

static const char test_key_hash_hex[] =
    "50014325E4F08E92DC26C1FCECB7A6A8B64E4F41CA3CC8048D24FED9F83D56E4";

/* Another key, which does not belong to the certificate. */
static const char test_other_key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgS+8SeG2LQf1bggUa\n"
    "q3ZB242gIWJ5O1nTAekXffVVcp6hRANCAASZpCUqgMadqpOS7u3fuxx+TWspnC7p\n"
    "nrOzYjUzMNSYSNvyIYUJGFokpEKuczF73FozFEBzpt8KBcC9Y/2XdJhD\n"
    "-----END PRIVATE KEY-----\n";

/* For test_other_key_pem. */
static const char test_other_certificate_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBiDCCAS2gAwIBAgIUA3r5zOY+kPh+qPodYKkDFnvxUvowCgYIKoZIzj0EAwIw\n"
    "GDEWMBQGA1UEAwwNZXhhbXBsZS5vbmlvbjAgFw0yNjExMjIyMTQxNTlaGA8yMTI2\n"
    "MTAyOTIxNDE1OVowGDEWMBQGA1UEAwwNZXhhbXBsZS5vbmlvbjBZMBMGByqGSM49\n"
    "AgEGCCqGSM49AwEHA0IABJmkJSqAxp2qk5Lu7d+7HH5NaymcLumes7NiNTMw1JhI\n"
    "2/IhhQkYWiSkQq5zMXvcWjMUQHOm3woFwL1j/Zd0mEOjUzBRMB0GA1UdDgQWBBS4\n"
    "7mnhrS6+lh4KlbZq9nj1eCIrjzAfBgNVHSMEGDAWgBS47mnhrS6+lh4KlbZq9nj1\n"
    "eCIrjzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDIjYIjOXPd\n"
    "B6foXxS9Fnl3iYYtxriUjrojQiMEwgJwAwIhAIdVWiw6Twlxi2/G7OXoADE8jW1x\n"
    "sOiiIjL1PbZqvY6G\n"
    "-----END CERTIFICATE-----\n";
