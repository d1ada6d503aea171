# SPDX-License-Identifier: ISC
"""Every role, as it runs, asks for what the role table does not give it. (src/sandbox/sandbox_test.c asks for more.)"""
import errno
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess

import pytest

from harness.installation import ROOT

DENIED = (-errno.EPERM, -errno.EACCES)
NUMBERS = {'open': 2, 'mmap': 9, 'mprotect': 10, 'ioctl': 16, 'shmget': 29, 'socket': 41, 'connect': 42, 'bind': 49, 'listen': 50, 'socketpair': 53,
           'clone': 56, 'fork': 57, 'vfork': 58, 'execve': 59, 'kill': 62, 'chdir': 80, 'creat': 85, 'symlink': 88, 'ptrace': 101,
           'setuid': 105, 'setgid': 106, 'mknod': 133, 'personality': 135, 'prctl': 157, 'setrlimit': 160, 'chroot': 161,
           'mount': 165, 'umount2': 166, 'reboot': 169, 'init_module': 175, 'tkill': 200, 'io_setup': 206, 'clock_settime': 227, 'tgkill': 234,
           'mbind': 237, 'kexec_load': 246, 'add_key': 248, 'request_key': 249, 'keyctl': 250, 'inotify_init': 253, 'openat': 257, 'unshare': 272,
           'splice': 275, 'vmsplice': 278, 'perf_event_open': 298, 'prlimit64': 302, 'name_to_handle_at': 303, 'open_by_handle_at': 304,
           'setns': 308, 'process_vm_readv': 310, 'kcmp': 312, 'finit_module': 313, 'seccomp': 317, 'kexec_file_load': 320,
           'bpf': 321, 'execveat': 322, 'userfaultfd': 323, 'pidfd_send_signal': 424, 'io_uring_setup': 425, 'open_tree': 428,
           'fsopen': 430, 'clone3': 435, 'openat2': 437, 'pidfd_getfd': 438, 'process_madvise': 440, 'landlock_create_ruleset': 444,
           'memfd_secret': 447}
AT_FDCWD = -100
PR_SET_DUMPABLE, PR_GET_DUMPABLE = 4, 3
PROT_ALL, MAP_PRIVATE_ANONYMOUS = 7, 0x22
RLIMIT_CORE = 4
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
THREAD = 0x3d0f00  # the flags of a thread

# What no role may ask for, whoever it is, beside files, the network and other processes: those have tests of their own.
NEVER = [('mount', '/', '/', 'proc', 0, 0), ('umount2', '/', 0), ('chroot', '/'), ('fsopen', 'proc', 0), ('open_tree', AT_FDCWD, '/', 0), ('unshare', 0x10000000),
         ('setns', 0, 0), ('keyctl', 0, 0), ('add_key', 'user', 'x', 'y', 1, -1), ('request_key', 'user', 'x', 0, 0),
         ('bpf', 0, 0, 0), ('perf_event_open', 0, 0, -1, -1, 0), ('userfaultfd', 0), ('io_uring_setup', 1, 0), ('io_setup', 1, 0),
         ('kexec_load', 0, 0, 0, 0), ('kexec_file_load', 0, 0, 0, 0, 0), ('init_module', 0, 0, 'x'), ('finit_module', 0, 'x', 0),
         ('reboot', 0, 0, 0, 0), ('clock_settime', 0, 0), ('personality', 0xffffffff), ('setuid', 0), ('setgid', 0),
         ('seccomp', 0, 0, 0), ('landlock_create_ruleset', 0, 0, 1), ('mbind', 0, 0, 0, 0, 0, 0), ('shmget', 1, 4096, 0), ('memfd_secret', 0),
         ('splice', 0, 0, 1, 0, 1, 0), ('vmsplice', 1, 0, 0, 0), ('inotify_init',), ('ioctl', 0, 0x5412, 'x'), ('prctl', PR_SET_DUMPABLE, 1),
         ('setrlimit', RLIMIT_CORE, 'aaaaaaaabbbbbbbb'), ('prlimit64', 0, RLIMIT_CORE, 'aaaaaaaabbbbbbbb', 0)]

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64' or os.geteuid() != 0,
                                reason='needs root to stand in the place of a process that cannot be traced')


@pytest.fixture(scope='module')
def node(make_node):
    node = make_node('sandboxed', {'tor.extra': 'DisableNetwork 1'}, tor=False).start(wait=False)
    for name in ('alice', 'bob'):
        node.identity(name, wait=False)
    node.wait_for(lambda status: len(status['roles']) == 8 and all(row['ready'] for row in status['roles']), 30, 'every role')
    yield node
    node.stop()


def ask(row, call, *arguments):
    """What the kernel answers this role: a number, or 'killed by N'."""
    command = [str(ROOT / 'build' / 'tests' / 'inside' / 'ask-inside'), str(row['pid']), str(NUMBERS[call]), *map(str, arguments)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    return said if said.startswith('killed') else int(said)


def roles(node, *names):
    """Those of the status, and the log, which is one without a channel."""
    status = node.status()
    rows = status['roles'] + [{'role': 'log', 'identity': '', 'pid': row['pid']} for row in status['programs'] if row['name'] == 'log']
    return [row for row in rows if not names or row['role'] in names]


def test_the_kernel_holds_every_role(node):
    """`smtorp status --json` says what holds on this kernel."""
    rows = node.status()['roles']
    assert {row['role'] for row in rows} == {'tor', 'smtp', 'submission', 'mail', 'control', 'sign'}
    assert all(row['sandbox']['seccomp'] for row in rows)
    for row in roles(node):
        status = dict(line.split(':\t', 1) for line in pathlib.Path(f'/proc/{row["pid"]}/status').read_text().splitlines())
        assert status['Seccomp'] == '2' and status['NoNewPrivs'] == '1', row
        for thread in pathlib.Path(f'/proc/{row["pid"]}/task').iterdir():
            assert 'Seccomp:\t2\n' in (thread / 'status').read_text(), row


def test_no_role_sees_files_that_are_not_its_own(node):
    wanted = ['/etc/passwd', '/', str(node.home), str(node.home / 'identities' / 'alice' / 'onion.key'),
              str(node.home / 'identities' / 'bob' / 'mail'), str(node.home / 'identities' / 'alice' / 'mail' / 'mail.db'), '..',
              '/proc/self/status', f'/proc/{node.process.pid}/mem', '/dev/null']
    for row in roles(node):
        for path in wanted:
            if row['role'] == 'mail' and f'/{row["identity"]}/mail' in path:
                continue
            assert ask(row, 'openat', AT_FDCWD, path, os.O_RDONLY) in DENIED, (row, path)
        others = [('open', '/etc/passwd', os.O_RDONLY), ('creat', 'x', 0o600), ('openat2', AT_FDCWD, '/etc/passwd', 0, 24), ('chdir', '/'),
                  ('symlink', '/', 'x'), ('mknod', 'x', 0o600, 0), ('name_to_handle_at', AT_FDCWD, '.', 0, 0, 0),
                  ('open_by_handle_at', 0, 0, 0)]
        for call in others:
            assert ask(row, *call) in DENIED, (row, call)


def test_mail_sees_its_own_folder_only(node):
    for row in roles(node, 'mail'):
        fd = ask(row, 'openat', AT_FDCWD, 'mail.db', os.O_RDONLY)
        assert fd > 2, 'the test would see nothing denied otherwise'
        assert ask(row, 'openat', AT_FDCWD, '..', os.O_RDONLY) in DENIED


def test_no_role_reaches_the_network(node):
    for row in roles(node):
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
            assert ask(row, 'socket', family, socket.SOCK_STREAM, 0) in DENIED, row
        for call in (('connect', 0, '/run', 10), ('bind', 0, '/run', 10), ('listen', 0, 1), ('socketpair', socket.AF_UNIX, socket.SOCK_STREAM, 0, 0)):
            assert ask(row, *call) in DENIED, (row, call)


def test_no_role_touches_other_processes(node):
    for row in roles(node):
        # who may have threads is told that there is no clone3()
        assert ask(row, 'clone3', 0, 0) in (*DENIED, -errno.ENOSYS)
        for call in (('fork',), ('vfork',), ('clone', 17, 0, 0, 0, 0), ('clone', THREAD | CLONE_NEWNET, 0, 0, 0, 0), ('kill', os.getpid(), 0), ('tkill', os.getpid(), 0),
                     ('tgkill', node.process.pid, node.process.pid, 0), ('pidfd_send_signal', 0, 0, 0, 0), ('pidfd_getfd', 0, 0, 0),
                     ('kcmp', os.getpid(), node.process.pid, 0, 0, 0), ('process_madvise', 0, 0, 0, 0, 0)):
            assert ask(row, *call) in DENIED, (row, call)


def test_no_role_runs_code_that_it_wrote(node):
    for row in roles(node):
        assert ask(row, 'mmap', 0, 4096, PROT_ALL, MAP_PRIVATE_ANONYMOUS, -1, 0) in DENIED, row
        page = ask(row, 'mmap', 0, 4096, 3, MAP_PRIVATE_ANONYMOUS, -1, 0)
        assert page > 0, 'the test would see nothing denied otherwise'
        assert ask(row, 'mprotect', page, 4096, 5) in DENIED, row


def test_no_role_asks_the_kernel_for_what_only_intruders_use(node):
    for row in roles(node):
        for call in NEVER:
            assert ask(row, *call) in DENIED, (row, call)


def test_the_parent_and_what_it_starts_may_not_ask_for_that_either(node):
    """tor and Dovecot inherit the parent's filter; files, the network and programs are theirs to use."""
    status = node.status()
    assert all(row['sandbox']['seccomp'] for row in status['programs'])
    assert 'a wider filter holds smtorpd and the programs that it starts' in node.cli('status').stdout
    allowed = ('io_setup', 'clock_settime', 'personality', 'setuid', 'setgid', 'seccomp', 'landlock_create_ruleset', 'mbind', 'shmget',
               'memfd_secret', 'splice', 'vmsplice', 'inotify_init', 'ioctl', 'prctl', 'setrlimit', 'prlimit64')
    calls = [call for call in NEVER if call[0] not in allowed]
    calls += [('ptrace', 16, 1, 0, 0), ('process_vm_readv', 1, 0, 0, 0, 0, 0), ('pidfd_getfd', 0, 0, 0), ('kcmp', 1, 1, 0, 0, 0),
              ('clone', CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)]
    assert len(calls) > 20
    for row in [{'name': 'parent', 'pid': node.process.pid}, *(row for row in status['programs'] if row['name'] != 'log')]:
        for call in calls:
            assert ask(row, *call) == -errno.EPERM, (row, call)
        assert ask(row, 'clone3', 0, 0) == -errno.ENOSYS, row


def test_no_process_leaves_a_core_file(node):
    """The limit for files, and not dumpable for those whose core files go to a program by a pipe, which asks for no limit."""
    parent = {'role': 'parent', 'pid': node.process.pid}
    programs = [{'role': row['name'], 'pid': row['pid']} for row in node.status()['programs'] if row['name'] != 'log']
    for row in [parent, *roles(node), *programs]:
        limits = pathlib.Path(f'/proc/{row["pid"]}/limits').read_text()
        assert re.search(r'Max core file size +0 +0 ', limits), row
    for row in [parent, *roles(node)]:
        assert os.stat(f'/proc/{row["pid"]}/maps').st_uid == 0, (row, 'what cannot be dumped belongs to root in /proc')


def test_secrets_are_in_locked_memory(node):
    """The TLS key of smtp and submission, and what keeps the circuits of identities apart."""
    for row in roles(node, 'smtp', 'submission', 'tor'):
        status = pathlib.Path(f'/proc/{row["pid"]}/status').read_text()
        assert int(re.search(r'VmLck:\s+(\d+)', status)[1]) > 0, row


@pytest.mark.parametrize('call, arguments', [('execve', ('/bin/true', 0, 0)), ('execveat', (AT_FDCWD, '/bin/true', 0, 0, 0)),
                                             ('ptrace', (16, 1, 0, 0)), ('process_vm_readv', (1, 0, 0, 0, 0, 0))])
def test_what_only_an_intruder_asks_for_ends_the_role(node, call, arguments):
    for row in roles(node):
        assert ask(row, call, *arguments) == f'killed by {int(signal.SIGSYS)}', row
    node.wait_for(lambda status: status['programs'] and any(row['name'] == 'log' and row['pid'] for row in status['programs']), 60, 'the log')
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 60, 'every role to be back')
