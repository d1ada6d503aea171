# SPDX-License-Identifier: ISC
"""Servers that do to our client what can be done: nothing is lost, nothing is believed that should not be, and what they say goes no
further than it may. What takes long time limits is in src/smtpc/session_limits_test.c."""
import re

import pytest

from harness.hostile import CLOSE, HANG, HostileServer, endless, half, no_tls
from harness.imap import TOR_PATIENCE_S
from harness.programs import run, swaks
from harness.recorder import certificate
from harness.slow import onions
from harness.waiting import until

EVIL = b'\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\x00\x80\xff\rBcc: eve@example.net'
TAKEN = b'250 x\r\n250 a\r\n250 b\r\n354 go\r\n250 2.0.0 taken\r\n'
STARTTLS = b'250-x\r\n250 STARTTLS\r\n'

# What each does in one session after the other, until it is healed. Mail to it waits, and is tried again.
WAITS = {
    'numbers': [{'greeting': b'2x0 hello\r\n'}, {'greeting': b'2200 hello\r\n'}, {'greeting': b'HTTP/1.1 200 OK\r\n\r\n'},
                {'MAIL': b'250-a\r\n550 b\r\n'}, {'MAIL': b'354 go\r\n'}, {'DATA': b'250 2.0.0 taken\r\n'}],
    'length': [{'RCPT': endless(b'553-no\r\n')}, {'EHLO': endless(b'250-x\r\n')}, {'MAIL': endless(b'x' * 65536, 1024)},
               {'MAIL': b'450 ' + b'y' * 4000 + b'\r\n'}, {'MAIL': b'450 4.' + b'9' * 400 + b'.1 later\r\n'}],
    'controls': [{'MAIL': b'450 4.2.0 ' + EVIL + b'\r\n'}],
    'in advance': [{'greeting': b'220 x\r\n' + TAKEN}, {'EHLO': b'250 x\r\n' + TAKEN},
                   {'MAIL': b'250 a\r\n250 b\r\n354 go\r\n250 2.0.0 taken\r\n'}],
    'STARTTLS': [{'EHLO': STARTTLS, 'STARTTLS': b'220 ready\r\n' + TAKEN}, {'EHLO': STARTTLS, 'STARTTLS': no_tls},
                 {'EHLO': STARTTLS, 'STARTTLS': HANG}],
    '421': [{step: b'421 4.3.2 going\r\n'} for step in ('greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'end')],
    'closes': [{'MAIL': half(b'250')}, *({step: CLOSE} for step in ('greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'end'))],
    **{f'hangs at {step}': [{step: HANG}] for step in ('greeting', 'MAIL', 'end')},
}
# What is refused for good comes back.
BOUNCES = {
    '550 with controls': [{'RCPT': b'550 5.1.1 ' + EVIL + b'\r\n'}],
    'a small SIZE': [{'EHLO': b'250-x\r\n250 SIZE 10\r\n'}],
}
# Odd, but within the rules.
TAKES = {
    'usual': [{}],
    'another EHLO behind TLS': [{'EHLO': b'250-x\r\n250-CHUNKING\r\n250-PIPELINING\r\n250-SIZE 10\r\n250 STARTTLS\r\n',
                                 'EHLO-TLS': b'250 x\r\n'}],
    'no STARTTLS after all': [{'EHLO': STARTTLS, 'STARTTLS': b'454 4.7.0 no\r\n'}],
}


@pytest.fixture(scope='module')
def servers(network, work):
    """{name: server}, each with its onion."""
    pem, _ = certificate(work, 'hostile')
    all_of_them = {name: HostileServer(*answers, pem=pem if 'behind TLS' in name else None)
                   for name, answers in {**WAITS, **BOUNCES, **TAKES}.items()}
    with onions(network, list(all_of_them.values())) as names:
        for server, name in zip(all_of_them.values(), names):
            server.onion = name
        yield all_of_them
    for server in all_of_them.values():
        server.close()


def rows(identity):
    return {row['onion']: row for row in identity.node.json('queue', 'list', '--identity', identity.name)}


def assert_harmless(what, text):
    for char in text:
        assert char.isprintable() or char in '\n\r\t', (what, text)
    assert '\u202e' not in text, (what, text)


def was_tried(name, server, row):
    """In each way; and again, or up to where it hangs. (A session in which it was said to come later goes on.)"""
    hangs = [step for answers in WAITS[name] for step, answer in answers.items() if answer is HANG]
    is_again = server.asked.issuperset(hangs) if hangs else row is not None and row['tries'] >= 2
    return server.sessions >= len(WAITS[name]) and is_again


def bounces_about(mailbox, subject):
    found = [mailbox.raw(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
    return [report for report in found if subject.encode() in report]


def assert_nothing_is_injected(alice, log_begin):
    """Not into what the owner reads: lists, log, folders, reports."""
    assert_harmless('queue list', alice.node.cli('queue', 'list').stdout)
    for row in rows(alice).values():
        assert_harmless('reason', row['text'])
        assert len(row['text']) < 1000, row
        assert_harmless('queue show', alice.node.cli('queue', 'show', row['id'], check=False).stdout)
    log = alice.node.log.read_bytes()[log_begin:]
    assert not re.search(rb'[\x00-\x08\x0b-\x1f\x7f]', log), re.search(rb'[^\n]*[\x00-\x08\x0b-\x1f\x7f][^\n]*', log)[0]
    for path in (alice.mail / 'Maildir').rglob('*'):
        if path.is_file() and not path.name.startswith('dovecot'):
            content = path.read_bytes()
            assert not any(evil in content for evil in (b'\x1b', b'\x07', b'\0', '\u202e'.encode())), (path, content)
            assert not re.search(rb'^Bcc: eve', content, re.M), (path, content)


def test_no_server_loses_or_doubles_mail(running, servers, subject):
    """One message to all of them. Then they are healed, and each has it once."""
    alice = running.alice
    log_begin = alice.node.log.stat().st_size
    swaks(alice, [f'carol@{server.onion}' for server in servers.values()], '--header', f'Subject: {subject}',
          '--header', 'To: many:;', '--body', 'a secret')

    until(lambda: all(servers[name].onion in rows(alice) for name in WAITS), 30, 'all to be queued')

    def all_are_tried():
        there = rows(alice)
        for name in WAITS:
            assert servers[name].onion in there and not servers[name].received, f'{name}: gone without having been taken'
        late = [name for name in WAITS if not was_tried(name, servers[name], there.get(servers[name].onion))]
        late += [name for name in TAKES if not servers[name].received]
        all_are_tried.late = late
        return not late
    until(all_are_tried, TOR_PATIENCE_S, 'all to be tried', every_s=1, log=lambda: f'{all_are_tried.late}\n{alice.node.waiting()}')
    with alice.mailbox() as mailbox:
        reports = until(lambda: len(found := bounces_about(mailbox, subject)) >= len(BOUNCES) and found, TOR_PATIENCE_S, 'the bounces')
    all_are_tried()
    assert_nothing_is_injected(alice, log_begin)
    for name in ('STARTTLS', 'in advance'):
        assert (b'MAIL' in servers[name].wire) == (name == 'in advance') and b'secret' not in servers[name].wire
    assert len(reports) == len(BOUNCES)
    for name in BOUNCES:
        assert sum(servers[name].onion.encode() in report for report in reports) == 1, name
        assert b'a secret' not in servers[name].wire
    for server in servers.values():
        server.heal()
    alice.node.cli('queue', 'retry', '--all')
    ours = {server.onion for server in servers.values()}
    until(lambda: not ours & rows(alice).keys(), TOR_PATIENCE_S, 'the queue to be empty', every_s=0.5, log=alice.node.waiting)
    for name, server in servers.items():
        got = [body for body in server.received if f'Subject: {subject}\r\n'.encode() in body]
        assert len(got) == (name not in BOUNCES) and len(server.received) == len(got), name
        assert not got or b'a secret\r\n' in got[0], name
    with alice.mailbox() as mailbox:
        assert len(bounces_about(mailbox, subject)) == len(BOUNCES), 'a bounce of what was delivered'


def commands(wire):
    """The lines outside of messages."""
    inside, found = False, []
    for line in wire.split(b'\r\n'):
        if not inside:
            found.append(line)
        inside = line == b'DATA' or (inside and line != b'.')
    return found


def test_only_crlf_ends_lines_on_the_wire(running, servers, subject):
    """Whatever a program submits: other servers must not see an end, or a command, inside of a message."""
    alice, server = running.alice, servers['usual']
    program = alice.node.installation.program('smtorp-sendmail')
    to = f'carol@{server.onion}'
    for number, end in enumerate([b'\n.\n', b'\r\n.\n', b'\n.\r\n', b'\r.\r', b'\r\n\0.\r\n', b'\r', b'\0']):
        message = f'From: {alice.address}\r\nTo: {to}\r\nSubject: {subject} {number}\r\n\r\nx'.encode() + end + b'MAIL FROM:<evil@example.net>\r\n'
        run(alice.node, program, '-oi', to, input=message, text=False, check=False)
    swaks(alice, [to], '--header', f'Subject: {subject} last')
    until(lambda: any(f'{subject} last'.encode() in body for body in server.received), TOR_PATIENCE_S, 'the last', log=alice.node.waiting)
    until(lambda: server.onion not in rows(alice), TOR_PATIENCE_S, 'the others', log=alice.node.waiting)
    assert b'\0' not in server.wire
    assert not re.search(rb'(?<!\r)\n|\r(?!\n)', server.wire), re.search(rb'.{20}((?<!\r)\n|\r(?!\n)).{20}', server.wire, re.S)
    assert all(b'evil' not in line for line in commands(server.wire))
