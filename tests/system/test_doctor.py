# SPDX-License-Identifier: ISC
"""`smtorp doctor`: our node has nothing wrong, a bad server's faults are named, and nobody gets a message of it."""
import json
import os
import socket
import sys

import pytest

from harness.careless import Careless
from harness.imap import TOR_PATIENCE_S
from harness.installation import ROOT
from harness.postfix import Postfix
from harness.recorder import certificate

sys.path.insert(0, str(ROOT / 'testnet'))
import control  # noqa: E402

NOT_RUNNING, NOT_FOUND, FOUND_WRONG = 3, 4, 21
PATIENCE_S = 3 * TOR_PATIENCE_S  # it dials many times


def test_our_node_has_nothing_wrong(running):
    """Two identities of one node, and the node itself. That a mailbox exists is told to strangers in this version."""
    for row in running.a.status()['identities']:
        if row['name'] not in ('alice', 'work'):  # what other tests have left
            running.a.cli('identity', 'delete', row['name'], '--yes')
    examined = running.a.json('doctor', timeout=PATIENCE_S)
    assert sorted((one['identity'], one['onion']) for one in examined) == \
        [('', ''), ('alice', running.alice.onion), ('work', running.work.onion)]
    for finding in (finding for one in examined for finding in one['findings']):
        wanted = 'warning' if finding['check'] == 'mailbox' else 'ok'
        assert finding['result'] == wanted and bool(finding['do']) == (wanted != 'ok'), finding
    assert [finding['found'] for one in examined[1:] for finding in one['findings'] if finding['check'] == 'siblings'] == \
        [f'port {port}: another identity and this machine\'s names are answered like any foreign domain, and no later'
         for _ in range(2) for port in (25, 465)]
    assert {finding['check'] for one in examined for finding in one['findings']} == {
        'clock', 'tor', 'sandbox', 'files', 'reach', 'banner', 'certificate', 'tls', 'starttls', 'auth', 'relay', 'siblings',
        'mailbox', 'smuggling', 'limits'}
    for identity in (running.alice, running.work):
        with identity.mailbox() as mailbox:
            assert not [subject for subject in mailbox.subjects() if 'doctor' in subject]


def test_what_cannot_be_looked_at_is_told(running, make_node):
    assert running.a.cli('doctor', 'nobody', check=False).returncode == NOT_FOUND
    assert running.a.cli('doctor', '--onion', 'example.org', check=False).returncode == 2
    assert running.a.cli('doctor', '--onion', running.alice.onion, 'alice', check=False).returncode == 2
    assert make_node('doctor-off').cli('doctor', check=False).returncode == NOT_RUNNING


def test_secrets_that_others_could_read_are_found(make_node):
    node = make_node('doctor-files', {'tor.extra': 'DisableNetwork 1'}, tor=False).start(wait=False)
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 30, 'the roles')
    node.identity('carol', wait=False)
    result = node.cli('doctor', check=False)
    assert result.returncode == NOT_FOUND and 'no identity is published' in result.stderr
    assert 'open to the node\'s user alone' in result.stdout and 'wrong' not in result.stdout.splitlines()[1]
    for path, mode, todo in [('identities/carol/onion.key', 0o640, 'chmod go='), ('smtorp.conf', 0o666, 'chmod go-w')]:
        (node.home / path).chmod(mode)
        result = node.cli('doctor', check=False)
        assert result.returncode == FOUND_WRONG
        text = ' '.join(result.stdout.split())
        assert f'is open to others: {node.home}/{path} (mode {mode:03o}) {todo} \'{node.home}/{path}\'' in text
        (node.home / path).chmod(0o600)
    node.stop()


def publish(tor, port):
    """An onion whose port 25 is a loopback port, once tor has published it."""
    tor.subscribe('HS_DESC')
    service = tor.add_onion(f'25,127.0.0.1:{port}')
    tor.wait_published(service, TOR_PATIENCE_S)
    return service + '.onion'


@pytest.fixture
def careless(network, work):
    pem, _ = certificate(work, 'careless')
    server = Careless(pem)
    with control.Control.open(network.status()['control_socket']) as tor:
        server.onion = publish(tor, server.port)
        yield server
    server.stop()


@pytest.mark.sanitized
def test_what_servers_have_done_wrong_before_is_found(running, careless):
    result = running.a.cli('doctor', '--onion', f'carol@{careless.onion}', '--json', check=False, timeout=PATIENCE_S)
    assert result.returncode == FOUND_WRONG, result
    examined, = json.loads(result.stdout)
    found = [f'{finding["result"]} {finding["check"]} {finding["found"]}' for finding in examined['findings']]
    for fault in [
        'wrong banner port 25: VRFY tells a stranger who has a mailbox: Carol <carol@example.onion>',
        'warning starttls port 25 takes mail without TLS',
        'wrong starttls port 25: a command sent in plain text behind STARTTLS is obeyed inside of TLS (250 ok)',
        'wrong auth port 25: strangers may try passwords (AUTH is answered with 334)',
        'wrong relay port 25: OPEN RELAY (another onion)',
        'wrong siblings port 25: localhost is told from a foreign domain: "550 not by this way"',
        'warning mailbox port 25: mail for postmaster is refused',
        'warning mailbox port 25: a stranger is told whether a mailbox exists',
        'wrong smuggling port 25: a dot between line ends of which one is LF alone ends a message',
        'wrong limits port 25: a message of SIZE=18446744073709551616 is welcome',
        'wrong limits port 25: DATA goes on with a message that BDAT has begun',
        'wrong limits port 25: behind BDAT 4294967297 a command is obeyed',
    ]:
        assert any(line.startswith(fault) for line in found), (fault, '\n'.join(found))
    assert careless.messages == 1  # the smuggled one, which says what it is
    for name in (running.alice.onion, running.work.onion, f'@{socket.gethostname()}>'):  # of no concern to a foreign server
        assert name.encode() not in careless.said


@pytest.mark.sanitized
def test_a_server_that_greets_without_end_is_left(running, careless):
    careless.floods = True
    result = running.a.cli('doctor', '--onion', careless.onion, check=False, timeout=PATIENCE_S)
    assert result.returncode == 1 and 'port 25 cannot be reached: the server\'s reply has more than 128 lines' in result.stdout, result


@pytest.fixture(scope='module')
def bad_server(network, work):
    """Postfix as it should not be behind an onion: it trusts 127.0.0.1, where tor's connections come from, and says who it is."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with control.Control.open(network.status()['control_socket']) as tor:
        onion = publish(tor, port)
        pem, _ = certificate(work, 'bad-server')
        postfix = Postfix(work / 'bad-server', port, [
            f'myhostname = {socket.gethostname()}.example.org', f'virtual_mailbox_domains = {onion}',
            'mynetworks = 127.0.0.0/8', 'smtpd_relay_restrictions = permit_mynetworks, reject',
            'smtpd_tls_protocols = >=TLSv1', 'tls_medium_cipherlist = ALL:@SECLEVEL=0',
            'smtpd_tls_security_level = may', f'smtpd_tls_chain_files = {pem}']).start()
        yield onion, postfix
        postfix.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason='Postfix itself wants to be started by root')
def test_the_faults_of_a_bad_server_are_named(running, bad_server):
    onion, postfix = bad_server
    result = running.a.cli('doctor', '--onion', f'carol@{onion}', check=False, timeout=PATIENCE_S)
    text = ' '.join(result.stdout.split())
    assert result.returncode == FOUND_WRONG, (text, result.stderr)
    for fault in [
        f'wrong banner port 25: it tells a stranger whose machine this is: "{socket.gethostname()}',
        'warning banner port 25: it tells a stranger which program runs: "Postfix"',
        'wrong certificate port 25: the certificate names somebody else: "example.onion"',
        'wrong tls port 25: TLS older than 1.2 is accepted (TLSv1.1 ',
        'wrong tls port 25: TLS without a certificate, or without encryption, is accepted (TLSv1.2 A',
        'warning starttls port 25 takes mail without TLS',
        'wrong relay port 25: OPEN RELAY (a foreign domain): RCPT TO:<someone@example.org> after MAIL FROM:<> is accepted',
        'wrong smuggling port 25: a dot between line ends of which one is LF alone ends a message',
    ]:
        assert fault in text, (fault, text)
    taken = postfix.messages()
    assert all(b'Subject: smtorp doctor: please delete this' in message for message in taken) and len(taken) <= 1
