# SPDX-License-Identifier: ISC
"""Private identities: who has a key finds them, and nobody else, not even another identity of the same node."""
import pytest

from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.waiting import until


def send(identity, recipient, subject):
    swaks(identity, [recipient.address], '--header', f'Subject: {subject}')


def rows(identity, onion):
    return [row for row in identity.node.json('queue', 'list', '--identity', identity.name) if row['onion'] == onion]


def wait_refused(identity, onion, tries=1):
    """Until it was tried so often, and tor wanted a key. Returns how often it was tried."""
    def look():
        refused = [row['tries'] for row in rows(identity, onion) if row['reason'] == 'authorization' and row['tries'] >= tries]
        return refused[0] if refused else None
    return until(look, TOR_PATIENCE_S, f'{identity.name} to be told that it needs a key', log=lambda: rows(identity, onion))


def access(identity):
    return identity.node.json('contact', 'access', '--identity', identity.name)


def retry(identity):
    identity.node.cli('queue', 'retry', '--all', '--identity', identity.name)


@pytest.fixture(scope='module')
def quiet(pair):
    """Private from its first moment on."""
    identity = pair.b.identity('quiet', wait=False)
    assert pair.b.json('identity', 'private', 'quiet') == {'identity': 'quiet', 'private': True, 'granted': [], 'keys': []}
    pair.b.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), 60, 'it to be published')
    yield identity
    pair.b.cli('identity', 'delete', '--yes', 'quiet')


def test_found_only_by_those_with_a_key(running, quiet, subject):
    alice, work = running.alice, running.work
    send(alice, quiet, f'{subject} alice')
    send(work, quiet, f'{subject} work')
    wait_refused(alice, quiet.onion)
    tried = wait_refused(work, quiet.onion)

    assert 'no more' not in quiet.node.cli('contact', 'grant', '--identity', 'quiet', alice.address).stderr
    assert 'no more' in quiet.node.cli('contact', 'grant', '--identity', 'quiet', alice.address).stderr
    granted = quiet.node.json('contact', 'grant', '--identity', 'quiet', alice.address)
    assert granted['key'].startswith(quiet.onion.removesuffix('.onion') + ':descriptor:x25519:')
    assert access(quiet) == {'identity': 'quiet', 'private': True, 'granted': [alice.address], 'keys': []}
    alice.node.cli('contact', 'key', '--identity', alice.name, input=granted['key'] + '\n')
    assert access(alice)['keys'] == [quiet.onion]
    with quiet.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} alice')

    # The key lies in the tor that both use. If work came in by it, quiet would know that alice and work are one.
    retry(work)
    wait_refused(work, quiet.onion, tries=tried + 1)

    # A key that is taken back opens nothing, also to who has been there.
    assert quiet.node.json('contact', 'withdraw', '--identity', 'quiet', alice.address)['granted'] == []
    quiet.node.stop()
    quiet.node.start()
    send(alice, quiet, f'{subject} late')
    wait_refused(alice, quiet.onion)

    quiet.node.cli('identity', 'public', 'quiet')
    assert alice.node.json('contact', 'drop-key', '--identity', alice.name, quiet.address)['keys'] == []
    for sender in (alice, work):
        retry(sender)
    with quiet.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} work')
        mailbox.wait_for(f'{subject} late')


def test_wrong_words_are_explained(running):
    node = running.a
    several = node.cli('contact', 'access', check=False)
    assert several.returncode == 2 and '--identity NAME' in several.stderr
    wrong = node.cli('contact', 'key', '--identity', 'alice', input='hello\n', check=False)
    assert wrong.returncode == 1 and 'smtorp contact grant' in wrong.stderr
    unknown = node.cli('contact', 'withdraw', '--identity', 'alice', 'bob', check=False)
    assert unknown.returncode == 4 and 'bob' in unknown.stderr
