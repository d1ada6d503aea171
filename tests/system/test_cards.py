# SPDX-License-Identifier: ISC
"""Cards: who an onion is, signed by it, from one person to another by a file, a text, a link."""
import base64
import os
import struct
import subprocess
import zlib

import pytest

from harness import account
from harness.folders import wait_for_all
from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.terminal import Terminal
from harness.waiting import until

OFFLINE = {'tor.extra': 'DisableNetwork 1'}


@pytest.fixture(scope='module')
def cards(make_node):
    """A node without a network: two people who give each other cards."""
    node = make_node('cards', OFFLINE, tor=False)
    node.start(wait=False)
    for name in ('alice', 'bob'):
        setattr(node, name, node.identity(name, wait=False))
    node.wait_for(lambda status: len(status['identities']) == 2 and all(row['store'] == 'works' for row in status['identities']), 20,
                  'every store')
    yield node
    node.stop()


def card_of(node, name='bob', *options):
    return node.cli('card', *options, name).stdout


def fingerprint_of(node, name):
    return node.json('openpgp', 'show', name)['keys'][0]['fingerprint']


def add(node, whom, *options, check=True, **more):
    return node.cli('contact', 'add', '--identity', 'alice', *options, whom, check=check, **more)


def of_alice(node):
    return {row['address']: row for row in node.json('contact', 'list', '--identity', 'alice')}


@pytest.fixture
def nobody(cards):
    yield
    cards.cli('contact', 'delete', '--identity', 'alice', '--yes', cards.bob.address, check=False)


def test_a_card_stays_the_same_and_names_all_keys(cards):
    card = card_of(cards)
    lines = card.replace('\n ', '').split('\n')
    assert lines[:3] == ['BEGIN:VCARD', 'VERSION:4.0', 'KIND:individual'] and f'EMAIL:{cards.bob.address}' in lines
    assert cards.json('card', 'bob')['fingerprint'] == fingerprint_of(cards, 'bob')
    assert card_of(cards) == card
    cards.stop()
    cards.start(wait=False)
    cards.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    assert card_of(cards) == card


def test_a_card_brings_the_key_along(cards, nobody):
    path = cards.folder / 'message.eml'
    path.write_text(f'Subject: my card\n\nHello,\n\n{card_of(cards)}\n-- \nBob\n')
    said = add(cards, str(path), '--name', 'Bob').stdout
    row = of_alice(cards)[cards.bob.address]
    assert row['fingerprint'] == fingerprint_of(cards, 'bob') and row['name'] == 'Bob' and row['trust'] == 'known' and row['how'] == 'scanned'
    assert row['fingerprint'][:4] in said and 'contact verify' in said and f'Bob, {cards.bob.address}, is in the address book' in said
    add(cards, str(path), '--in-person')  # and then he hands it over himself
    assert of_alice(cards)[cards.bob.address]['trust'] == 'verified'


def test_a_link_carries_a_card(cards, nobody):
    link = card_of(cards, 'bob', '--mailto').strip()
    assert link.startswith('mailto:bob@') and cards.bob.address.split('@')[1] in link
    add(cards, link)
    assert of_alice(cards)[cards.bob.address]['fingerprint'] == fingerprint_of(cards, 'bob')
    assert add(cards, link[:-40], check=False).returncode != 0


def test_a_card_comes_by_standard_input(cards, nobody):
    said = add(cards, '-', input=card_of(cards)).stdout
    assert said.startswith(f'{cards.bob.address} is in the address book of alice.\n')
    assert cards.bob.address in of_alice(cards)


def test_nothing_changes_on_a_card_that_nobody_signed(cards, nobody):
    card, path = card_of(cards), cards.folder / 'card.vcf'
    other = card_of(cards, 'alice')
    key = base64.b64encode(b'\2' * 64).decode()
    for wrong in (card.replace('EMAIL:bob', 'EMAIL:eve'), card.replace('KEY:', f'KEY:data:application/pgp-keys;base64,{key}\nX-KEY:'),
                  '\n'.join(line for line in card.split('\n') if 'SIGNATURE' not in line), card[:200], other, 'nothing', ''):
        path.write_text(wrong)
        result = add(cards, str(path), check=False)
        assert result.returncode != 0 and result.stderr.startswith('smtorp: '), wrong
        assert of_alice(cards) == {}
    assert add(cards, '/no/such/file', check=False).returncode != 0


def test_a_new_key_makes_a_new_card(cards):
    before = cards.json('card', 'bob')
    cards.cli('openpgp', 'rotate', 'bob')
    after = cards.json('card', 'bob')
    assert after['fingerprint'] == fingerprint_of(cards, 'bob') != before['fingerprint']
    assert after['sequence'] > before['sequence'] and after['tls'] == before['tls']


def test_what_is_known_of_somebody_stands_against_a_file_of_cards(cards, nobody):
    """The newer card is signed by the same onion, whose key somebody may have stolen."""
    before, path = fingerprint_of(cards, 'bob'), cards.folder / 'people.vcf'
    add(cards, '-', input=card_of(cards))
    cards.cli('openpgp', 'rotate', 'bob')
    path.write_text(card_of(cards))
    assert cards.json('contact', 'import', '--identity', 'alice', str(path))['known'] == 1
    assert of_alice(cards)[cards.bob.address]['fingerprint'] == before
    cards.cli('contact', 'verify', '--identity', 'alice', cards.bob.address, before)
    result = add(cards, str(path), check=False)
    assert result.returncode != 0 and '--in-person' in result.stderr
    assert of_alice(cards)[cards.bob.address]['fingerprint'] == before
    invitation = cards.folder / 'invitation.vcf'  # anybody can write one who has the onion's key
    cards.cli('invite', '--out', str(invitation), 'bob')
    assert add(cards, str(invitation), check=False).returncode != 0
    assert of_alice(cards)[cards.bob.address]['fingerprint'] == before
    add(cards, str(invitation), '--in-person')
    row = of_alice(cards)[cards.bob.address]
    assert row['fingerprint'] == fingerprint_of(cards, 'bob') != before and row['trust'] == 'verified'


def test_a_recovery_key_that_is_made_later_is_on_the_next_card(cards):
    """Of an identity from before there were recovery keys; its neighbour has had one from the beginning."""
    folder = cards.home / 'identities' / cards.bob.name
    cards.stop()
    for name in ('recovery.key', 'recovery.pub'):
        (folder / name).unlink()
    cards.start(wait=False)
    cards.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    before = cards.json('card', 'bob')
    made = cards.json('identity', 'recovery', 'bob')['recovery']
    after = cards.json('card', 'bob')
    assert before['recovery'] is None and after['recovery'] == made != cards.json('card', 'alice')['recovery']
    assert after['sequence'] > before['sequence']


@pytest.mark.parametrize('shape, beginning', [('png', b'\x89PNG'), ('svg', b'<svg'), ('terminal', b'\x1b[97;40m')])
def test_a_card_is_drawn(cards, shape, beginning):
    path = cards.folder / f'picture.{shape}'
    cards.cli('card', '--qr', shape, '--out', str(path), 'bob')
    assert path.read_bytes().startswith(beginning)
    assert cards.cli('card', '--qr', shape, '--out', str(path), 'bob', check=False).returncode == 5  # it is there


def test_a_terminal_shows_a_code_only_where_it_has_room(cards):
    with Terminal(cards, 'card', '--qr', 'terminal', 'bob', columns=80) as terminal:
        assert terminal.wait() == 1 and 'this terminal 80' in terminal.shown and '\x1b' not in terminal.shown
    with Terminal(cards, 'card', '--qr', 'terminal', 'bob', columns=200) as terminal:
        assert terminal.wait() == 0 and '\x1b[97;40m' in terminal.shown


def test_an_invitation_is_written_for_its_owner_only(cards):
    for words, mode in ((('card', 'bob'), 0o644), (('invite', 'bob'), 0o600), (('invite', '--qr', 'png', 'bob'), 0o600)):
        path = cards.folder / 'handed-out'
        cards.cli(*words, '--out', str(path))
        assert path.stat().st_mode & 0o777 == mode
        path.unlink()


def test_an_invitation_that_cannot_be_written_whole_is_not_left_behind(cards):
    path = cards.folder / 'cut-off'
    words = ['prlimit', '--fsize=100', '--', cards.installation.program('smtorp'), 'invite', 'bob', '--out', path]
    result = subprocess.run(words, env=cards.environment(), stderr=subprocess.PIPE, timeout=60, check=False, text=True,
                            restore_signals=False, **account.popen_arguments())  # Python ignores SIGXFSZ, and so it does
    assert result.returncode == 1 and result.stderr.startswith('smtorp: '), result
    assert not path.exists()


def test_an_invitation_goes_into_no_file_that_others_can_read(cards):
    path = cards.folder / 'shown'
    with open(path, 'wb') as file:
        os.fchmod(file.fileno(), 0o644)
        result = subprocess.run([cards.installation.program('smtorp'), 'invite', 'bob'], env=cards.environment(), stdout=file,
                                stderr=subprocess.PIPE, timeout=60, check=False, **account.popen_arguments())
    assert result.returncode == 2 and b'--out' in result.stderr and path.stat().st_size == 0


@pytest.mark.parametrize('command', ['card', 'invite'])
def test_of_several_identities_one_is_to_be_named_as_the_command_takes_it(cards, command):
    result = cards.cli(command, check=False)
    assert result.returncode == 2 and 'NAME behind the command' in result.stderr


def test_a_card_comes_by_a_picture(cards, nobody):
    path = cards.folder / 'card.png'
    cards.cli('card', '--qr', 'png', '--out', str(path), 'bob')
    add(cards, str(path), '--in-person')
    row = of_alice(cards)[cards.bob.address]
    assert row['fingerprint'] == fingerprint_of(cards, 'bob') and row['trust'] == 'verified' and row['how'] == 'scanned'


@pytest.mark.parametrize('size', [0, 100, 3000, -1])
def test_a_damaged_picture_is_refused(cards, nobody, size):
    whole, path = cards.folder / f'whole{size}.png', cards.folder / 'damaged.png'
    cards.cli('card', '--qr', 'png', '--out', str(whole), 'bob')
    picture = whole.read_bytes()
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + picture[8:size] if size > 0 else b'\xff\xd8\xff' + picture if size == 0 else picture[:8] + b'\0' * 5000)
    result = add(cards, str(path), check=False)
    assert result.returncode != 0 and result.stderr.startswith('smtorp: the picture cannot be read: '), result.stderr
    assert of_alice(cards) == {}


def test_a_picture_without_a_code_says_so(cards, nobody):
    path = cards.folder / 'white.png'
    row = zlib.compress(b''.join(b'\0' + b'\xff' * 64 for _ in range(64)))
    parts = ((b'IHDR', struct.pack('>IIBBBBB', 64, 64, 8, 0, 0, 0, 0)), (b'IDAT', row), (b'IEND', b''))
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
                                                       for kind, data in parts))
    result = add(cards, str(path), check=False)
    assert result.stderr == 'smtorp: no QR code is seen in the picture: take one that is straight, sharp and whole\n'


def test_an_invitation_through_a_picture_makes_both_know_each_other(running):
    """Over tor: a QR code on paper, and each side has verified the other's key; the greeting is encrypted; the invitation is used up."""
    host, guest = running.b.identity('host'), running.a.identity('guest')
    on_host = running.b.folder / 'invitation.png'
    host.node.cli('invite', '--qr', 'png', '--out', str(on_host), 'host')
    picture = guest.node.folder / 'invitation.png'
    picture.write_bytes(on_host.read_bytes())
    said = guest.node.cli('contact', 'add', '--identity', 'guest', '--name', 'My host', str(picture)).stdout
    assert 'verified' in said and 'greeting' in said
    row = guest.node.json('contact', 'show', '--identity', 'guest', host.address)
    assert row['trust'] == 'verified' and row['fingerprint'] == fingerprint_of(host.node, 'host') and row['name'] == 'My host'
    with host.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for('Hello'))
    verdict = ' '.join(message['SMTorP-Verdict'].split())
    assert verdict.startswith('proved') and 'encrypted' in verdict, verdict
    row = host.node.json('contact', 'show', '--identity', 'host', guest.address)
    assert row['trust'] == 'verified' and row['fingerprint'] == fingerprint_of(guest.node, 'guest') and not row['stranger']
    assert f'smtorp contact why {guest.address}' in message.get_body().get_content()

    # The greeting brought the guest's card along: the host knows the recovery key, and follows a move by itself.
    moved = running.a.identity('guest-moved', wait=False)
    guest.node.cli('identity', 'move', 'guest', '--to', 'guest-moved', '--yes')
    row = until(lambda: host.node.json('contact', 'show', '--identity', 'host', guest.address)['move'], TOR_PATIENCE_S, 'the move to be known')
    assert (row['state'], row['to']) == ('moved', moved.address), row

    late = running.a.identity('late')  # who takes the same one once more is greeted by nobody's trust
    late.node.cli('contact', 'add', '--identity', 'late', str(picture))
    with host.mailbox() as mailbox:
        wait_for_all(mailbox, 'INBOX', 'Hello', 2, TOR_PATIENCE_S)
    row = host.node.json('contact', 'show', '--identity', 'host', late.address)
    assert row['trust'] == 'stranger' and row['fingerprint'] == fingerprint_of(late.node, 'late')


def test_the_first_message_is_encrypted_already(running, subject):
    """Nobody knows anybody: the message waits for the card that the onion shows in the first session, and nobody else's key counts."""
    carol, dave = running.a.identity('carol'), running.b.identity('dave')
    swaks(carol, [dave.address], '--header', f'Subject: {subject}', '--body', 'hello')
    with dave.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    verdict = ' '.join(message['SMTorP-Verdict'].split())
    assert verdict.startswith('proved') and 'encrypted=yes' in verdict, verdict
    row = running.a.json('contact', 'show', '--identity', 'carol', dave.address)
    assert row['fingerprint'] == fingerprint_of(running.b, 'dave') and row['keys'][0]['how'] == 'card', row
