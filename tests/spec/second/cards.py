# SPDX-License-Identifier: ISC
"""doc/spec/cards.md: cards, and the proofs of invitations."""
import hashlib
import hmac
import re

from . import curve
from .names import Refused, address, from_base32, from_base64, is_day, is_shown_safely, key_of_onion, refuse_unless
from .proof import text_of

ALWAYS = ['VERSION', 'FN', 'X-SMTORP-ONION', 'REV', 'X-SMTORP-SEQUENCE', 'X-SMTORP-SIGNATURE']
ONCE = [*ALWAYS, 'EMAIL', 'KEY', 'X-SMTORP-TLS', 'X-SMTORP-RECOVERY']


def read(octets):
    """The properties of a card, its signature checked."""
    refuse_unless(len(octets) <= 8192, 'too long')
    folded = decoded(octets).replace('\r\n', '\n').removesuffix('\n').split('\n')
    refuse_unless(not {'', ' ', '\t'} & set(folded) and folded[0][0] not in ' \t', 'an empty line, or half a one')
    lines = re.sub('\n[ \t]', '', '\n'.join(folded)).split('\n')
    refuse_unless(all(map(is_shown_safely, lines)), 'characters')
    refuse_unless(lines[0].upper() == 'BEGIN:VCARD' and lines[-1].upper() == 'END:VCARD', 'frame')
    properties = {}
    for line in lines[1:-1]:
        name, colon, value = line.partition(':')
        refuse_unless(colon, 'no property')
        bare = re.sub('^.*[.]', '', name.partition(';')[0]).upper()
        refuse_unless(bare not in ('BEGIN', 'END'), 'frame')
        if bare in ONCE:
            refuse_unless(name.upper() == bare and bare not in properties, f'{bare} twice, or with parameters')
            properties[bare] = value
    refuse_unless(all(name in properties for name in ALWAYS), 'missing')
    refuse_unless(lines[-2].upper().startswith('X-SMTORP-SIGNATURE:'), 'behind the signature')
    look(properties)
    digest = hashlib.sha256(''.join(line + '\r\n' for line in lines[:-2]).encode()).digest()
    signature = from_base64(properties['X-SMTORP-SIGNATURE'], 64)
    refuse_unless(curve.verify(key_of_onion(properties['X-SMTORP-ONION']), text_of('card', digest), signature), 'signature')
    return properties


def decoded(octets):
    try:
        return octets.decode()
    except UnicodeDecodeError:
        refuse_unless(False, 'not UTF-8')


def look(properties):
    key_of_onion(properties['X-SMTORP-ONION'])
    if 'EMAIL' in properties:
        _, label, name = address(properties['EMAIL'].encode())
        refuse_unless(label is None and name + '.onion' == properties['X-SMTORP-ONION'], 'another onion')
    for name in ('X-SMTORP-TLS', 'X-SMTORP-RECOVERY'):
        if name in properties:
            from_base32(properties[name].lower(), 32)
    refuse_unless(is_day(properties['REV']), 'REV')
    refuse_unless(properties['VERSION'] == '4.0', 'version')
    refuse_unless(re.fullmatch('0|[1-9][0-9]{0,17}', properties['X-SMTORP-SEQUENCE']), 'sequence')
    if 'KEY' in properties:
        kind, comma, data = properties['KEY'].partition(',')
        refuse_unless(comma and kind.lower() == 'data:application/pgp-keys;base64' and 0 < len(from_base64(data)) <= 5120, 'KEY')
    refuse_unless(re.fullmatch(r'(?:[^\\]|\\[\\,;:])*', properties['FN']), 'FN')
    properties['FN'] = re.sub(r'\\(.)', r'\1', properties['FN'])
    refuse_unless(len(properties['FN'].encode()) <= 128 or is_address(properties['FN']), 'FN')


def is_address(text):
    try:
        return bool(address(text.encode()))
    except Refused:
        return False


def invitation(secret, inviting, guest, guest_address):
    text = b'smtorp/1 invitation\0' + f'{inviting} {guest} {guest_address}'.encode()
    return hmac.new(from_base32(secret, 16), text, hashlib.sha256).hexdigest().upper()
