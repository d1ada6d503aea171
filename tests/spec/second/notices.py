# SPDX-License-Identifier: ISC
"""doc/spec/notices.md: notices of moves and revocations."""
import hashlib
import re

from . import curve
from .names import Refused, address, from_base32, from_base64, is_day, key_of, key_of_onion, refuse_unless, to_base32
from .proof import text_of

LINES = {
    'move': ['Kind', 'Onion', 'Sequence', 'Day', 'To', 'Recovery', 'Signature', 'To-Signature', 'Recovery-Signature'],
    'revoke-onion': ['Kind', 'Onion', 'Sequence', 'Day', 'Recovery', 'Signature', 'Recovery-Signature'],
    'revoke-key': ['Kind', 'Onion', 'Sequence', 'Day', 'Key', 'Recovery', 'Signature', 'Recovery-Signature'],
}


def recovery_hash(public):
    return to_base32(hashlib.sha256(public).digest())


def read(octets):
    """The values of a notice, all signatures checked."""
    refuse_unless(len(octets) <= 2048, 'too long')
    try:
        lines = octets.decode().replace('\r\n', '\n').split('\n')
    except UnicodeDecodeError:
        raise Refused('not UTF-8') from None
    refuse_unless(lines[0] == 'SMTorP notice 1' and lines.pop() == '', 'frame')
    pairs = [line.partition(': ')[::2] for line in lines[1:]]
    values = dict(pairs)
    wanted = LINES.get(values.get('Kind'))
    refuse_unless(wanted, 'kind')
    if 'Recovery' not in values:
        wanted = [name for name in wanted if 'Recovery' not in name]
    refuse_unless([name for name, _ in pairs] == wanted, 'lines')
    key = key_of_onion(values['Onion'])
    refuse_unless(re.fullmatch('[1-9][0-9]{0,17}', values['Sequence']), 'sequence')
    refuse_unless(values['Day'].endswith('T000000Z') and is_day(values['Day']), 'day')
    refuse_unless(re.fullmatch('[0-9A-F]{40}', values.get('Key', '0' * 40)), 'key')
    signed = lines[:1 + wanted.index('Signature')]
    digest = hashlib.sha256(''.join(line + '\r\n' for line in signed).encode()).digest()
    check(key, 'notice', digest, values['Signature'])
    if 'To' in values:
        _, label, name = address(values['To'].encode())
        refuse_unless(label is None and values['To'].endswith(f'@{name}.onion') and name + '.onion' != values['Onion'], 'to')
        check(key_of(name), 'notice', digest, values['To-Signature'])
    if 'Recovery' in values:
        check(from_base32(values['Recovery'], 32), 'recovery', digest, values['Recovery-Signature'])
    return values


def check(key, context, digest, signature):
    refuse_unless(curve.verify(key, text_of(context, digest), from_base64(signature, 64)), 'signature')
