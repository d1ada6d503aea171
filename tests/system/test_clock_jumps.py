# SPDX-License-Identifier: ISC
"""The clock of a running node, or of one that is off, is set to another time, and the machine sleeps: nothing is lost, given up
early, or seen twice, and what waits is tried as before."""
import random
import struct
import time

import pytest

from harness.installation import ROOT, Installation
from harness.smtp import Session
from harness.waiting import until
from torture.field import DirectField
from torture.ledger import Ledger
from torture.load import bring, logged_in, submit

HOUR, DAY, YEAR = 3600, 86400, 365 * 86400


class Clock:
    """What the programs of an installation believe: the wall clock, and the one that counts sleep."""

    def __init__(self, installation, folder):
        self.file = folder / 'clock'
        self.file.write_bytes(struct.pack('qq', 0, 0))
        self.file.chmod(0o644)
        self.environment = {'LD_PRELOAD': str(ROOT / 'build' / 'tests' / 'inside' / 'slept.so'), 'SLEPT_FILE': str(self.file)}
        self.asleep_s = self.wall_s = 0
        words = ' '.join(f'{name}={value}' for name, value in self.environment.items())
        roles = installation.bin.parent / 'libexec' / 'smtorp'
        real = roles / 'real'
        real.mkdir()
        for program in [path for path in roles.iterdir() if path.is_file()]:
            program.rename(real / program.name)
            program.write_text(f'#!/bin/sh\nexport {words}\nexec {real / program.name} "$@"\n')
            program.chmod(0o755)

    def move(self, wall_s, asleep_s=0):
        self.wall_s += wall_s
        self.asleep_s += asleep_s
        with open(self.file, 'r+b') as file:  # in place: it is mapped
            file.write(struct.pack('qq', self.asleep_s, self.wall_s))

    def now_s(self):
        return time.time() + self.wall_s


class Jumping:
    """Node a lives by the clock, node b by the true one."""

    def __init__(self, network, folder):
        folder.mkdir()
        folder.chmod(0o755)
        self.ledger = Ledger(random.SystemRandom().randrange(1 << 32))
        installations = [Installation(folder / 'inst-a'), Installation(folder / 'inst-b')]
        self.clock = Clock(installations[0], folder)
        self.field = DirectField(installations, network, folder / 'field', self.ledger, random.Random(1), {'queue.retry-most': '1s'})
        self.a, self.b = self.field.nodes
        self.alice, _, self.bob, _ = self.field.identities
        environment = {**self.a.environment(), **self.clock.environment}
        self.a.environment = lambda: environment
        self.a.stop()  # as nobody knew of the clock yet
        self.start_a()

    def start_a(self):
        self.a.start(wait=False)
        self.field.wait_until_it_works(self.a)
        self.a.wait_for(lambda status: status['tor']['bootstrap'] == 100, 60, 'tor')

    def send(self, sender, recipients):
        with logged_in(self.field, sender) as smtp:
            message = self.ledger.write(sender.address, recipients, 2000)
            assert submit(smtp, message)
            self.ledger.promise(message)

    def bring(self, identity, message):
        with Session(identity.sockets['465'], tls=True, alpn='smtorp/1') as session:
            assert session.reply()[:3] == '220' and session.command('EHLO carol.example')[:3] == '250'
            assert [answer for _, answer in bring(session, identity, [message])] == ['250']
            self.ledger.promise(message)

    def mail_both_ways(self):
        """With a bounce, and mail from a stranger, until all of it is there."""
        for one, other in ((self.alice, self.bob), (self.bob, self.alice)):
            self.send(one, {other.address: other.name, f'nobody-NUMBER@{other.onion}': None})
            self.bring(one, self.ledger.write('carol@example.net', {one.address: one.name}, 2000))
        self.field.wait_for_promises(60)
        assert not self.ledger.faults()

    def waiting(self):
        """What a's queue says of the one message that waits there."""
        rows = self.a.json('queue', 'list')
        assert len(rows) == 1, rows
        return rows[0]

    def is_tried_on(self, tries=1):
        """What waits is tried again and again, and nobody was told that it was given up."""
        before = self.waiting()['tries']
        row = until(lambda: (row := self.waiting())['tries'] >= before + tries and row, 60, 'it to be tried', every_s=0.2)
        if row['next_try']:
            assert -5 <= row['next_try'] - self.clock.now_s() <= 10, row  # queue.retry-most is 1s
        faults = self.ledger.faults()
        assert len(faults) == 1 and faults[0].startswith('lost') and self.ledger.open_count() == 1  # it is not there yet, that is all
        return row


@pytest.fixture(scope='module')
def jumping(network, work):
    jumping = Jumping(network, work / 'jumping')
    yield jumping
    jumping.field.close()


JUMPS = (3 * HOUR, -5 * HOUR, 30 * DAY, 10 * YEAR, -30 * YEAR, 60 * YEAR)


def test_mail_goes_on_after_each_jump_of_a_running_node(jumping):
    """Among them to times before certificates begin and after they end."""
    for jump in JUMPS:
        jumping.clock.move(jump)
        jumping.mail_both_ways()
    jumping.clock.move(-jumping.clock.wall_s)
    jumping.mail_both_ways()
    assert {row['state'] for node in (jumping.a, jumping.b) for row in node.json('peer', 'list')} == {'pinned'}
    arrived_s = [int(name.split('.')[0]) for name in jumping.field.readers[0].read]
    assert max(arrived_s) > time.time() + 9 * YEAR and min(arrived_s) < time.time() - 9 * YEAR  # it did believe the clock


def test_what_waits_is_not_given_up_early(jumping):
    """A message of a's that was tried five times in vain would be given up if it was older than a week."""
    jumping.b.stop()
    try:
        jumping.send(jumping.alice, {jumping.bob.address: jumping.bob.name})
        until(lambda: jumping.a.json('queue', 'list'), 20, 'the message in the queue')
        jumping.is_tried_on(6)
        for jump in (2 * HOUR, 30 * DAY, -400 * DAY, 5 * YEAR):
            jumping.clock.move(jump)
            jumping.is_tried_on()
        for jump in (30 * DAY, -400 * DAY):  # while the node is off
            jumping.a.stop()
            jumping.clock.move(jump)
            jumping.start_a()
            jumping.is_tried_on()
        for nap in (3 * DAY, 10 * DAY):
            jumping.clock.move(nap, asleep_s=nap)
            jumping.is_tried_on()
    finally:
        jumping.b.start(wait=False)
        jumping.field.wait_for_promises(60)
        jumping.clock.move(-jumping.clock.wall_s)
    assert not jumping.ledger.faults()


@pytest.mark.parametrize('jump', [20 * DAY, -20 * DAY])
def test_a_repetition_is_dropped_after_a_jump(jumping, jump):
    """The peer sends again what it has no answer for, and meanwhile the clock was set."""
    message = jumping.ledger.write('carol@example.net', {jumping.alice.address: 'alice'}, 2000)
    jumping.bring(jumping.alice, message)
    jumping.field.wait_for_promises(60)
    jumping.clock.move(jump)
    jumping.mail_both_ways()  # what is old is forgotten after a group
    jumping.bring(jumping.alice, message)
    jumping.mail_both_ways()
    jumping.clock.move(-jump)
