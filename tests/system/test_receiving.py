# SPDX-License-Identifier: ISC
"""The onion side, ports 25 and 465, spoken to directly on the sockets that tor connects to. What strangers with bad
intentions say: test_hostile_clients.py."""
import time

import pytest

from harness.smtp import Session, greeted, tls_session

pytestmark = pytest.mark.sanitized


@pytest.fixture
def bob(running):
    return running.bob


def test_the_greeting_and_the_offer_tell_nothing(bob):
    with greeted(bob) as session:
        lines = session.command('EHLO x.example').split('\n')
    assert lines[0] == f'250-{bob.onion}'
    offered = {line[4:].split()[0] for line in lines[1:]}
    assert offered == {'PIPELINING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'CHUNKING', 'ENHANCEDSTATUSCODES', 'STARTTLS'}


def test_port_25_wants_starttls_first(bob):
    with greeted(bob) as session:
        session.command('EHLO x.example')
        assert session.command('MAIL FROM:<a@b.example>').startswith('530 5.7.0')


def test_every_verb_answers(bob):
    with tls_session(bob) as session:
        for line, code in [('NOOP', '250'), ('HELP', '214'), ('VRFY bob', '252'), ('RSET', '250'), ('HELO x', '250'),
                           ('EHLO x', '250'), ('EXPN x', '502'), ('NONSENSE', '500'), ('RCPT TO:<a@b>', '503'),
                           ('DATA', '503'), ('STARTTLS', '503'), ('AUTH PLAIN', '50')]:
            assert session.command(line).startswith(code), line
        assert session.command('QUIT').startswith('221')


@pytest.mark.parametrize('port, alpn', [('25', None), ('465', None), ('465', 'smtorp/1')])
def test_data_and_bdat_reach_the_mailbox(bob, subject, port, alpn):
    session = tls_session(bob) if port == '25' else greeted(bob, port, tls=True, alpn=alpn)
    with session:
        if port == '465':
            assert session.sock.selected_alpn_protocol() == alpn
            assert 'STARTTLS' not in session.command('EHLO x.example')
        message = f'Subject: {subject} %s\r\n\r\nhello\r\n'
        session.say(f'MAIL FROM:<x@example.net>\r\nRCPT TO:<{bob.address}>\r\nDATA\r\n')
        assert [session.reply()[:3] for _ in range(3)] == ['250', '250', '354']
        assert session.command((message % 'data') + '.').startswith('250')
        first, second = f'Subject: {subject} ', 'bdat\r\n\r\n.\r\nhello\r\n'
        session.say(f'MAIL FROM:<> BODY=8BITMIME SIZE=100\r\nRCPT TO:<{bob.address}>\r\nBDAT {len(first)}\r\n{first}'
                    f'BDAT {len(second)} LAST\r\n{second}QUIT\r\n')
        assert [session.reply()[:3] for _ in range(5)] == ['250', '250', '250', '250', '221']
    with bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} data')
        assert b'\r\n.\r\nhello' in mailbox.raw(mailbox.wait_for(f'{subject} bdat'))


def bring_in_one_flight(bob, subject):
    body = f'Subject: {subject}\r\n\r\nx\r\n'
    with Session(bob.sockets['465'], tls=True, alpn='smtorp/1') as session:
        session.say(f'EHLO a.example\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{bob.address}>\r\n'
                    f'BDAT {len(body)} LAST\r\n{body}QUIT\r\n')
        assert [session.reply()[:3] for _ in range(6)] == ['220', '250', '250', '250', '250', '221']


def test_one_flight_without_waiting(bob, subject):
    """What smtorp/1 promises: everything from EHLO to the last octet may come before the greeting is read."""
    bring_in_one_flight(bob, subject)
    with bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_idle_shows_within_a_second_what_was_answered_250(bob, subject):
    answered_s = []

    def bring():
        bring_in_one_flight(bob, subject)
        answered_s.append(time.monotonic())
    with bob.mailbox() as mailbox:
        mailbox.idle(bring)
        assert time.monotonic() - answered_s[0] < 1


def test_other_recipients_are_refused_alike(running):
    """Sibling identities, the machine's own names and foreign domains get the same bytes."""
    bob, home = running.bob, running.home
    replies = set()
    with tls_session(bob) as session:
        session.command('MAIL FROM:<x@example.net>')
        for recipient in [home.address, f'postmaster@{home.onion}', 'root@localhost', 'x@example.com',
                          f'postmaster@{running.alice.onion}', 'root@[127.0.0.1]', f'b%{home.onion}@example.com']:
            replies.add(session.command(f'RCPT TO:<{recipient}>'))
        assert len(replies) == 1 and replies.pop().startswith('550 5.7.1'), replies
        assert session.command(f'RCPT TO:<nobody@{bob.onion}>').startswith('550 5.1.1')
        assert session.command('DATA').startswith('5')
