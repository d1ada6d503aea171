# SPDX-License-Identifier: ISC
"""Two copies of an identity on two machines: one of them is published, and the other says that it stands by."""
from harness.imap import TOR_PATIENCE_S
from harness.node import Identity
from harness.programs import swaks


def row_of(status, name):
    row, = (row for row in status['identities'] if row['name'] == name)
    return row


def wait_state(node, name, state):
    """Returns why it is so."""
    status = node.wait_for(lambda status: row_of(status, name)['state'] == state, TOR_PATIENCE_S, f'{name} to be {state}')
    return row_of(status, name)['detail']


def test_the_copy_that_was_published_before_stands_by(running, make_node, subject):
    old = make_node('before', {'tor.watch-copies': '6s'}).start()
    new = make_node('after', {'tor.watch-copies': '6s'}).start()
    dave = old.identity('dave')
    file = old.folder / 'dave.export'
    old.cli('identity', 'export', 'dave', file, '--passphrase-stdin', input='correct horse battery staple\n')
    old.own(file)
    wait_state(old, 'dave', 'published')  # it was away while it was exported
    moved = new.folder / 'dave.export'
    moved.write_bytes(file.read_bytes())
    new.own(moved)
    new.cli('identity', 'import', moved, '--passphrase-stdin', input='correct horse battery staple\n')
    wait_state(new, 'dave', 'published')

    why = wait_state(old, 'dave', 'standby')
    assert 'smtorp identity takeover dave' in why
    swaks(running.alice, [dave.address], '--header', f'Subject: {subject} new')
    dave_anew = Identity(new, {**new.json('identity', 'show', 'dave'), 'password': dave.password})
    with dave_anew.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} new')
        mailbox.wait_for('Two machines run this identity')  # the other one has told it, and nobody is one's own contact
    with dave.mailbox() as mailbox:
        mailbox.wait_for('Two machines run this identity')
    assert not any(dave.address == contact['address'] for node in (old, new) for contact in node.json('contact', 'list', '--identity', 'dave'))

    # It does so also after a restart: starting the machine that was left behind must not take the mail away.
    old.stop()
    old.start()
    wait_state(old, 'dave', 'standby')

    assert old.json('identity', 'takeover', 'dave') == {'identity': 'dave', 'stands_by': False}
    wait_state(old, 'dave', 'published')
    wait_state(new, 'dave', 'standby')
    swaks(running.alice, [dave.address], '--header', f'Subject: {subject} old')
    with dave.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} old')
