# SPDX-License-Identifier: ISC
"""SIGKILL between the 250 and the mailbox: nothing lost, nothing twice."""
import os
import signal

import pytest

from harness.programs import swaks
from harness.smtp import Session
from harness.waiting import until


def burst(bob, subject, count):
    """Sends `count` messages in one flight to the onion-side socket of port 465; returns the number acknowledged."""
    acknowledged = 0
    with Session(bob.sockets['465'], tls=True) as session:
        session.say('EHLO x.example\r\n')
        for number in range(count):
            body = f'Subject: {subject} {number}\r\n\r\n{"x" * 2000}\r\n'
            session.say(f'MAIL FROM:<x@example.net>\r\nRCPT TO:<{bob.address}>\r\nBDAT {len(body)} LAST\r\n{body}')
        for line in session.file:
            if line.startswith(b'250 2.0.0'):
                acknowledged += 1
                yield acknowledged
            if acknowledged == count:
                return


def counts(bob, subject):
    """How often each numbered message is in the mailbox."""
    with bob.mailbox() as mailbox:
        found = {}
        for text in mailbox.subjects():
            if text.startswith(subject + ' '):
                found[text] = found.get(text, 0) + 1
    return found


def check(bob, subject, acknowledged):
    """Everything acknowledged is there exactly once; what was not acknowledged at most once."""
    wanted = {f'{subject} {number}' for number in range(acknowledged)}
    until(lambda: wanted <= set(counts(bob, subject)), 60, f'{acknowledged} acknowledged messages')
    found = counts(bob, subject)
    assert set(found.values()) == {1}, {text: n for text, n in found.items() if n > 1}


@pytest.mark.parametrize('role', ['mail', 'smtp'])
@pytest.mark.parametrize('after', [1, 40])
def test_a_role_is_killed_after_the_250(running, subject, role, after):
    bob = running.bob
    acknowledged = 0
    pid = running.b.role(role, 'bob')['pid']
    for acknowledged in burst(bob, subject, 100):
        if acknowledged == after:
            os.kill(pid, signal.SIGKILL)
            break
    running.b.wait_for(lambda status: any(row['role'] == role and row.get('identity') == 'bob'
                                          and row['pid'] not in (0, pid) and row['ready'] for row in status['roles']),
                       20, f'{role} to be started again')
    check(bob, subject, acknowledged)


@pytest.mark.parametrize('after', [1, 60])
def test_the_whole_node_is_killed_after_the_250(running, subject, after):
    acknowledged = 0
    for acknowledged in burst(running.bob, subject, 100):
        if acknowledged == after:
            running.b.kill()
            break
    running.b.start()
    check(running.bob, subject, acknowledged)


@pytest.mark.parametrize('role, identity', [('tor', ''), ('submission', ''), ('control', ''), ('content', 'alice'),
                                            ('mail', 'alice'), ('smtp', 'alice')])
def test_every_role_of_the_sender_comes_back_and_mail_goes_on(running, subject, role, identity):
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject} before')
    row = running.a.role(role, identity)
    assert row is not None or role == 'content', f'{role} does not run'
    if row is not None and row['pid'] > 0:
        os.kill(row['pid'], signal.SIGKILL)
    running.a.wait_for(lambda status: status['tor']['bootstrap'] == 100 and all(
        other['ready'] for other in status['roles']), 60, 'the role to be back')
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject} after')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} before')
        mailbox.wait_for(f'{subject} after')


def test_the_senders_node_is_killed_after_the_250(running, subject):
    """What the mail program was told 250 for goes out after the node comes back."""
    running.b.stop()
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}')
    running.a.kill()
    running.a.start()
    running.b.start()
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_nothing_survives_a_killed_parent(running):
    """The roles, tor and Dovecot end by themselves when the parent is gone."""
    pids = running.a.pids()
    running.a.process.kill()
    running.a.process.wait(10)
    until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in pids), 20, 'its children to end')
    running.a.start()


def test_the_same_message_again_is_dropped(running, subject):
    """A peer that missed our 250 sends the same bytes again: the reader sees one message."""
    for _ in range(2):
        assert list(burst(running.bob, subject, 1)) == [1]
    list(burst(running.bob, f'{subject} other', 1))
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} other 0')
        mailbox.wait_for(f'{subject} 0')
