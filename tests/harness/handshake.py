# SPDX-License-Identifier: ISC
"""The fields of TLS handshake messages (RFC 8446, RFC 5246), without what has to differ from one handshake to the next."""
import re
import subprocess

RECORD = 22  # of a handshake
CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, ENCRYPTED_EXTENSIONS, CERTIFICATE = 1, 2, 4, 8, 11
SERVER_KEY_EXCHANGE, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED = 12, 15, 16, 20
KEY_SHARE = 51
RETRY = bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')  # HelloRetryRequest is a ServerHello


class Reader:
    def __init__(self, octets):
        self.octets = octets

    def take(self, count):
        assert len(self.octets) >= count, 'a handshake message is cut off'
        taken, self.octets = self.octets[:count], self.octets[count:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), 'big')

    def vector(self, size):
        return self.take(self.number(size))


def _extensions(reader, is_client):
    if not reader.octets:
        return []
    inner, found = Reader(reader.vector(2)), []
    while inner.octets:
        kind, data = inner.number(2), inner.vector(2)
        found.append((kind, _key_shares(data, is_client) if kind == KEY_SHARE else data.hex()))
    return found


def _key_shares(data, is_client):
    """Groups, and how long each share is."""
    reader = Reader(Reader(data).vector(2) if is_client else data)
    shares = []
    while reader.octets:
        shares.append((reader.number(2), len(reader.vector(2)) if reader.octets else 'wanted'))
    return shares


def _client_hello(reader):
    version, random, session = reader.take(2), reader.take(32), reader.vector(1)
    assert len(random) == 32
    return [('version', version.hex()), ('session id', len(session)), ('ciphers', reader.vector(2).hex()),
            ('compression', reader.vector(1).hex()), ('extensions', _extensions(reader, True))]


def _server_hello(reader):
    version, random, session = reader.take(2), reader.take(32), reader.vector(1)
    return [('version', version.hex()), ('retry', random == RETRY), ('session id', len(session)), ('cipher', reader.take(2).hex()),
            ('compression', reader.take(1).hex()), ('extensions', _extensions(reader, False))]


def certificate_fields(der):
    """As openssl sees it, but for the numbers that are drawn: the serial number; keys and signatures it shows by length only."""
    text = subprocess.run(['openssl', 'asn1parse', '-inform', 'DER'], input=der, stdout=subprocess.PIPE, check=True).stdout.decode()
    lines = text.splitlines()
    assert 'INTEGER' in lines[4], text  # SEQUENCE, SEQUENCE, [0], version, serial
    lines[4] = re.sub(r':[0-9A-F]+$', ':SERIAL', lines[4])
    return '\n'.join(lines)


def _certificates(reader, is_13):
    if is_13:
        assert reader.vector(1) == b''
    inner, found = Reader(reader.vector(3)), []
    while inner.octets:
        found.append(certificate_fields(inner.vector(3)))
        if is_13:
            found.append(inner.vector(2).hex())
    return found


def certificates(octets, is_13):
    """The DER of each."""
    reader = Reader(octets[4:])
    if is_13:
        reader.vector(1)
    inner, found = Reader(reader.vector(3)), []
    while inner.octets:
        found.append(inner.vector(3))
        if is_13:
            inner.vector(2)
    return found


def _ticket(reader):
    lifetime, age_added, nonce, ticket = reader.number(4), reader.take(4), reader.vector(1), reader.vector(2)
    assert len(age_added) == 4
    return [('lifetime', lifetime), ('nonce', nonce.hex()), ('ticket', len(ticket)), ('extensions', _extensions(reader, False))]


def fields(kind, octets, is_13):
    """What is to be equal. A signature's own length is left out: in DER it varies by some octets with the numbers drawn for it."""
    reader = Reader(octets)
    assert reader.number(1) == kind and reader.number(3) == len(octets) - 4
    if kind == CLIENT_HELLO:
        return _client_hello(reader)
    if kind == SERVER_HELLO:
        return _server_hello(reader)
    if kind == CERTIFICATE:
        return _certificates(reader, is_13)
    if kind == CERTIFICATE_VERIFY:
        return [('scheme', reader.take(2).hex())]
    if kind == SERVER_KEY_EXCHANGE:
        return [('curve', reader.take(3).hex()), ('share', len(reader.vector(1))), ('scheme', reader.take(2).hex())]
    if kind in (CLIENT_KEY_EXCHANGE, FINISHED):
        return [('length', len(octets))]
    if kind == NEW_SESSION_TICKET:
        return _ticket(reader)
    return octets.hex()
