# SPDX-License-Identifier: ISC
"""Every file of doc/spec/vectors against a second implementation, which was written from the text of doc/spec alone (second/). With one
bit of one octet changed, nothing of what is signed holds any more."""
import base64
import hashlib
import pathlib
import re

import pytest

from second import cards, curve, leaving, names, notices, proof

VECTORS = pathlib.Path(__file__).resolve().parents[2] / 'doc' / 'spec' / 'vectors'
SEEDS = [bytes([n]) * 32 for n in range(4)]
ALICE, BOB, RECOVERY = map(curve.public_key, SEEDS[1:])
ONION, OTHER = names.name_of(ALICE), names.name_of(BOB)
NOTICES = ['move', 'move-recovery', 'revoke-key', 'revoke-onion']


def lines(name, separator=None):
    for line in (VECTORS / name).read_text().splitlines():
        if line and not line.startswith('#'):
            yield line.split(separator)


def crlf(name):
    return re.sub(b'\r?\n', b'\r\n', (VECTORS / name).read_bytes())


def refused(reader, *given):
    with pytest.raises(names.Refused):
        reader(*given)


def changed(octets, places=40):
    """The octets with bit 0 of one changed, at places that lie evenly, and with the last one left out."""
    for at in range(0, len(octets), max(1, len(octets) // places)):
        yield at, octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]
    yield len(octets) - 1, octets[:-1]


def octets_of(text):
    return re.sub(rb'\\x(..)', lambda code: bytes.fromhex(code[1].decode()), text.encode())


def test_onion_names():
    for kind, letters, meant in lines('onion-names.txt'):
        if kind == 'valid':
            assert names.key_of(letters).hex() == meant and names.name_of(bytes.fromhex(meant)) == letters.lower()
            for at in range(56):
                refused(names.key_of, letters[:at] + ('b' if letters[at].lower() != 'b' else 'c') + letters[at + 1:])
        else:
            with pytest.raises(names.Refused) as reason:
                names.key_of(letters)
            assert str(reason.value) == meant, letters


def test_addresses():
    for kind, text, *meant in lines('addresses.txt', '\t'):
        if kind == 'valid':
            local, label, onion = names.address(octets_of(text))
            assert [local.encode(), label or '-', onion + '.onion'] == [octets_of(meant[0]), *meant[1:]]
        else:
            with pytest.raises(names.Refused) as reason:
                names.address(octets_of(text))
            assert str(reason.value) == meant[0], text


def test_fingerprints():
    for kind, first, second, *fits in lines('fingerprints.txt', '\t'):
        if kind == 'label':
            assert names.fits(first, second) == (fits == ['yes']), first
        else:
            certificate = base64.b64decode(first)
            assert names.fingerprint_of(certificate) == second
            key = certificate.find(b'\x03\x21\x00') if b'\x03\x21\x00' in certificate else certificate.find(b'\x03\x42\x00')
            if key > 0:
                assert names.fingerprint_of(certificate[:key + 9] + b'?' + certificate[key + 10:]) != second


def test_contexts():
    for which, meant in lines('contexts.txt'):
        text = proof.session_text(ALICE, BOB, SEEDS[3]) if which == 'session' else proof.text_of(proof.CONTEXTS[int(which)], SEEDS[3])
        assert curve.sign(SEEDS[1], text).hex().upper() == meant
        assert curve.verify(ALICE, text, bytes.fromhex(meant))
        for _, wrong in changed(bytes.fromhex(meant), 8):
            assert not curve.verify(ALICE, text, wrong)
        for _, wrong in changed(text, 8):
            assert not curve.verify(ALICE, wrong, bytes.fromhex(meant))


def test_session_proof():
    [[response]] = lines('session-proof.txt')
    assert proof.session_key(response, BOB, SEEDS[3]) == ALICE
    refused(proof.session_key, response, ALICE, SEEDS[3])
    refused(proof.session_key, response, BOB, SEEDS[2])
    for _, wrong in changed(response.encode()):
        refused(proof.session_key, wrong.decode(), BOB, SEEDS[3])


def test_signed_message():
    message = crlf('signed-message.eml')
    assert proof.sender(message, OTHER) == f'alice@{ONION}.onion'.encode()
    refused(proof.sender, message, ONION)
    for added in (b'Subject: x', b'Reply-To: x', b'CONTENT-ID: x', b'Autocrypt-Gossip: x', b'List-Post: x', b'Mail-Followup-To: x'):
        refused(proof.sender, message.replace(b'\r\n\r\n', b'\r\n' + added + b'\r\n\r\n', 1), OTHER)
    for same in (message.replace(b'X-Other: a', b'X-Other: b'), message.replace(b'Subject: dinner', b'SUBJECT:\tdinner '),
                 message.replace(b'Dinner at eight?', b'Dinner  at\teight? ') + b'\r\n'):
        assert same != message and proof.sender(same, OTHER)
    other = message.index(b'X-Other')
    for at, wrong in changed(message, 50):
        if not other <= at < other + len('X-Other: a') and wrong != message[:-1]:
            refused(proof.sender, wrong, OTHER)


def test_from_is_read_in_one_way_only():
    for text in (b'a@x', b'<a@x>', b' (c) a@x ', b'a @ x', b',a@x,', b'x "y@z" <a@x>', b'"\\"@b" <a@x>', b'(\\)@b) a@x', b'a@(c)x', b'B. C <a@x >\r\n (c(d))'):
        assert proof.only_address(text) == b'a@x', text
    for text in (b'', b'a', b'<>', b'a@x, b@x', b'a@x <b@x>', b'a@x b', b'a b@x', b'b<a@x>c', b'<a@x', b'a@x>', b'a@x <>', b'g: a@x;', b'<@y:a@x>', b'a@x.', b'<a@x.>',
                 b'"b <a@x>', b'(b <a@x>', b'b) <a@x>', b'a@[x]', b'a@x\x0c', b'a\\@x'):
        refused(proof.only_address, text)


def test_signed_message_is_made_again():
    """Nothing is drawn: who folds the field in the same way makes the same octets."""
    message = crlf('signed-message.eml')
    fields, body = proof.split(message)
    tags = proof.tags_of(fields[0][1].decode())
    covered = proof.what_is_signed(fields, 0, [name.strip().lower() for name in tags['h'].split(':')])
    assert proof.base64_of(tags['b'], 64) == curve.sign(SEEDS[1], hashlib.sha256(covered).digest())


def signed_card(card, line):
    """A card with one line more, and without those that only fill it up, signed anew."""
    lines = [each for each in re.sub(b'\r\n ', b'', card).split(b'\r\n')[:-3] if not each.startswith(b'X-SMTORP-PADDING')]
    head = b''.join(each + b'\r\n' for each in [*lines, line])
    signature = curve.sign(SEEDS[1], proof.text_of('card', hashlib.sha256(head).digest()))
    return head + b'X-SMTORP-SIGNATURE:' + base64.b64encode(signature) + b'\r\nEND:VCARD\r\n'


@pytest.mark.parametrize('kind', ['personal', 'onion'])
def test_cards(kind):
    card = crlf(f'card-{kind}.vcf')
    read = cards.read(card)
    assert read['X-SMTORP-ONION'] == ONION + '.onion' and read['X-SMTORP-SEQUENCE'] == '7' and read['REV'] == '20261122T000000Z'
    assert names.from_base64(read['KEY'].partition(',')[2]) == b'\2' * 64
    if kind == 'personal':
        assert read['FN'] == 'Alice, of the River; Élise \\o/ who has a name that is long enough to be folded — —'
        assert read['EMAIL'] == f'alice@{ONION}.onion'
    else:
        assert len(card) == 8192 and 'EMAIL' not in read and read['FN'] == ONION + '.onion'
    assert cards.read(card.replace(b'\r\n', b'\n')) == read
    assert cards.read(re.sub(b'\r\n ', b'', card)) == read
    refused(cards.read, card.replace(b'END:VCARD', b'X-LATE:1\r\nEND:VCARD'))
    refused(cards.read, card.replace(b'REV:', b'REV;X=1:'))
    refused(cards.read, card + b'X:1\r\n')
    refused(cards.read, card.replace(b'END:VCARD\r\n', b''))
    refused(cards.read, card.replace(b'REV:', b'X:\xe2\x80\xae\r\nREV:'))
    for same in (card[:-2], card.replace(b'END:VCARD', b'end:vcard')):
        assert cards.read(same) == read
    for other in (card.replace(b'VERSION:4.0\r\n', b''), card.replace(b'\r\nREV', b'\r\n\r\nREV'), card.replace(b'\r\nREV', b'\r\n \r\nREV')):
        refused(cards.read, other)
    for line in (b'x.y.FN:z', b'END;X=1:VCARD', b'x.BEGIN:VCARD', b'FN;X=1:z'):  # refused for what they are: the signature fits
        refused(cards.read, signed_card(card, line))
    assert cards.read(signed_card(card, b'x.NOTE;X=1:z')) | {'X-SMTORP-SIGNATURE': ''} == read | {'X-SMTORP-SIGNATURE': ''}
    for _, wrong in changed(card):
        refused(cards.read, wrong)


def test_invitations():
    for secret, inviting, guest, address, meant in lines('invitations.txt'):
        assert cards.invitation(secret, inviting, guest, address) == meant
        assert cards.invitation(secret, guest, inviting, address) != meant
        refused(cards.invitation, secret[:-1] + chr(ord(secret[-1]) ^ 1), inviting, guest, address)
        for which, given in enumerate((inviting, guest, address)):
            for _, wrong in changed(given.encode(), 8):
                parts = [inviting, guest, address]
                parts[which] = wrong.decode()
                assert cards.invitation(secret, *parts) != meant


@pytest.mark.parametrize('kind', NOTICES)
def test_notices(kind):
    notice = crlf(f'notice-{kind}.txt')
    read = notices.read(notice)
    assert read['Onion'] == ONION + '.onion' and read['Day'] == '20261122T000000Z'
    assert read.get('To') == (f'alice@{OTHER}.onion' if 'move' in kind else None)
    assert read.get('Recovery') == (names.to_base32(RECOVERY) if 'Recovery-Signature' in read else None)
    assert notices.read(notice.replace(b'\r\n', b'\n')) == read
    for line in notice.split(b'\r\n')[:-1]:
        refused(notices.read, notice.replace(line + b'\r\n', b'', 1))
        refused(notices.read, notice.replace(line + b'\r\n', 2 * (line + b'\r\n'), 1))
    for _, wrong in changed(notice):
        refused(notices.read, wrong)


def test_recovery_hash():
    [[meant]] = lines('recovery-hash.txt')
    assert notices.recovery_hash(RECOVERY) == meant
    for _, wrong in changed(RECOVERY, 8):
        assert notices.recovery_hash(wrong) != meant


# What was drawn for messages.txt.
NOW = 1795344471
LETTERS = 'abcdefghijklmnopqrstuvwxyz'
BOUNDARIES = ['rii7erw75rgaxowizjwcc45exh', 'vo6dy7cd2re6veu5ayhjghzpt7']
CIDS = {'1@laptop': 'pox234biownllldlya475ey63m', '2@laptop': 'rdtm2dxok7g3uukqr7bjv4eoj7'}


def submitted():
    for text in re.split('^message ', (VECTORS / 'messages.txt').read_text(), flags=re.MULTILINE)[1:]:
        what, *rest = text.splitlines()
        yield pytest.param(*(''.join(line[1:] + '\r\n' for line in rest if line[:1] == sign) for sign in '><'), id=what)


@pytest.mark.parametrize(('given', 'meant'), submitted())
def test_messages_that_leave(given, meant):
    def prepare(message):
        return leaving.Leaving('alice@own.onion', NOW, LETTERS, BOUNDARIES, CIDS).message(message)
    if not meant:  # refused
        refused(prepare, given)
        return
    assert prepare(given) == meant
    assert prepare(meant) == meant


def test_every_file_is_looked_at():
    here = pathlib.Path(__file__).read_text() + 'card-personal.vcf card-onion.vcf' + ' '.join(f'notice-{kind}.txt' for kind in NOTICES)
    assert not [path.name for path in VECTORS.iterdir() if path.name not in here]
