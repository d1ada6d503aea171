# SPDX-License-Identifier: ISC
"""Nothing identifying is added to outgoing mail."""
import base64
import email
import email.utils
import getpass
import pathlib
import quopri
import re
import socket

import pytest

from harness import account
from harness.programs import run, swaks
from harness.smtp import Session

# What may stand in a message that left, and in one of its parts (doc/spec/message.md).
OF_MESSAGES = {'from', 'to', 'cc', 'subject', 'date', 'message-id', 'in-reply-to', 'references', 'mime-version', 'content-type',
               'content-disposition', 'content-transfer-encoding', 'onion-signature', 'autocrypt'}
OF_PARTS = {'content-type', 'content-disposition', 'content-transfer-encoding', 'content-id', 'content-description'}


@pytest.fixture
def desk():
    """A folder for alice's mail program."""
    folder = pathlib.Path(account.own(account.work_folder()))
    yield folder
    account.remove(folder)


def put(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    account.own(path.parent)
    account.own(path)
    return path


def arrived(identity, subject, is_own=False):
    """As it was on the way, but for Return-Path: without the field in which the receiver's node says what it found."""
    with identity.mailbox() as mailbox:
        raw = mailbox.raw(mailbox.wait_for(subject))
    verdict = re.compile(rb'^SMTorP-Verdict: proved;\r\n sender=[^\r\n]*\r\n', re.M)
    assert len(verdict.findall(raw)) == (0 if is_own else 1)
    return verdict.sub(b'', raw)


def check_form(raw):
    """Only known fields, a date in UTC and to the minute, and boundaries of ours. Returns the message."""
    message = email.message_from_bytes(raw)
    assert {name.lower() for name in message.keys()} - {'return-path'} <= OF_MESSAGES
    assert re.search(r' \d\d:\d\d:00 \+0000$', message['Date'])
    kept = {inner for part in message.walk() if part.get_content_type() in ('multipart/signed', 'message/rfc822')
            for inner in part.get_payload(0).walk()}
    for part in message.walk():
        if part.get_boundary() is not None and part not in kept:
            assert re.fullmatch(r'=_[a-z2-7]{26}', part.get_boundary())
    return message


def test_what_arrives_names_no_machine_no_program_no_path(running, subject):
    """A message with only From, To and Subject gets only a Date in UTC and a random Message-ID of our own onion."""
    alice = running.alice
    run(running.a, running.a.installation.program('smtorp-sendmail'), '-f', alice.address, running.bob.address,
        input=f'From: {alice.address}\nTo: {running.bob.address}\nSubject: {subject}\n\nx\n')
    message = email.message_from_bytes(arrived(running.bob, subject))
    opened = {'MIME-Version', 'Content-Type'}  # what was encrypted has them
    assert set(message.keys()) - opened == {'Return-Path', 'Autocrypt', 'Onion-Signature', 'From', 'To', 'Subject', 'Date', 'Message-ID'}
    assert message['Date'].endswith('+0000')
    assert re.fullmatch(rf'<[a-z2-7]{{26}}@{re.escape(alice.onion)}>', message['Message-ID'])


def test_what_mail_programs_add_about_the_machine_is_removed(running, subject):
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}',
          '--add-header', 'Received: from laptop.home.example ([192.0.2.7])', '--add-header', 'X-Originating-IP: 192.0.2.7',
          '--add-header', 'User-Agent: Mail 1.0 (laptop)', '--header', 'X-Mailer: swaks')
    raw = arrived(running.bob, subject)
    for canary in (b'Received', b'192.0.2.7', b'laptop', b'X-Mailer', b'User-Agent', socket.gethostname().encode() + b'.',
                   b'smtorp', b'SMTorP', str(running.a.folder).encode()):
        assert canary not in raw, canary


def test_a_letter_written_in_neomutt_names_nothing_of_the_machine(running, subject, desk):
    """A mail program that tells all it can: its name, the host's, the time zone, paths, and fields of the user's own."""
    alice = running.alice
    put(desk / 'muttrc', running.a.cli('mua', 'alice', '--client', 'mutt').stdout.encode() + b'''
set user_agent=yes
set hostname="canary.example"
my_hdr X-Canary: canary
my_hdr Organization: canary
my_hdr User-Agent: canary
''')
    attached = put(desk / 'canary' / 'list of things.txt', b'bread\n')
    run(alice.node, 'env', 'TZ=XCAN3:17', 'neomutt', '-n', '-F', desk / 'muttrc', '-e', f'set imap_pass="{alice.password}"',
        '-s', subject, '-a', attached, '--', running.bob.address, input='Hello\n')
    raw = arrived(running.bob, subject)
    message = check_form(raw)
    for canary in (b'canary', b'Mutt', b'mutt', b'-0317', socket.gethostname().encode() + b'.', str(desk).encode()):
        assert canary not in raw.replace(subject.encode(), b''), canary
    text, file = message.get_payload()
    for part in (text, file):
        assert {name.lower() for name in part.keys()} <= OF_PARTS
    assert text.get_payload() == 'Hello\r\n' and file.get_filename() == 'list of things.txt'


CANARIES = '''Received: from canary (canary [192.0.2.7]) by canary; Sun, 22 Nov 2026 12:47:51 +0545
Return-Path: <canary@canary.example>
From: {alice}
To: {bob}
Subject: {subject}
Sender: canary@canary.example
Disposition-Notification-To: canary@canary.example
Date: Sun, 22 Nov 2026 12:47:51 +0545 (canary)
User-Agent: canary
X-Canary: canary
Bcc: canary@canary.example
Resent-From: canary@canary.example
Resent-Message-ID: <1@canary.example>
Content-Language: canary
MIME-Version: 1.0 (canary)
Content-Type: multipart/mixed; x-canary=canary; boundary="----=_canary_"

This is a message of canary in MIME format.
------=_canary_
Content-Type: multipart/related; boundary="canary"

canary
--canary
Content-Type: text/html; charset=UTF-8; x-canary=canary
Content-Language: canary
Content-Transfer-Encoding: quoted-printable
X-Canary: canary

<p>gr=C3=BC=C3=9Fe <img src=3D"cid:part1.1234@ca=
nary.example"></p>
--canary
Content-Type: image/png; name="/home/canary/cat.png"; x-mac-type=canary
Content-Disposition: inline; filename="C:\\canary\\cat.png"; modification-date="Sun, 22 Nov 2026 12:47:51 +0545"
Content-ID: <part1.1234@canary.example>
Content-Location: file:///home/canary/cat.png
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--canary--
canary
------=_canary_
{signed}
------=_canary_
Content-Type: message/rfc822
X-Canary: canary

{attached}
------=_canary_--
canary
'''

ATTACHED = '''Received: from stays by stays
X-Mailer: stays
Subject:  stays,
\t as it is
Content-Type: multipart/mixed; boundary=stays

stays
--stays

stays
--stays--'''

SIGNED = b'''Content-Type: multipart/mixed; boundary=signed
X-Inner: stays

stays
--signed
Content-Language: stays

stays  , with spaces at the end  \x20
--signed--
'''


def sign(node, desk):
    """A multipart/signed as OpenSSL makes it."""
    run(node, 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=x', '-keyout', desk / 'key', '-out', desk / 'crt')
    put(desk / 'text', SIGNED.replace(b'\n', b'\r\n'))
    run(node, 'openssl', 'cms', '-sign', '-binary', '-signer', desk / 'crt', '-inkey', desk / 'key', '-in', desk / 'text', '-out', desk / 'signed')
    text = (desk / 'signed').read_bytes().replace(b'\r\n', b'\n').decode()
    return re.sub(r'(?m)^MIME-Version:.*\n', '', text).rstrip('\n')


@pytest.mark.parametrize('way', ['msmtp', 'sendmail'])
def test_canaries_in_every_part_stay_at_home_and_what_was_signed_stays_whole(running, subject, desk, way):
    alice, bob = running.alice, running.bob
    message = CANARIES.format(alice=alice.address, bob=bob.address, subject=subject, signed=sign(alice.node, desk), attached=ATTACHED)
    if way == 'msmtp':
        host, port = running.a.endpoint('submission')
        run(running.a, 'msmtp', f'--host={host}', f'--port={port}', '--auth=plain', '--tls=on', '--tls-certcheck=off',
            f'--user={alice.login}', f'--passwordeval=echo {alice.password}', f'--from={alice.address}', '--', bob.address, input=message)
    else:
        run(running.a, running.a.installation.program('smtorp-sendmail'), '-f', alice.address, bob.address, input=message)
    raw = arrived(bob, subject)
    got = check_form(raw)
    for canary in (b'canary', b'0545', b'192.0.2', socket.gethostname().encode() + b'.'):
        assert canary not in raw, canary
    related, signed, attached = got.get_payload()
    html, picture = related.get_payload()
    assert html.get_payload(decode=True) == f'<p>grüße <img src="cid:{picture["Content-ID"][1:-1]}"></p>'.encode()
    assert (picture.get_filename(), picture.get_payload(decode=True)) == ('cat.png', b'\x89PNG\r\n\x1a\n')
    assert ATTACHED.replace('\n', '\r\n').encode() in raw and attached.get_payload(0)['X-Mailer'] == 'stays'
    put(desk / 'got', re.search(rb'Content-Type: multipart/signed.*?--\r\n(?=--=_)', raw, re.S).group())
    shown = run(alice.node, 'openssl', 'cms', '-verify', '-noverify', '-in', desk / 'got', '-out', desk / 'verified').stdout
    assert 'Verification successful' in shown
    assert (desk / 'verified').read_bytes().replace(b'\r\n', b'\n') == SIGNED


@pytest.fixture
def gpg(running, desk):
    """gpg(words, ...): GnuPG as alice and bob have it, with a key of alice's; and its agent, which ends with the test."""
    home = desk / 'gnupg'
    home.mkdir(mode=0o700)
    account.own(home)

    def act(*words, **options):
        return run(running.a, 'gpg', '--homedir', home, '--batch', '--status-fd', '1', '--trust-model', 'always', *words, **options).stdout
    act('--passphrase', '', '--quick-generate-key', 'alice', 'ed25519', 'sign', 'never')
    yield act
    run(running.a, 'gpgconf', '--homedir', home, '--kill', 'all')


def hand_over(running, message):
    run(running.a, running.a.installation.program('smtorp-sendmail'), '-f', running.alice.address, running.bob.address, input=message)


def test_what_gnupg_has_signed_as_a_part_still_verifies(running, subject, desk, gpg):
    """PGP/MIME (RFC 3156): the signature is over the octets of the part, headers and line ends included."""
    put(desk / 'part', SIGNED.replace(b'\n', b'\r\n'))
    gpg('--armor', '--detach-sign', '--output', desk / 'part.asc', desk / 'part')
    hand_over(running, f'''From: {running.alice.address}
To: {running.bob.address}
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/signed; micalg=pgp-sha512; protocol="application/pgp-signature"; boundary="canary"

This is an OpenPGP/MIME signed message (RFC 4880 and 3156)
--canary
{SIGNED.decode()}
--canary
Content-Type: application/pgp-signature; name="OpenPGP_signature.asc"
Content-Description: canary

{(desk / 'part.asc').read_text()}
--canary--
''')
    raw = arrived(running.bob, subject)
    got = check_form(raw)
    assert b'canary' not in raw and got.get_content_type() == 'multipart/signed'
    put(desk / 'got', raw.split(f'\r\n--{got.get_boundary()}'.encode())[1].removeprefix(b'\r\n'))
    put(desk / 'got.asc', got.get_payload(1).get_payload(decode=True))
    assert 'VALIDSIG' in gpg('--verify', desk / 'got.asc', desk / 'got')
    assert (desk / 'got').read_bytes() == SIGNED.replace(b'\n', b'\r\n')
    put(desk / 'got', (desk / 'got').read_bytes().replace(b'stays  , ', b'stays, '))
    assert 'BADSIG' in gpg('--verify', desk / 'got.asc', desk / 'got', check=False)


@pytest.mark.parametrize('encoding', ['8bit', 'quoted-printable', 'base64'])
def test_what_gnupg_has_signed_inline_still_verifies(running, subject, desk, gpg, encoding):
    """Clear-signed text in a message's only part, however a mail program encodes it."""
    put(desk / 'text', 'grüße\n- a list\nFrom here on, and .\n.\n-- \nalice\n'.encode())
    gpg('--armor', '--clear-sign', '--output', desk / 'text.asc', desk / 'text')
    text = (desk / 'text.asc').read_bytes()
    encoded = {'8bit': text, 'quoted-printable': quopri.encodestring(text), 'base64': base64.encodebytes(text)}[encoding]
    hand_over(running, f'''From: {running.alice.address}
To: {running.bob.address}
Subject: {subject}
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8; x-canary=canary
Content-Transfer-Encoding: {encoding}

{encoded.decode()}''')
    raw = arrived(running.bob, subject)
    assert b'canary' not in raw
    put(desk / 'got', check_form(raw).get_payload(decode=True))
    assert 'VALIDSIG' in gpg('--verify', desk / 'got')
    assert (desk / 'got').read_bytes().replace(b'\r\n', b'\n').rstrip(b'\n') == text.rstrip(b'\n')


def test_dates_are_as_coarse_as_configured(make_node, running, subject):
    """message.date-precision of the node that sends."""
    node = make_node('coarse', config={'message.date-precision': 'day'})
    node.start()
    carol = node.identity('carol')
    run(node, node.installation.program('smtorp-sendmail'), '-f', carol.address, carol.address,
        input=f'Subject: {subject}\nDate: Sun, 22 Nov 2026 03:47:51 +0900\n\nx\n')
    assert email.message_from_bytes(arrived(carol, subject, is_own=True))['Date'] == 'Sat, 21 Nov 2026 00:00:00 +0000'


def test_replies_tell_nothing_either(running):
    """The raw bytes that leave the node's onion sockets: greeting and replies hold no name but the onion's."""
    with Session(running.bob.sockets['25']) as session:
        text = session.reply() + session.command('EHLO x') + session.command('HELP') + session.command('NOOP') + \
            session.command('VRFY root') + session.command('MAIL FROM:<x@example.net>') + session.command('QUIT')
    for canary in (socket.gethostname(), getpass.getuser(), 'smtorp', 'postfix', 'Debian', str(running.b.folder)):
        assert not re.search(rf'\b{re.escape(canary)}\b', text.replace(running.bob.onion, ''), re.I), (canary, text)
