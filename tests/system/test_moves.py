# SPDX-License-Identifier: ISC
"""Identities that move or are revoked, while those who know them are offline."""
import re

import pytest

from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.waiting import until


@pytest.fixture(scope='module')
def friends(make_node):
    """Node m, whose identities move; node f with bob, who knows them."""
    class Friends:
        def __init__(self):
            self.m = make_node('moving').start(wait=False)
            self.f = make_node('friends').start()
            self.bob = self.f.identity('bob')
            self.m.wait_for(lambda status: status['tor']['bootstrap'] == 100, TOR_PATIENCE_S, 'tor to bootstrap')

        def make(self, *names):
            made = [self.m.identity(name, wait=False) for name in names]
            self.m.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), TOR_PATIENCE_S,
                            'the identities to be published')
            return made

        def become_known(self, identity, subject):
            """They write to bob, and bob answers: a contact with an encrypted first message, whose card has named the recovery key."""
            write(self.bob, identity, f'{subject} to {identity.name}')
            write(identity, self.bob, f'{subject} from {identity.name}')

        def while_bob_is_offline(self, identity, *words):
            self.f.stop()
            told = self.m.json('identity', *words, '--yes')
            assert told['told'] == 1 and told['onion'] == identity.onion
            self.f.start()
            self.f.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), TOR_PATIENCE_S, 'bob to be published')
            self.m.cli('queue', 'retry', '--identity', identity.name, check=False)
            return told
    made = Friends()
    yield made
    made.m.stop()
    made.f.stop()


def write(sender, recipient, subject, at=None):
    swaks(sender, [at or recipient.address], '--header', f'Subject: {subject}', '--body', 'hello')
    with recipient.mailbox() as mailbox:
        return mailbox.message(mailbox.wait_for(subject))


def contact(friends, identity):
    return friends.f.json('contact', 'show', '--identity', 'bob', identity.address)


def move_of(friends, identity, state):
    def look():
        move = contact(friends, identity)['move']
        return move if move is not None and move['state'] == state else None
    return until(look, TOR_PATIENCE_S, f'the contact to be {state}')


def told_by_mail(friends, words):
    with friends.bob.mailbox() as mailbox:
        return mailbox.message(mailbox.wait_for(words)).get_content()


def recovery_lines(node, name, sheet):
    """A file with what a sheet has of the recovery key."""
    path = node.folder / name
    path.write_text('\n'.join(re.findall(r'^ +[AB]: .*$', sheet, re.M)))
    node.own(path)
    return path


def test_a_move_is_followed_or_shown(friends, subject):
    carol, dave, new_carol, new_dave = friends.make('carol', 'dave', 'carol-new', 'dave-new')
    sheet = friends.m.cli('identity', 'sheet', 'carol').stdout
    for name in ('carol', 'dave'):
        friends.become_known({'carol': carol, 'dave': dave}[name], subject)
    of_dave = friends.m.cli('identity', 'sheet', 'dave').stdout  # and it is lost
    wrong, lines = (recovery_lines(friends.m, name, text) for name, text in (('wrong', of_dave), ('lines', sheet)))
    result = friends.m.cli('identity', 'move', 'carol', '--to', 'carol-new', '--recovery', str(wrong), '--yes', check=False)
    assert result.returncode == 1 and "another identity's" in result.stderr, result.stderr
    told = friends.while_bob_is_offline(carol, 'move', 'carol', '--to', 'carol-new', '--recovery', str(lines))
    assert told['recovery'] is True and told['notice'].startswith('SMTorP notice 1\r\nKind: move\r\n')
    told = friends.m.json('identity', 'move', 'dave', '--to', 'dave-new', '--yes')
    assert told['recovery'] is False and told['told'] == 1

    assert move_of(friends, carol, 'moved')['to'] == new_carol.address
    assert new_carol.address in told_by_mail(friends, f'{carol.onion[:12]}... has moved')
    write(friends.bob, new_carol, f'{subject} after', at=carol.address)  # to the old address
    assert 'MOVED' in friends.f.cli('contact', 'why', '--identity', 'bob', carol.address).stdout

    assert move_of(friends, dave, 'held')['to'] == new_dave.address
    assert f'smtorp contact follow {dave.address} {new_dave.address}' in told_by_mail(friends, f'{dave.onion[:12]}... says that it moved: you decide')
    write(friends.bob, dave, f'{subject} still here')
    friends.f.cli('contact', 'follow', '--identity', 'bob', dave.address, new_dave.address)
    write(friends.bob, new_dave, f'{subject} there', at=dave.address)


def test_a_revoked_onion_gets_nothing(friends, subject):
    erin, new_erin = friends.make('erin', 'erin-new')
    friends.become_known(erin, subject)
    friends.m.cli('identity', 'private', 'erin')  # bob cannot find her, but she him
    friends.f.stop()
    friends.f.start()
    swaks(friends.bob, [erin.address], '--header', f'Subject: {subject} too late')
    friends.while_bob_is_offline(erin, 'move', 'erin', '--to', 'erin-new')
    assert move_of(friends, erin, 'moved')['to'] == new_erin.address
    friends.while_bob_is_offline(erin, 'revoke', 'erin', '--onion')
    move_of(friends, erin, 'revoked')
    told_by_mail(friends, f'{erin.onion[:12]}... is revoked')
    with friends.bob.mailbox() as mailbox:  # what waited for her is given up
        bounce = mailbox.message(mailbox.wait_for('Your message could not be delivered'))
    assert 'this address is revoked by its owner' in bounce.as_string() and erin.onion in bounce.as_string()
    assert not [row for row in friends.f.json('queue', 'list', '--identity', 'bob') if erin.onion in str(row)]
    result = swaks(friends.bob, [erin.address], '--header', f'Subject: {subject} never', check=False)
    assert result.returncode != 0 and 'is revoked by its owner' in result.stdout + (result.stderr or '')
    friends.m.json('identity', 'move', 'erin', '--to', 'erin-new', '--yes')  # later, and by the recovery key
    write(erin, friends.bob, f'{subject} behind it')
    assert contact(friends, erin)['move']['state'] == 'revoked'


def test_a_revoked_key_is_not_used(friends, subject):
    frank, = friends.make('frank')
    friends.become_known(frank, subject)
    before = contact(friends, frank)['fingerprint']
    assert before
    told = friends.while_bob_is_offline(frank, 'revoke', 'frank', '--openpgp')
    assert 'BEGIN PGP PUBLIC KEY BLOCK' in told['certificate']

    def look():
        return {key['fingerprint']: key['state'] for key in contact(friends, frank)['keys']}.get(before) == 'revoked'
    until(look, TOR_PATIENCE_S, 'the key to be revoked')
    assert contact(friends, frank)['fingerprint'] not in (None, before)  # the new one came with the notice
    write(friends.bob, frank, f'{subject} after')
