# SPDX-License-Identifier: ISC
"""doc/spec/proof.md: what the onion key signs, Onion-Signature, and the proof in the session."""
import hashlib
import re

from . import curve
from .names import Refused, address, from_base64, key_of, refuse_unless

CONTEXTS = ['', 'card', 'notice', 'introduction', 'invitation']  # in the order of the table in section 5
ONCE_MORE = ('From Sender Reply-To To Cc Subject Date Message-ID In-Reply-To References Autocrypt MIME-Version Content-Type '
             'Content-Transfer-Encoding Content-Disposition').lower().split()
PREFIXES = tuple('content- resent- list- mail- disposition-notification- return-receipt- secure-join chat- autocrypt-'.split())


def text_of(context, digest):
    return f'smtorp/1 {context}\0'.encode() + digest if context else digest


def session_text(client, server, exporter):
    return b'smtorp/1 session\0' + client + server + exporter


def session_key(response, server, exporter):
    """The public key that the response to AUTH SMTORP-ONION proves."""
    octets = from_base64(response, 96)
    refuse_unless(curve.is_of_prime_order(octets[:32]), 'torsion')
    refuse_unless(curve.verify(octets[:32], session_text(octets[:32], server, exporter), octets[32:]), 'signature')
    return octets[:32]


# ---- RFC 6376, relaxed/relaxed


def relaxed_field(name, value):
    value = re.sub(rb'[ \t]+', b' ', value.replace(b'\r\n', b'')).strip(b' ')
    return name.lower().rstrip(b' \t') + b':' + value


def relaxed_body(body):
    lines = [re.sub(rb'[ \t]+', b' ', line).rstrip(b' ') for line in body.split(b'\r\n')]
    while lines and not lines[-1]:
        lines.pop()
    return b''.join(line + b'\r\n' for line in lines)


def split(message):
    header, _, body = message.partition(b'\r\n\r\n')
    fields = []
    for line in re.split(rb'\r\n(?![ \t])', header):
        name, colon, value = line.partition(b':')
        refuse_unless(re.fullmatch(rb'[!-9;-~]+[ \t]*', name) and colon, 'a line of the header is no field')
        refuse_unless(not re.search(rb'\r(?!\n)|(?<!\r)\n|\0', value), 'a bare end of line')
        fields.append((name, value))
    return fields, body


def tags_of(value):
    tags = {}
    for tag in re.sub(r'\r\n(?=[ \t])', '', value).rstrip(' \t').removesuffix(';').split(';'):
        name, equals, content = tag.partition('=')
        name = name.strip(' \t')
        refuse_unless(equals and re.fullmatch('[A-Za-z][A-Za-z0-9_]*', name) and name not in tags, 'tags')
        tags[name] = content.strip(' \t')
    return tags


def base64_of(value, length):
    return from_base64(re.sub(r'[ \t\r\n]', '', value), length)


def only_address(value):
    """The one that a From field holds, read in one way only."""
    refuse_unless(len(value) <= 16384, 'From')
    left = re.sub(rb'\r\n(?=[ \t])', b'', value)
    text, depth = b'', 0
    while left:
        quoted = re.match(rb'"(?:\\.|[^"\\])*"', left) if depth == 0 else re.match(rb'\\.', left)
        part = quoted[0] if quoted else left[:1]
        depth += (part == b'(') - (part == b')')
        refuse_unless(depth >= 0, 'From')
        if depth == 0:
            text += b'""' if quoted else b' ' if part == b')' else part
        left = left[len(part):]
    refuse_unless(depth == 0 and not re.search(rb'[:;\[\]\\\0-\x08\x0a-\x1f\x7f]|"(?!")(?<!"")', text), 'From')
    elements = [element.strip(b' \t') for element in text.split(b',') if element.strip(b' \t')]
    refuse_unless(len(elements) == 1 and elements[0].count(b'@') == 1, 'From')
    one = re.fullmatch(rb'[^<>@]*<([^<>]*)>|([^<>]*)', elements[0])
    refuse_unless(one, 'From')
    found = re.sub(rb'[ \t]*@[ \t]*', b'@', (one[1] or one[2] or b'').strip(b' \t'))
    refuse_unless(len(found) <= 320 and not found.endswith(b'.') and not re.search(rb'[ \t]', found), 'From')
    return found


def sender(message, receiver):
    """The address that a message proves, to the onion name of the receiver."""
    fields, body = split(message)
    froms = [value for name, value in fields if name.lower() == b'from']
    refuse_unless(len(froms) == 1, 'one From')
    one = only_address(froms[0])
    onion = address(one)[2]
    signatures = [index for index, (name, _) in enumerate(fields) if name.lower() == b'onion-signature']
    refuse_unless(1 <= len(signatures) <= 4, 'signatures')
    for index in signatures:
        try:
            check(fields, index, body, onion, receiver)
            return one
        except Refused as refused:
            reason = refused
    raise reason


def check(fields, index, body, onion, receiver):
    value = fields[index][1]
    tags = tags_of(value.decode('latin-1'))
    refuse_unless({'v', 'a', 'c', 'd', 's', 'to', 'h', 'bh', 'b'} <= tags.keys() and not {'l', 'x', 'z'} & tags.keys(), 'tags')
    refuse_unless((tags['v'], tags['a'], tags['c']) == ('1', 'ed25519-sha256', 'relaxed/relaxed') and tags['s'], 'tags')
    refuse_unless(tags['d'].lower() == onion + '.onion' and tags['to'].lower() == receiver + '.onion', 'onions')
    names = [name.strip().lower() for name in tags['h'].split(':')]
    refuse_unless(len(names) <= 128 and all(re.fullmatch('[!-9;-~]+', name) for name in names), 'names')
    there = [name.decode('latin-1').lower().rstrip() for name, _ in fields]
    for name in {*ONCE_MORE, *(name for name in there if name.startswith(PREFIXES))}:
        refuse_unless(names.count(name) > there.count(name), f'{name} is not covered')
    refuse_unless(hashlib.sha256(relaxed_body(body)).digest() == base64_of(tags['bh'], 32), 'body')
    digest = hashlib.sha256(what_is_signed(fields, index, names)).digest()
    refuse_unless(curve.verify(key_of(onion), digest, base64_of(tags['b'], 64)), 'signature')


def what_is_signed(fields, index, names):
    signed, left = b'', list(fields)
    for name in names:
        for at in reversed(range(len(left))):
            if left[at][0].decode('latin-1').lower().rstrip() == name:
                signed += relaxed_field(*left.pop(at)) + b'\r\n'
                break
    without = re.sub(rb'((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*', rb'\1', fields[index][1])
    return signed + relaxed_field(fields[index][0], without)
