# SPDX-License-Identifier: ISC
"""The tor of a node dies again and again while mail flows: all of it arrives once, the node recovers, and leaves nothing behind."""
import collections
import os
import pathlib
import random
import secrets
import select
import signal

import pytest

from harness.imap import TOR_PATIENCE_S
from harness.waiting import until
from torture.field import CONFIG, TOR, Field, is_gone, tree
from torture.ledger import Ledger
from torture.load import Owner

KILLS = 100


def tor_of(node):
    """The process that is its tor now, or nothing."""
    return next((pid for pid, name in tree(node.process.pid) if name == TOR), None)


def is_connected(node):
    node.wait_for(lambda status: status['tor']['bootstrap'] == 100 and all(row['ready'] for row in status['roles']), 120, 'tor')


def what_runs(node):
    """Its processes by name, those that come and go left out; and how many processes anywhere use its tor's folder."""
    names = collections.Counter(name for _, name in tree(node.process.pid) if name in (TOR, 'tor role', 'smtp', 'mail', 'submission', 'control'))
    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            names['with its folder'] += str(node.home / 'tor').encode() in path.read_bytes()
        except OSError:
            pass  # it is gone
    return names


def descriptors(node):
    return len(os.listdir(f'/proc/{node.process.pid}/fd'))


@pytest.mark.slow
def test_a_tor_that_is_killed_a_hundred_times(make_node, work):
    seed = secrets.randbelow(1 << 32)
    rng, ledger = random.Random(seed), Ledger(seed)
    nodes = [make_node(f'tor-killed-{short}', CONFIG) for short in 'ab']
    for node, name in zip(nodes, ('alice', 'bob')):
        node.short = node.folder.name[-1]
        node.start()
        node.identities = [node.identity(name)]
    folder = work / 'tor-killed'
    folder.mkdir()
    field = Field(nodes, {node.short: node.endpoint('submission')[1] for node in nodes}, ledger, rng, folder)
    before = [(what_runs(node), descriptors(node)) for node in nodes]
    senders = [Owner(field, ledger, node, rng, lambda _: None) for node in nodes]
    for sender in senders:
        sender.start()
    try:
        for number in range(KILLS):
            if number % 20 == 0:  # now and then there is time for mail
                count = sum(ledger.found.values())
                until(lambda: sum(ledger.found.values()) > count, 2 * TOR_PATIENCE_S, 'mail to arrive')
            node = nodes[number % 2]
            if rng.random() < 0.7:
                is_connected(node)
            pid = until(lambda: tor_of(node), 30, 'a tor')
            select.select([], [], [], rng.uniform(0, 1))  # at any moment of its start, or of the mail
            os.kill(pid, signal.SIGKILL)
            until(lambda: is_gone(pid), 10, 'it to be gone')
    finally:
        for sender in senders:
            sender.ended.set()
            sender.join(60)
    for node, (processes, fds) in zip(nodes, before):
        is_connected(node)
        assert what_runs(node) == processes
        assert descriptors(node) <= fds + 4, descriptors(node)
        assert node.program('tor')['restarts'] >= KILLS // 2
    field.settle(3 * TOR_PATIENCE_S)
    print(ledger.counts())
    assert not ledger.faults() and not any(sender.wrong for sender in senders), '\n'.join(ledger.faults())
    field.close()
