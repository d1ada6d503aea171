# SPDX-License-Identifier: ISC
"""doc/spec/address.md: onion names, addresses, fingerprints; and base32 and base64 as they are written everywhere."""
import base64
import datetime
import hashlib
import re
import unicodedata

from . import curve

LETTERS = set('abcdefghijklmnopqrstuvwxyz234567')
ATEXT = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
TURNS = {0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF}


class Refused(Exception):
    pass


def refuse_unless(true, reason):
    if not true:
        raise Refused(reason)


def to_base32(octets):
    return base64.b32encode(octets).decode().rstrip('=').lower()


def from_base32(letters, length):
    """In one form only: lower case, no padding, left-over bits zero."""
    refuse_unless(re.fullmatch('[a-z2-7]*', letters), 'base32')
    try:
        octets = base64.b32decode(letters.upper() + '=' * (-len(letters) % 8))
    except ValueError:
        raise Refused('base32') from None
    refuse_unless(len(octets) == length and to_base32(octets) == letters, 'base32')
    return octets


def from_base64(text, length=None):
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused('base64') from None
    refuse_unless(base64.b64encode(octets).decode() == text and length in (None, len(octets)), 'base64')
    return octets


def is_shown_safely(text):
    return not any(unicodedata.category(c) == 'Cc' or ord(c) in TURNS for c in text)


def is_day(text):
    try:
        return bool(re.fullmatch('[0-9]{8}T[0-9]{6}Z', text)) and datetime.datetime.strptime(text, '%Y%m%dT%H%M%SZ').year >= 1970
    except ValueError:
        return False


# ---- section 3


def name_of(public):
    checksum = hashlib.sha3_256(b'.onion checksum' + public + b'\3').digest()[:2]
    return to_base32(public + checksum + b'\3')


def key_of(name):
    """The public key that 56 letters are."""
    refuse_unless(len(name) != 16, 'version-2')
    refuse_unless(len(name) == 56, 'length')
    refuse_unless(set(name.lower()) <= LETTERS and name.isascii(), 'alphabet')
    octets = base64.b32decode(name.upper())
    public, checksum, version = octets[:32], octets[32:34], octets[34:]
    refuse_unless(hashlib.sha3_256(b'.onion checksum' + public + version).digest()[:2] == checksum, 'checksum')
    refuse_unless(version == b'\3', 'version')
    refuse_unless(curve.is_of_prime_order(public), 'torsion')
    return public


def key_of_onion(text):
    """Of NAME.onion as it is written in signed things: in lower case."""
    refuse_unless(text.endswith('.onion') and text == text.lower(), 'onion')
    return key_of(text[:-6])


# ---- sections 1 and 2


def local_part(octets):
    refuse_unless(octets, 'local-part-empty')
    refuse_unless(b'"' not in octets and b'\\' not in octets, 'quoted')
    refuse_unless(len(octets) <= 64, 'local-part-length')
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise Refused('not-utf8') from None
    refuse_unless(all(c in ATEXT or c > '\x7f' for c in text), 'local-part-alphabet')
    refuse_unless(is_shown_safely(text), 'not-shown')
    refuse_unless('' not in text.split('.'), 'dots')
    return text


def address(octets):
    """(local part, label or None, onion name without .onion)."""
    at = octets.rfind(b'@')
    refuse_unless(at >= 0, 'no-at')
    refuse_unless(octets.count(b'@') == 1, 'two-at')
    local = local_part(octets[:at])
    domain = octets[at + 1:].decode('latin-1')
    domain = domain[:-1] if domain.endswith('.') else domain
    labels = ''.join(c.lower() if c.isascii() else c for c in domain).split('.')
    refuse_unless(labels[-1] == 'onion', 'not-onion')
    refuse_unless(len(labels) > 1 and labels[-2], 'no-name')
    try:
        key_of(labels[-2])
    except Refused as reason:
        raise Refused(str(reason) if str(reason) == 'version-2' else f'name-{reason}') from None
    refuse_unless(len(labels) < 4, 'two-labels')
    if len(labels) == 2:
        return local, None, labels[0]
    label = labels[0]
    refuse_unless(8 <= len(label) <= 52, 'fingerprint-length')
    refuse_unless(set(label) <= LETTERS, 'fingerprint-alphabet')
    refuse_unless(len(label) < 52 or label[-1] in 'aq', 'fingerprint-end')
    return local, label, labels[1]


# ---- section 4


def der(octets, at):
    """(tag, beginning of the content, end) of the DER element there."""
    length, begin = octets[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(octets[at + 2:begin], 'big')
    return octets[at], begin, begin + length


def fingerprint_of(certificate):
    at = der(certificate, der(certificate, 0)[1])[1]  # into the certificate, into what is signed
    if certificate[at] == 0xA0:
        at = der(certificate, at)[2]
    for _ in ('serial', 'signature', 'issuer', 'validity', 'subject'):
        at = der(certificate, at)[2]
    return to_base32(hashlib.sha256(certificate[at:der(certificate, at)[2]]).digest())


def fits(label, fingerprint):
    label = label.lower()
    return 8 <= len(label) <= 52 and set(label) <= LETTERS and fingerprint.startswith(label)
