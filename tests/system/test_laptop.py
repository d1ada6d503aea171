# SPDX-License-Identifier: ISC
"""Living on a laptop: the network goes and comes back, the machine sleeps, tor gets nowhere, the clock is wrong."""
import os
import pathlib
import re
import struct
import time

import pytest

from harness.imap import TOR_PATIENCE_S
from harness.installation import ROOT
from harness.netns import NetworkNamespace, NodeInside, TorNetworkInside
from harness.waiting import until


@pytest.fixture(scope='module')
def namespace():
    if os.geteuid() != 0:
        pytest.skip('makes a network namespace')
    namespace = NetworkNamespace()
    yield namespace
    namespace.close()


@pytest.fixture(scope='module')
def inside(installation, work, namespace):
    """make(name, config): a node in the namespace, with a tor network that is there, too."""
    network = TorNetworkInside(work / 'net-inside', namespace)
    network.start()
    nodes = []

    def make(name, config=None):
        nodes.append(NodeInside(installation, network, work / name, config, namespace))
        return nodes[-1]
    yield make
    for node in nodes:
        node.close()
    network.stop()


def send(sender, receiver, subject):
    sender.node.run('smtorp-sendmail', '-f', sender.address, receiver.address,
                    input=f'From: {sender.address}\nTo: {receiver.address}\nSubject: {subject}\n\ntext\n')


def has_mail(identity, subject):
    return any(subject in path.read_text(errors='replace') for path in (identity.mail / 'Maildir' / 'new').iterdir())


def test_a_network_that_comes_back_is_noticed_and_what_waits_is_sent(inside, namespace, subject):
    """The next try would be in an hour: only the network's return can be why it is made now."""
    a = inside('la', {'queue.retry-first': '1h', 'queue.retry-most': '2h'}).start(wait=False)
    b = inside('lb').start()
    a.wait_for(lambda status: status['tor']['bootstrap'] == 100, 90, 'tor to bootstrap')
    carol, dave = a.identity('carol'), b.identity('dave')
    b.stop()
    send(carol, dave, subject)
    until(lambda: a.json('queue', 'list') and a.json('queue', 'list')[0]['tries'] > 0, TOR_PATIENCE_S, 'a try in vain')
    assert a.json('queue', 'list')[0]['next_try'] > time.time() + 1000
    b.start()
    assert a.status()['tor']['network_event'] == '' and not has_mail(dave, subject)

    namespace.ip('link', 'set', 'lo', 'down')
    a.wait_for(lambda status: status['tor']['network_event'] == 'network changed', 10, 'the node to notice')
    namespace.ip('link', 'set', 'lo', 'up')
    until(lambda: a.status()['tor']['network_event_s'] < 60 and re.search(r'network changed \d+ s ago, retrying', a.cli('status').stdout),
          30, 'status to tell')
    until(lambda: has_mail(dave, subject), TOR_PATIENCE_S, 'the mail', log=a.log_tail)
    assert 'network changed' in a.cli('logs', '--role', 'parent').stdout


def test_noise_is_no_change(inside, namespace):
    """An interface without an address, as containers make them, concerns nobody."""
    node = inside('ln', {'tor.extra': 'DisableNetwork 1'}).start(wait=False)
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 20, 'every role')
    namespace.ip('link', 'add', 'veth1', 'type', 'veth', 'peer', 'name', 'veth2')
    namespace.ip('link', 'set', 'veth1', 'up')
    namespace.ip('link', 'set', 'veth2', 'up')
    namespace.ip('addr', 'add', '198.51.100.7/24', 'dev', 'veth1')  # this one does
    node.wait_for(lambda status: status['tor']['network_event'] == 'network changed', 10, 'the node to notice')
    assert node.cli('logs', '--role', 'parent').stdout.count('network changed') == 1
    node.stop()


class Clock:
    """What a tor believes the time to be: libfaketime reads it from a file, so that it can be set right."""

    def __init__(self, folder):
        self.file = folder / 'clock'
        self.program = folder / 'tor-with-another-clock'
        library = next(pathlib.Path('/usr/lib').glob('*/faketime/libfaketime.so.1'))
        self.program.write_text('#!/bin/sh\n[ "$1" = --version ] && exec tor --version\n'
                                f'export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={self.file} FAKETIME_NO_CACHE=1\n'
                                'exec tor "$@"\n')
        self.program.chmod(0o755)

    def set(self, offset):
        self.file.write_text(offset + '\n')
        self.file.chmod(0o644)


@pytest.mark.parametrize('offset, says', [('-3d', 'clock is 3 days behind'), ('+5h', 'clock is 5 hours ahead')])
def test_a_wrong_clock_is_told_and_once_right_forgotten(make_node, work, offset, says):
    folder = work / f'clock{offset}'
    folder.mkdir()
    clock = Clock(folder)
    clock.set(offset)
    node = make_node(f'clock{offset}', {'tor.program': str(clock.program)})
    node.start(wait=False)
    node.wait_for(lambda status: says in status['tor']['hint'], 60, 'the hint')
    assert says in node.cli('status').stdout and says in node.cli('logs', '--role', 'tor').stdout
    clock.set('+0')
    node.wait_for(lambda status: status['tor']['bootstrap'] == 100 and not status['tor']['hint'], TOR_PATIENCE_S, 'tor')
    node.stop()


def test_a_tor_that_gets_nowhere_is_told_with_what_helps(make_node):
    node = make_node('stuck', {'tor.extra': 'DisableNetwork 1'}, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: 'smtorp up --bridge' in status['tor']['hint'], 90, 'the hint')
    assert 'tor makes no progress' in node.cli('status').stdout
    node.stop()


def wake():
    """What the kernel tells those who asked for it when the machine wakes up, or the clock is set: it is set, to itself."""
    try:
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
    except PermissionError:
        pytest.skip('only who may set the clock can make the kernel say so')


def test_sleep_and_a_clock_that_is_set_are_noticed(make_node, work):
    """The machine itself cannot sleep in a test: the kernel's word is real, and the parent's clocks are moved before it."""
    moved = work / 'slept'
    moved.write_bytes(struct.pack('qq', 0, 0))
    moved.chmod(0o644)
    node = make_node('sleeper', {'tor.extra': 'DisableNetwork 1'}, tor=False)
    environment = {**node.environment(), 'LD_PRELOAD': str(ROOT / 'build' / 'tests' / 'inside' / 'slept.so'), 'SLEPT_FILE': str(moved)}
    node.environment = lambda: environment
    node.start(wait=False)
    node.wait_for(lambda status: status['roles'] and all(row['ready'] for row in status['roles']), 20, 'every role')

    wake()  # nothing to see: no time has passed
    for asleep, wall, says in ((120, 120, 'woke up after 120 s'), (120, 3720, 'clock set forward by 3600 s')):
        with open(moved, 'r+b') as file:  # in place: it is mapped
            file.write(struct.pack('qq', asleep, wall))
        wake()
        node.wait_for(lambda status: status['tor']['network_event'] == says, 20, says)
    assert node.cli('logs', '--role', 'parent').stdout.count('what waits is tried again') == 2
    node.stop()
