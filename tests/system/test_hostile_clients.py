# SPDX-License-Identifier: ISC
"""Strangers on an onion's ports, and programs at submission, that try what has worked elsewhere: smuggling, injection, numbers
that wrap, lines and messages without end. What is refused leaves no trace; nothing of a message is obeyed."""
import base64
import contextlib
import os
import re
import socket

import pytest

from harness.imap import TOR_PATIENCE_S
from harness.memory import Peaks
from harness.smtp import Session, greeted, tls_session
from harness.waiting import until

pytestmark = pytest.mark.sanitized

PORTS = pytest.mark.parametrize('port', ['25', '465'])
ENDS = ['\n.\n', '\r\n.\n', '\n.\r\n', '\r.\r', '\r\n\0.\r\n', '\r.\r\n', '\r\n.\r']
GROWTH_MAX_KIB = {'smtorp-smtp': 24 * 1024, 'smtorp-content': 256 * 1024}
IS_SANITIZED = 'asan' in os.environ.get('SMTORP_BUILD', '')  # that keeps what was freed


@pytest.fixture
def bob(running):
    return running.bob


@contextlib.contextmanager
def bounded(node, role):
    """Whatever happens meanwhile, the role takes little more memory than ever before."""
    with Peaks(node) as before:
        pass
    with Peaks(node) as peaks:
        yield
    assert IS_SANITIZED or peaks.resident[role] - before.resident[role] < GROWTH_MAX_KIB[role]


class Submission(Session):
    """A session at submission, logged in."""

    def __init__(self, identity):
        self.sock = socket.create_connection(identity.node.endpoint('submission'), timeout=60)
        self.file = self.sock.makefile('rb')
        self.reply()
        self.command('EHLO x')
        login = base64.b64encode(f'\0{identity.login}\0{identity.password}'.encode()).decode()
        assert self.command(f'AUTH PLAIN {login}').startswith('235')


def begin(session, sender, recipient):
    assert session.command(f'MAIL FROM:<{sender}>').startswith('250')
    assert session.command(f'RCPT TO:<{recipient}>').startswith('250')


def stored(identity, mark):
    """Files of the identity in which it stands, in journal, queue, staging or mailbox."""
    found = []
    for path in identity.mail.rglob('*'):
        try:
            if path.is_file() and mark.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            pass  # consumed meanwhile
    return found


def queue(identity):
    return identity.node.json('queue', 'list', '--identity', identity.name)


# -- the end of a message

@PORTS
@pytest.mark.parametrize('verb', ['DATA', 'BDAT'])
def test_what_is_an_end_elsewhere_is_none_here(bob, subject, port, verb):
    mark = f'{subject} smuggled'
    with tls_session(bob, port) as session:
        for end in ENDS:
            begin(session, 'x@example.net', bob.address)
            text = f'Subject: {mark}\r\n\r\nx{end}MAIL FROM:<evil@example.net>\r\nRCPT TO:<{bob.address}>\r\n'
            if verb == 'DATA':
                assert session.command('DATA').startswith('354')
                session.say(f'{text}.\r\n')
            else:
                session.say(f'BDAT {len(text)} LAST\r\n{text}')
            assert session.reply().startswith('554 5.6.0'), repr(end)
            assert session.command('RCPT TO:<postmaster>').startswith('503'), 'something inside of it was obeyed'
    assert not stored(bob, mark)


@pytest.mark.parametrize('verb', ['DATA', 'BDAT'])
def test_a_submitted_one_is_refused_as_well(running, subject, verb):
    """What leaves otherwise (smtorp-sendmail): test_hostile_servers.py."""
    alice, mark = running.alice, f'{subject} smuggled'
    with Submission(alice) as session:
        for end in ENDS:
            begin(session, alice.address, running.bob.address)
            text = f'Subject: {mark}\r\n\r\nx{end}MAIL FROM:<evil@example.net>\r\nRCPT TO:<{running.bob.address}>\r\n'
            session.say(f'DATA\r\n{text}.\r\n' if verb == 'DATA' else f'BDAT {len(text)} LAST\r\n{text}')
            assert verb == 'BDAT' or session.reply().startswith('354')
            assert session.reply().startswith('554 5.6.0'), repr(end)
            assert session.command('NOOP').startswith('250')
    assert not stored(alice, mark)


def test_plaintext_behind_starttls_is_not_obeyed(running):
    for session in (greeted(running.bob), Submission(running.alice)):
        with session:
            session.command('EHLO x.example')
            session.say('STARTTLS\r\nRSET\r\nNOOP\r\n')
            assert not re.search(rb'^250', session.file.read(), re.M)


# -- BDAT

@PORTS
def test_dots_and_any_octet_in_chunks_are_content(bob, subject, port):
    head, dots = f'Subject: {subject}\r\n\r\n'.encode(), b'.\r\n..\r\n'
    octets = bytes(range(0x80, 0x100)) + b'\r\nBDAT 5 LAST\r\n'
    with tls_session(bob, port) as session:
        begin(session, 'x@example.net', bob.address)
        session.say(b''.join(b'BDAT %d%s\r\n%s' % (len(part), last, part)
                             for part, last in ((head, b''), (dots, b''), (octets, b''), (b'', b' LAST'))))
        assert [session.reply()[:3] for _ in range(4)] == ['250'] * 4
    with bob.mailbox() as mailbox:
        assert mailbox.raw(mailbox.wait_for(subject)).endswith(dots + octets)


@PORTS
def test_after_a_chunk_that_failed_nothing_is_taken(bob, subject, port):
    with tls_session(bob, port) as session:
        begin(session, 'x@example.net', bob.address)
        session.say(f'BDAT {len(subject) + 1}\r\n{subject}\nDATA\r\nBDAT 4\r\nDATABDAT 6 LAST\r\nx\r\n.\r\nDATA\r\n')
        assert [session.reply()[:3] for _ in range(5)] == ['554', '503', '503', '503', '503']
        assert session.command('RSET').startswith('250')
        begin(session, 'x@example.net', bob.address)
    assert not stored(bob, subject)


def test_a_million_chunks_of_an_octet(bob, subject):
    """Each is answered, and they take the memory of what is in them."""
    count, flight = 1000000, 2000
    head = f'Subject: {subject}\r\n\r\n'
    with bounded(bob.node, 'smtorp-smtp'), tls_session(bob, '465') as session:
        begin(session, 'x@example.net', bob.address)
        session.sock.settimeout(TOR_PATIENCE_S)
        session.say(f'BDAT {len(head)}\r\n{head}')
        got = [session.file.readline()[:3]]
        for _ in range(count // flight):  # not from two threads: OpenSSL's connections are for one
            session.say(b'BDAT 1\r\nx' * flight)
            got += [session.file.readline()[:3] for _ in range(flight)]
        session.say('BDAT 0 LAST\r\n')
        got.append(session.file.readline()[:3])
    assert got == [b'250'] * (count + 2)
    with bob.mailbox() as mailbox:
        assert mailbox.raw(mailbox.wait_for(subject)).endswith(b'x' * count)


# -- numbers and lines

BAD_LINES = [
    'MAIL FROM:<x@example.net> SIZE=18446744073709551616', 'MAIL FROM:<x@example.net> SIZE=-1',
    'MAIL FROM:<x@example.net> SIZE=99999999999', 'MAIL FROM:<x@example.net> SIZE=1 SIZE=1',
    'MAIL FROM:<x@example.net> ENVID=a+00', 'MAIL FROM:<x@example.net> AUTH=a+0D+0A', 'MAIL FROM:<x@example.net> NONSENSE=1',
    'MAIL FROM:<a@b<c@d>', 'MAIL FROM:<a@b@c>', 'MAIL FROM:<;id;>', 'MAIL FROM:<`id`>', 'MAIL FROM:<@x,@y:a@b.example>',
    'MAIL FROM:<' + 'a' * 65 + '@b.example>', 'MAIL FROM:<a@' + 'b.' * 130 + 'example>', 'MAIL FROM:<a@b\0c>',
    'MAIL FROM:<""@>', 'MAIL FROM:<a@[127.0.0.1]>', 'MAIL FROM:a@b.example', 'MAIL FROM:<a@b\xff.example>',
]
BAD_RECIPIENTS = ['<""@{onion}>', '<bob@{onion}@{onion}>', '<@{onion}:bob@{onion}>', '<bob@[127.0.0.1]>', '<bob@{onion}.>',
                  '<' + 'b' * 65 + '@{onion}>', '<;id;@{onion}>', '<|id@{onion}>', '<bob\0@{onion}>', '<"bob\r"@{onion}>', '<>',
                  '<bob@{onion}> ORCPT=rfc822;a+0D+0AX', '<bob@{onion}> ORCPT=rfc822;a+00', '<bob@{onion}> NOTIFY=SUCCESS']


@PORTS
def test_bad_arguments_are_refused(bob, port):
    """Each for good, in words, and the session goes on."""
    for at in range(0, len(BAD_LINES), 10):
        with tls_session(bob, port) as session:
            for line in BAD_LINES[at:at + 10]:
                assert re.match(r'5(0[0-9]|5[0-9]) \S', session.command(line)), line
            assert session.command('MAIL FROM:<x@example.net>').startswith('250')
    with tls_session(bob, port) as session:
        session.command('MAIL FROM:<x@example.net>')
        for recipient in BAD_RECIPIENTS:
            assert re.match(r'5(0[0-9]|5[0-9]) \S', session.command(f'RCPT TO:{recipient.format(onion=bob.onion)}')), recipient
        assert session.command('DATA')[0] == '5'


@PORTS
@pytest.mark.parametrize('size', ['4294967297', '18446744073709551617', '-1', '1000000000000'])
def test_chunks_of_impossible_sizes(bob, port, size):
    """What follows would be octets of it, or commands: nobody knows, so it is the end."""
    with bounded(bob.node, 'smtorp-smtp'), tls_session(bob, port) as session:
        begin(session, 'x@example.net', bob.address)
        session.say(f'BDAT {size} LAST\r\nRSET\r\nNOOP\r\n')
        assert re.match(r'(501|552) ', session.reply())
        assert session.file.read() == b'', 'something behind it was obeyed'


@pytest.mark.parametrize('where', ['25', '465', 'submission'])
def test_a_line_of_64_mib(running, where):
    node = running.a if where == 'submission' else running.b
    with bounded(node, 'smtorp-smtp'):
        session = Submission(running.alice) if where == 'submission' else greeted(running.bob) if where == '25' else \
            tls_session(running.bob, where)
        with session:
            try:
                for _ in range(1024):
                    session.say('x' * 65536)
            except OSError:  # closed, which TLS says in its own way
                pass
            else:
                assert session.file.readline().startswith(b'500')


# -- who it is from, and whom for

def test_strangers_make_nobody_write_or_dial(running, subject):
    """Whatever is refused or accepted: no bounce, no receipt, no auto-answer; nothing is ever queued for a claimed sender."""
    bob = running.bob
    claimed = ['', f'mallory@{running.home.onion}', running.alice.address, bob.address, f'x@{"a" * 56}.onion', 'x@example.net']
    asks = f'Return-Receipt-To: {running.alice.address}\r\nDisposition-Notification-To: {running.alice.address}\r\n' \
           f'Errors-To: {running.alice.address}\r\nReply-To: {running.alice.address}\r\n'
    for number, sender in enumerate(claimed):
        with tls_session(bob, '465') as session:
            session.command(f'MAIL FROM:<{sender}>')
            assert session.command(f'RCPT TO:<nobody@{bob.onion}>').startswith('550')
            assert session.command(f'RCPT TO:<{running.home.address}>').startswith('550')
            assert session.command('DATA')[0] == '5'
            session.command('RSET')
            begin(session, sender, bob.address)
            assert session.command('DATA').startswith('354')
            assert session.command(f'{asks}Subject: {subject} {number}\r\n\r\nx\r\n.').startswith('250')
    with bob.mailbox() as mailbox:
        for number in range(len(claimed)):
            mailbox.wait_for(f'{subject} {number}')
    assert not queue(bob) and not queue(running.home)


# -- messages that cost more than they weigh

def parts(count):
    return 'Content-Type: multipart/mixed; boundary=b\r\n\r\n' + '--b\r\n\r\nx\r\n' * count + '--b--\r\n'


def nested(count):
    text = ''.join(f'Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n' for n in range(count))
    return text + '\r\nx\r\n' + ''.join(f'--b{n}--\r\n' for n in reversed(range(count)))


BOMBS = {
    '100,000 parts': parts(100000),
    '20,000 multiparts in each other': nested(20000),
    '20,000 messages in each other': 'Content-Type: message/rfc822\r\n\r\n' * 20000 + '\r\nx\r\n',
    '50,000 continuations': 'Content-Type: text/plain' + ''.join(f';\r\n a*{n}*=x' for n in range(50000)) + '\r\n\r\nx\r\n',
    'a group of 50,000': 'To: many:' + ',\r\n '.join(f'u{n}@example.net' for n in range(50000)) + ';\r\n\r\nx\r\n',
    'groups in groups': 'To: ' + 'g:' * 50000 + ';' * 50000 + '\r\n\r\nx\r\n',
    'comments in comments': 'To: ' + '(\r\n ' * 50000 + ')' * 50000 + 'x@example.net\r\n\r\nx\r\n',
    '100,000 fields': 'X: y\r\n' * 100000 + '\r\nx\r\n',
    'a field of a megabyte': 'Subject: ' + 'x\r\n ' * 250000 + '\r\n\r\nx\r\n',
    '100,000 encoded words': 'X-Subject:' + ' =?utf-8?q?x?=\r\n' * 100000 + '\r\nx\r\n',
    '50,000 references': 'References:' + ''.join(f'\r\n <{n}@example.net>' for n in range(50000)) + '\r\n\r\nx\r\n',
}


def bring(session, sender, recipient, message):
    session.sock.settimeout(60)  # hours, where the time is the square of the length
    begin(session, sender, recipient)
    session.say(f'BDAT {len(message)} LAST\r\n'.encode() + message)
    return session.reply()


def in_mailbox(identity):
    return {path for part in ('new', 'cur') for path in (identity.mail / 'Maildir' / part).iterdir()}


@contextlib.contextmanager
def mailbox_left_as_it_was(identity):
    """taken: answers to what should arrive. Nobody else is to read it, least of all with Python's parser."""
    before, taken = in_mailbox(identity), []
    yield taken
    count = sum(answer.startswith('250') for answer in taken)
    arrived = until(lambda: len(new := in_mailbox(identity) - before) >= count and new, 60, 'all to be in the mailbox')
    assert len(arrived) == count
    for path in arrived:
        path.unlink()


def test_monstrous_messages_are_received_as_others(bob):
    """Nothing of them has to be understood: whatever is inside, they are delivered."""
    with mailbox_left_as_it_was(bob) as taken, bounded(bob.node, 'smtorp-content'):
        for name, bomb in BOMBS.items():
            with tls_session(bob, '465') as session:
                taken.append(bring(session, 'x@example.net', bob.address, bomb.encode()))
                assert taken[-1].startswith('250'), name


def test_monstrous_messages_are_submitted_or_refused(running):
    """What leaves is looked at: it is done soon, in bounded memory, and the session goes on."""
    alice = running.alice
    with mailbox_left_as_it_was(alice) as taken, bounded(alice.node, 'smtorp-content'):
        for name, bomb in BOMBS.items():
            with Submission(alice) as session:
                taken.append(bring(session, alice.address, alice.address, f'From: {alice.address}\r\n{bomb}'.encode()))
                assert re.match(r'250 |55[0-9] 5\.', taken[-1]), (name, taken[-1])
                assert session.command('NOOP').startswith('250'), name
