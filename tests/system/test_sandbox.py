# SPDX-License-Identifier: ISC
"""Every role, as it runs, asks for what the role table does not give it. (src/sandbox/sandbox_test.c asks for more.)"""
import errno
import os
import platform
import signal
import socket
import subprocess

import pytest

from harness.installation import ROOT

DENIED = (-errno.EPERM, -errno.EACCES)
NUMBERS = {'socket': 41, 'connect': 42, 'fork': 57, 'execve': 59, 'kill': 62, 'ptrace': 101, 'openat': 257, 'bpf': 321}
AT_FDCWD = -100

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64' or os.geteuid() != 0,
                                reason='needs root to stand in the place of a process that cannot be traced')


@pytest.fixture(scope='module')
def node(make_node):
    node = make_node('sandboxed', {'tor.extra': 'DisableNetwork 1'}, tor=False).start(wait=False)
    for name in ('alice', 'bob'):
        node.identity(name, wait=False)
    node.wait_for(lambda status: len(status['roles']) == 7 and all(row['ready'] for row in status['roles']), 30, 'every role')
    yield node
    node.stop()


def ask(row, call, *arguments):
    """What the kernel answers this role: a number, or 'killed by N'."""
    command = [str(ROOT / 'build' / 'tests' / 'inside' / 'ask-inside'), str(row['pid']), str(NUMBERS[call]), *map(str, arguments)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    return said if said.startswith('killed') else int(said)


def roles(node, *names):
    return [row for row in node.status()['roles'] if not names or row['role'] in names]


def test_the_kernel_holds_every_role(node):
    """`smtorp status --json` says what holds on this kernel."""
    assert {row['role'] for row in roles(node)} == {'tor', 'smtp', 'submission', 'mail', 'control'}
    assert all(row['sandbox']['seccomp'] for row in roles(node))


def test_no_role_sees_files_that_are_not_its_own(node):
    wanted = ['/etc/passwd', '/', str(node.home), str(node.home / 'identities' / 'alice' / 'onion.key'),
              str(node.home / 'identities' / 'bob' / 'mail'), '../onion.key', '/proc/self/status']
    for row in roles(node):
        for path in wanted:
            if row['role'] == 'mail' and row['identity'] == 'bob' and path.endswith('bob/mail'):
                continue
            assert ask(row, 'openat', AT_FDCWD, path, os.O_RDONLY) in DENIED, (row, path)


def test_mail_sees_its_own_folder_only(node):
    for row in roles(node, 'mail'):
        fd = ask(row, 'openat', AT_FDCWD, 'mail.db', os.O_RDONLY)
        assert fd > 2, 'the test would see nothing denied otherwise'
        assert ask(row, 'openat', AT_FDCWD, '..', os.O_RDONLY) in DENIED


def test_no_role_reaches_the_network(node):
    for row in roles(node):
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
            assert ask(row, 'socket', family, socket.SOCK_STREAM, 0) in DENIED, row
        assert ask(row, 'connect', 0, '/run', 10) in DENIED


def test_no_role_touches_other_processes(node):
    for row in roles(node):
        assert ask(row, 'fork') in DENIED
        assert ask(row, 'kill', os.getpid(), 0) in DENIED
        assert ask(row, 'bpf', 0, 0, 0) in DENIED


@pytest.mark.parametrize('call, arguments', [('execve', ('/bin/true', 0, 0)), ('ptrace', (16, 1, 0, 0))])
def test_what_only_an_intruder_asks_for_ends_the_role(node, call, arguments):
    for row in roles(node):
        assert ask(row, call, *arguments) == f'killed by {int(signal.SIGSYS)}', row
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 60, 'every role to be back')
