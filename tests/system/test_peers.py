# SPDX-License-Identifier: ISC
"""Fingerprints in addresses, and the keys of peers: attacks with real nodes, and with a server that writes down what it hears."""
import shutil
import sys

import pytest

from harness import account
from harness.imap import TOR_PATIENCE_S
from harness.installation import ROOT
from harness.programs import swaks
from harness.recorder import Recorder, certificate
from harness.smtp import Session
from harness.waiting import until

sys.path.insert(0, str(ROOT / 'testnet'))
import control  # noqa: E402

LENGTHS = (8, 20, 52)


def other_letter(text, at):
    return text[:at] + ('b' if text[at] != 'b' else 'c') + text[at + 1:]


def labelled(identity, label, local_part=None):
    return f'{local_part or identity.address.split("@")[0]}@{label}.{identity.onion}'


def fingerprint(identity):
    return identity.node.json('identity', 'show', identity.name)['fingerprint']


def send(identity, recipients, subject):
    swaks(identity, recipients, '--header', f'Subject: {subject}', '--body', 'a secret')


def row_for(identity, subject_onion):
    """What waits for an onion."""
    return [row for row in identity.node.json('queue', 'list', '--identity', identity.name) if row['onion'] == subject_onion]


def held(identity, onion):
    return lambda: [row for row in row_for(identity, onion) if row['reason'] == 'key']


def peer(identity, onion):
    rows = [row for row in identity.node.json('peer', 'list', '--identity', identity.name) if row['onion'] == onion]
    return rows[0] if rows else None


def notices(mailbox, onion):
    found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Subject', '"Mail is held"')]
    return [message for message in found if onion in message.get_content()]


def bounce_about(mailbox, subject):
    def look():
        found = [mailbox.message(uid) for uid in mailbox.uids('HEADER', 'Content-Type', 'multipart/report')]
        return [report for report in found if subject in ' '.join(report.as_string().split())]  # it may be folded
    return until(look, TOR_PATIENCE_S, 'the bounce')[0]


def change_key(identity, other):
    """The identity's TLS key becomes that of another; returns what puts it back."""
    node, folder = identity.node, identity.mail.parent
    node.stop()
    for name in ('tls.key', 'tls.crt'):
        if not (folder / f'{name}.kept').exists():
            shutil.copy(folder / name, folder / f'{name}.kept')
        shutil.copy(other / name, folder / name)
        account.own(folder / name)
    node.start()
    node.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), 60, 'to be published')


def test_any_prefix_of_the_fingerprint_is_delivered(running, subject):
    full = fingerprint(running.bob)
    assert len(full) == 52 and running.b.json('identity', 'show', 'bob')['full_address'] == labelled(running.bob, full)
    assert labelled(running.bob, full) in running.b.cli('identity', 'show', 'bob').stdout
    for length in LENGTHS:
        send(running.alice, [labelled(running.bob, full[:length])], f'{subject} {length}')
    with running.bob.mailbox() as mailbox:
        for length in LENGTHS:
            mailbox.wait_for(f'{subject} {length}')
    known = peer(running.alice, running.bob.onion)
    assert (known['state'], known['trust'], known['label_letters'], known['fingerprint']) == ('pinned', 'label', 52, full)
    assert full in running.a.cli('peer', 'show', f'alice/{running.bob.address}').stdout
    assert f'alice/{running.bob.onion}\tpinned' in running.a.cli('complete', 'peer', 'accept', 'al').stdout


def test_both_forms_of_an_address_make_one_copy(running, subject):
    send(running.alice, [running.bob.address, labelled(running.bob, fingerprint(running.bob)[:8])], subject)
    send(running.alice, [running.alice.address, labelled(running.alice, fingerprint(running.alice))], f'{subject} own')
    with running.bob.mailbox() as mailbox, running.alice.mailbox() as own:
        mailbox.wait_for(subject)  # two would be one too many
        own.wait_for(f'{subject} own')


def test_strangers_reach_us_under_our_own_fingerprint_only(running):
    full = fingerprint(running.bob)
    with Session(running.bob.sockets['465'], tls=True, alpn='smtorp/1') as session:
        session.reply()
        session.command('EHLO x')
        session.command('MAIL FROM:<>')
        for label in (full[:8], full[:9].upper(), full):
            assert session.command(f'RCPT TO:<{labelled(running.bob, label)}>').startswith('250')
        unknown = session.command(f'RCPT TO:<nobody@{running.bob.onion}>')
        for label in (other_letter(full, 7)[:8], other_letter(full, 30), 'a' * 52):
            assert session.command(f'RCPT TO:<{labelled(running.bob, label)}>') == unknown
            assert session.command(f'RCPT TO:<{labelled(running.bob, label, "postmaster")}>') == unknown
        assert unknown.startswith('550 5.1.1')


def test_one_wrong_letter_comes_back_and_names_the_danger(running, subject):
    """Over a session that is open already, as mail to the right address has just gone there."""
    full = fingerprint(running.bob)
    wrong = labelled(running.bob, other_letter(full, 7)[:8])
    send(running.alice, [running.bob.address], f'{subject} right')
    good = running.bob.address.replace('@', '+good@')
    send(running.alice, [wrong, good], f'{subject} wrong')
    with running.bob.mailbox() as theirs, running.alice.mailbox() as ours:
        theirs.wait_for(f'{subject} right')
        theirs.wait_for(f'{subject} wrong')  # who is addressed rightly gets it
        report = bounce_about(ours, f'{subject} wrong')
        assert len([each for each in theirs.subjects() if each == f'{subject} wrong']) == 1
    text, status, _ = report.iter_parts()
    words = ' '.join(text.get_content().split())
    assert wrong in words and good not in words
    assert 'Nothing was sent' in words and 'another TLS key' in words and 'in between' in words and 'in another way' in words
    assert '5.7.5' in status.as_string()
    assert peer(running.alice, running.bob.onion)['state'] == 'pinned'


@pytest.fixture
def carol(running):
    """An identity on b whose key may change, since no other test writes to it."""
    name = f'carol{len(running.b.status()["identities"])}'
    return running.b.identity(name)


def test_a_changed_key_holds_the_mail_until_it_is_accepted(running, carol, subject):
    a, alice, work = running.a, running.alice, running.work
    old, new = fingerprint(carol), fingerprint(running.home)
    send(alice, [carol.address], f'{subject} before')
    with carol.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} before')
    known = peer(alice, carol.onion)
    assert (known['state'], known['trust'], known['fingerprint'], known['shown']) == ('pinned', 'first-use', old, None)

    change_key(carol, running.home.mail.parent)
    send(alice, [carol.address], f'{subject} one')
    send(alice, [labelled(carol, old[:20])], f'{subject} two')
    until(lambda: len(held(alice, carol.onion)()) == 2, TOR_PATIENCE_S, 'both to be held', log=a.waiting)
    text = a.cli('queue', 'list').stdout
    assert 'another TLS key than before' in text and 'smtorp peer' in text
    known = peer(alice, carol.onion)
    assert (known['state'], known['fingerprint'], known['shown']) == ('changed', old, new)
    listed = a.cli('peer', 'list').stdout
    assert 'changed' in listed and old in listed and new in listed
    with alice.mailbox() as mailbox:
        notice = until(lambda: notices(mailbox, carol.onion), 30, 'the message about it')[0]
        tries = row_for(alice, carol.onion)[0]['tries']
        a.cli('queue', 'retry', '--all')
        until(lambda: row_for(alice, carol.onion)[0]['tries'] > tries, TOR_PATIENCE_S, 'another try')
        assert len(notices(mailbox, carol.onion)) == 1
    assert old in notice.get_content() and f'smtorp peer accept {new}.{carol.onion}' in notice.get_content()
    assert notice['Return-Path'] == '<>' and notice['Auto-Submitted'] == 'auto-generated' and notice['Date'].endswith('+0000')
    assert notice['From'].addresses[0].addr_spec == f'postmaster@{alice.onion}'

    # the other identity of the node knows nothing of it
    assert peer(work, carol.onion) is None
    send(work, [carol.address], f'{subject} work')
    with carol.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} work')
        assert not {f'{subject} one', f'{subject} two'} & set(mailbox.subjects())
    assert peer(work, carol.onion)['fingerprint'] == new

    # what the person did not say is not accepted; what he said is, and everything goes
    both = a.cli('peer', 'accept', carol.onion, check=False)
    assert both.returncode == 2 and 'several identities' in both.stderr
    refused = a.cli('peer', 'accept', f'alice/{other_letter(new, 20)}.{carol.onion}', check=False)
    assert refused.returncode == 1 and new in refused.stderr and peer(alice, carol.onion)['state'] == 'changed'
    assert new in a.cli('peer', 'accept', f'alice/{new}.{carol.onion}').stdout
    with carol.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} one')
        mailbox.wait_for(f'{subject} two')
    known = peer(alice, carol.onion)
    assert (known['state'], known['trust'], known['fingerprint'], known['shown']) == ('pinned', 'accepted', new, None)
    again = a.cli('peer', 'accept', f'alice/{carol.onion}', check=False)
    assert again.returncode == 1 and 'nothing to accept' in again.stderr

    # the key of before is a change like any other; forgetting takes what comes
    folder = carol.mail.parent
    before = running.b.folder / f'{carol.name}.before'
    before.mkdir()
    for name in ('tls.key', 'tls.crt'):
        shutil.copy(folder / f'{name}.kept', before / name)
    change_key(carol, before)
    send(alice, [carol.address], f'{subject} three')
    until(held(alice, carol.onion), TOR_PATIENCE_S, 'it to be held', log=a.waiting)
    assert a.json('peer', 'forget', f'alice/{carol.onion}') == {'forgotten': f'alice/{carol.onion}'}
    with carol.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} three')
    known = peer(alice, carol.onion)
    assert (known['state'], known['trust'], known['fingerprint']) == ('pinned', 'first-use', old)
    for words in (['show'], ['accept'], ['forget']):
        unknown = a.cli('peer', *words, 'a' * 56 + '.onion', check=False)
        assert unknown.returncode == 2 and 'names no onion' in unknown.stderr
        unknown = a.cli('peer', *words, alice.onion, check=False)
        assert unknown.returncode == 4 and 'no key of this onion' in unknown.stderr


@pytest.fixture
def recorder(network, work):
    """A server of nobody's on an onion; .onion is its name."""
    pem, print_ = certificate(work, 'recorder')
    recorder = Recorder(pem)
    recorder.fingerprint = print_
    with control.Control.open(network.status()['control_socket']) as tor:
        recorder.onion = tor.add_onion(*recorder.ports()) + '.onion'
        yield recorder
    recorder.stop()


def test_whoever_has_another_key_hears_nothing_of_a_message(running, recorder, subject):
    """A server that writes down every octet: neither on 465 nor on 25, with TLS or without, is there a MAIL."""
    alice, a = running.alice, running.a
    wrong = f'dave@{other_letter(recorder.fingerprint, 0)[:20]}.{recorder.onion}'
    with alice.mailbox() as mailbox:
        for speaks_smtorp, offers_starttls in ((True, True), (False, True), (False, False)):
            recorder.alpn, recorder.offers_starttls = 'smtorp/1' if speaks_smtorp else None, offers_starttls
            name = f'{subject} {speaks_smtorp} {offers_starttls}'
            before = len(recorder.sessions)
            send(alice, [wrong], name)
            report = ' '.join(bounce_about(mailbox, name).as_string().split())
            assert 'Nothing was sent' in report and 'in between' in report
            assert len(recorder.sessions) > before, 'it has been asked'
            a.cli('peer', 'forget', recorder.onion, check=False)
            a.kill_role('smtp', 'alice')
    said = recorder.said()
    assert b'EHLO' in said, 'port 25 has been tried'
    assert b'MAIL' not in said and b'RCPT' not in said and b'dave' not in said and b'secret' not in said
    assert peer(alice, recorder.onion) is None, 'a key that is not the one is not trusted on first use'


def test_no_server_without_the_pinned_key_gets_anything(running, recorder, work, subject):
    """Pinned on 465; then somebody answers on 25 without TLS, then somebody with another key, then the right one again."""
    alice, a = running.alice, running.a
    address = f'dave@{recorder.onion}'
    send(alice, [address], f'{subject} pinned')
    until(lambda: b'BDAT' in recorder.said(), TOR_PATIENCE_S, 'the message')
    until(lambda: not row_for(alice, recorder.onion), 30, 'the queue to be empty', log=a.waiting)
    assert peer(alice, recorder.onion)['fingerprint'] == recorder.fingerprint
    recorder.alpn, recorder.offers_starttls = None, False
    a.kill_role('smtp', 'alice')
    begin = len(recorder.said())
    send(alice, [address], f'{subject} downgraded')
    until(held(alice, recorder.onion), TOR_PATIENCE_S, 'it to be held', log=a.waiting)
    known = peer(alice, recorder.onion)
    assert known['state'] == 'changed' and known['shown'] is None
    assert 'no key at all' in a.cli('peer', 'show', recorder.onion).stdout
    nothing = a.cli('peer', 'accept', recorder.onion, check=False)
    assert nothing.returncode == 1 and 'no key at all' in nothing.stderr
    assert b'MAIL' not in recorder.said()[begin:]
    # or who has another key
    recorder.pem, other = certificate(work, 'other')
    recorder.alpn = 'smtorp/1'
    a.cli('queue', 'retry', '--all')
    until(lambda: peer(alice, recorder.onion)['shown'] == other, TOR_PATIENCE_S, 'the other key to be seen')
    assert b'MAIL' not in recorder.said()[begin:]
    # when the right one is back, the mail goes by itself
    recorder.pem = work / 'recorder.pem'
    a.cli('queue', 'retry', '--all')
    until(lambda: not row_for(alice, recorder.onion), TOR_PATIENCE_S, 'the queue to be empty', log=a.waiting)
    assert b'MAIL' in recorder.said()[begin:]
    known = peer(alice, recorder.onion)
    assert known['state'] == 'pinned' and known['fingerprint'] == recorder.fingerprint
