# SPDX-License-Identifier: ISC
"""What keeps a node from starting: one clear line and an exit status of its own, from smtorpd and from `smtorp up`.

Missing and old programs are in test_programs.py, damaged databases in test_damage.py."""
import contextlib
import os
import re
import socket

import pytest

from harness.disk import NodeOnDisk
from harness.node import DEFAULT_CONFIG

OFFLINE = {'tor.extra': 'DisableNetwork 1'}
WRONG_LINE = len(DEFAULT_CONFIG) + 1  # where a key of a test comes
WRONG_USE, RUNS_ALREADY, NO_PROGRAM, TOR_TOO_OLD, CONFIGURATION, PORT_IN_USE, DISK_FULL, DAMAGED = 2, 5, 7, 8, 9, 10, 11, 12
BOTH = pytest.mark.parametrize('command', [['smtorpd'], ['smtorp', 'up']])


def refused(node, command, status, *says):
    """The only line about an error has all of these words."""
    result = node.run(*command, check=False, timeout=30)
    assert result.returncode == status, result.stderr
    lines = [line for line in result.stderr.splitlines() if ' error ' in line]
    assert len(lines) == 1 and all(str(text) in lines[0] for text in says), result.stderr
    return result


@pytest.fixture(scope='module')
def running(make_node):
    node = make_node('first', OFFLINE, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: True, 10, 'the control socket')
    return node


def test_a_second_node_on_the_same_home(running):
    refused(running, ['smtorpd'], RUNS_ALREADY, 'already running', running.home, running.process.pid)
    result = running.cli('up', check=False, timeout=30)
    assert result.returncode == RUNS_ALREADY and 'runs already' in result.stderr and 'smtorp status' in result.stderr
    assert running.status()


@BOTH
@pytest.mark.parametrize('config, says', [
    ({'submision.listen': '127.0.0.1:0'}, [f"line {WRONG_LINE}: there is no key 'submision.listen'", "did you mean 'submission.listen'?"]),
    ({'queue.rety-first': '5s'}, [f"line {WRONG_LINE}: there is no key 'queue.rety-first'", "did you mean 'queue.retry-first'?"]),
    ({'colour': 'green'}, [f"line {WRONG_LINE}: there is no key 'colour'", 'smtorp.conf(5)']),
    ({'imap.listen': '192.0.2.1:143'}, ['line 3: imap.listen']),
    ({'tor.bridge': 'nonsense'}, ["the bridge 'nonsense'", 'TRANSPORT']),
])
def test_a_wrong_configuration_names_its_line_and_the_nearest_key(make_node, command, config, says):
    node = make_node('wrong', config, tor=False)
    refused(node, command, CONFIGURATION, *says)
    assert not (node.home / 'lock').exists()


def test_settings_for_mail_programs_need_a_right_configuration(make_node):
    node = make_node('wrong-mua', {}, tor=False)
    node.json('identity', 'new', 'alice')
    node.configure({'imap.lisen': '127.0.0.1:0'})
    result = node.cli('mua', 'alice', check=False)
    assert result.returncode == CONFIGURATION and "did you mean 'imap.listen'?" in result.stderr


@pytest.mark.parametrize('command, key', [(['smtorpd'], 'submission.listen'), (['smtorp', 'up'], 'imaps.listen')])
def test_a_port_in_use_is_named_with_its_key(make_node, command, key):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        node = make_node('port', {**OFFLINE, key: f'127.0.0.1:{port}'}, tor=False)
        refused(node, command, PORT_IN_USE, key, port, 'in use by another program', f'`{key} = 127.0.0.1:')


@BOTH
@pytest.mark.parametrize('room', [0, 8 << 20])
@pytest.mark.skipif(os.geteuid() != 0, reason='only root can mount a small disk')
def test_a_full_disk(installation, work, command, room):
    node = NodeOnDisk(installation, None, work / f'full-{command[0]}-{room}', OFFLINE, 24)
    with contextlib.closing(node):
        node.disk.fill(keep_bytes=room)
        refused(node, command, DISK_FULL, *(['the disk is full', '16 MiB', node.home] if room else ['No space left', node.home]))
        node.disk.empty()
        node.start(wait=False)
        node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 20, 'every role')


def test_the_manual_lists_every_status(installation):
    """And both manuals say the same of those that they share."""
    def table(page):
        text = page.read_text().split('.Sh EXIT STATUS')[1].split('.El')[0]
        return {int(number): words for number, words in re.findall(r'^\.It (\d+)\n(.*?)(?=^\.It|\Z)', text, re.M | re.S)}
    node = table(installation.man / 'man8' / 'smtorpd.8')
    command = table(installation.man / 'man1' / 'smtorp.1')
    assert {WRONG_USE, RUNS_ALREADY, NO_PROGRAM, TOR_TOO_OLD, CONFIGURATION, PORT_IN_USE, DISK_FULL, DAMAGED} <= set(node) <= set(command)
    assert all(node[status] == command[status] for status in node if NO_PROGRAM <= status < DAMAGED)
