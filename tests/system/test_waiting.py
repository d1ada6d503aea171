# SPDX-License-Identifier: ISC
"""Mail that is late, as its sender sees it in the mail program: notices, and the folders Waiting and Delivered."""
import mailbox as maildirs
import os
import pathlib
import signal

import pytest

from harness import account, folders
from harness.imap import TOR_PATIENCE_S
from harness.programs import run, swaks
from harness.waiting import until

QUICK = {'queue.retry-first': '1s', 'queue.retry-most': '1s', 'queue.delay-notice': '2s', 'queue.expire': '20s'}

NOWHERE = 'alice@rkeohxlubhyzl7ks3mwtzos5olfgocn7dwkbeg7toseadnapn5optfad.onion'  # a name that nobody has ever published


def reports(mailbox, subject, action):
    """Notifications about the message of this subject."""
    folders.select(mailbox, 'INBOX')
    found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
    return [report for report in found if subject in ' '.join(report.as_string().split()) and f'Action: {action}' in report.as_string()]


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
    node = make_node('delayed', QUICK).start()
    carol = node.identity('carol')
    swaks(carol, [NOWHERE], '--header', f'Subject: {subject} one', '--header', 'Message-Id: <one@laptop.example>')
    with carol.mailbox() as mailbox:
        report = until(lambda: reports(mailbox, f'{subject} one', 'delayed'), TOR_PATIENCE_S, 'the notice')[0]
        kill_mail(node, 'carol')
        swaks(carol, [NOWHERE], '--header', f'Subject: {subject} two')
        until(lambda: reports(mailbox, f'{subject} two', 'delayed'), TOR_PATIENCE_S, 'the second notice')
        folders.wait_for(mailbox, 'Waiting', f'{subject} two')
        for number in ('one', 'two'):
            bounce = until(lambda: reports(mailbox, f'{subject} {number}', 'failed'), TOR_PATIENCE_S, 'the bounce')[0]
            assert 'the onion service is not published' in bounce.as_string()  # what the last try found
            folders.wait_gone(mailbox, 'Waiting', f'{subject} {number}')
        assert len(reports(mailbox, subject, 'delayed')) == len(reports(mailbox, subject, 'failed')) == 2
        assert folders.subjects(mailbox, 'Waiting') == folders.subjects(mailbox, 'Delivered') == {}
    assert report.get_content_type() == 'multipart/report' and report['Return-Path'] == '<>'
    text, status, returned = report.iter_parts()
    # the ids are those that the mail program knows
    assert report['In-Reply-To'] == report['References'] == '<one@laptop.example>'
    assert 'Message-ID: <one@laptop.example>' in returned.as_string()
    assert status.get_content_type() == 'message/delivery-status'
    assert 'Action: delayed' in status.as_string() and 'Status: 4.' in status.as_string()
    assert 'Will-Retry-Until' in status.as_string() and NOWHERE in status.as_string()
    words = text.get_content()
    assert NOWHERE in words and 'need not do anything' in words and 'will be given up' in words
    node.stop()


def pull(identity, folder):
    """What isync gets of a folder: (subject, flags) of each message."""
    host, port = identity.node.endpoint('imap')
    desk = pathlib.Path(account.own(account.work_folder()))
    try:
        config = desk / 'mbsyncrc'
        config.write_text(f'''
IMAPStore far
Host {host}
Port {port}
User {identity.login}
Pass {identity.password}
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {desk}/
Inbox {desk}/inbox

Channel all
Far :far:
Near :near:
Patterns {folder}
Create Near
Sync Pull
''')
        config.chmod(0o600)
        run(identity.node, 'mbsync', '-c', account.own(config), 'all')
        return [(str(message['Subject']), message.get_flags()) for message in maildirs.Maildir(desk / folder)]
    finally:
        account.remove(desk)


# -- one outage that the tests below share: they come in this order

SHOWN, DELETED, MOVED, FLAGGED, MANY = ('shown', 'deleted', 'moved', 'flagged', 'many')


class Outage:
    """Node b is off, and `work` on node a has written to it."""

    def __init__(self, pair):
        self.pair, self.sender = pair, pair.work
        for node in (pair.a, pair.b):
            if not node.is_running():
                node.start()
        pair.b.stop()
        with self.sender.mailbox() as inbox:
            self.before = self.inbox()
            self.said = inbox.idle_meanwhile(self.write)

    def subject(self, what):
        return f'waiting, {what}'

    def write(self):
        bob, home, alice = (identity.address for identity in (self.pair.bob, self.pair.home, self.pair.alice))
        for what in (SHOWN, DELETED, MOVED, FLAGGED):
            swaks(self.sender, [bob], '--header', f'Subject: {self.subject(what)}', '--body', 'words of mine',
                  '--header', f'Message-Id: <{what}@laptop.example>')
        swaks(self.sender, [alice, bob, home], '--header', f'Subject: {self.subject(MANY)}')
        with self.sender.mailbox() as mailbox:
            for what in (SHOWN, DELETED, MOVED, FLAGGED):
                folders.wait_for(mailbox, 'Waiting', self.subject(what), TOR_PATIENCE_S)
            folders.wait_for_all(mailbox, 'Waiting', self.subject(MANY), 2, TOR_PATIENCE_S)  # for bob and for home

    def inbox(self):
        with self.sender.mailbox() as mailbox:
            folders.select(mailbox, 'Sent')
            return folders.counts(mailbox, 'INBOX')


@pytest.fixture(scope='module')
def outage(pair):
    return Outage(pair)


@pytest.fixture(scope='module')
def over(outage):
    """The outage ends; of the message to many, one recipient was given up before."""
    for row in queued(outage.sender):
        if row['recipients'][0]['address'] == outage.pair.home.address:
            outage.pair.a.cli('queue', 'cancel', row['id'])
    outage.pair.b.start()
    return outage


def test_what_waits_is_shown_with_its_reason(outage):
    sender, subject = outage.sender, outage.subject(SHOWN)
    with sender.mailbox() as mailbox:
        def tried():  # tor may take minutes to say so; until then the copy says that the node is being called
            return [copy for copy in map(mailbox.message, folders.find(mailbox, 'Waiting', subject))
                    if any(copy['Subject'].startswith(f'[{word}') for word in ('offline', 'not reached', 'no answer'))]
        copy = until(tried, TOR_PATIENCE_S, 'a copy with its reason', every_s=0.2)[0]
        assert copy['From'].addresses[0].addr_spec == sender.address
        assert copy['Message-ID'] == f'<{SHOWN}@laptop.example>'  # as the mail program knows it
        note, mine = folders.texts(copy)
        assert outage.pair.bob.address in note and 'need not do anything' in note and 'next try' in note
        assert mine.strip() == 'words of mine'
        assert {'Waiting', 'Delivered'} <= folders.subscribed(mailbox)
    pulled = pull(sender, 'Waiting')
    assert [flags for text, flags in pulled if text.endswith(subject)] == ['S']


def test_nothing_is_counted_and_inbox_is_not_disturbed(outage):
    """Neither IDLE nor STATUS speak of copies; nor are they ever in new/, where mail readers look for news."""
    assert not [line for line in outage.said if b'EXISTS' in line or b'RECENT' in line or b'EXPUNGE' in line]
    assert outage.inbox() == outage.before
    with outage.sender.mailbox() as mailbox:
        count, unseen, _ = folders.counts(mailbox, 'Waiting')
        assert count >= 5 and unseen == 0
    assert os.listdir(outage.sender.mail / 'Maildir' / '.Waiting' / 'new') == []


def test_each_node_has_a_copy_that_says_who_waits(outage):
    """What leaves is another message for each node, and so is its copy; who has got it is in none."""
    pair = outage.pair
    with outage.sender.mailbox() as mailbox:
        copies = [mailbox.message(uid) for uid in folders.find(mailbox, 'Waiting', outage.subject(MANY))]
    notes = [folders.texts(copy)[0] for copy in copies]
    assert sorted((pair.bob.address in note, pair.home.address in note) for note in notes) == [(False, True), (True, False)]
    assert not any(pair.alice.address in note for note in notes)


def test_nothing_done_to_the_copies_changes_the_queue(outage):
    """Deleted, moved away, flagged; the node killed; the folder itself removed: what waits still does."""
    sender, node = outage.sender, outage.pair.a
    waiting = {row['id'] for row in queued(sender)}
    with sender.mailbox() as mailbox:
        mailbox.imap.create('Archive')
        uids = {what: folders.find(mailbox, 'Waiting', outage.subject(what))[0] for what in (DELETED, MOVED, FLAGGED)}
        assert mailbox.imap.uid('copy', uids[MOVED], 'Archive')[0] == 'OK'
        for what, flags in ((DELETED, r'(\Deleted)'), (MOVED, r'(\Deleted)'), (FLAGGED, r'(\Flagged \Answered)')):
            mailbox.imap.uid('store', uids[what], '+FLAGS', flags)
        assert mailbox.imap.expunge()[0] == 'OK'
        assert {row['id'] for row in queued(sender)} == waiting
        assert folders.find(mailbox, 'Archive', outage.subject(MOVED))
    node.kill()
    node.start()
    assert {row['id'] for row in queued(sender)} == waiting
    with sender.mailbox() as mailbox:
        for what in (SHOWN, DELETED, MOVED, FLAGGED):  # all are there again: the folder says what waits
            folders.wait_for(mailbox, 'Waiting', outage.subject(what))
        folders.wait_for_all(mailbox, 'Waiting', outage.subject(MANY), 2)
        folders.select(mailbox, 'INBOX')
        assert mailbox.imap.delete('Waiting')[0] == 'OK'
    assert {row['id'] for row in queued(sender)} == waiting


def test_what_arrives_moves_to_delivered(over):
    """Once each, whatever was done to the copies; and nothing is left behind."""
    sender, pair = over.sender, over.pair
    with pair.bob.mailbox() as mailbox:
        got = mailbox.message(mailbox.wait_for(over.subject(SHOWN)))
        assert got.get_content().strip() == 'words of mine'  # what leaves knows nothing of the note
        assert got['Message-ID'].endswith(f'@{sender.onion}>')
    with sender.mailbox() as mailbox:
        _, copy = folders.wait_for(mailbox, 'Delivered', over.subject(SHOWN))
        note, mine = folders.texts(copy)
        assert copy['Message-ID'] == f'<{SHOWN}@laptop.example>'
        assert copy['Subject'] == over.subject(SHOWN) and mine.strip() == 'words of mine'
        assert 'has arrived' in note and pair.bob.address in note
        for what in (DELETED, MOVED, FLAGGED):
            folders.wait_for(mailbox, 'Delivered', over.subject(what))
        _, copy = folders.wait_for(mailbox, 'Delivered', over.subject(MANY))
        assert copy['Subject'] == over.subject(MANY) and pair.bob.address in folders.texts(copy)[0]
        for what in (SHOWN, DELETED, MOVED, FLAGGED, MANY):
            folders.wait_gone(mailbox, 'Waiting', over.subject(what))
        folders.select(mailbox, 'INBOX')
        assert folders.counts(mailbox, 'Delivered')[1] == 0
    until(lambda: not queued(sender), 20, 'the queue to be empty')
    until(lambda: not os.listdir(sender.mail / 'queue'), 20, 'the bodies to be gone')
    with pair.bob.mailbox() as mailbox:
        for what in (SHOWN, DELETED, MOVED, FLAGGED, MANY):
            mailbox.wait_for(over.subject(what))
    with pair.home.mailbox() as mailbox:
        assert over.subject(MANY) not in mailbox.subjects()
