# SPDX-License-Identifier: ISC
"""A disk that fills up under a running node: refused with 452, said, nothing lost, and well again by itself."""
import contextlib
import os
import pathlib

import pytest

from harness.disk import NodeOnDisk
from harness.smtp import Session

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='only root can mount a small disk')


@pytest.fixture(scope='module')
def node(installation, work):
    node = NodeOnDisk(installation, None, work / 'small', {'tor.extra': 'DisableNetwork 1', 'mailbox.keep-free': '32M'}, 96)
    with contextlib.closing(node):
        node.start(wait=False)
        node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
        node.zoe = node.identity('zoe', wait=False)
        wait_for_store(node, 'works')
        yield node


def wait_for_store(node, store):
    return node.wait_for(lambda status: status['identities'][0]['store'] == store, 30, f'the store to be: {store}')


def send(node, subject, attachment=0):
    """To herself, through her own queue's journal. The result of smtorp-sendmail."""
    address = node.zoe.address
    return node.run('smtorp-sendmail', '-f', address, address, check=False,
                    input=f'From: {address}\nTo: {address}\nSubject: {subject}\n\n' + ('x' * 70 + '\n') * (attachment // 71))


def test_a_full_disk_refuses_says_so_and_recovers(node):
    assert send(node, 'before').returncode == 0
    taken, subject = ['before'], 0
    node.disk.fill()
    for subject in range(40):  # the part of the journal that there is takes some more
        result = send(node, f'while {subject}', 1 << 20)
        if result.returncode != 0:
            break
        taken.append(f'while {subject}')
    assert '452' in result.stderr and 'no space for mail' in result.stderr, result.stderr
    status = wait_for_store(node, 'disk full')
    assert 'free some space' in status['identities'][0]['trouble']
    assert 'disk is full' in node.cli('status').stdout
    assert all(row['restarts'] == 0 for row in status['roles'])

    node.disk.empty()
    wait_for_store(node, 'works')
    assert 'disk is full' not in node.cli('status').stdout
    assert send(node, 'after').returncode == 0
    with node.zoe.mailbox() as mailbox:
        for subject in [*taken, 'after']:
            mailbox.wait_for(subject)
        assert len(mailbox.uids()) == len(taken) + 1  # no more than was accepted, and nothing twice


def test_a_node_that_is_killed_with_a_full_disk_loses_nothing(node):
    assert send(node, 'kept').returncode == 0
    with node.zoe.mailbox() as mailbox:
        mailbox.wait_for('kept')
        before = len(mailbox.uids())
    node.disk.fill()
    node.kill()
    refused = node.run('smtorpd', check=False, timeout=30)
    assert refused.returncode == 11, refused.stderr
    node.disk.empty()
    node.start(wait=False)
    wait_for_store(node, 'works')
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    with node.zoe.mailbox() as mailbox:
        assert len(mailbox.uids()) == before


def stranger_brings(node, subject):
    """What a stranger is told about a message, over the socket that tor connects to."""
    path = node.disk.seen / pathlib.Path(node.zoe.sockets['465']).relative_to(node.home)
    body = f'Subject: {subject}\r\n\r\nx\r\n'
    with Session(str(path), tls=True) as session:
        session.say(f'EHLO x\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{node.zoe.address}>\r\nBDAT {len(body)} LAST\r\n{body}QUIT\r\n')
        return [session.reply() for _ in range(6)][4]


def test_strangers_cannot_take_the_last_of_the_disk(node):
    """What mailbox.keep-free says stays for the owner's own mail."""
    wait_for_store(node, 'works')
    assert stranger_brings(node, 'with room').startswith('250')
    node.disk.fill(31 << 20)
    assert stranger_brings(node, 'without').startswith('452 4.3.1')
    status = wait_for_store(node, 'disk full')
    assert 'mailbox.keep-free' in status['identities'][0]['trouble']
    assert send(node, 'of the owner').returncode == 0
    assert stranger_brings(node, 'without').startswith('452 4.3.1')
    node.disk.empty()
    wait_for_store(node, 'works')
    assert stranger_brings(node, 'with room again').startswith('250')
    with node.zoe.mailbox() as mailbox:
        for subject in ('with room', 'of the owner', 'with room again'):
            mailbox.wait_for(subject)
        assert 'without' not in mailbox.subjects()
