# SPDX-License-Identifier: ISC
"""A disk that fills up under a running node: refused with 452, said, nothing lost, and well again by itself."""
import contextlib
import os
import pathlib
import signal
import threading

import pytest

from harness.disk import NodeOnDisk
from harness.smtp import Session
from harness.waiting import until

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


# ---- the last block, the last file, and a disk that takes nothing

@pytest.fixture(scope='module')
def bare(installation, work):
    """Nothing is kept free; there can be few files."""
    node = NodeOnDisk(installation, None, work / 'bare', {'tor.extra': 'DisableNetwork 1', 'mailbox.keep-free': '0'}, 64, files=5000)
    with contextlib.closing(node):
        node.start(wait=False)
        node.zoe = node.identity('zoe', wait=False)
        wait_for_store(node, 'works')
        node.new = node.disk.seen / 'identities' / 'zoe' / 'mail' / 'Maildir' / 'new'
        yield node


def try_stranger(node, subject):
    """The first three letters of the answer; what breaks off may be tried again, too."""
    try:
        return stranger_brings(node, subject)[:3] or '4..'
    except OSError:
        return '4..'


class Flow:
    """A stranger who brings message after message, each until it is taken."""

    def __init__(self, node, name):
        self.node, self.name, self.taken, self.answers, self.pause = node, name, [], set(), threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.pause.is_set():
            subject = f'{self.name} {len(self.taken)}'
            code = try_stranger(self.node, subject)
            self.answers.add(code)
            if code == '250':
                self.taken.append(subject)
            self.pause.wait(0.03)  # each takes a file, and there are to be enough

    def end(self):
        self.pause.set()
        self.thread.join(60)
        assert {code[0] for code in self.answers} <= {'2', '4'}, self.answers


def subjects(node):
    return [line for path in node.new.iterdir() for line in path.read_text().splitlines() if line.startswith('Subject: ')]


def check_taken(node, flow):
    wanted = {f'Subject: {subject}' for subject in flow.taken}
    until(lambda: wanted <= set(subjects(node)), 60, 'all that was taken', log=node.log_tail)
    ours = [subject for subject in subjects(node) if f' {flow.name} ' in subject]
    assert len(set(ours)) == len(ours) and len(ours) <= len(wanted) + 1  # the last one may have been taken without an answer


@pytest.mark.parametrize('fill', ['fill', 'fill_with_files'])
def test_mail_flows_while_the_disk_fills_up_and_empties(bare, fill):
    flow = Flow(bare, fill)
    try:
        for _ in range(2):
            before = len(flow.taken)
            until(lambda: len(flow.taken) > before + 5, 30, 'mail to flow', log=bare.log_tail)
            getattr(bare.disk, fill)()
            if fill == 'fill':  # what is left of the journal's part would take thousands
                send(bare, 'large', 8 << 20)
            wait_for_store(bare, 'disk full')
            bare.disk.empty()
            wait_for_store(bare, 'works')
    finally:
        flow.end()
    check_taken(bare, flow)
    assert all(row['restarts'] == 0 for row in bare.status()['roles'])


def test_mail_flows_again_when_a_disk_that_became_read_only_returns(bare):
    mail = bare.home / 'identities' / 'zoe' / 'mail'
    assert bare.disk.mount('--bind', mail, mail)
    bare.kill_role('mail', 'zoe')
    flow = Flow(bare, 'turns')
    try:
        until(lambda: len(flow.taken) > 5, 30, 'mail to flow', log=bare.log_tail)

        def turn():
            """The kernel wants nobody to write at that moment."""
            pid = bare.role('mail', 'zoe')['pid']
            if pid:
                os.kill(pid, signal.SIGKILL)
            return bare.disk.mount('-o', 'remount,bind,ro', mail)
        until(turn, 30, 'the disk to be read-only')
        bare.wait_for(lambda status: 'read-only' in status['identities'][0]['trouble'].lower(), 30, 'the node to say it')
        assert try_stranger(bare, 'nobody takes it').startswith('4')
        assert send(bare, 'nor this').returncode == 75
        before = len(flow.taken)
        assert bare.disk.mount('-o', 'remount,bind,rw', mail)
        until(lambda: len(flow.taken) > before, 40, 'mail to flow again', log=bare.log_tail)
        assert not bare.status()['identities'][0]['trouble']
    finally:
        flow.end()
    check_taken(bare, flow)
