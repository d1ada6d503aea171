# SPDX-License-Identifier: ISC
"""Sessions that peers go on with, and early data: whose ticket is taken where, and what copies of a first flight do (nothing)."""
import ssl
import stat
import struct

import pytest

from harness.early import Tap, answer_to, s_client, with_random_ticket
from harness.installation import ROOT
from harness.waiting import until
from harness.wire import client_context, dial

TLS_12 = ssl.TLSVersion.TLSv1_2
TAKEN, REFUSED, NOT_SENT = 'Early data was accepted', 'Early data was rejected', 'Early data was not sent'


def answers(status):
    return len(status['identities']) == 2 and 'imap' in status['endpoints'] and \
        all(row['ready'] for row in status['roles'] if row['role'] in ('smtp', 'mail'))


def age(path, days):
    """Makes all keys in the file as much older."""
    octets = path.read_bytes()
    keys = [octets[at:at + 88] for at in range(8, len(octets), 88)]
    older = [(int.from_bytes(key[:8], 'little') - days * 86400).to_bytes(8, 'little') + key[8:] for key in keys]
    path.write_bytes(octets[:8] + b''.join(older))


class Offline:
    """alice and carol on one node whose tor has no network: strangers are played on the sockets of their onions."""

    def __init__(self, node, work):
        self.node = node.start(wait=False)
        self.alice, self.carol = self.node.identity('alice', wait=False), self.node.identity('carol', wait=False)
        self.node.wait_for(answers, 30, 'both')
        self.work, self.count = work, 0

    def restart(self, meanwhile=lambda: None):
        self.node.stop()
        meanwhile()
        self.node.start(wait=False).wait_for(answers, 30, 'both')

    def keys_of(self, identity):
        return self.node.home / 'identities' / identity.name / 'tickets.key'

    def session(self, identity):
        """A file with a session that the identity gave."""
        path = self.work / 'tickets-session'
        path.unlink(missing_ok=True)
        said = s_client(identity.sockets['465'], 'EHLO x\r\nQUIT\r\n', session_out=path)
        assert '221 2.0.0' in said and NOT_SENT in said and path.exists(), said
        return path

    def flight(self, identity, subject, end='QUIT\r\n'):
        """(what a client said first to the identity, what it heard): a whole message as early data, and its session after it."""
        body = f'Subject: {subject}\r\n\r\nhello\r\n'
        early = self.work / 'tickets-early'
        early.write_text(f'EHLO a.example\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\nBDAT {len(body)} LAST\r\n{body}')
        with Tap(self.work / 'tickets-tap', identity.sockets['465']) as tap:
            heard = s_client(tap.path, end, session_in=self.session(identity), early=early)
            return tap.flights[0], heard


@pytest.fixture(scope='module')
def offline(make_node, work):
    return Offline(make_node('tickets', {'tor.extra': 'DisableNetwork 1'}, tor=False), work)


def subjects(identity, marker):
    """Of its mailbox, once a message has come that was sent behind everything else."""
    wire = dial(identity.sockets['465']).start_tls(client_context(alpn='smtorp/1'))
    body = f'Subject: {marker}\r\n\r\nlast\r\n'
    wire.say(f'EHLO a\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\nBDAT {len(body)} LAST\r\n{body}QUIT\r\n')
    assert b'250 2.0.0' in wire.rest()
    wire.close()
    with identity.mailbox() as mailbox:
        mailbox.wait_for(marker)
        return mailbox.subjects()


def test_a_message_goes_in_the_first_flight(offline, subject):
    flight, heard = offline.flight(offline.alice, subject)
    assert TAKEN in heard and '250 2.0.0' in heard, heard
    assert len(flight) < 2000
    assert subjects(offline.alice, f'{subject} end').count(subject) == 1


def test_copies_of_a_first_flight_change_nothing(offline, subject):
    """At once, after the session, after a restart, and when the keys are gone. A copy is answered, because the server cannot know it, and the message
    in it is dropped; nobody but the first sender can read the answer."""
    alice, carol = offline.alice, offline.carol

    def first_flight():
        flight, heard = offline.flight(alice, subject)
        assert TAKEN in heard, heard
        return flight

    def comes_in_time(act):
        """Tickets have an age, and early data is taken for ten seconds: a slow machine tries again."""
        flight = first_flight()
        act()
        is_reused, lengths = answer_to(alice.sockets['465'], flight)
        assert is_reused
        return len(lengths) == 5 and flight
    flight = until(lambda: comes_in_time(lambda: None), 120, 'an answer to a copy')
    copies = [answer_to(alice.sockets['465'], flight) for _ in range(5)]
    assert all(is_reused for is_reused, _ in copies), copies
    until(lambda: comes_in_time(offline.restart), 120, 'an answer to a copy after a restart')
    until(lambda: comes_in_time(lambda: offline.node.kill_role('smtp', 'alice')), 120, 'an answer to a copy of a new process')
    flight = first_flight()
    offline.restart(lambda: age(offline.keys_of(alice), 9))
    is_reused, _ = answer_to(alice.sockets['465'], flight)
    assert not is_reused
    found = subjects(alice, f'{subject} end')
    assert found.count(subject) == 1, found
    with carol.mailbox() as mailbox:
        assert subject not in mailbox.subjects()
    assert offline.node.json('queue', 'list') == []  # no bounce


def test_the_keys_change_each_day_and_end_after_eight(offline):
    """A session outlives the day's change of keys; when its key is gone, there is a full handshake, and what was sent early is sent again."""
    path, keys = offline.session(offline.alice), offline.keys_of(offline.alice)
    early = offline.work / 'tickets-early'
    early.write_text('EHLO early\r\n')
    before = keys.read_bytes()

    def go_on():
        return s_client(offline.alice.sockets['465'], 'EHLO again\r\nQUIT\r\n', session_in=path, early=early)
    offline.restart(lambda: age(keys, 1))
    assert len(keys.read_bytes()) == len(before) + 88 and before[16:] in keys.read_bytes()
    assert 'Reused, TLSv1.3' in go_on()
    offline.restart(lambda: age(keys, 7))
    heard = go_on()
    assert REFUSED in heard and 'New, TLSv1.3' in heard and heard.count('250 CHUNKING') == 1, heard
    assert before[16:] not in keys.read_bytes()


def test_what_may_not_happen_twice_waits_for_the_end_of_the_handshake(offline):
    """VRFY stands for all that is not EHLO, MAIL, RCPT, BDAT or QUIT: to a copy it is not answered."""
    early = offline.work / 'tickets-early'
    early.write_text('EHLO a\r\n' + 'VRFY root\r\n' * 5)
    with Tap(offline.work / 'tickets-tap', offline.alice.sockets['465']) as tap:
        heard = s_client(tap.path, 'QUIT\r\n', session_in=offline.session(offline.alice), early=early)
        assert TAKEN in heard and heard.index('250 CHUNKING') < heard.index('\n25', heard.index('250 CHUNKING')) < heard.index('221 2.0.0'), heard
        _, to_both = answer_to(offline.alice.sockets['465'], tap.flights[0])
    early.write_text('EHLO a\r\n')
    with Tap(offline.work / 'tickets-tap', offline.alice.sockets['465']) as tap:
        s_client(tap.path, 'QUIT\r\n', session_in=offline.session(offline.alice), early=early)
        _, to_one = answer_to(offline.alice.sockets['465'], tap.flights[0])
    assert to_both == to_one and len(to_one) == 5


def test_more_than_there_is_room_for_behind_what_must_wait_ends_the_session(offline, subject):
    """The rest of the early data, and the end of the handshake behind it, could not be read: both sides would wait for each other."""
    body = f'Subject: {subject}\r\n\r\n' + 'x' * 40000 + '\r\n'
    early = offline.work / 'tickets-early'
    early.write_text(f'EHLO a\r\nVRFY root\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{offline.alice.address}>\r\n'
                     f'BDAT {len(body)} LAST\r\n{body}')
    heard = s_client(offline.alice.sockets['465'], 'QUIT\r\n', session_in=offline.session(offline.alice), early=early)
    assert '421 4.3.2' in heard and '250 2.0.0' not in heard, heard
    assert subject not in subjects(offline.alice, f'{subject} end')


def test_a_ticket_of_one_identity_is_noise_to_another(offline, subject):
    """carol answers to alice's ticket as to random octets, and as to who has none."""
    flight, heard = offline.flight(offline.alice, subject)
    assert TAKEN in heard
    with_ticket = answer_to(offline.carol.sockets['465'], flight)
    with_noise = answer_to(offline.carol.sockets['465'], with_random_ticket(flight))
    at_home = answer_to(offline.alice.sockets['465'], with_random_ticket(flight))
    assert with_ticket == with_noise == at_home and not with_ticket[0]
    keys = [offline.keys_of(identity).read_bytes()[8:] for identity in (offline.alice, offline.carol)]
    pieces = [{octets[at + 8:at + 88] for at in range(0, len(octets), 88)} for octets in keys]
    assert pieces[0] and pieces[1] and not pieces[0] & pieces[1]
    for identity in (offline.alice, offline.carol):
        assert stat.S_IMODE(offline.keys_of(identity).stat().st_mode) == 0o600


def test_tickets_are_given_to_the_profile_only(offline):
    """With smtorp/1 on port 465: a session is resumed there, and nowhere else."""
    def connect(identity, port, options, context, session=None):
        wire = dial(identity.sockets[port])
        if port == '25':
            wire.reply()
            wire.say('EHLO x\r\n')
            wire.reply()
            wire.say('STARTTLS\r\n')
            wire.reply()
        wire.start_tls(context, session=session)
        wire.say('NOOP\r\n')
        wire.reply()
        return wire
    found = {}
    for what, port, options in (('465, smtorp/1', '465', {'alpn': 'smtorp/1'}), ('465', '465', {}), ('465, TLS 1.2', '465', {'most': TLS_12}),
                                ('465, TLS 1.2, smtorp/1', '465', {'most': TLS_12, 'alpn': 'smtorp/1'}),
                                ('25', '25', {}), ('25, TLS 1.2', '25', {'most': TLS_12})):
        context = client_context(**options)
        wire = connect(offline.alice, port, options, context)
        session = wire.tls.session
        found[what] = [session.has_ticket]
        for identity in (offline.alice, offline.carol):
            again = connect(identity, port, options, context, session)
            found[what].append(again.tls.session_reused)
            again.close()
        wire.close()
    assert found.pop('465, smtorp/1') == [True, True, False]
    assert all(not any(each) for each in found.values()), found


def test_a_passphrase_leaves_no_keys_of_tickets_on_the_disk(offline):
    """And an export has none."""
    node, carol = offline.node, offline.carol
    assert offline.keys_of(carol).exists()
    node.cli('identity', 'passphrase', 'carol', '--passphrase-stdin', input='six random words\n')
    assert not offline.keys_of(carol).exists()
    session = offline.session(carol)
    assert s_client(carol.sockets['465'], 'QUIT\r\n', session_in=session).count('Reused, TLSv1.3') == 1
    offline.node.kill_role('smtp', 'carol')
    assert s_client(carol.sockets['465'], 'QUIT\r\n', session_in=session).count('Reused, TLSv1.3') == 1
    assert not offline.keys_of(carol).exists()


@pytest.mark.slow
def test_the_keys_of_a_running_node_change_too(make_node, work):
    """A day passes on the parent's clock, which it looks at each half minute; tickets are made with the new key then."""
    clock = work / 'tickets-clock'
    clock.write_bytes(struct.pack('qq', 0, 0))
    clock.chmod(0o644)
    node = make_node('tickets-day', {'tor.extra': 'DisableNetwork 1'}, tor=False)
    environment = {**node.environment(), 'LD_PRELOAD': str(ROOT / 'build' / 'tests' / 'inside' / 'slept.so'), 'SLEPT_FILE': str(clock)}
    node.environment = lambda: environment
    offline = Offline(node, work)
    keys = offline.keys_of(offline.alice)
    before = keys.read_bytes()
    with open(clock, 'r+b') as file:  # in place: it is mapped
        file.write(struct.pack('qq', 0, 86400))
    after = until(lambda: (octets := keys.read_bytes()) != before and octets, 60, 'a new key')
    assert len(after) == len(before) + 88 and after[96:] == before[8:]

    def has_new_key():
        """The file knows it before smtp@alice does."""
        session = offline.session(offline.alice)
        offline.restart(lambda: keys.write_bytes(after[:96]))
        return 'Reused, TLSv1.3' in s_client(offline.alice.sockets['465'], 'QUIT\r\n', session_in=session)
    until(has_new_key, 60, 'tickets made with the new key')
