# SPDX-License-Identifier: ISC
"""Mail that is late, as its sender sees it in the mail program."""
import os
import signal
import time

from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.waiting import until

QUICK = {'queue.retry-first': '1s', 'queue.retry-most': '1s', 'queue.delay-notice': '2s'}


def reports(mailbox, subject):
    """Notifications about the message of this subject."""
    found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
    return [report for report in found if subject in report.as_string()]


def restart_mail(node, identity):
    """SIGKILL to the role that holds the queue, and its return."""
    pid = node.role('mail', identity)['pid']
    os.kill(pid, signal.SIGKILL)
    node.wait_for(lambda status: any(row['role'] == 'mail' and row.get('identity') == identity and row['ready']
                                     and row['pid'] not in (0, pid) for row in status['roles']), 20, 'mail to be back')


def test_a_delay_is_told_once_in_plain_words(make_node, network, subject):
    """Two messages to a node that is off: one notice for each, with a crash in between; then nothing more."""
    node = make_node('patient', QUICK).start()
    carol = node.identity('carol')
    gone = node.json('identity', 'new', 'gone')
    node.cli('identity', 'delete', 'gone', '--yes')
    swaks(carol, [gone['address']], '--header', f'Subject: {subject} one')
    with carol.mailbox() as mailbox:
        report = until(lambda: reports(mailbox, f'{subject} one'), TOR_PATIENCE_S, 'the notice')[0]
        restart_mail(node, 'carol')
        swaks(carol, [gone['address']], '--header', f'Subject: {subject} two')
        until(lambda: reports(mailbox, f'{subject} two'), TOR_PATIENCE_S, 'the second notice')
        assert len(reports(mailbox, subject)) == 2
    assert report.get_content_type() == 'multipart/report' and report['Return-Path'] == '<>'
    text, status, _ = report.iter_parts()
    assert status.get_content_type() == 'message/delivery-status'
    assert 'Action: delayed' in status.as_string() and 'Status: 4.' in status.as_string()
    assert 'Will-Retry-Until' in status.as_string() and gone['address'] in status.as_string()
    words = text.get_content()
    assert gone['address'] in words and 'need not do anything' in words and 'will be given up' in words
    assert 'Tor' in words or 'onion service' in words  # the reason
    node.stop()
