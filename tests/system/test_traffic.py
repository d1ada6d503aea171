# SPDX-License-Identifier: ISC
"""Nothing leaves but through tor, and nobody is asked for a name: every packet of a machine that runs a node is looked at."""
import base64
import contextlib
import hashlib
import os
import signal
import smtplib
import socket
import subprocess

import pytest

from harness import account
from harness.imap import TOR_PATIENCE_S
from harness.netns import NodeInside, TorNetworkInside
from harness.node import CommandFailed
from harness.smtp import Session
from harness.traffic import TORLAND, TORLAND_6, Cable, Record, leaks, relays, sockets
from harness.waiting import until

PORTS = {'submission.listen': 1587, 'submissions.listen': 1465, 'imap.listen': 1143, 'imaps.listen': 1993}
NOBODY = 'a' * 55 + 'd'  # no checksum of an onion's

REPLY_TO = 'Reply-To: <x@canary.example>\n'  # refused from the owner
HOSTILE = '\n'.join([
    'Return-Receipt-To: <x@canary.example>', 'Disposition-Notification-To: <x@canary.example>',
    'Errors-To: <x@canary.example>', 'Return-Path: <x@canary.example>', 'Received: from canary.example ([192.0.2.9])',
    'List-Unsubscribe: <https://canary.example/u>, <mailto:u@canary.example>', 'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
    'Autocrypt: addr=x@canary.example; keydata=AAAA', 'X-Face-URL: http://canary.example/face', 'Face-URL: http://canary.example/f',
    'BIMI-Location: v=BIMI1; l=https://canary.example/logo.svg', 'DKIM-Signature: v=1; d=canary.example; s=s1; b=AAAA',
    'Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/html', '',
    '<link rel=stylesheet href="https://canary.example/c.css"><img src="https://canary.example/i.png">', '--b',
    'Content-Type: message/external-body; access-type=URL; URL="ftp://canary.example/x"', '', 'Content-Type: text/plain', '', '--b',
    'Content-Type: text/calendar', '', 'BEGIN:VCALENDAR', 'ORGANIZER:mailto:x@canary.example', 'END:VCALENDAR', '--b--', ''])


class World:
    """Alice's machine and its cable, on the other side of which are tor's network and Bob's node."""

    def __init__(self, installation, work, cable):
        self.installation, self.work, self.cable = installation, work, cable
        self.network = TorNetworkInside(work / 'net-traffic', cable.torland, '--address', TORLAND)
        self.network.start()
        self.tor_at = relays(self.network)
        self.record = Record(cable.machine)
        self.nodes = []

    def node(self, name, namespace, config=None, tor=True):
        self.nodes.append(NodeInside(self.installation, self.network if tor else None, self.work / name, config or {}, namespace))
        return self.nodes[-1]

    def on_machine(self, name, config=None, tor=True):
        listeners = {key: f'127.0.0.1:{port}' for key, port in PORTS.items()}
        return self.node(name, self.cable.machine, {**listeners, 'queue.delay-notice': '5s', **(config or {})}, tor)

    def leaks(self):
        return leaks(self.record.seen(), self.tor_at, PORTS.values())

    def submission(self):
        """A mail program on the machine, logged in as alice."""
        with self.cable.machine.entered():
            client = smtplib.SMTP('127.0.0.1', PORTS['submission.listen'], local_hostname='[127.0.0.1]', timeout=60)
        client.login(self.alice.login, self.alice.password)
        return client

    def mailbox(self, identity):
        with identity.node.namespace.entered():
            return identity.mailbox()

    def received(self, identity, subject):
        with self.mailbox(identity) as mailbox:
            return mailbox.wait_for(subject)

    def close(self):
        for node in self.nodes:
            node.close()
        self.record.close()
        self.network.stop()


def mail(sender, receiver, subject, headers='\ntext\n'):
    sender.node.run('smtorp-sendmail', '-f', sender.address, receiver.address,
                    input=f'From: {sender.address}\nTo: {receiver.address}\nSubject: {subject}\n{headers}')


@pytest.fixture(scope='module')
def world(installation, work):
    if os.geteuid() != 0:
        pytest.skip('makes network namespaces')
    folder = work / 'cable'
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        cable = Cable(folder)
        stack.callback(cable.close)
        world = World(installation, work, cable)
        stack.callback(world.close)
        world.b = world.node('tb', cable.torland).start(wait=False)
        world.bob = world.b.identity('bob', wait=False)
        yield world


@pytest.fixture(scope='module')
def running(world):
    """With alice's node, which starts and publishes before the eyes of the record."""
    world.record.forget()
    world.a = world.on_machine('ta').start()
    world.alice = world.a.identity('alice')
    world.b.wait_for(lambda status: status['identities'][0]['state'] == 'published', TOR_PATIENCE_S, "bob's identity")
    return world


@pytest.fixture(autouse=True)
def nothing_leaks(world):
    """Each test ends with the look at every packet since the first one."""
    yield
    assert world.leaks() == []


def test_the_record_shows_what_it_is_to_find(world):
    """Else the other tests could not fail."""
    subprocess.run([*world.cable.machine.prefix, 'timeout', '20', 'getent', 'ahosts', 'canary.example'], check=False)
    with world.cable.machine.entered():
        families = [(socket.AF_INET, TORLAND, '192.0.2.9')]
        families += [(socket.AF_INET6, TORLAND_6, '2001:db8::9')] if socket.has_ipv6 else []
        for family, near, far in families:
            with socket.socket(family) as stranger, socket.socket(family, socket.SOCK_DGRAM) as datagrams:
                stranger.setblocking(False)
                stranger.connect_ex((far, 25))
                datagrams.sendto(b'x', (near, 5353))

    def all_there():
        found = {(packet.protocol, packet.target, packet.target_port) for packet in world.leaks() if packet.leaves}
        wanted = {(socket.IPPROTO_UDP, TORLAND, 53)}
        wanted |= {(socket.IPPROTO_TCP, far, 25) for _, _, far in families}
        wanted |= {(socket.IPPROTO_UDP, near, 5353) for _, near, _ in families}
        return wanted <= found
    until(all_there, 20, 'what leaks to be seen', log=world.record.seen)
    world.record.forget()


def test_mail_goes_and_comes_only_through_tor(running, subject):
    """Starting, publishing, dialling, receiving, and IMAP; also whatever hostile fields would have somebody look up."""
    for headers in ('\ntext\n', HOSTILE):
        name = f'{subject} {len(headers)}'
        mail(running.alice, running.bob, f'{name} there', headers)
        mail(running.bob, running.alice, f'{name} back', headers)
        running.received(running.bob, f'{name} there')
        running.received(running.alice, f'{name} back')
    tor = [packet for packet in running.record.seen() if packet.interface == 'cable' and packet.ends()[1] in running.tor_at]
    assert tor, 'the record saw nothing of tor'


def test_nobody_but_tor_has_an_internet_socket(running):
    tor = running.a.status()['tor']['pid']
    outward, listeners = [], set()
    for row in sockets(running.cable.machine):
        if row.state == 'LISTEN':
            listeners.add(row.local)
        elif not (row.local.startswith('127.0.0.1:') and row.peer.startswith('127.0.0.1:')):
            outward.append(row)
    assert listeners == {f'127.0.0.1:{port}' for port in PORTS.values()}
    assert outward and all(row.kind == 'tcp' and row.pids <= {tor} for row in outward), outward


def addresses(onion):
    return ['x@canary.example', 'x@canary.example.', 'x@localhost', 'x@[192.0.2.9]', 'x@[IPv6:2001:db8::9]', 'postmaster', 'x@onion', 'x@.onion',
            f'x@{NOBODY}.onion', f'x@{NOBODY}.onion.', f'x@{onion}.example', f'x@{onion}.', f'x@{onion}..', f'x@{onion}.onion',
            f'x@{onion[:-7]}.onion.canary.example', f'x@{onion.replace(".onion", ".0nion")}', f'x@{onion[1:]}', f'x@{onion}%canary.example',
            f'x%canary.example@{onion}', f'@canary.example:x@{onion}', f'"x@canary.example"@{onion}', f'x@canary.example\0.{onion}',
            f'x@mail.{onion}', f'x@{onion.upper()}', 'x@expyuzz4wqqyqhjn.onion', 'x@xn--caf-dma.example', 'x@canary.example;x', 'x@canary.example?y']


def test_no_address_makes_anybody_ask_for_a_name(running):
    """Whether refused or dialled, and at submission as with sendmail: DNS hears of none, nor does anybody else."""
    onion = running.bob.onion
    with running.submission() as client:
        client.mail(running.alice.address)
        replies = {address: client.rcpt(address)[0] for address in addresses(onion)}
        client.rset()
    taken = {address for address, code in replies.items() if code == 250}
    for address in replies:
        if not address.rstrip('.').lower().endswith(onion):
            assert address not in taken, address
    for address in ('x@canary.example', f'x@{NOBODY}.onion', f'x@{onion}.example'):
        with pytest.raises(CommandFailed):
            running.a.run('smtorp-sendmail', '-f', running.alice.address, address, input='Subject: x\n\nx\n')
    for sender in ('x@canary.example', f'x@{onion}', 'x@canary.example.'):
        with running.submission() as client:
            assert client.mail(sender)[0] >= 500


def fresh_onion():
    """The name of a service that nobody has published."""
    secret = subprocess.run(['openssl', 'genpkey', '-algorithm', 'ed25519'], check=True, capture_output=True).stdout
    public = subprocess.run(['openssl', 'pkey', '-pubout', '-outform', 'DER'], input=secret, check=True, capture_output=True).stdout[-32:]
    check = hashlib.sha3_256(b'.onion checksum' + public + b'\3').digest()[:2]
    return base64.b32encode(public + check + b'\3').decode().lower() + '.onion'


def test_an_onion_that_never_was_is_looked_up_in_tor_alone(running, subject):
    with running.submission() as client:
        client.mail(running.alice.address)
        code, text = client.rcpt(f'x@{fresh_onion()}')
        assert code == 250, text
        assert client.data(f'From: {running.alice.address}\nSubject: {subject}\n\nx\n')[0] == 250
    until(lambda: any(row['tries'] > 0 for row in running.a.json('queue', 'list')), TOR_PATIENCE_S, 'a try', log=running.a.waiting)


def test_bounces_and_strangers_with_forged_names_make_nobody_look(running, subject):
    """Both ways a notification could be addressed: by our own queue, and by a stranger's envelope or HELO."""
    nobody = f'nobody@{running.bob.onion}'
    running.a.run('smtorp-sendmail', '-f', running.alice.address, nobody, input=f'From: {running.alice.address}\nSubject: {subject}\n\nx\n')
    with running.mailbox(running.alice) as mailbox:
        until(lambda: any(nobody.encode() in mailbox.raw(uid) for uid in mailbox.uids()), TOR_PATIENCE_S, 'the bounce', log=running.a.waiting)
    taken = 0
    for hello in ('canary.example', '[192.0.2.9]', 'canary.example.'):
        with Session(running.alice.sockets['465'], tls=True, alpn='smtorp/1') as session:
            session.reply()
            session.command(f'EHLO {hello}')
            for sender in ('x@canary.example', '', f'x@{NOBODY}.onion'):
                session.command(f'MAIL FROM:<{sender}>')
                session.command('RCPT TO:<nobody@canary.example>')
                session.command(f'RCPT TO:<nobody@{running.alice.onion}>')
                if session.command(f'RCPT TO:<{running.alice.address}>').startswith('250') and session.command('DATA').startswith('354'):
                    session.say(f'From: x@canary.example\r\nSubject: {subject} {hello} {sender}\r\n' + (REPLY_TO + HOSTILE).replace('\n', '\r\n') + '\r\n.\r\n')
                    taken += session.reply().startswith('250')
                session.command('RSET')
            session.command('VRFY x@canary.example')
            session.command('ETRN canary.example')
    assert taken >= 3
    running.a.wait_for(lambda status: all(row['ready'] for row in status['roles'] if row['role'] != 'content'), 20, 'every role')


def test_a_tor_that_hangs_or_dies_is_never_gone_around(running, subject):
    tor = running.a.status()['tor']['pid']
    os.kill(tor, signal.SIGSTOP)
    try:
        running.a.kill_role('smtp', 'alice')  # no session is warm: somebody must be called
        mail(running.alice, running.bob, f'{subject} hanging')
        until(lambda: any(row['reason'] == 'dialling' for row in running.a.json('queue', 'list')), 60, 'a try', log=running.a.waiting)
    finally:
        os.kill(tor, signal.SIGKILL)
    running.a.wait_for(lambda status: status['tor']['pid'] not in (0, tor), 60, 'another tor')
    mail(running.alice, running.bob, f'{subject} started')
    running.received(running.bob, f'{subject} hanging')
    running.received(running.bob, f'{subject} started')
    running.a.stop()
    mail(running.bob, running.alice, f'{subject} while off')
    running.a.start()
    running.received(running.alice, f'{subject} while off')


FAKE = r'''#!/usr/bin/python3
import os, random, re, select, socket, sys
if '--version' in sys.argv:
    print('Tor version 0.4.9.11.')
    sys.exit(0)
speaks = os.path.basename(sys.argv[0])
control = socket.socket(fileno=4)
if speaks == 'noise':
    while control.recv(65536):
        control.sendall(random.randbytes(65536))
torrc = open(sys.argv[sys.argv.index('-f') + 1]).read()
path = re.search(r'^SocksPort "unix:\\"([^"\\]+)', torrc, re.M)[1]
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
phase = b'status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"'
input_, strangers = b'', []
while True:
    for ready in select.select([control, listener, *strangers], [], [])[0]:
        if ready is listener:
            strangers.append(listener.accept()[0])
        elif ready is not control:
            try:
                ready.recv(4096)
                ready.sendall(b'HTTP/1.1 302 Found\r\nLocation: http://192.0.2.9/\r\n\r\n' + random.randbytes(4096))
            except ConnectionError:
                strangers.remove(ready)
                ready.close()
        else:
            bytes_ = control.recv(65536)
            if not bytes_:
                sys.exit(0)
            *lines, input_ = (input_ + bytes_).split(b'\r\n')
            for line in lines:
                if line.startswith(b'GETINFO'):
                    control.sendall((b'250-version=0.4.9.11\r\n' if b'version' in line else b'') + b'250-' + phase + b'\r\n250 OK\r\n')
                elif line.startswith(b'ADD_ONION'):
                    control.sendall(b'250-ServiceID=' + b'a' * 56 + b'\r\n250 OK\r\n')
                else:
                    control.sendall(b'250 OK\r\n')
'''


def fake_tor(world, work, speaks):
    program = work / 'fake' / speaks
    program.parent.mkdir(exist_ok=True)
    program.write_text(FAKE)
    program.chmod(0o755)
    ports = {key: '127.0.0.1:0' for key in PORTS}
    node = world.on_machine(f'fake-{speaks}', {'tor.program': str(program), **ports}, tor=False).start(wait=False)
    node.wait_for(lambda status: any(row['role'] == 'tor' for row in status['roles']), 20, 'the roles')
    return node


def test_a_control_port_that_talks_noise_is_told_and_nothing_goes_elsewhere(world, work, subject):
    node = fake_tor(world, work, 'noise')
    mail(node.identity('carol', wait=False), world.bob, subject)
    until(lambda: 'tor sent a malformed line' in node.cli('logs').stdout, 30, 'the log to tell', log=node.log_tail)
    until(lambda: node.log_tail().count('tor, the program') > 2, 30, 'it to be started some times', log=node.log_tail)
    waiting = until(lambda: [row for row in node.json('queue', 'list') if row['reason'] == 'tor'], 30, 'what waits to say why', log=node.log_tail)
    assert len(waiting) == 1 and 'Tor is not connected' in waiting[0]['text'], waiting
    node.stop()


def test_a_socks_port_that_answers_what_nobody_asked_is_told_and_nothing_goes_elsewhere(world, work, subject):
    """All is well on its control port."""
    node = fake_tor(world, work, 'lies')
    mail(node.identity('carol', wait=False), world.bob, subject)
    until(lambda: node.json('queue', 'list')[0]['tries'] > 1, 30, 'tries in vain', log=node.log_tail)
    assert node.json('queue', 'list')[0]['text'] == "what listens on tor's SOCKS socket does not speak SOCKS 5"
    node.stop()
