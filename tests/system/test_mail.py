# SPDX-License-Identifier: ISC
"""Mail from one onion to another with programs that we did not write, read over IMAP."""
import email.message
import email.policy
import hashlib
import random

import pytest

from harness.programs import run, swaks

pytestmark = pytest.mark.sanitized


def composed(sender, recipient, subject, text='Hello.\n', attachment=None):
    message = email.message.EmailMessage(policy=email.policy.SMTP.clone(utf8=True, cte_type='8bit'))
    message['From'], message['To'], message['Subject'] = sender, recipient, subject
    message['Date'] = 'Sat, 21 Nov 2026 14:00:00 +0100'
    message['Message-ID'] = f'<{random.getrandbits(64):x}@{sender.split("@")[1]}>'
    message.set_content(text, cte='8bit')
    if attachment:
        message.add_attachment(attachment, maintype='application', subtype='octet-stream', filename='Grüße.bin')
    return message


def test_swaks_sends_and_imap_reads(running, subject):
    alice, bob = running.alice, running.bob
    swaks(alice, [bob.address], '--header', f'Subject: {subject}', '--body', 'first light')
    with bob.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert message.get_content().strip() == 'first light'
    assert message['From'].addresses[0].addr_spec == alice.address
    assert message['Return-Path'] == f'<{alice.address}>'


def test_and_back(running, subject):
    swaks(running.bob, [running.alice.address], '--header', f'Subject: {subject}')
    with running.alice.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_utf8_everywhere_and_five_megabytes(running, subject):
    """UTF-8 in subject, names, body and file name; 5 MiB of random bytes that arrive as they left."""
    alice, bob = running.alice, running.bob
    attachment = random.Random(1).randbytes(5 * 1024 * 1024)
    subject = f'Žluťoučký kůň 🐎 {subject}'
    text = 'Přílíš žluťoučký kůň úpěl ďábelské ódy. 你好，鲍勃。\n.\n..\nFrom here\n'
    message = composed(f'Älice Ωmega <{alice.address}>', f'Bøb <{bob.address}>', subject, text, attachment)
    run(alice.node, alice.node.installation.program('smtorp-sendmail'), '-t', '-i', '-f', alice.address,
        input=message.as_bytes(policy=message.policy.clone(linesep='\n')), text=False)
    with bob.mailbox() as mailbox:
        got = mailbox.message(mailbox.wait_for(subject))
    assert str(got['From']) == f'Älice Ωmega <{alice.address}>'
    assert got.get_body().get_content() == text
    part = next(got.iter_attachments())
    assert part.get_filename() == 'Grüße.bin'
    assert hashlib.sha256(part.get_content()).digest() == hashlib.sha256(attachment).digest()


def test_bytes_of_the_body_arrive_unchanged(running, subject):
    body = b'dots\r\n.\r\n..\r\n...x\r\n\r\ntrailing space \r\n\ttab\r\n8-bit \xc3\xa9\r\nno final blank line'
    message = (f'From: {running.alice.address}\r\nTo: {running.bob.address}\r\nSubject: {subject}\r\n'
               'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n'
               'Content-Transfer-Encoding: 8bit\r\n\r\n').encode() + body
    run(running.a, running.a.installation.program('smtorp-sendmail'), '-i', '-f', running.alice.address,
        running.bob.address, input=message.replace(b'\r\n', b'\n'), text=False)
    with running.bob.mailbox() as mailbox:
        raw = mailbox.raw(mailbox.wait_for(subject))
    assert raw.split(b'\r\n\r\n', 1)[1].rstrip(b'\r\n') == body


def test_plus_addresses_and_postmaster_reach_the_owner(running, subject):
    bob = running.bob
    recipients = [f'bob+lists@{bob.onion}', f'postmaster@{bob.onion}', f'BOB@{bob.onion.upper()}']
    for number, recipient in enumerate(recipients):
        swaks(running.alice, [recipient], '--header', f'Subject: {subject} {number}')
    with bob.mailbox() as mailbox:
        for number in range(len(recipients)):
            mailbox.wait_for(f'{subject} {number}')


def test_several_recipients_on_several_onions(running, subject):
    swaks(running.alice, [running.bob.address, running.home.address, running.work.address],
          '--header', f'Subject: {subject}')
    for identity in (running.bob, running.home, running.work):
        with identity.mailbox() as mailbox:
            mailbox.wait_for(subject)


def test_idle_shows_new_mail(running, subject):
    with running.bob.mailbox() as mailbox:
        line = mailbox.idle(lambda: swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}'))
        assert b'EXISTS' in line
        mailbox.wait_for(subject)


def test_each_identity_reads_only_its_own(running, subject):
    """Two identities on each side: what one gets, its sibling does not see."""
    swaks(running.work, [running.home.address], '--header', f'Subject: {subject}')
    with running.home.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert message['From'].addresses[0].addr_spec == running.work.address
    with running.bob.mailbox() as mailbox:
        assert subject not in mailbox.subjects()
