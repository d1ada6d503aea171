# SPDX-License-Identifier: ISC
"""What happens when the other side, or tor, is not there; and when it says no."""
import os
import signal

from harness.programs import run, swaks
from harness.waiting import until


def queued(identity):
    """Names of the frozen bodies that wait in the identity's queue."""
    folder = identity.mail / 'queue'
    return sorted(os.listdir(folder)) if folder.exists() else []


def test_peer_offline_and_back(running, subject):
    """Mail for a node that is down waits, and arrives once when the node is back."""
    running.b.stop()
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}')
    until(lambda: queued(running.alice), 20, 'the message in the queue')
    running.b.start()
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject, 150)
    until(lambda: not queued(running.alice), 20, 'the queue to be empty')


def test_tor_killed_while_mail_is_on_its_way(running, subject):
    """The sender's tor dies under the delivery: it comes back by itself, and the mail arrives once."""
    before = running.a.program('tor')
    message = b'x' * 76 + b'\r\n'
    run(running.a, running.a.installation.program('smtorp-sendmail'), '-f', running.alice.address, running.bob.address,
        input=(f'From: {running.alice.address}\nTo: {running.bob.address}\nSubject: {subject}\n\n'.encode()
               + message.replace(b'\r\n', b'\n') * 60000), text=False)
    os.kill(before['pid'], signal.SIGKILL)
    running.a.wait_for(lambda status: any(row['name'] == 'tor' and row['pid'] not in (0, before['pid'])
                                          for row in status['programs']) and status['tor']['bootstrap'] == 100,
                       60, 'tor to come back')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject, 150)
    assert running.a.program('tor')['restarts'] > before['restarts']


def test_receivers_tor_killed(running, subject):
    """The services are published again by a new tor, and reachable."""
    before = running.b.program('tor')
    os.kill(before['pid'], signal.SIGKILL)
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject, 180)


def test_unknown_recipient_bounces_to_the_sender(running, subject):
    """RFC 3464: multipart/report with the recipient, the status, and the peer's words."""
    swaks(running.alice, [f'nobody@{running.bob.onion}'], '--header', f'Subject: {subject}')
    with running.alice.mailbox() as mailbox:
        def reports():
            found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
            return [report for report in found if subject in report.as_string()]
        report = until(reports, 60, 'the bounce')[0]
        assert len(reports()) == 1
    assert report.get_content_type() == 'multipart/report'
    parts = list(report.iter_parts())
    assert [part.get_content_type() for part in parts][1] == 'message/delivery-status'
    status = parts[1].as_string()
    assert f'nobody@{running.bob.onion}' in status and '5.1.1' in status and 'Action: failed' in status
    assert report['Return-Path'] == '<>' and report['Auto-Submitted'] == 'auto-replied'


def test_one_bad_recipient_does_not_hold_back_the_good_one(running, subject):
    swaks(running.alice, [running.bob.address, f'nobody@{running.bob.onion}'], '--header', f'Subject: {subject}')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_a_message_expires_into_a_bounce(make_node, network, pair, subject):
    """A queue that gives up after seconds: an onion that never existed comes back as a bounce in plain words."""
    node = make_node('impatient', {'queue.expire': '10s', 'queue.retry-first': '1s', 'queue.retry-most': '1s'}).start()
    carol = node.identity('carol')
    nowhere = node.json('identity', 'new', 'gone')
    node.cli('identity', 'delete', 'gone', '--yes')
    swaks(carol, [nowhere['address']], '--header', f'Subject: {subject}')
    with carol.mailbox() as mailbox:
        until(lambda: mailbox.uids('HEADER', 'Content-Type', 'multipart/report'), 240, 'the bounce')
        assert len(mailbox.uids('HEADER', 'Content-Type', 'multipart/report')) == 1
    node.stop()


def test_a_silent_peer_delays_nobody(running, subject):
    """Mail to an onion that does not answer waits; mail to others goes out meanwhile."""
    gone = running.a.json('identity', 'new', 'shortlived')
    running.a.cli('identity', 'delete', 'shortlived', '--yes')
    swaks(running.alice, [gone['address']], '--header', f'Subject: {subject} lost')
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject, 60)
