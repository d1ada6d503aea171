# SPDX-License-Identifier: ISC
"""Debian's Postfix as a sender to our port 25 and as a receiver of our mail, both through tor."""
import os
import re
import socket
import subprocess
import sys

import pytest

from harness.imap import TOR_PATIENCE_S
from harness.installation import ROOT
from harness.postfix import Postfix, free_port
from harness.programs import swaks
from harness.recorder import certificate
from harness.waiting import until

sys.path.insert(0, str(ROOT / 'testnet'))
import control  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='Postfix itself wants to be started by root')


@pytest.fixture
def bridge(network, running):
    """A loopback port that leads through tor to bob's port 25, for a Postfix that knows no SOCKS."""
    host, socks_port = network.socks()
    port = free_port()
    process = subprocess.Popen(['socat', f'TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr',
                                f'SOCKS4A:{host}:{running.bob.onion}:25,socksport={socks_port}'])
    until(lambda: _answers(port), 10, 'socat')
    yield port
    process.terminate()
    process.wait()


def _answers(port):
    with socket.socket() as sock:
        return sock.connect_ex(('127.0.0.1', port)) == 0


def test_postfix_sends_to_our_port_25(running, subject, bridge, work):
    """Stock settings but for the relay: Postfix uses STARTTLS because port 25 requires it, and gets its 250."""
    postfix = Postfix(work / 'postfix-sender', free_port(), [
        'myhostname = mx.example.org', 'virtual_mailbox_domains =', f'relayhost = [127.0.0.1]:{bridge}',
        'smtp_tls_security_level = may']).start()
    try:
        postfix.send('carol@example.org', running.bob.address,
                         f'From: carol@example.org\nTo: {running.bob.address}\nSubject: {subject}\n\nfrom Postfix: ü\n')
        until(lambda: re.search('status=(?!deferred)', postfix.log()), 90, 'Postfix to be done', log=postfix.log)
        assert 'status=sent' in postfix.log(), postfix.log()
        with running.bob.mailbox() as mailbox:
            message = mailbox.message(mailbox.wait_for(subject))
        assert 'from Postfix' in message.get_content()
    finally:
        postfix.stop()


def test_postfix_receives_our_mail(running, subject, network, work):
    """A provider's Postfix behind an onion service of its own: no smtorp/1, so we fall back to port 25. Its certificate is
    renewed, which is only noted; and an address with the fingerprint of the new one reaches it, though it knows no such domain."""
    port, node = free_port(), running.a

    def known():
        return next(row for row in node.json('peer', 'list', '--identity', 'alice') if row['onion'] == onion)

    def deliver(address, name):
        swaks(running.alice, [address], '--header', f'Subject: {name}', '--body', 'to Postfix')
        return until(lambda: [m for m in postfix.messages() if name.encode() in m], TOR_PATIENCE_S, 'the message',
                     log=node.waiting)[0]

    with control.Control.open(network.status()['control_socket']) as tor:
        onion = tor.add_onion(f'25,127.0.0.1:{port}') + '.onion'
        pem, first = certificate(work, 'postfix')
        postfix = Postfix(work / 'postfix-receiver', port, [
            'myhostname = mx.example.org', f'virtual_mailbox_domains = {onion}',
            'smtpd_tls_security_level = may', f'smtpd_tls_chain_files = {pem}']).start()
        try:
            message = deliver(f'carol@{onion}', f'{subject} before')
            assert (known()['state'], known()['trust'], known()['fingerprint']) == ('noted', 'noted', first)
            postfix.stop()
            _, second = certificate(work, 'postfix')
            postfix.start()
            node.kill_role('smtp', 'alice')
            deliver(f'carol@{onion}', f'{subject} after')
            assert (known()['state'], known()['fingerprint']) == ('noted', second)
            assert 'that is only noted' in node.log.read_text()
            deliver(f'carol@{second[:12]}.{onion}', f'{subject} by label')
            assert (known()['state'], known()['trust'], known()['label_letters']) == ('pinned', 'label', 12)
        finally:
            postfix.stop()
    assert b'to Postfix' in message
    assert f'from {running.alice.onion}'.encode() in message
    assert b'TLS' in message.split(b'\n\n')[0], 'STARTTLS was offered and must be used'
