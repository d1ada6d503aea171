# SPDX-License-Identifier: ISC
"""Messages that are larger than what a role may keep in memory."""
import base64
import hashlib
import random
import re
import smtplib

import pytest

from harness.memory import Peaks
from harness.waiting import until

MIB = 1024 * 1024
PIECE = 57 * 1024  # of random bytes, in whole lines of base64
# submission takes 19 MiB to check a password
RESIDENT_KIB = {'smtorp-smtp': 32 * 1024, 'smtorp-content': 24 * 1024}  # content has librnp in it
RESIDENT_OTHERS_KIB = 16 * 1024
MEMFD_KIB = 2 * 1024


def pieces(size, seed):
    generator = random.Random(seed)
    for _ in range(size // (PIECE * 78 // 57)):
        yield base64.encodebytes(generator.randbytes(PIECE)).replace(b'\n', b'\r\n')


def submit(sender, recipient, subject, size, seed):
    """Over submission, a piece at a time. Returns the hash of the text as it will be in the Maildir."""
    digest = hashlib.sha256()
    host, port = sender.node.endpoint('submission')
    with smtplib.SMTP(host, port, timeout=300) as session:
        session.login(sender.login, sender.password)
        session.mail(sender.address)
        session.rcpt(recipient.address)
        assert session.docmd('DATA')[0] == 354
        session.sock.sendall(f'From: {sender.address}\r\nSubject: {subject}\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n'
                             f'preamble\r\n--A\r\n\r\n'.encode())
        for piece in pieces(size, seed):
            session.sock.sendall(piece)
            digest.update(piece.replace(b'\r\n', b'\n'))
        session.sock.sendall(b'--A--\r\n.\r\n')
        code, text = session.getreply()
        assert code == 250, text
    return digest.hexdigest()


def arrived(identity, subject):
    """The hash of the text of the message with this subject, once it is in the Maildir."""
    for path in [*identity.mail.glob('Maildir/new/*'), *identity.mail.glob('Maildir/cur/*')]:
        with path.open('rb') as file:
            header = b''.join(iter(lambda: file.readline(1000), b'\n'))
            if f'Subject: {subject}\n'.encode() not in header:
                continue
            assert re.fullmatch(rb'--=_[a-z2-7]{26}\n', file.readline()) and file.readline() == b'\n'
            digest, left = hashlib.sha256(), path.stat().st_size - file.tell() - len('--=_--\n') - 26
            while left > 0:
                digest.update(piece := file.read(min(left, MIB)))
                left -= len(piece)
            assert re.fullmatch(rb'--=_[a-z2-7]{26}--\n', file.read())
            return digest.hexdigest()
    return None


def passes_flat(sender, recipient, subject, size):
    with Peaks(sender.node, recipient.node) as peaks:
        digest = submit(sender, recipient, subject, size, seed=size)
        got = until(lambda: arrived(recipient, subject), 900, f'{size // MIB} MiB', every_s=0.5)
    print({name: (peaks.resident[name], peaks.files[name]) for name in peaks.resident})
    assert got == digest
    assert {'smtorp-mail', 'smtorp-smtp', 'smtorp-content', 'smtorp-tor'} <= set(peaks.resident)
    for name in peaks.resident:
        assert peaks.resident[name] < RESIDENT_KIB.get(name, RESIDENT_OTHERS_KIB), f'{name} took {peaks.resident[name]} KiB'
        assert peaks.files[name] < MEMFD_KIB, f'{name} held {peaks.files[name]} KiB in memory files'
    until(lambda: not list(sender.mail.glob('queue/*')), 60, 'the queue to be empty')


def test_25_mib_pass_in_flat_memory(running, subject):
    """From submission to the other side's Maildir: no role grows with the message, in whatever kind of memory."""
    passes_flat(running.alice, running.bob, subject, 25 * MIB)


@pytest.mark.slow
def test_500_mib_are_taken_and_100_mib_pass_in_flat_memory(make_node, subject):
    """The limits are the owner's. What is taken before the network comes into play is shown with more."""
    config = {'message.max-size': '600M'}
    a, b = make_node('large-a', config).start(wait=False), make_node('large-b', config).start()
    carol, dave = a.identity('carol'), b.identity('dave')
    passes_flat(carol, carol, f'{subject} own', 500 * MIB)
    passes_flat(carol, dave, subject, 100 * MIB)
    a.stop()
    b.stop()
