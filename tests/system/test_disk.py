# SPDX-License-Identifier: ISC
"""A disk that fills up under a running node: refused with 452, said, nothing lost, and well again by itself."""
import contextlib
import os

import pytest

from harness.disk import NodeOnDisk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='only root can mount a small disk')


@pytest.fixture(scope='module')
def node(installation, work):
    node = NodeOnDisk(installation, None, work / 'small', {'tor.extra': 'DisableNetwork 1'}, 96)
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
