# SPDX-License-Identifier: ISC
"""Mail that is late, as its sender sees it in the mail program: notices, and the folders Waiting and Delivered."""
import os
import signal

from harness import folders
from harness.imap import TOR_PATIENCE_S
from harness.programs import run, swaks
from harness.waiting import until

QUICK = {'queue.retry-first': '1s', 'queue.retry-most': '1s', 'queue.delay-notice': '2s', 'queue.expire': '20s'}


def reports(mailbox, subject, action):
    """Notifications about the message of this subject."""
    folders.select(mailbox, 'INBOX')
    found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
    return [report for report in found if subject in report.as_string() and f'Action: {action}' in report.as_string()]


def kill_mail(node, identity):
    """SIGKILL to the role that holds the queue, and its return."""
    pid = node.role('mail', identity)['pid']
    os.kill(pid, signal.SIGKILL)
    node.wait_for(lambda status: any(row['role'] == 'mail' and row.get('identity') == identity and row['ready']
                                     and row['pid'] not in (0, pid) for row in status['roles']), 20, 'mail to be back')


def queued(identity):
    return [row for row in identity.node.json('queue', 'list', '--identity', identity.name)]


def test_a_delay_is_told_once_in_plain_words(make_node, network, subject):
    """Two messages to a node that is off: one notice for each, with a crash in between; then they are given up, and nothing
    waits any more."""
    node = make_node('patient', QUICK).start()
    carol = node.identity('carol')
    gone = node.json('identity', 'new', 'gone')
    node.cli('identity', 'delete', 'gone', '--yes')
    swaks(carol, [gone['address']], '--header', f'Subject: {subject} one')
    with carol.mailbox() as mailbox:
        report = until(lambda: reports(mailbox, f'{subject} one', 'delayed'), TOR_PATIENCE_S, 'the notice')[0]
        kill_mail(node, 'carol')
        swaks(carol, [gone['address']], '--header', f'Subject: {subject} two')
        until(lambda: reports(mailbox, f'{subject} two', 'delayed'), TOR_PATIENCE_S, 'the second notice')
        folders.wait_for(mailbox, 'Waiting', f'{subject} two')
        for number in ('one', 'two'):
            until(lambda: reports(mailbox, f'{subject} {number}', 'failed'), TOR_PATIENCE_S, 'the bounce')
            folders.wait_gone(mailbox, 'Waiting', f'{subject} {number}')
        assert len(reports(mailbox, subject, 'delayed')) == len(reports(mailbox, subject, 'failed')) == 2
        assert folders.subjects(mailbox, 'Waiting') == folders.subjects(mailbox, 'Delivered') == {}
    assert report.get_content_type() == 'multipart/report' and report['Return-Path'] == '<>'
    text, status, _ = report.iter_parts()
    assert status.get_content_type() == 'message/delivery-status'
    assert 'Action: delayed' in status.as_string() and 'Status: 4.' in status.as_string()
    assert 'Will-Retry-Until' in status.as_string() and gone['address'] in status.as_string()
    words = text.get_content()
    assert gone['address'] in words and 'need not do anything' in words and 'will be given up' in words
    assert 'the onion service is not published' in words  # the reason
    node.stop()


def test_what_waits_is_shown_and_moves_when_it_arrives(running, subject):
    """With its reason, as seen, and without a word about it in INBOX; then in Delivered, and gone from Waiting."""
    alice = running.work
    running.b.stop()

    def wait_until_shown():
        swaks(alice, [running.bob.address], '--header', f'Subject: {subject}', '--body', 'words of mine')
        with alice.mailbox() as other:
            folders.wait_for(other, 'Waiting', subject, TOR_PATIENCE_S)

    with alice.mailbox() as inbox, alice.mailbox() as mailbox:
        before = folders.counts(mailbox, 'INBOX') if folders.select(mailbox, 'Sent') else None
        assert not [line for line in inbox.idle_meanwhile(wait_until_shown) if b'EXISTS' in line or b'RECENT' in line]
        _, copy = folders.wait_for(mailbox, 'Waiting', subject)
        assert copy['Subject'].startswith('[') and copy['Subject'] != f'[] {subject}'
        assert any(word in copy['Subject'] for word in ('offline', 'not reached', 'no answer'))
        assert copy['From'].addresses[0].addr_spec == alice.address and copy['Message-ID']
        note, mine = folders.texts(copy)
        assert running.bob.address in note and 'need not do anything' in note and 'next try' in note
        assert mine.strip() == 'words of mine'
        kind, data = mailbox.imap.uid('fetch', folders.find(mailbox, 'Waiting', subject)[0], '(FLAGS)')
        assert kind == 'OK' and b'\\Seen' in data[0]
        folders.select(mailbox, 'Sent')
        assert folders.counts(mailbox, 'Waiting')[1] == 0 and folders.counts(mailbox, 'INBOX') == before
        assert {'Waiting', 'Delivered'} <= folders.subscribed(mailbox)
        listed = run(alice.node, 'ls', alice.mail / 'Maildir' / '.Waiting' / 'new').stdout
        assert listed == ''

        running.b.start()
        _, copy = folders.wait_for(mailbox, 'Delivered', subject, TOR_PATIENCE_S)
        assert copy['Subject'] == subject
        note, mine = folders.texts(copy)
        assert 'has arrived' in note and running.bob.address in note and mine.strip() == 'words of mine'
        folders.wait_gone(mailbox, 'Waiting', subject)
        folders.select(mailbox, 'Sent')
        assert folders.counts(mailbox, 'Delivered')[1] == 0 and folders.counts(mailbox, 'INBOX') == before
    with running.bob.mailbox() as mailbox:
        got = mailbox.message(mailbox.wait_for(subject))
        assert got.get_content().strip() == 'words of mine'  # what leaves knows nothing of the note


def test_nothing_done_to_the_copies_changes_the_queue(running, subject):
    """Deleted, moved away, flagged; the folder itself removed; and the node killed: each message arrives once."""
    alice = running.work
    running.b.stop()
    names = [f'{subject} {what}' for what in ('deleted', 'moved', 'flagged')]
    for name in names:
        swaks(alice, [running.bob.address], '--header', f'Subject: {name}')
    with alice.mailbox() as mailbox:
        uids = [folders.wait_for(mailbox, 'Waiting', name, TOR_PATIENCE_S)[0] for name in names]
        waiting = {row['id'] for row in queued(alice)}
        mailbox.imap.create('Archive')
        folders.select(mailbox, 'Waiting')
        assert mailbox.imap.uid('copy', uids[1], 'Archive')[0] == 'OK'
        for uid, flags in zip(uids, (r'(\Deleted)', r'(\Deleted)', r'(\Flagged \Answered)')):
            mailbox.imap.uid('store', uid, '+FLAGS', flags)
        assert mailbox.imap.expunge()[0] == 'OK'
        assert {row['id'] for row in queued(alice)} == waiting
        assert folders.find(mailbox, 'Archive', names[1])
    running.a.kill()
    running.a.start()
    assert {row['id'] for row in queued(alice)} == waiting
    with alice.mailbox() as mailbox:
        for name in names:  # all are shown again: the folder says what waits
            folders.wait_for(mailbox, 'Waiting', name)
        folders.select(mailbox, 'INBOX')
        assert mailbox.imap.delete('Waiting')[0] == 'OK'
    running.b.start()
    with running.bob.mailbox() as mailbox:
        for name in names:
            mailbox.wait_for(name)
    with alice.mailbox() as mailbox:
        for name in names:
            folders.wait_for(mailbox, 'Delivered', name)
        until(lambda: not queued(alice), 20, 'the queue to be empty')
        until(lambda: not folders.subjects(mailbox, 'Waiting'), 20, 'Waiting to be empty', every_s=0.2)
    until(lambda: not os.listdir(alice.mail / 'queue'), 20, 'the bodies to be gone')
    with running.bob.mailbox() as mailbox:
        for name in names:
            mailbox.wait_for(name)  # once, still


def test_a_copy_says_who_waits_and_who_has_it(running, subject):
    """One copy for all recipients, also after a crash; what is taken back leaves Waiting."""
    work, alice = running.work, running.alice
    running.b.stop()
    swaks(work, [alice.address, running.bob.address, running.home.address], '--header', f'Subject: {subject}')
    with alice.mailbox() as mailbox:
        mailbox.wait_for(subject)
    with work.mailbox() as mailbox:
        def partly():
            return [copy for copy in map(mailbox.message, folders.find(mailbox, 'Waiting', subject))
                    if copy['Subject'].startswith('[2 of 3 waiting: ')]
        copy = until(partly, TOR_PATIENCE_S, 'two of three to wait', every_s=0.2)[0]
        waiting, delivered = folders.texts(copy)[0].split('Delivered:')
        assert running.bob.address in waiting and running.home.address in waiting and alice.address not in waiting
        assert alice.address in delivered and running.bob.address not in delivered
        kill_mail(running.a, 'work')
        for row in queued(work):
            if row['recipients'][0]['address'] == running.home.address:
                running.a.cli('queue', 'cancel', row['id'])
        running.b.start()
        _, copy = folders.wait_for(mailbox, 'Delivered', subject, TOR_PATIENCE_S)
        assert copy['Subject'] == f'[2 of 3 delivered] {subject}'
        assert running.home.address in folders.texts(copy)[0].split('Taken back by you:')[1]
        folders.wait_gone(mailbox, 'Waiting', subject)
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)
    with running.home.mailbox() as mailbox:
        assert not [text for text in mailbox.subjects() if text == subject]
