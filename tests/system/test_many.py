# SPDX-License-Identifier: ISC
"""Many at a time: destinations, some of them slow; messages; identities."""
import concurrent.futures
import os
import re
import smtplib
import ssl
import time

import pytest

from harness.memory import Peaks, pss_kib
from harness.programs import swaks
from harness.slow import BadServer, onions
from harness.waiting import until

SEQUENCE = re.compile(r'M\d+Q([0-9a-f]+)R')

SLOW = 20


def cancel_all(node, identity):
    for row in node.json('queue', 'list', '--identity', identity.name):
        node.cli('queue', 'cancel', row['id'], check=False)  # one that is being delivered now goes by itself


def test_slow_peers_delay_nobody(running, network, subject):
    """More servers than anybody has patience for take the connection and say nothing; the mail beside them arrives."""
    server = BadServer()
    try:
        with onions(network, [server] * SLOW) as slow:
            swaks(running.alice, [f'carol@{onion}' for onion in slow], '--header', f'Subject: {subject} slow',
                  '--header', 'To: many:;')
            until(lambda: server.taken >= SLOW, 420, f'{SLOW} connections to slow servers')
            swaks(running.alice, [running.home.address], '--header', f'Subject: {subject}')
            with running.home.mailbox() as mailbox:
                mailbox.wait_for(subject)
            assert server.ended == 0, 'a slow peer had to be given up first'
            cancel_all(running.a, running.alice)
    finally:
        server.close()


def test_a_refused_session_bounces_nothing(running, network, subject):
    """554 instead of a greeting is about no message: both that wait are kept, and tried again."""
    server = BadServer(b'554 5.3.2 not today\r\n')

    def tried_twice():
        rows = [row for row in running.a.json('queue', 'list', '--identity', 'alice') if row['onion'] == onion]
        return len(rows) == 2 and all(row['tries'] >= 2 and row['reason'] == 'refused' for row in rows) and rows
    try:
        with onions(network, [server]) as [onion]:
            for _ in range(2):
                swaks(running.alice, [f'carol@{onion}'], '--header', f'Subject: {subject}')
            rows = until(tried_twice, 420, 'two tries')
            assert all('not today' in row['text'] for row in rows)
            with running.alice.mailbox() as mailbox:
                assert not any(subject in mailbox.message(uid).as_string() for uid in mailbox.uids())
            cancel_all(running.a, running.alice)
    finally:
        server.close()


class Burst:
    """So many messages in a short time, over four ways at once, each as fast as it can."""

    def __init__(self, sender, recipient, subject, count):
        self.sender, self.recipient, self.subject, self.count = sender, recipient, subject, count
        self.endpoints = sender.node.status()['endpoints']

    def connect(self, name):
        is_tls = name == 'submissions'
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        arguments = {'host': self.endpoints[name]['host'], 'port': self.endpoints[name]['port'], 'timeout': 60}
        session = smtplib.SMTP_SSL(**arguments, context=context) if is_tls else smtplib.SMTP(**arguments)
        session.login(self.sender.login, self.sender.password)
        return session

    def text(self, way, number):
        return f'Subject: {self.subject}\r\n\r\nNumber {way} {number}\r\n'

    def say(self, session, way, number):
        session.sendmail(self.sender.address, [self.recipient.address], self.text(way, number))

    def reused(self, way, name):
        with self.connect(name) as session:
            for number in range(self.count // 4):
                self.say(session, way, number)

    def renewed(self, way, name):
        for number in range(self.count // 4):
            with self.connect(name) as session:
                self.say(session, way, number)

    def program(self, way, name):
        for number in range(self.count // 4):
            self.sender.node.run(name, '-i', '-f', self.sender.address, self.recipient.address,
                                 input=self.text(way, number).replace('\r\n', '\n'))

    def run(self):
        """Every message is accepted, or this raises."""
        ways = [(self.reused, 'submission'), (self.reused, 'submissions'), (self.renewed, 'submission'),
                (self.program, 'smtorp-sendmail')]
        with concurrent.futures.ThreadPoolExecutor(len(ways)) as pool:
            for done in [pool.submit(act, way, name) for way, (act, name) in enumerate(ways)]:
                done.result()

    def arrived(self):
        """(way, number) in the order of arrival."""
        found = []
        for path in [*self.recipient.mail.glob('Maildir/new/*'), *self.recipient.mail.glob('Maildir/cur/*')]:
            text = path.read_text(errors='replace')
            if f'Subject: {self.subject}\n' in text:
                way, number = text.split('\nNumber ')[1].split('\n')[0].split()
                found.append((int(SEQUENCE.search(path.name)[1], 16), int(way), int(number)))
        return [(way, number) for _, way, number in sorted(found)]


def pass_in_a_burst(sender, recipient, subject, count):
    burst = Burst(sender, recipient, subject, count)
    with Peaks(sender.node, recipient.node) as peaks:
        begun = time.monotonic()
        burst.run()
        accepted = time.monotonic()
        until(lambda: len(burst.arrived()) >= count, 900, 'all of them', every_s=0.5)
        ended = time.monotonic()
        until(lambda: not list(sender.mail.glob('queue/*')), 60, 'the queue to be empty')
    print(f'{count} accepted in {accepted - begun:.1f} s, there after {ended - begun:.1f} s')
    arrived = burst.arrived()
    assert sorted(arrived) == [(way, number) for way in range(4) for number in range(count // 4)], 'each exactly once'
    for way in range(4):  # what came over one way stays in order, but for the few that a broken circuit delays
        numbers = [number for each, number in arrived if each == way]
        assert sum(one > next_one for one, next_one in zip(numbers, numbers[1:])) <= 3
    for name, kib in peaks.resident.items():
        assert kib < 48 * 1024, f'{name} took {kib} KiB'


def test_a_burst_to_one_peer(running, subject):
    """Submission with and without TLS, and smtorp-sendmail, connections reused and new: all accepted, each arrives once and in order."""
    pass_in_a_burst(running.alice, running.bob, subject, 200)


@pytest.mark.slow
def test_a_thousand_messages_to_one_peer(running, subject):
    pass_in_a_burst(running.alice, running.bob, subject, 1000)


def test_identities_are_published_one_after_the_other(make_node, subject):
    """Not in one burst when the node starts, and yet all of them."""
    names = ['one', 'two', 'three', 'four']
    node = make_node('staggered', {'tor.stagger': '3s'}).start()
    for name in names:
        node.identity(name, wait=False)
    node.stop()
    node.start(wait=False)
    seen = {}

    def look(status):
        for row in status['identities']:
            if row['detail'] or row['uploaded']:
                seen.setdefault(row['name'], time.monotonic())
        return len(seen) == len(names)
    node.wait_for(look, 120, 'tor to be told of all identities')
    assert len(set(seen.values())) > 1, 'tor was told of all in one moment'
    node.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), 120, 'publication')
    node.stop()


MANY = 50


@pytest.mark.slow
def test_a_hundred_recipients_on_fifty_onions(running, make_node, subject):
    """Fifty identities on one node; one message to two addresses of each, from another."""
    node = make_node('fifty', {'tor.stagger': '1s'}).start()
    there = [node.identity(f'id{i}', wait=False) for i in range(MANY)]
    node.stop()
    begun = time.monotonic()
    node.start(wait=False)
    node.wait_for(lambda status: sum(row['ready'] for row in status['roles']) >= 2 * MANY + 3, 60, 'all roles')
    print(f'{MANY} identities: all roles ready after {time.monotonic() - begun:.1f} s')
    node.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), 300, 'publication')
    print(f'all published after {time.monotonic() - begun:.1f} s')
    begun = time.monotonic()
    assert len(node.status()['identities']) == MANY
    print(f'status took {time.monotonic() - begun:.2f} s')
    if os.geteuid() == 0:
        print(f'{pss_kib(node) / 1024 / MANY:.2f} MiB (PSS) for each identity, without tor and Dovecot')

    recipients = [f'{address}@{each.onion}' for each in there for address in (each.name, f'{each.name}+two')]
    swaks(running.alice, recipients, '--header', f'Subject: {subject}', '--header', 'To: many:;')
    bodies = set()
    most = 0

    def arrived():
        nonlocal most
        rows = running.a.json('queue', 'list', '--identity', 'alice')
        most = max(most, sum(row['reason'] == 'dialling' for row in rows))
        found = [[path for path in each.mail.glob('Maildir/new/*') if subject in path.read_text(errors='replace')] for each in there]
        assert all(len(paths) <= 1 for paths in found)
        bodies.update(path.read_text(errors='replace') for paths in found for path in paths)
        return all(len(paths) == 1 for paths in found)
    until(arrived, 900, 'the message in fifty mailboxes', every_s=0.5)
    until(lambda: not list(running.alice.mail.glob('queue/*')), 60, 'the queue to be empty')
    assert len(bodies) == 1, 'the same frozen bytes for all'
    print(f'{most} dials at a time')
    assert most <= 24
    node.stop()
