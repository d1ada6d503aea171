# SPDX-License-Identifier: ISC
"""Other folders than INBOX, as a mail program sees them."""
import re

from .waiting import until


def select(mailbox, folder):
    """A second look: another connection's changes are seen, too."""
    kind, data = mailbox.imap.select(folder)
    assert kind == 'OK', data
    return mailbox


def subjects(mailbox, folder):
    """{uid: subject}"""
    select(mailbox, folder)
    return {uid: str(mailbox.message(uid)['Subject']) for uid in mailbox.uids()}


def find(mailbox, folder, subject):
    """The uids of the messages whose subject ends so."""
    return [uid for uid, text in subjects(mailbox, folder).items() if text.endswith(subject)]


def wait_for_all(mailbox, folder, subject, count, deadline_s=60):
    """Waits for so many messages whose subjects end so."""
    return until(lambda: len(find(mailbox, folder, subject)) == count, deadline_s, f'{count} of {subject!r} in {folder}', every_s=0.2)


def wait_for(mailbox, folder, subject, deadline_s=60, what=''):
    """Waits for the one message whose subject ends so, and returns it."""
    uids = until(lambda: find(mailbox, folder, subject), deadline_s, f'{subject!r} in {folder} {what}', every_s=0.2)
    assert len(uids) == 1, f'{len(uids)} copies of {subject!r} in {folder}'
    return uids[0], mailbox.message(uids[0])


def wait_gone(mailbox, folder, subject, deadline_s=60):
    until(lambda: not find(mailbox, folder, subject), deadline_s, f'{subject!r} to leave {folder}', every_s=0.2)


def counts(mailbox, folder):
    """(messages, unseen, recent) as STATUS says them; the folder must not be the selected one."""
    kind, data = mailbox.imap.status(folder, '(MESSAGES UNSEEN RECENT)')
    assert kind == 'OK', data
    numbers = dict(re.findall(rb'(MESSAGES|UNSEEN|RECENT) (\d+)', data[0]))
    return int(numbers[b'MESSAGES']), int(numbers[b'UNSEEN']), int(numbers[b'RECENT'])


def subscribed(mailbox):
    kind, data = mailbox.imap.lsub()
    assert kind == 'OK'
    return {line.decode().rsplit(' ', 1)[1].strip('"') for line in data if line}


def texts(message):
    """The texts of a message's parts, in order."""
    return [part.get_content() for part in message.walk() if part.get_content_maintype() == 'text']
