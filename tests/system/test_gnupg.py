# SPDX-License-Identifier: ISC
"""Somebody with GnuPG behind a provider's Postfix: mail that is encrypted and signed goes both ways, through tor."""
import email
import email.policy
import os
import socket
import subprocess
import sys

import pytest

from harness.gnupg import GnuPG
from harness.imap import TOR_PATIENCE_S
from harness.installation import ROOT
from harness.postfix import Postfix, free_port
from harness.programs import run
from harness.proved import verdict
from harness.waiting import until

sys.path.insert(0, str(ROOT / 'testnet'))
import control  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='Postfix itself wants to be started by root')

DAVE = 'dave@example.org'
SECRET = 'Dinner at eight, in the old café'


@pytest.fixture(scope='module')
def gnupg(tmp_path_factory):
    gpg = GnuPG(tmp_path_factory.mktemp('gpg') / 'home')
    yield gpg
    gpg.end()


@pytest.fixture(scope='module')
def provider(network, pair, work):
    """A Postfix that takes mail for an onion of its own, and sends what it gets on to alice's, through tor."""
    port, relay = free_port(), free_port()
    host, socks_port = network.socks()
    way = subprocess.Popen(['socat', f'TCP-LISTEN:{relay},bind=127.0.0.1,fork,reuseaddr',
                            f'SOCKS4A:{host}:{pair.alice.onion}:25,socksport={socks_port}'])
    until(lambda: socket.socket().connect_ex(('127.0.0.1', relay)) == 0, 10, 'socat')
    with control.Control.open(network.status()['control_socket']) as tor:
        onion = tor.add_onion(f'25,127.0.0.1:{port}') + '.onion'
        postfix = Postfix(work / 'postfix-gnupg', port, [
            'myhostname = mx.example.org', f'virtual_mailbox_domains = {onion}', f'relayhost = [127.0.0.1]:{relay}',
            'smtp_tls_security_level = may']).start()
        postfix.onion = onion
        yield postfix
        postfix.stop()
    way.terminate()
    way.wait()


def frame(sender, recipient, subject, armoured):
    """A message as mail programs write it with GnuPG (RFC 3156)."""
    return (f'From: {sender}\nTo: {recipient}\nSubject: {subject}\nMIME-Version: 1.0\n'
            'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="b"\n\n'
            '--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n'
            f'--b\nContent-Type: application/octet-stream\n\n{armoured}\n--b--\n')


def test_who_writes_with_gnupg_through_postfix_is_read(running, gnupg, provider, subject):
    """Whoever has the key that alice's node shows can write to her; From is nobody's onion, so it is unproved, and says so."""
    alice, node = running.alice, running.a
    gnupg('--import', input=node.cli('openpgp', 'export', 'alice').stdout)
    gnupg.make_key(DAVE)
    part = f'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{SECRET}\n'
    armoured = gnupg('--armor', '--trust-model', 'always', '--sign', '--local-user', DAVE, '--encrypt', '--recipient',
                     alice.address, input=part).stdout
    provider.send(DAVE, alice.address, frame(DAVE, alice.address, subject, armoured))
    with alice.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert SECRET in message.get_content()
    assert verdict(message) == 'unproved; came=unknown; encrypted=yes; signed=unknown'
    assert '.cpp:' not in node.cli('logs').stdout  # librnp's own words, which strangers could fill the log with


def test_who_reads_with_gnupg_behind_postfix_gets_it_encrypted(running, gnupg, provider, subject):
    """Carol's server has no card, so alice has her key from a file; Subject is inside, and the signature is alice's."""
    alice, node = running.alice, running.a
    carol = f'carol@{provider.onion}'
    fingerprint = gnupg.make_key(carol)
    file = node.folder / 'carol.asc'
    file.write_text(gnupg('--armor', '--export', fingerprint).stdout)
    node.cli('contact', 'add', '--identity', 'alice', carol)
    node.cli('contact', 'edit', '--identity', 'alice', '--key', str(file), carol)
    run(node, node.installation.program('smtorp-sendmail'), '-f', alice.address, carol,
        input=f'From: {alice.address}\nTo: {carol}\nSubject: {subject}\nMIME-Version: 1.0\n'
              f'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{SECRET}\n')
    raw = until(lambda: [m for m in provider.messages() if carol.encode() in m], TOR_PATIENCE_S, 'the message', log=node.waiting)[0]
    assert subject.encode() not in raw and 'café'.encode() not in raw
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message['Subject'] == '...' and message.get_content_type() == 'multipart/encrypted'
    gnupg('--import', input=node.cli('openpgp', 'export', 'alice').stdout)
    opened = gnupg('--status-fd', '2', '--decrypt', input=message.get_payload()[1].get_payload())
    inside = email.message_from_string(opened.stdout, policy=email.policy.default)
    assert inside['Subject'] == subject and SECRET in opened.stdout
    key, = node.json('openpgp', 'show', 'alice')['keys'][:1]
    assert 'GOODSIG' in opened.stderr and key['fingerprint'] in opened.stderr


def test_nothing_unencrypted_goes_to_a_contact_of_whom_that_is_said(running, provider, subject):
    """Though it goes to others. Erin's server has no card, and nobody has given alice her key."""
    alice, node, erin = running.alice, running.a, f'erin@{provider.onion}'
    node.cli('contact', 'add', '--identity', 'alice', erin)
    node.cli('contact', 'edit', '--identity', 'alice', '--encrypt', 'require', erin)

    def write(text):
        run(node, node.installation.program('smtorp-sendmail'), '-f', alice.address, erin,
            input=f'From: {alice.address}\nTo: {erin}\nSubject: {subject}\n\n{text}\n')
    write('not in the open')
    with alice.mailbox() as mailbox:
        found = until(lambda: [m for m in map(mailbox.message, mailbox.uids()) if 'nothing unencrypted is to go to' in m.as_string()],
                      TOR_PATIENCE_S, 'the bounce', log=node.waiting)
    assert 'contact edit --encrypt' in ' '.join(found[0].as_string().split())
    node.cli('contact', 'edit', '--identity', 'alice', '--encrypt', 'default', erin)
    write('in the open')
    until(lambda: [m for m in provider.messages() if b'in the open' in m], TOR_PATIENCE_S, 'the message', log=node.waiting)
    assert not [m for m in provider.messages() if b'not in the open' in m]
