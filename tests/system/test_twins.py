# SPDX-License-Identifier: ISC
"""Two identities of one node, and one identity on two machines, look alike to everybody they talk to; and of the machines nothing
is to be seen."""
import base64
import binascii
import contextlib
import os
import quopri
import re
import socket
import sqlite3
import ssl
import subprocess

import pytest

from harness import handshake
from harness.imap import TOR_PATIENCE_S
from harness.machine import Machine, NodeOn
from harness.node import Identity
from harness.programs import run, swaks
from harness.recorder import certificate
from harness.slow import onions
from harness.waiting import until
from harness.wire import Peer, Tape, client_context, dial

TLS_12, TLS_13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
PASSPHRASE = 'twins of the same kind\n'
MESSAGE = 'Subject: twins\r\n\r\nhello\r\n'

# ---- what strangers say to an identity, and how it answers


def secure(wire, **options):
    """STARTTLS on port 25."""
    wire.reply()
    wire.say('EHLO x.example\r\n')
    wire.reply()
    wire.say('STARTTLS\r\n')
    wire.reply()
    return wire.start_tls(client_context(**options))


def converse(wire, steps):
    """Says each step and waits for so many replies to it."""
    for step in steps:
        text, replies = step if isinstance(step, tuple) else (step, 1)
        wire.say(text + '\r\n')
        for _ in range(replies):
            wire.reply()


VERBS = ['NOOP', 'NOOP x', 'HELP', 'HELP DATA', 'VRFY root', 'EXPN staff', 'RSET', 'RSET x', 'MAIL FROM:<x@example.net>',
         'RCPT TO:<a@b.example>', 'DATA', 'NONSENSE', '', 'EHLO', 'HELO x.example', 'EHLO x.example', 'AUTH PLAIN', 'QUIT x', 'STARTTLS x']
ARGUMENTS = ['MAIL FROM:<x@example.net> SIZE=18446744073709551616', 'MAIL FROM:<x@example.net> SIZE=-1',
             'MAIL FROM:<x@example.net> SIZE=99999999999', 'MAIL FROM:<a@b<c@d>', 'MAIL FROM:<;id;>',
             f'MAIL FROM:<{"a" * 65}@b.example>', 'MAIL FROM:<x@example.net> NONSENSE=1', 'MAIL FROM:<x@[127.0.0.1]>',
             'MAIL FROM:<@a.example:b@c.example>', 'MAIL FROM:<grüße@example.net>', 'MAIL FROM:<x@example.net> ENVID=a+00',
             'MAIL TO:<x@example.net>', 'BDAT x', 'MAIL FROM:<x@example.net>', 'MAIL FROM:<y@example.net>', 'DATA', 'RSET', 'QUIT']


def recipients(identity):
    """Those of others, of the machine, and its own."""
    own = identity.address
    foreign = ['root@localhost', f'postmaster@{socket.gethostname()}', 'x@example.com', 'root@[127.0.0.1]', f'x%{identity.onion}@example.com',
               f'x@{"a" * 56}.onion', f'"quoted string"@{identity.onion}', f'nobody@{identity.onion}', f'postmaster@{identity.onion}',
               f'{own.split("@")[0]}@aaaaaaaa.{identity.onion}']
    return [f'RCPT TO:<{each}>' for each in [*foreign, own, own.upper()]] + ['RCPT TO:<>', 'RCPT TO:<postmaster>', f'RCPT TO:<{own}> NOTIFY=NEVER']


def in_the_clear(identity):
    wire = dial(identity.sockets['25'])
    wire.reply()
    converse(wire, [*VERBS, 'QUIT'])
    wire.rest()
    return wire


def inside_starttls(identity, **options):
    wire = secure(dial(identity.sockets['25']), **options)
    converse(wire, [*VERBS[1:], *(['STARTTLS'] if options else []), 'QUIT'])
    wire.rest()
    return wire


def submit_by_data(identity, wire):
    converse(wire, ['EHLO x.example', (f'MAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\nDATA', 3), MESSAGE + '.',
                    ('MAIL FROM:<> BODY=8BITMIME SIZE=100', 1), *recipients(identity), 'RSET',
                    (f'MAIL FROM:<>\r\nRCPT TO:<{identity.address}>\r\nBDAT 4\r\nSubjBDAT {len(MESSAGE) - 4} LAST\r\n{MESSAGE[4:-2]}', 4),
                    'BDAT 0 LAST', ('MAIL FROM:<x@example.net>\r\nRCPT TO:<nobody@x>\r\nBDAT 2\r\n', 3), 'QUIT'])
    wire.rest()
    return wire


def mail_on_25(identity):
    return submit_by_data(identity, secure(dial(identity.sockets['25'])))


def mail_on_465(identity):
    wire = dial(identity.sockets['465']).start_tls(client_context(alpn='smtorp/1'))
    wire.reply()
    return submit_by_data(identity, wire)


def mail_on_465_for_others(identity):
    """No ALPN, and TLS 1.2."""
    wire = dial(identity.sockets['465']).start_tls(client_context(most=TLS_12))
    wire.reply()
    return submit_by_data(identity, wire)


def one_flight(identity):
    wire = dial(identity.sockets['465']).start_tls(client_context(alpn='smtorp/1'))
    wire.reply()
    body = MESSAGE + 'x' * 60000 + '\r\n'
    wire.say(f'EHLO a.example\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\nBDAT {len(body)} LAST\r\n{body}')
    for _ in range(4):
        wire.reply()
    wire.say('QUIT\r\n')
    wire.rest()
    return wire


def too_large(identity):
    wire = dial(identity.sockets['465']).start_tls(client_context(alpn='smtorp/1'))
    wire.reply()
    converse(wire, ['EHLO a.example', 'MAIL FROM:<x@example.net> SIZE=1100000', 'MAIL FROM:<x@example.net> SIZE=1000000',
                    f'RCPT TO:<{identity.address}>', 'DATA', ('y' * 99 + '\r\n') * 11000 + '.', 'QUIT'])
    wire.rest()
    return wire


def bad_arguments(identity):
    wire = secure(dial(identity.sockets['25']))
    converse(wire, ['EHLO x.example', *ARGUMENTS])
    wire.rest()
    return wire


def smuggled(identity):
    wire = secure(dial(identity.sockets['25']))
    converse(wire, ['EHLO x.example'])
    for end in ('\n.\n', '\r\n.\n', '\n.\r\n', '\r.\r', '\r\n\0.\r\n'):
        converse(wire, [(f'MAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\nDATA', 3),
                        f'Subject: x\r\n\r\nx{end}MAIL FROM:<evil@example.net>\r\n.'])
    return wire


def too_many_errors(identity):
    wire = secure(dial(identity.sockets['25']))
    wire.say('NONSENSE\r\n' * 30)
    wire.rest()
    return wire


def an_endless_line(identity):
    wire = dial(identity.sockets['25'])
    wire.reply()
    wire.say('x' * 200000)
    wire.rest()
    return wire


def behind_starttls(identity):
    wire = dial(identity.sockets['25'])
    wire.reply()
    wire.say('EHLO x.example\r\n')
    wire.reply()
    wire.say('STARTTLS\r\nRSET\r\n')
    wire.rest()
    return wire


def no_tls_on_465(identity):
    wire = dial(identity.sockets['465'])
    wire.say('GET / HTTP/1.0\r\nHost: x\r\n\r\n')
    wire.rest()
    return wire


def failing_handshake(identity, **options):
    wire = dial(identity.sockets['465'])
    try:
        wire.start_tls(client_context(**options))
    except (ssl.SSLError, OSError):
        pass
    else:
        raise AssertionError('this cannot succeed')
    wire.rest()
    return wire


CONVERSATIONS = {
    'in the clear': in_the_clear,
    'STARTTLS, TLS 1.3': inside_starttls,
    'STARTTLS, TLS 1.2': lambda identity: inside_starttls(identity, most=TLS_12),
    'mail on 25': mail_on_25,
    'mail on 465': mail_on_465,
    'mail on 465, TLS 1.2': mail_on_465_for_others,
    'one flight': one_flight,
    'too large': too_large,
    'bad arguments': bad_arguments,
    'smuggled': smuggled,
    'too many errors': too_many_errors,
    'an endless line': an_endless_line,
    'behind STARTTLS': behind_starttls,
    'no TLS on 465': no_tls_on_465,
    'no common cipher': lambda identity: failing_handshake(identity, most=TLS_12, ciphers='AES128-SHA'),
    'another ALPN': lambda identity: dial(identity.sockets['465']).start_tls(client_context(alpn='http/1.1')),
}

WITH_TICKETS = {'mail on 465', 'one flight', 'too large'}


def listen_to(identity):
    """{name: tape} of all conversations."""
    tapes = {}
    for name, talk in CONVERSATIONS.items():
        wire = talk(identity)
        wire.close()
        tapes[name] = wire.tape
    return tapes


def stop_under(node, identities):
    """Stops it; what sessions are told then, {onion: {name: tape}}."""
    wires = {}
    for identity in identities:
        clear = dial(identity.sockets['25'])
        clear.reply()
        busy = secure(dial(identity.sockets['25']))
        converse(busy, ['EHLO x', 'MAIL FROM:<x@example.net>'])
        wires[identity.onion] = {'stop, in the clear': clear, 'stop, with TLS': busy}
    node.stop()
    for by_name in wires.values():
        for wire in by_name.values():
            wire.rest()
            wire.close()
    return {onion: {name: wire.tape for name, wire in by_name.items()} for onion, by_name in wires.items()}


# ---- what an identity says to others

def text_of(identity, to, subject):
    """As a mail program writes it that tells all it knows."""
    machine = identity.node.machine
    return f'''Received: from {machine.host} ([{ADDRESSES[-1]}]) by {machine.host}; Sun, 22 Nov 2026 12:00:00 {machine.offset}
From: {identity.address}
To: {to}
Subject: {subject}
Date: Sun, 22 Nov 2026 12:00:00 {machine.offset} ({machine.zone})
Message-ID: <{machine.uid}.{machine.user}@{machine.host}>
User-Agent: Mail ({machine.host}; {machine.language}; {machine.home})
X-Originating-IP: [{ADDRESSES[-1]}]
X-Sender: {machine.user}@{machine.host}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="{machine.host}-{machine.uid}"

written on {machine.host}
--{machine.host}-{machine.uid}
Content-Type: text/plain
X-Source: {machine.home}
Date: Sun, 22 Nov 2026 12:00:00 {machine.offset}

text
--{machine.host}-{machine.uid}--
'''


def send(node, identity, to, subject):
    node.run('smtorp-sendmail', '-f', identity.address, to, input=text_of(identity, to, subject))


def send_all(node, identity, to):
    """By every kind of program, to each kind of recipient."""
    machine = node.machine
    settings = machine.home / f'muttrc-{identity.name}'
    settings.write_text(node.cli('mua', identity.name, '--client', 'mutt').stdout)
    attached = machine.home / 'attached.txt'
    attached.write_text('attached\n')
    for path in (settings, attached):
        node.own(path)
    run(node, 'neomutt', '-n', '-F', settings, '-s', 'by neomutt: grüße', '-a', attached, '--', to['neomutt'],
        input='written in neomutt: grüße\n')
    host, port = node.endpoint('submission')
    run(node, 'msmtp', f'--host={host}', f'--port={port}', '--auth=plain', f'--user={identity.login}', '--tls=off',
        f'--passwordeval=echo {identity.password}', f'--from={identity.address}', f'--domain={machine.host}', '--',
        to['msmtp'], input=text_of(identity, to['msmtp'], 'by msmtp'))
    swaks(identity, [to['swaks']], '--header', 'Subject: by swaks', '--body', 'text', '--add-header', 'Received: from ' + machine.host,
          '--add-header', f'X-Originating-IP: [{ADDRESSES[0]}]', '--add-header', f'User-Agent: Mail ({machine.host}; {machine.home})')
    for kind in ('later', 'never', 'torn', 'stay'):
        send(node, identity, to[kind], kind)
    node.run('smtorp-sendmail', '-t', '-f', identity.address, input=text_of(identity, to['plain'], 'on port 25'))


RECIPIENTS = {'neomutt': 1, 'msmtp': 1, 'swaks': 1, 'later': 2, 'never': 1, 'torn': 2, 'stay': 1, 'plain': 1}  # and sessions with them


def addressed(tape):
    """The local part of the session's recipient."""
    inside = b''.join(entry[1] for entry in tape.of('inside'))
    found = re.search(rb'RCPT TO:<(\w+)@', inside)
    return found[1].decode() if found else ''


def sessions_of(identity, peers, expected):
    """{name: tape} once so many of them have come."""
    def look():
        tapes = {}
        for peer in peers:
            for tape in peer.of(identity.onion):
                name = addressed(tape)
                count = sum(each.startswith(f'to {name} ') for each in tapes)
                if count < expected.get(name, 0):  # a circuit that broke makes one more
                    tapes[f'to {name} {count + 1}'] = tape
        complete = all(f'to {name} {count}' in tapes for name, count in expected.items())
        return tapes if complete else None
    return until(look, TOR_PATIENCE_S, 'all mail of the twins', every_s=0.2, log=identity.node.waiting)


def bounce(identity):
    def look(mailbox):
        uids = mailbox.uids('HEADER', 'Content-Type', 'multipart/report')
        return [mailbox.raw(uid) for uid in uids]
    with identity.mailbox() as mailbox:
        raw = until(lambda: look(mailbox), 30, 'the bounce', every_s=0.2)[-1]
    tape = Tape()
    tape.add('inside', re.sub(rb'<\d+\.canary[^>]*>', b'<own>', raw))  # the mail program's name for it, which nobody else is told
    return tape


# ---- both

ADDRESSES = ['127.0.0.1', *subprocess.run(['hostname', '-I'], stdout=subprocess.PIPE, text=True, check=False).stdout.split()]


class Recorded:
    """Everything that an identity has sent, {name: tape}, and whose it is."""

    def __init__(self, identity, tapes=None):
        self.onion, self.local_part = identity.onion, identity.address.split('@')[0]
        self.fingerprint = identity.node.json('identity', 'show', identity.name)['fingerprint']
        self.tapes = tapes or listen_to(identity)

    def without_names(self, octets):
        """Names, and what is drawn anew for each message, replaced by placeholders of fixed length."""
        for name, place in ((self.onion[:56], 'o' * 56), (self.fingerprint, 'f' * 52)):
            octets = octets.replace(name.encode(), place.encode()).replace(name.upper().encode(), place.upper().encode())
            octets = octets.replace(name.encode().hex().upper().encode(), place.encode().hex().upper().encode())
        octets = re.sub(rb'(?i)\b%s\b' % self.local_part.encode(), b'LOCAL', octets)
        octets = re.sub(rb'(?<= bh=)[A-Za-z0-9+/=]{44}(?=;)', b'h' * 44, octets)  # of the Onion-Signature
        octets = re.sub(rb'(?<= b=)[A-Za-z0-9+/]{64}\r\n [A-Za-z0-9+/=]{24}', b's' * 88, octets)
        octets = re.sub(rb'(?<=AUTH SMTORP-ONION )[A-Za-z0-9+/=]{128}', b'p' * 128, octets)
        octets = re.sub(rb'(?<=keydata=)(\r\n [A-Za-z0-9+/=]+)+', lambda key: b'k' * len(key[0]), octets)
        octets = re.sub(rb'<[a-z2-7]{26}(?=@o{56}\.onion>)', b'<' + b'i' * 26, octets)
        octets = re.sub(rb'[A-Z][a-z]{2}, [ 0-3]?\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000', b'DATE', octets)
        for at, boundary in enumerate(re.findall(rb'(?i)boundary="?([^";\r\n]+)', octets)):
            octets = octets.replace(boundary, b'BOUNDARY-%d-%d' % (at, len(boundary)))
        return octets

    def comparable(self, name):
        """A tape as it is to be equal: the entries of each kind in their order. (How kinds follow each other is a matter of how much we
        read at a time.)"""
        tape, lines, said = self.tapes[name], [], {'plain': b'', 'inside': b''}
        is_13 = any(entry[1] == handshake.ENCRYPTED_EXTENSIONS for entry in tape.of('message')) or \
            any(entry[1] == handshake.CLIENT_HELLO for entry in tape.of('message'))
        drawn = {len(entry[2]) for entry in tape.of('message') if entry[1] == handshake.SERVER_KEY_EXCHANGE}
        for kind, *what in tape.entries:
            if kind == 'message':
                what = [what[0], self.without_names(repr(handshake.fields(what[0], what[1], is_13)).encode())]
            elif kind == 'record' and what[0] == handshake.RECORD and what[2] in drawn:
                what[2] = 'with a signature'  # TLS 1.2 cannot pad it
            elif kind in said:
                said[kind] += what[0]
                continue
            lines.append((kind, *what))
        lines += [(kind, line) for kind, octets in said.items() for line in self.without_names(octets).split(b'\r\n')]
        return sorted(lines, key=lambda line: line[0])


@pytest.fixture(scope='module')
def peers(network, work):
    """A node's like, and a server that speaks SMTP only; and an onion for each kind of recipient, so that none waits for another."""
    pem, _ = certificate(work, 'twins-peer')
    peers = [Peer(pem, 'smtorp/1'), Peer(pem, None)]
    kinds = [kind for kind in RECIPIENTS if kind != 'plain']
    with onions(network, [peers[0]] * len(kinds) + [peers[1]]) as names:
        yield peers, dict(zip([*kinds, 'plain'], names))
    for peer in peers:
        peer.stop()


def record(node, identities, peers):
    """Ends with the node stopped."""
    servers, places = peers
    for identity in identities:
        send_all(node, identity, {kind: f'{kind}@{onion}' for kind, onion in places.items()})
    all_recorded = [Recorded(identity) for identity in identities]
    for identity, recorded in zip(identities, all_recorded):
        recorded.tapes.update(sessions_of(identity, servers, RECIPIENTS))
        recorded.tapes['the bounce'] = bounce(identity)
    stopped = stop_under(node, identities)
    for recorded in all_recorded:
        recorded.tapes.update(stopped[recorded.onion])
        until(lambda: recorded.tapes['to stay 1'].of('end'), 60, 'QUIT')
    for server in servers:
        server.forget()
    return all_recorded


def published(node, count):
    node.wait_for(lambda status: [row['state'] for row in status['identities']] == ['published'] * count, 60, 'them to be published')


class Twins:
    """alice and carol on one machine, and alice again on another."""

    def __init__(self, make_machine_node, peers):
        self.one = make_machine_node('canarypath-one', 'canaryhost-one', 'canaryone', 61001, 'CANARY1', '+0723', 'de_DE.UTF-8', '1500000')
        self.two = two = make_machine_node('canarypath-two', 'canaryhost-two.example.org', 'canarytwo', 61002, 'CANARY2', '-0541', 'C', '1100000')
        one = self.one.start()
        alice, carol = one.identity('canaryname-a', 'alice', wait=False), one.identity('canaryname-b', 'carol', wait=False)
        published(one, 2)
        self.alice, self.carol = record(one, [alice, carol], peers)
        with contextlib.closing(sqlite3.connect(alice.mail / 'mail.db')) as database, database:
            database.execute('UPDATE peers SET cardless_ms = 0')  # who had no card is asked again: what an identity remembers moves along
        one.cli('identity', 'export', 'canaryname-a', 'moved', '--passphrase-stdin', input=PASSPHRASE)
        two.start()
        (two.folder / 'moved').write_bytes((one.folder / 'moved').read_bytes())
        two.own(two.folder / 'moved')
        moved = two.json('identity', 'import', 'moved', '--passphrase-stdin', '--name', 'canaryname-c', input=PASSPHRASE)
        published(two, 1)
        self.moved, = record(two, [Identity(two, {**moved, **two.json('identity', 'show', 'canaryname-c'), 'password': alice.password})], peers)

    def all(self):
        return [self.alice, self.carol, self.moved]


@pytest.fixture(scope='module')
def twins(installation, network, work, peers):
    if os.geteuid() != 0:
        pytest.skip('makes name spaces and another user')
    made = []

    def make(folder, host, user, uid, zone, offset, language, size):
        machine = Machine(work / folder, host, user, uid, zone, offset, language)
        made.append(machine)
        node = NodeOn(installation, network, machine, {'message.max-size': size})
        made.append(node)
        return node
    try:
        yield Twins(make, peers)
    finally:
        for each in reversed(made):
            each.close()


# ---- what must hold

def differences(one, other):
    """Names of tapes that differ, with the first entry that does."""
    found = []
    for name in one.tapes.keys() | other.tapes.keys():
        if name not in one.tapes or name not in other.tapes:
            found.append(f'{name}: only one has it')
            continue
        ours, theirs = one.comparable(name), other.comparable(name)
        if ours != theirs:
            at = next((at for at, (left, right) in enumerate(zip(ours, theirs)) if left != right), min(len(ours), len(theirs)))
            found.append(f'{name}, entry {at}:\n  {ours[at:at + 1]}\n  {theirs[at:at + 1]}')
    return '\n'.join(sorted(found))


def test_two_identities_of_a_node_look_alike(twins):
    assert not differences(twins.alice, twins.carol)


def test_an_identity_looks_the_same_on_another_machine(twins):
    assert not differences(twins.alice, twins.moved)


def from_base64(text):
    """Whatever is in it."""
    text = text.replace(b'=', b'')
    return binascii.a2b_base64(text + b'A' * (-len(text) % 4))


def readable(tape):
    """What was said, also without its transfer encodings."""
    octets = tape.octets()
    runs = [re.sub(rb'\s', b'', run) for run in re.findall(rb'[A-Za-z0-9+/=\r\n]{12,}', octets)]
    decoded = [from_base64(run[at:]) for run in runs for at in range(4)]
    words = [from_base64(word) if kind in b'bB' else quopri.decodestring(word, header=True)
             for kind, word in re.findall(rb'=\?[^?]+\?([bBqQ])\?([^?]*)\?=', octets)]
    return b'\n'.join([octets, quopri.decodestring(octets), *decoded, *words])


def test_nothing_of_the_machines_was_sent(twins):
    real = [name for name in (socket.gethostname(), socket.getfqdn()) if len(name) > 5]  # a short one is in anything
    canaries = ['canary', 'realname', '+0723', '-0541', str(twins.one.installation.bin), *real, *ADDRESSES]
    for recorded in twins.all():
        for name, tape in recorded.tapes.items():
            said = recorded.without_names(readable(tape)).lower()
            for canary in canaries:
                assert canary.lower().encode() not in said, (name, canary, said)


def test_the_canaries_would_be_seen(twins):
    """So that the test before this one can fail."""
    tape = Tape()
    for text in (b'x canaryhost', base64.b64encode(b'x canaryhost xx'), quopri.encodestring(b'x=canaryhost\xff'),
                 b'=?utf-8?b?' + base64.b64encode(b'canaryhost') + b'?='):
        tape.entries = [('inside', text)]
        assert b'canaryhost' in readable(tape)


def test_tickets_come_with_the_profile_only_and_have_one_length(twins):
    """Their fields are compared with all others above; whose ticket is taken where, test_tickets.py shows."""
    lengths = set()
    for recorded in twins.all():
        for name, tape in recorded.tapes.items():
            tickets = [entry[2] for entry in tape.of('message') if entry[1] == handshake.NEW_SESSION_TICKET]
            assert len(tickets) == (name in WITH_TICKETS), name
            lengths.update(len(ticket) for ticket in tickets)
    assert len(lengths) == 1, lengths


def test_certificates_differ_in_key_serial_and_signature_only(twins):
    """Their fields are compared with all others above; here, that the serial has its length and the key is another one."""
    ders = {}
    for recorded in twins.all():
        for tape in recorded.tapes.values():
            for _, kind, octets in tape.of('message'):
                if kind == handshake.CERTIFICATE:
                    is_13 = any(entry[1] == handshake.ENCRYPTED_EXTENSIONS for entry in tape.of('message'))
                    ders.setdefault(recorded, set()).update(handshake.certificates(octets, is_13))
    assert [len(found) for found in ders.values()] == [1, 1, 1]
    alice, carol, moved = (next(iter(ders[recorded])) for recorded in twins.all())
    assert alice == moved and alice != carol and len(alice) == len(carol)


@pytest.mark.slow
def test_sessions_that_take_too_long_are_ended_alike(make_node):
    """On each port, before and behind TLS, and in the middle of a message: five minutes, for all at a time."""
    node = make_node('twins-slow', {'tor.extra': 'DisableNetwork 1'}).start(wait=False)
    identities = [node.identity('alice', wait=False), node.identity('carol', wait=False)]
    node.wait_for(lambda status: len(status['identities']) == 2 and all(row['ready'] for row in status['roles']), 20, 'every role')
    wires = {}
    for identity in identities:
        silent, greeted, busy, sending, shy = (dial(identity.sockets[port]) for port in ('25', '25', '25', '465', '465'))
        greeted.reply()
        greeted.say('EHLO x')
        converse(secure(busy), ['EHLO x', 'MAIL FROM:<x@example.net>'])
        sending.start_tls(client_context(alpn='smtorp/1')).reply()
        converse(sending, ['EHLO x', (f'MAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\nBDAT 100 LAST', 2), ('half of it', 0)])
        wires[identity] = {'silent': silent, 'half a line': greeted, 'in a transaction': busy, 'in a message': sending, 'no TLS': shy}
    recorded = []
    for identity, by_name in wires.items():
        for wire in by_name.values():
            wire.sock.settimeout(600)
            wire.rest()
            wire.close()
        recorded.append(Recorded(identity, {name: wire.tape for name, wire in by_name.items()}))
    node.stop()
    assert not differences(*recorded)
    assert b'421 4.4.2' in recorded[0].tapes['in a message'].octets()
