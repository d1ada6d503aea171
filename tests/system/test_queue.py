# SPDX-License-Identifier: ISC
"""What happens when the other side, or tor, is not there; and when it says no."""
import json
import os
import signal
import time

from harness.full_queue import fill
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
        mailbox.wait_for(subject)
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
        mailbox.wait_for(subject)
    assert running.a.program('tor')['restarts'] > before['restarts']


def test_receivers_tor_killed(running, subject):
    """The services are published again by a new tor, and reachable."""
    before = running.b.program('tor')
    os.kill(before['pid'], signal.SIGKILL)
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_unknown_recipient_bounces_to_the_sender(running, subject):
    """RFC 3464: multipart/report with the recipient, the status, and the peer's words."""
    swaks(running.alice, [f'nobody@{running.bob.onion}'], '--header', f'Subject: {subject}')
    with running.alice.mailbox() as mailbox:
        def reports():
            found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
            return [report for report in found if subject in ' '.join(report.as_string().split())]
        report = until(reports, 420, 'the bounce')[0]
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
        until(lambda: mailbox.uids('HEADER', 'Content-Type', 'multipart/report'), 420, 'the bounce')
        assert len(mailbox.uids('HEADER', 'Content-Type', 'multipart/report')) == 1
    node.stop()


def test_a_silent_peer_delays_nobody(running, subject):
    """Mail to an onion that does not answer waits; mail to others goes out meanwhile."""
    gone = running.a.json('identity', 'new', 'shortlived')
    running.a.cli('identity', 'delete', 'shortlived', '--yes')
    swaks(running.alice, [gone['address']], '--header', f'Subject: {subject} lost')
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_the_owner_sees_retries_and_cancels_what_waits(running, subject):
    """`smtorp queue`: the reason in plain words, a try at once, and a message given up without a report."""
    a = running.a
    nowhere = a.json('identity', 'new', 'nowhere')
    a.cli('identity', 'delete', 'nowhere', '--yes')
    running.b.stop()

    def row_for(recipient):
        return next((row for row in a.json('queue', 'list', '--identity', 'alice')
                     if [each['address'] for each in row['recipients']] == [recipient]), None)

    def tried(recipient, reasons):
        return lambda: (row := row_for(recipient)) and row['tries'] > 0 and row['reason'] in reasons and row

    for recipient in (nowhere['address'], running.bob.address):
        swaks(running.alice, [recipient], '--header', f'Subject: {subject}')
    to_nowhere = until(tried(nowhere['address'], ['unknown']), 120, 'a try of what never existed')
    to_bob = until(tried(running.bob.address, ['offline', 'unknown', 'circuit', 'timeout']), 180, 'a try of the node that is off')
    assert 'does not exist' in to_nowhere['text']
    assert to_nowhere['from'] == running.alice.address and 0 < to_nowhere['size'] < 4000
    assert abs(to_nowhere['arrived'] - time.time()) < 400 and to_nowhere['next_try'] >= to_nowhere['arrived']
    assert a.json('queue', 'show', to_nowhere['id'])['recipients'] == to_nowhere['recipients']
    text = until(lambda: 'does not exist' in (text := a.cli('queue', 'list').stdout) and text, 60, 'a list between two tries')
    assert nowhere['address'] in text and to_bob['id'] in text

    assert 'no report' in a.cli('queue', 'cancel', to_nowhere['id']).stdout
    assert row_for(nowhere['address']) is None
    for words in (['cancel'], ['show'], ['retry']):
        result = a.cli('queue', *words, to_nowhere['id'], check=False)
        assert result.returncode == 4 and 'no such message' in result.stderr

    running.b.start()
    running.b.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), 60, 'bob to be back')
    if row_for(running.bob.address):  # unless its own time has come just now
        assert set(a.json('queue', 'retry', '--all')) == {'retried'}
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)
    until(lambda: row_for(running.bob.address) is None, 20, 'the queue to be empty')
    with running.alice.mailbox() as mailbox:
        reports = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
    assert not any(subject in report.as_string() for report in reports)


ITEMS = 100_000


def test_a_hundred_thousand_messages_are_listed_in_pages(make_node, network):
    """All of them, once each, while no process grows; and orders about all of them are one transaction."""
    node = make_node('many').start()
    carol = node.identity('carol', wait=False)
    node.stop()
    fill(carol, ITEMS)
    node.start()
    begun = time.monotonic()
    rows = json.loads(node.cli('queue', 'list', '--json').stdout)
    took_s = time.monotonic() - begun
    print(f'{len(rows)} rows in {took_s:.2f} s')
    assert [row['id'] for row in rows] == [f'carol/{i}' for i in range(1, ITEMS + 1)]
    assert rows[-1]['reason'] == 'offline' and rows[-1]['recipients'][0]['address'].startswith(f'user{ITEMS}@')
    assert took_s < 30  # against a cost that grows with the square; how fast it is, is for a benchmark
    for role, identity in (('mail', 'carol'), ('control', '')):
        with open(f"/proc/{node.role(role, identity)['pid']}/status") as status:
            peak_kib = int(next(line for line in status if line.startswith('VmHWM')).split()[1])
        assert peak_kib < 40 * 1024, f'{role} took {peak_kib} KiB'
    node.stop()
