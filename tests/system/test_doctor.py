# SPDX-License-Identifier: ISC
"""`smtorp doctor`: our node has nothing wrong, a bad server's faults are named, and nobody gets a message of it."""
import json
import os
import socket
import sys

import pytest

from harness.imap import TOR_PATIENCE_S
from harness.installation import ROOT
from harness.postfix import Postfix
from harness.recorder import certificate

sys.path.insert(0, str(ROOT / 'testnet'))
import control  # noqa: E402

FOUND_WRONG = 21


def examine(node, *arguments, status):
    """{check: [(result, found), ...]} of one onion; the command ends with this status."""
    result = node.cli('doctor', *arguments, '--json', check=False, timeout=3 * TOR_PATIENCE_S)
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    examined, = json.loads(result.stdout)
    findings = {}
    for finding in examined['findings']:
        assert finding['do'] or finding['result'] == 'ok', finding
        findings.setdefault(finding['check'], []).append((finding['result'], finding['found']))
    return findings


def test_our_node_has_nothing_wrong(running):
    """alice, with a sibling on the same node; and neither gets a message of it."""
    findings = examine(running.a, 'alice', status=0)
    others = {check: [finding for finding in found if finding[0] != 'ok'] for check, found in findings.items()}
    assert {result for result, _ in others.pop('mailbox')} == {'warning'}, findings  # that it exists is told, in this version
    assert not any(others.values()), others
    assert any('another identity' in text for _, text in findings['siblings'])
    with running.alice.mailbox() as mailbox:
        assert not [subject for subject in mailbox.subjects() if 'doctor' in subject]


def test_who_is_not_there_is_told(running):
    assert running.a.cli('doctor', 'nobody', check=False).returncode == 4
    assert running.a.cli('doctor', '--onion', 'example.org', check=False).returncode == 2


@pytest.fixture(scope='module')
def bad_server(network, work):
    """Postfix as it should not be behind an onion: it trusts 127.0.0.1, where tor's connections come from, and says who it is."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with control.Control.open(network.status()['control_socket']) as tor:
        onion = tor.add_onion(f'25,127.0.0.1:{port}') + '.onion'
        pem, _ = certificate(work, 'bad-server')
        postfix = Postfix(work / 'bad-server', port, [
            f'myhostname = {socket.gethostname()}.example.org', f'virtual_mailbox_domains = {onion}',
            'mynetworks = 127.0.0.0/8', 'smtpd_relay_restrictions = permit_mynetworks, reject',
            'smtpd_tls_security_level = may', f'smtpd_tls_chain_files = {pem}']).start()
        yield onion
        postfix.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason='Postfix itself wants to be started by root')
def test_the_faults_of_a_bad_server_are_named(running, bad_server):
    findings = examine(running.a, '--onion', f'carol@{bad_server}', status=FOUND_WRONG)

    def wrong(check, text):
        found = [found for result, found in findings[check] if result == 'wrong']
        assert any(text in one for one in found), findings[check]
    wrong('banner', f'whose machine this is: "{socket.gethostname()}')
    wrong('certificate', 'the certificate names somebody else: "example.onion"')
    wrong('smuggling', 'LF alone ends a message')
    wrong('tls', 'without a certificate')
    wrong('relay', 'OPEN RELAY (a foreign domain): RCPT TO:<someone@example.org>')
