# SPDX-License-Identifier: ISC
"""The parent among roles that were taken over (tests/inside/hostile_role.c): it outlives them, and everybody else goes on. What
hostile roles do to one another: src/daemon/role_hostile_test.c."""
import contextlib
import os
import pathlib
import shutil
import signal

import pytest

from harness import account
from harness.installation import ROOT, Installation
from harness.node import Node
from harness.waiting import until

HOSTILE = pathlib.Path(os.environ.get('SMTORP_BUILD') or ROOT / 'build') / 'tests' / 'inside' / 'hostile-role'
STARTS = 3  # of the hostile one, each with other words
PARENT_MOST_KB = 250 * 1024


@pytest.fixture(scope='module')
def node(work):
    installation = Installation(work / 'hostile-inst')
    node = Node(installation, None, work / 'hostile', {'tor.extra': 'DisableNetwork 1'})
    node.start(wait=False)
    node.wait_for(lambda status: True, 10, 'the control socket')
    node.alice = node.identity('alice', wait=False)
    node.bob = node.identity('bob', wait=False)
    await_roles(node)
    mail_flows(node, 'before')  # content of both runs then
    node.descriptors = descriptors(node.process.pid)
    yield node
    node.stop()
    assert 'Sanitizer' not in node.log.read_text(errors='replace')


def await_roles(node):
    """All of them, and not one that has just ended; content comes and goes."""
    node.wait_for(lambda status: len([row for row in status['roles'] if row['ready'] and row['role'] != 'content']) == 8, 60, 'every role')


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def memory_kb(pid):
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(status.split('VmRSS:')[1].split()[0])


def children(pid, program):
    """The numbers of those that run this program."""
    found = set()
    for child in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
        with contextlib.suppress(OSError):  # it has ended
            if pathlib.Path(f'/proc/{child}/comm').read_text().strip() == program:
                found.add(int(child))
    return found


def put(path, source):
    """Another program in the place of one that may be running."""
    fresh = path.with_suffix('.fresh')
    shutil.copy(source, fresh)
    fresh.chmod(0o755)
    fresh.rename(path)


def mail_flows(node, subject):
    for one in (node.alice, node.bob):
        text = f'From: {one.address}\nTo: {one.address}\nSubject: {subject}\n\nx\n'
        until(lambda one=one, text=text: node.run('smtorp-sendmail', '-f', one.address, one.address, input=text, check=False).returncode == 0,
              60, 'the message to be taken')
        with one.mailbox() as mailbox:
            mailbox.wait_for(subject)


@pytest.mark.sanitized
@pytest.mark.skipif(os.geteuid() != 0, reason='a node shows its descriptors to root only')
@pytest.mark.parametrize('program, identity', [('tor', ''), ('smtp', 'alice'), ('mail', 'alice'), ('control', '')])
def test_the_parent_outlives_a_hostile_role(node, program, identity):
    parent = node.process.pid
    path = pathlib.Path(node.installation.bin).parent / 'libexec' / 'smtorp' / f'smtorp-{program}'
    honest = path.with_suffix('.honest')
    shutil.copy(path, honest)
    others = children(parent, path.name) - {node.role(program, identity)['pid']}
    seen, most = set(), 0
    put(path, HOSTILE)
    honest_pid = node.role(program, identity)['pid']
    os.kill(honest_pid, signal.SIGKILL)

    def look():
        nonlocal most
        assert node.is_running(), node.log_tail()
        seen.update(children(parent, path.name) - others - {honest_pid})
        most = max(most, memory_kb(parent))
        return len(seen) >= STARTS
    until(look, 60, 'the hostile role to be started again and again', every_s=0.02)
    put(path, honest)
    for pid in children(parent, path.name) - others:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await_roles(node)
    mail_flows(node, f'after a hostile {program}')
    assert most < PARENT_MOST_KB
    assert descriptors(parent) <= node.descriptors
