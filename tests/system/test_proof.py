# SPDX-License-Identifier: ISC
"""Who wrote it: mail between nodes is signed by the onion's key, and what claims an onion without that is refused."""
import email.message
import email.policy
import json
import os
import re

import pytest

from harness import proved
from harness.folders import find, wait_for_all
from harness.node import Identity
from harness.programs import run, swaks
from harness.proved import verdict
from harness.smtp import tls_session

FORGED = 'SMTorP-Verdict: proved;\r\n sender=somebody@else.onion\r\n'


def deliver(identity, sender, recipient, octets):
    """Hands a message to the onion's port 25 as any server could. Returns the answer to its end."""
    with tls_session(identity) as session:
        for line in (f'MAIL FROM:<{sender}>', f'RCPT TO:<{recipient}>'):
            assert session.command(line).startswith('250 ')
        session.say(f'BDAT {len(octets)} LAST\r\n'.encode() + octets)
        return session.reply()


def test_mail_between_nodes_is_proved(running, subject):
    proved.original(running.bob, running.alice, subject)


@pytest.fixture(scope='module')
def original(pair):
    return proved.original(pair.bob, pair.alice, 'test_proof original')


@pytest.mark.parametrize('change', [
    lambda octets: octets[octets.index(b'From:'):],                                      # no signature
    lambda octets: octets.replace(b'signed', b'forged'),
    lambda octets: octets.replace(b'Subject: ', b'Subject: not '),
    lambda octets: octets.replace(b'From: ', b'Reply-To: eve@example.org\r\nFrom: ', 1),
    lambda octets: re.sub(rb'From: (\S+)', rb'From: Alice <\1>', octets, count=1),
], ids=['without', 'body', 'subject', 'added field', 'name'])
def test_a_false_sender_is_refused(running, original, change):
    answer = deliver(running.alice, 'eve@example.org', running.alice.address, change(original))
    assert answer.startswith('550 5.7.1 ') and 'not proved' in answer


def test_what_was_meant_for_another_is_refused(running, original):
    """alice cannot pass bob's letter on to work as if he had written to work."""
    answer = deliver(running.work, 'eve@example.org', running.work.address, original)
    assert answer.startswith('550 5.7.1 ')


def test_the_same_octets_once_more_are_proved(running, original):
    assert deliver(running.alice, 'eve@example.org', running.alice.address, original).startswith('250 ')


def test_a_key_that_tor_made_proves_too(running, subject):
    """Of such a key there is the expanded form alone: no seed belongs to this one."""
    secret = bytearray(os.urandom(64))
    secret[0], secret[31] = secret[0] & 248, secret[31] & 127 | 64
    key = running.b.folder / 'hs_ed25519_secret_key'
    key.write_bytes(b'== ed25519v1-secret: type0 =='.ljust(32, b'\0') + secret)
    made = running.b.json('identity', 'import-key', 'imported', '--tor-key', str(key))
    imported = Identity(running.b, {**running.b.json('identity', 'show', 'imported'), 'password': made['password']})
    swaks(imported, [running.alice.address], '--header', f'Subject: {subject}')
    with running.alice.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert verdict(message).startswith(f'proved; sender={imported.address};')
    running.b.cli('identity', 'delete', 'imported', '--yes')


def test_verdicts_from_outside_are_removed(running, subject):
    octets = f' ; encrypted=yes\r\n{FORGED}From: carol@example.org\r\nsmtorp-verdict: proved\r\nSubject: {subject}\r\n\r\nplain\r\n'.encode()
    assert deliver(running.alice, 'carol@example.org', running.alice.address, octets).startswith('250 ')
    with running.alice.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert verdict(message) == 'unproved; came=unknown'


def test_large_messages_are_signed_and_proved(running, subject):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message['From'], message['To'], message['Subject'] = running.alice.address, running.bob.address, subject
    message.set_content('large')
    message.add_attachment(bytes(range(256)) * 4096 * 3, maintype='application', subtype='octet-stream', filename='large.bin')
    run(running.a, running.a.installation.program('smtorp-sendmail'), '-i', '-f', running.alice.address, running.bob.address,
        input=message.as_bytes(policy=message.policy.clone(linesep='\n')), text=False)
    with running.bob.mailbox() as mailbox:
        got = mailbox.message(mailbox.wait_for(subject))
    assert verdict(got).startswith(f'proved; sender={running.alice.address};')


def test_each_recipient_gets_a_signature_of_its_own(running, subject):
    swaks(running.alice, [running.bob.address, running.home.address], '--header', f'Subject: {subject}')
    for identity in (running.bob, running.home):
        with identity.mailbox() as mailbox:
            message = mailbox.message(mailbox.wait_for(subject))
        assert verdict(message).startswith(f'proved; sender={running.alice.address};')
        field, = message.get_all('Onion-Signature')
        assert f'to={identity.onion}' in field


@pytest.fixture(scope='module')
def carol(make_node):
    """She wants what is not proved marked only."""
    node = make_node('marks').start()
    carol = node.identity('carol')
    conf = node.home / 'identities' / 'carol' / 'identity.conf'
    node.stop()
    conf.write_text(conf.read_text() + 'unproved = mark\n')
    node.start()
    return carol


def test_an_identity_may_want_it_marked_only(running, carol, subject):
    octets = f'From: {running.alice.address}\r\nSubject: {subject}\r\n\r\nspoofed\r\n'.encode()
    assert deliver(carol, 'eve@example.org', carol.address, octets).startswith('250 ')
    with carol.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for(subject))
    assert verdict(message).startswith('false; reason=')


def key_known_of(person, owner):
    shown = owner.node.cli('contact', 'show', '--json', '--identity', owner.name, person.address, check=False)
    return json.loads(shown.stdout)['fingerprint'] if shown.returncode == 0 else None


def test_a_key_that_a_man_in_the_middle_has_swapped_is_noticed(running, original, carol):
    """The message is bob's own, with another OpenPGP key for him in it: refused, or marked, and nobody takes the key for his."""
    alice, bob = running.alice, running.bob
    key = running.b.json('card', 'home')['key']
    swapped = re.sub(rb'keydata=[^:]*?\r\n(?=\S)', f'keydata={key}\r\n'.encode(), original, count=1)
    assert swapped != original and key.encode() in swapped
    unsigned = re.sub(rb'Onion-Signature:.*?\r\n(?=\S)', b'', swapped, count=1, flags=re.S)
    assert b'Onion-Signature' not in unsigned
    own = running.b.json('card', 'bob')['fingerprint']
    assert key_known_of(bob, alice) == own
    for octets in (swapped, unsigned):
        assert deliver(alice, bob.address, alice.address, octets).startswith('550 5.7.1 ')
        assert deliver(carol, bob.address, carol.address, octets).startswith('250 ')
    assert key_known_of(bob, alice) == own and key_known_of(bob, carol) is None
    with carol.mailbox() as mailbox:
        wait_for_all(mailbox, 'INBOX', 'test_proof original', 2, 20)
        said = [verdict(mailbox.message(uid)) for uid in find(mailbox, 'INBOX', 'test_proof original')]
    assert all(words.startswith('false; reason=') for words in said), said
