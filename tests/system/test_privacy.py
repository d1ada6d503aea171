# SPDX-License-Identifier: ISC
"""Nothing identifying is added to outgoing mail."""
import getpass
import re
import socket

from harness.programs import run, swaks
from harness.smtp import Session


def test_what_arrives_names_no_machine_no_program_no_path(running, subject):
    """A message with only From, To and Subject gets only a Date in UTC and a random Message-ID of our own onion."""
    alice = running.alice
    run(running.a, running.a.installation.program('smtorp-sendmail'), '-f', alice.address, running.bob.address,
        input=f'From: {alice.address}\nTo: {running.bob.address}\nSubject: {subject}\n\nx\n')
    with running.bob.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert set(message.keys()) == {'Return-Path', 'From', 'To', 'Subject', 'Date', 'Message-ID'}
    assert message['Date'].endswith('+0000')
    assert re.fullmatch(rf'<[a-z2-7]{{26}}@{re.escape(alice.onion)}>', message['Message-ID'])


def test_what_mail_programs_add_about_the_machine_is_removed(running, subject):
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}',
          '--add-header', 'Received: from laptop.home.example ([192.0.2.7])', '--add-header', 'X-Originating-IP: 192.0.2.7',
          '--add-header', 'User-Agent: Mail 1.0 (laptop)', '--header', 'X-Mailer: swaks')
    with running.bob.mailbox() as mailbox:
        raw = mailbox.raw(mailbox.wait_for(subject))
    for canary in (b'Received', b'192.0.2.7', b'laptop', b'X-Mailer', b'User-Agent', socket.gethostname().encode() + b'.',
                   b'smtorp', b'SMTorP', str(running.a.folder).encode()):
        assert canary not in raw, canary


def test_replies_tell_nothing_either(running):
    """The raw bytes that leave the node's onion sockets: greeting and replies hold no name but the onion's."""
    with Session(running.bob.sockets['25']) as session:
        text = session.reply() + session.command('EHLO x') + session.command('HELP') + session.command('NOOP') + \
            session.command('VRFY root') + session.command('MAIL FROM:<x@example.net>') + session.command('QUIT')
    for canary in (socket.gethostname(), getpass.getuser(), 'smtorp', 'postfix', 'Debian', str(running.b.folder)):
        assert not re.search(rf'\b{re.escape(canary)}\b', text.replace(running.bob.onion, ''), re.I), (canary, text)
