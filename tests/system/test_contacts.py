# SPDX-License-Identifier: ISC
"""The address book: what the owner says of people, what comes of their mail, and why a key is trusted."""
import xml.etree.ElementTree as ElementTree

import pytest

from harness.programs import swaks
from harness.terminal import Terminal

OFFLINE = {'tor.extra': 'DisableNetwork 1'}
NOT_FOUND, EXISTS, USAGE = 4, 5, 2


@pytest.fixture(scope='module')
def book(make_node):
    """A node without a network: alice, work, and the addresses of others who are as good as anybody's."""
    node = make_node('book', OFFLINE, tor=False)
    node.start(wait=False)
    for name in ('alice', 'work', 'bob', 'carol'):
        setattr(node, name, node.identity(name, wait=False))
    node.wait_for(lambda status: len(status['identities']) == 4 and all(row['store'] == 'works' for row in status['identities']), 20,
                  'every store')
    yield node
    node.stop()


def of_alice(node, command, *words, **options):
    return node.cli('contact', command, '--identity', 'alice', *words, **options)


def people(node, identity='alice'):
    return {row['address']: row for row in node.json('contact', 'list', '--identity', identity)}


def key_of(identity):
    return identity.node.json('openpgp', 'show', identity.name)['keys'][0]['fingerprint']


def test_people_are_added_shown_edited_and_deleted(book):
    bob = book.bob.address
    said = of_alice(book, 'add', '--name', 'Bob the builder', bob.upper().replace('ONION', 'onion')).stdout
    assert 'address book of alice' in said
    assert of_alice(book, 'add', bob, check=False).returncode == 1  # he is there
    row = book.json('contact', 'show', '--identity', 'alice', bob)
    assert (row['address'], row['name'], row['how'], row['trust'], row['stranger']) == (bob, 'Bob the builder', 'typed', 'known', False)
    assert row['keys'] == row['introductions'] == [] and row['tls'] is None and row['fingerprint'] is None
    assert 'Bob the builder' in of_alice(book, 'list').stdout
    assert book.json('contact', 'show', 'BOB')['id'] == f'alice/{bob}'  # by the part before the @, of whichever identity knows him
    of_alice(book, 'edit', '--name', 'Robert', 'bob the builder')
    assert book.json('contact', 'show', 'robert')['name'] == 'Robert'
    of_alice(book, 'edit', '--name', '', bob)
    assert people(book)[bob]['name'] == ''
    assert of_alice(book, 'delete', bob, check=False).returncode == USAGE  # nobody is there to be asked
    of_alice(book, 'delete', '--yes', bob)
    assert people(book) == {}
    assert of_alice(book, 'show', bob, check=False).returncode == NOT_FOUND


def test_books_of_one_node_know_nothing_of_each_other(book):
    of_alice(book, 'add', book.carol.address)
    assert people(book, 'work') == {}
    assert book.cli('contact', 'add', book.carol.address, check=False).returncode == USAGE  # whose book?
    book.cli('contact', 'add', '--identity', 'work', book.carol.address)
    result = book.cli('contact', 'show', book.carol.address, check=False)
    assert result.returncode == USAGE and 'whom alice knows' in result.stderr and '--identity' in result.stderr
    of_alice(book, 'delete', '--yes', 'carol')
    assert book.carol.address in people(book, 'work')


@pytest.mark.parametrize('words', [('bob@example.com',), ('bob',), ('--name', 'a\nb', 'BOB'), ('--name', 'x' * 129, 'BOB')])
def test_what_is_no_person_is_refused(book, words):
    result = of_alice(book, 'add', *(book.bob.address if word == 'BOB' else word for word in words), check=False)
    assert result.returncode in (1, USAGE) and result.stderr.startswith('smtorp: '), result.stderr
    assert book.bob.address not in people(book)


def test_people_go_out_and_come_in_as_vcards(book):
    """And of what another address book writes, those with an onion's address are taken, with their keys."""
    path = book.folder / 'people.vcf'
    path.write_text(f'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë\\, the first\r\nEMAIL;TYPE=home:zoe@example.com\r\nitem1.EMAIL:{book.bob.address}\r\n'
                    'END:VCARD\r\nBEGIN:VCARD\r\nVERSION:4.0\r\nFN:Nobody\r\nEMAIL:nobody@example.com\r\nEND:VCARD\r\n', newline='')
    result = of_alice(book, 'import', str(path))
    assert '1 person was added' in result.stdout and '1 card was left out' in result.stdout and 'no address of an onion' in result.stderr
    assert people(book)[book.bob.address]['name'] == 'Zoë, the first'
    path.write_text(book.cli('openpgp', 'export', 'bob').stdout)
    result = of_alice(book, 'import', str(path), check=False)
    assert result.returncode == 1 and f'no card in {path}' in result.stderr
    assert f'{path.parent}: cannot read' in of_alice(book, 'import', str(path.parent), check=False).stderr
    assert of_alice(book, 'edit', '--in-person', book.bob.address, check=False).returncode == USAGE
    wrong = book.folder / 'no-key'
    wrong.write_text('no key at all\n' * 100)
    assert of_alice(book, 'edit', '--key', str(wrong), book.bob.address, check=False).stderr.startswith('smtorp: this is no OpenPGP data')
    of_alice(book, 'edit', '--key', str(path), '--in-person', 'bob')
    row = people(book)[book.bob.address]
    assert row['fingerprint'] == key_of(book.bob) and row['trust'] == 'verified' and row['keys'][0]['how'] == 'in-person'
    path.write_text(of_alice(book, 'export').stdout)
    assert of_alice(book, 'export', 'bob').stdout == path.read_text()
    counts = book.json('contact', 'import', '--identity', 'work', str(path))
    assert (counts['added'], counts['keys'], counts['left_out']) == (1, 1, 0)
    row = people(book, 'work')[book.bob.address]
    assert (row['fingerprint'], row['name'], row['keys'][0]['how']) == (key_of(book.bob), 'Zoë, the first', 'owner')
    assert book.json('contact', 'import', '--identity', 'work', str(path))['known'] == 1
    path.write_text(book.cli('card', 'carol').stdout)
    assert book.json('contact', 'import', '--identity', 'alice', str(path))['added'] == 1
    assert book.json('contact', 'import', '--identity', 'alice', str(path))['known'] == 1
    assert people(book)[book.carol.address]['fingerprint'] == key_of(book.carol)
    for name, who in (('alice', 'bob'), ('alice', 'carol'), ('work', 'bob')):
        book.cli('contact', 'delete', '--identity', name, '--yes', who)


def test_what_is_said_of_encrypting_is_shown_and_a_file_makes_it_only_stricter(book):
    bob, path = book.bob.address, book.folder / 'people.vcf'
    of_alice(book, 'add', bob)
    assert people(book)[bob]['encrypt'] == 'default'
    assert of_alice(book, 'edit', '--encrypt', 'sometimes', bob, check=False).returncode == USAGE
    for word, words, taken in (('prefer', 'if it can be', 'default'), ('never', 'nothing to them is encrypted', 'default'),
                               ('require', 'nothing goes to them without', 'require')):
        assert book.json('contact', 'edit', '--identity', 'alice', '--encrypt', word, bob)['encrypt'] == word
        assert words in of_alice(book, 'show', bob).stdout
        path.write_text(of_alice(book, 'export').stdout)
        assert f'X-SMTORP-ENCRYPT:{word}' in path.read_text()
        result = book.cli('contact', 'import', '--identity', 'work', str(path))
        assert people(book, 'work')[bob]['encrypt'] == taken
        assert (taken == 'default') == (f'smtorp contact edit --identity work --encrypt {word} {bob}' in result.stderr)
        book.cli('contact', 'delete', '--identity', 'work', '--yes', 'bob')
    of_alice(book, 'edit', '--encrypt', 'default', bob)
    assert 'X-SMTORP' not in of_alice(book, 'export').stdout and people(book)[bob]['encrypt'] == 'default'
    of_alice(book, 'delete', '--yes', bob)


def test_carriers_are_kept_in_their_order(book):
    bob, carol, path = book.bob.address, book.carol.address, book.folder / 'people.vcf'
    far = f"dave@{'a' * 56}.onion"
    of_alice(book, 'add', bob)
    of_alice(book, 'add', '--name', 'Carol', carol)
    assert people(book)[bob]['carriers'] == []
    for wrong in (far, f'{carol},{bob}', 'nobody', 'dave@example.com', f'{carol},{far}'):
        result = of_alice(book, 'edit', '--carriers', wrong, bob, check=False)
        assert result.returncode != 0 and result.stderr.startswith('smtorp: '), wrong
        assert people(book)[bob]['carriers'] == []
    far = book.json('card', 'work')['address']
    assert book.json('contact', 'edit', '--identity', 'alice', '--carriers', f'{far}, Carol ,{far}', bob)['carriers'] == [far, carol]
    assert far in of_alice(book, 'show', bob).stdout
    path.write_text(of_alice(book, 'export', bob).stdout)
    book.cli('contact', 'import', '--identity', 'work', str(path))
    assert people(book, 'work')[bob]['carriers'] == [far, carol]
    assert book.json('contact', 'edit', '--identity', 'alice', '--carriers', 'none', bob)['carriers'] == []
    book.cli('contact', 'delete', '--identity', 'work', '--yes', 'bob')
    for who in ('bob', 'carol'):
        of_alice(book, 'delete', '--yes', who)


def test_every_change_says_json(book):
    def change(command, *words):
        return book.json('contact', command, '--identity', 'alice', *words)
    bob, key, file = book.bob.address, key_of(book.bob), book.folder / 'bob.asc'
    file.write_text(book.cli('openpgp', 'export', 'bob').stdout)
    assert change('add', bob)['address'] == bob
    row = change('edit', '--name', 'Robert', '--key', str(file), bob)
    assert (row['name'], row['fingerprint'], row['trust']) == ('Robert', key, 'known')
    assert change('verify', 'robert', key)['trust'] == 'verified'
    row = change('refuse', bob, key)
    assert row['fingerprint'] is None and row['keys'][0]['state'] == 'refused'
    assert change('accept', bob, key)['keys'][0]['state'] == 'counts'
    assert change('delete', '--yes', bob) == {'identity': 'alice', 'deleted': bob}


def test_a_graph_of_nobody_is_a_graph(book):
    assert of_alice(book, 'graph').stdout.startswith('digraph')
    ElementTree.fromstring(of_alice(book, 'graph', '--format', 'svg').stdout)
    assert of_alice(book, 'graph', '--format', 'png', check=False).returncode == USAGE


def write(sender, recipient, subject):
    """Until it is in the mailbox. Returns the message."""
    swaks(sender, [recipient.address], '--header', f'Subject: {subject}', '--body', 'hello')
    with recipient.mailbox() as mailbox:
        return mailbox.message(mailbox.wait_for(subject))


def test_a_key_that_was_verified_is_not_replaced(running, subject):
    """Whoever wrote is a stranger with a key; verified, another key of theirs is held; and the owner decides."""
    alice, stella = running.alice, running.b.identity('stella')
    write(stella, alice, f'{subject} first')
    row = running.a.json('contact', 'show', '--identity', 'alice', stella.address)
    first = key_of(stella)
    assert row['stranger'] and row['how'] == 'wrote-first' and row['fingerprint'] == first and row['keys'][0]['how'] == 'signed'
    assert stella.address not in people(running.a)
    assert stella.address in of_alice(running.a, 'list', '--strangers').stdout
    why = ' '.join(of_alice(running.a, 'why', stella.address).stdout.split())
    assert 'wrote to you first' in why and 'a stranger' in why and 'Nobody has verified it' in why

    of_alice(running.a, 'add', '--name', 'Stella', stella.address)
    assert of_alice(running.a, 'verify', 'Stella', check=False).returncode == USAGE  # nobody is there to be asked
    assert of_alice(running.a, 'verify', 'Stella', '0' * 40, check=False).returncode == NOT_FOUND
    with Terminal(running.a, 'contact', 'verify', '--identity', 'alice', 'stella') as terminal:
        terminal.expect(' '.join(first[at:at + 4] for at in range(0, 40, 4)))
        terminal.answer("Type 'yes'", 'yes')
        terminal.expect('is verified')
    row = people(running.a)[stella.address]
    assert row['trust'] == 'verified' and row['name'] == 'Stella' and row['how'] == 'wrote-first'

    stella.node.cli('openpgp', 'rotate', 'stella')
    second = key_of(stella)
    write(stella, alice, f'{subject} second')
    row = people(running.a)[stella.address]
    assert row['fingerprint'] == first and row['held'] == 1
    assert [(key['fingerprint'], key['state']) for key in row['keys']] == [(first, 'counts'), (second, 'held')]
    with alice.mailbox() as mailbox:
        notice = mailbox.message(mailbox.wait_for(f'A key is held: somebody at {stella.onion[:12]}... shows another one', 20))
        assert f'Stella ({stella.address})' in notice.get_content() and f'contact accept {stella.address} {second}' in notice.get_content()
    assert 'HELD' in of_alice(running.a, 'why', 'stella').stdout and 'key is held' in of_alice(running.a, 'list').stdout
    of_alice(running.a, 'refuse', 'stella')
    assert people(running.a)[stella.address]['keys'][1]['state'] == 'refused'
    of_alice(running.a, 'accept', 'stella', ' '.join(second[at:at + 4].lower() for at in range(0, 40, 4)))
    row = running.a.json('contact', 'show', 'stella')
    assert row['fingerprint'] == second and row['keys'][0]['state'] == 'former' and row['verified']
    assert '[label="Stella' in of_alice(running.a, 'graph').stdout
    assert row['tls'] is None  # nobody has written to them


def meet(owner, person, path):
    """owner takes in the card of person, as from a file that they were given."""
    path.write_text(person.node.cli('card', person.name).stdout)
    owner.node.cli('contact', 'add', '--identity', owner.name, str(path))


def test_friends_introduce_somebody_and_one_who_conflicts_is_shown(running, subject):
    """Two introduce carla, one of them by an ordinary mail with her card; the third has a card of hers with another key."""
    node, alice = running.b, running.alice
    carla, ida, ivan, ilse = (node.identity(name, wait=False) for name in ('carla', 'ida', 'ivan', 'ilse'))
    card = node.folder / 'carla.vcf'
    for friend in (ida, ivan, ilse):
        of_alice(running.a, 'add', '--name', f'My {friend.name}', friend.address)
    for friend in (ida, ivan):
        meet(friend, carla, card)
    first = key_of(carla)
    refused = node.cli('introduce', '--identity', 'ilse', carla.address, '--to', alice.address, check=False)
    assert refused.returncode == NOT_FOUND  # she is nobody whom ilse knows

    # A stranger introduces nobody, and a friend nobody who has not signed the card.
    stranger, forged = node.identity('mallory', wait=False), node.folder / 'forged.vcf'
    forged.write_text(card.read_text().replace('EMAIL:carla@', 'EMAIL:karla@'))
    for sender, path in ((stranger, card), (ida, forged)):
        swaks(sender, [alice.address], '--header', f'Subject: {subject} from {sender.name}', '--body', 'meet her', '--attach-type', 'text/vcard',
              '--attach', f'@{path}')
        with alice.mailbox() as mailbox:
            mailbox.wait_for(f'{subject} from {sender.name}')

    said = node.cli('introduce', '--identity', 'ida', 'carla', '--to', alice.address, '--note', 'She plays the viola.\nWrite to her!').stdout
    assert 'on its way' in said
    with alice.mailbox() as mailbox:
        message = mailbox.message(mailbox.wait_for('An introduction'))
        assert message.get_body().get_content().startswith('She plays the viola.\r\nWrite to her!') or \
            message.get_body().get_content().startswith('She plays the viola.\nWrite to her!')
        assert carla.address in message.get_body().get_content()
        notice = mailbox.message(mailbox.wait_for(f'Somebody at {carla.onion[:12]}... is introduced to you'))
        assert f'My ida ({ida.address})' in notice.get_content() and f'contact accept {carla.address}' in notice.get_content()
        swaks(ivan, [alice.address], '--header', f'Subject: {subject}', '--body', 'meet her', '--attach-type', 'text/vcard', '--attach',
              f'@{card}')
        mailbox.wait_for(subject)
    assert carla.address not in people(running.a)
    waiting = running.a.json('contact', 'list', '--introduced', '--identity', 'alice')
    assert [(row['address'], row['by'], row['fingerprint']) for row in waiting] == [
        (carla.address, ida.address, first), (carla.address, ivan.address, first)]
    assert f'by {ida.address}' in of_alice(running.a, 'list', '--introduced').stdout
    row = running.a.json('contact', 'accept', '--identity', 'alice', 'carla')
    assert (row['how'], row['trust'], row['vouching'], row['fingerprint']) == ('introduced', 'verified', 2, first)

    node.cli('openpgp', 'rotate', 'carla')
    meet(ilse, carla, card)
    node.cli('introduce', '--identity', 'ilse', 'carla', '--to', alice.address)
    with alice.mailbox() as mailbox:
        notice = mailbox.message(mailbox.wait_for(f'A key is held: somebody at {carla.onion[:12]}... shows another one'))
        assert ilse.address in notice.get_content()
    row = running.a.json('contact', 'show', '--identity', 'alice', 'carla')
    assert row['fingerprint'] == first and row['held'] == 1
    assert [(key['fingerprint'], key['state'], key['by']) for key in row['keys']] == [
        (first, 'counts', ida.address), (key_of(carla), 'held', ilse.address)]
    why = ' '.join(of_alice(running.a, 'why', 'carla').stdout.split())
    assert f'introduced by My ida ({ida.address}), and you accepted' in why and 'Introducers of different onions agree' in why
    assert f'from My ilse ({ilse.address}), who introduced them. My ilse' in why
    graph = of_alice(running.a, 'graph').stdout
    assert graph.count('conflicting') == 1 and graph.count('fontcolor="#c62828"') == 1
    ElementTree.fromstring(of_alice(running.a, 'graph', '--format', 'svg').stdout)
    # and she can be introduced further on, with what she has signed herself
    assert 'on its way' in running.a.cli('introduce', '--identity', 'alice', 'carla', '--to', 'My ivan').stdout
