# SPDX-License-Identifier: ISC
"""A damaged database: whose it is, is said; it is left as it is; others run; and there is a way out."""
import contextlib
import fcntl
import os
import re
import sqlite3

import pytest

from harness import account
from harness.waiting import until

OFFLINE = {'tor.extra': 'DisableNetwork 1'}
DATABASE_DAMAGED = 12


def junk(path):
    size = path.stat().st_size
    with open(path, 'r+b') as file:
        file.write(os.urandom(size))


def cut(path):
    os.truncate(path, 5000)


def header(path):
    with open(path, 'r+b') as file:
        file.write(os.urandom(100))


def middle(path):
    with open(path, 'r+b') as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(os.urandom(4096))


def wal(path):
    """What was written since the last checkpoint: without its header nobody knows what it holds."""
    with open(f'{path}-wal', 'wb') as file:
        file.write(os.urandom(40000))
    account.own(f'{path}-wal')


def node_with(make_node, name, *identities):
    """Stopped, with mail in each."""
    node = make_node(name, OFFLINE, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    made = {}
    for identity in identities:
        made[identity] = node.identity(identity, wait=False)
        node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
        send(node, made[identity].address, f'mail of {identity}')
        with made[identity].mailbox() as mailbox:
            mailbox.wait_for(f'mail of {identity}')
    node.stop()
    return node, made


def send(node, address, subject, to=None, **options):
    return node.run('smtorp-sendmail', '-f', address, to or address,
                    input=f'From: {address}\nTo: {to or address}\nSubject: {subject}\n\ntext\n', **options)


@pytest.mark.parametrize('damage', [junk, cut, os.unlink])
@pytest.mark.parametrize('command', [['smtorpd'], ['smtorp', 'up']])
def test_a_node_with_nothing_else_ends_with_a_status_of_its_own(make_node, command, damage):
    node, made = node_with(make_node, f'only-{damage.__name__}-{command[0]}', 'zoe')
    database = made['zoe'].mail / 'mail.db'
    damage(database)
    before = database.read_bytes() if database.exists() else None
    result = node.run(*command, check=False, timeout=30)
    assert result.returncode == DATABASE_DAMAGED, result.stderr
    lines = [line for line in result.stderr.splitlines() if ' error ' in line]
    assert len(lines) == 1 and 'mail.db' in lines[0] and 'identity repair' in lines[0], result.stderr
    if command == ['smtorp', 'up']:  # the log hides names
        assert 'the database of zoe is damaged' in result.stderr and 'identity repair zoe' in result.stderr
    assert (database.read_bytes() if database.exists() else None) == before


def test_however_a_database_is_damaged_it_is_said_and_left_as_it_is(make_node):
    node, made = node_with(make_node, 'damages', 'zoe')
    database = made['zoe'].mail / 'mail.db'
    whole = database.read_bytes()
    for damage in (header, middle, wal):
        damage(database)
        before = {path: path.read_bytes() for path in database.parent.glob('mail.db*')}
        result = node.run('smtorpd', check=False, timeout=30)
        assert result.returncode == DATABASE_DAMAGED, (damage, result.stderr)
        assert 'mail.db' in result.stderr and 'identity repair' in result.stderr, result.stderr
        assert {path: path.read_bytes() for path in before} == before, damage
        for path in database.parent.glob('mail.db-*'):
            path.unlink()
        database.write_bytes(whole)
    node.start(wait=False)
    node.wait_for(lambda status: status['identities'][0]['store'] == 'works', 20, 'the store')
    node.stop()


def records(segment):
    """Where they begin in the bytes of a part of the journal."""
    return [match.start() for match in re.finditer(b'JREC', segment)]


def test_a_damaged_journal_is_said_and_kept_and_mail_goes_on(make_node):
    """And a repair with a whole database touches neither it nor the queue."""
    node, made = node_with(make_node, 'journal', 'zoe', 'yve')
    zoe = made['zoe']
    node.start(wait=False)
    node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    send(node, zoe.address, 'on its way', to=f'bob@{made["yve"].onion}')
    until(lambda: len(node.json('queue', 'list')) == 1, 20, 'the queue')
    node.kill()
    segment = max(zoe.mail.glob('journal/*'))
    whole = segment.read_bytes()
    segment.write_bytes(b'x' * 24 + whole[24:])
    node.start(wait=False)
    status = node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    trouble = {row['name']: row['trouble'] for row in status['identities']}
    assert 'journal was damaged' in trouble['zoe'] and 'identity repair' in trouble['zoe'] and not trouble['yve']
    assert 'journal was damaged' in node.cli('status').stdout
    aside = segment.with_name(segment.name + '.damaged')
    assert aside.read_bytes() == b'x' * 24 + whole[24:]
    send(node, zoe.address, 'all the same')
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    with zoe.mailbox() as mailbox:
        mailbox.wait_for('all the same')

    said = node.cli('identity', 'repair', 'zoe', '--yes').stdout
    assert 'is whole' in said and 'Recovered' in said, said
    assert not aside.exists() and next(zoe.mail.glob('damaged-*')).joinpath(aside.name).exists()
    status = node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    assert not any(row['trouble'] for row in status['identities'])
    assert len(node.json('queue', 'list')) == 1
    node.stop()


def test_damage_in_what_was_written_last_is_no_torn_tail(make_node):
    """What follows the damaged record says that it was durable."""
    node, made = node_with(make_node, 'last', 'zoe')
    zoe = made['zoe']
    node.start(wait=False)
    node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'the store')
    for number in range(3):
        send(node, zoe.address, f'number {number}')
    node.kill()
    with contextlib.closing(sqlite3.connect(zoe.mail / 'mail.db')) as database, database:
        database.execute('UPDATE state SET consumed = 1')  # as if the power had failed before anything was processed
    segment = max(zoe.mail.glob('journal/*'))
    data = bytearray(segment.read_bytes())
    start = next(at for at, end in zip(records(data), [*records(data)[1:], len(data)]) if b'number 1' in data[at:end])
    data[start + 80:start + 96] = b'x' * 16
    segment.write_bytes(data)
    node.start(wait=False)
    node.wait_for(lambda status: 'journal was damaged' in status['identities'][0]['trouble'], 20, 'the damage to be told')
    assert segment.with_name(segment.name + '.damaged').read_bytes() == bytes(data)
    assert node.json('identity', 'repair', 'zoe', '--yes')['whole']
    node.wait_for(lambda status: status['identities'][0]['store'] == 'works', 20, 'the store')
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    with zoe.mailbox() as mailbox:
        mailbox.imap.select('Recovered')
        assert 'number 2' in mailbox.subjects()
    node.stop()


def test_what_can_be_read_is_rescued_when_journal_and_database_are_damaged(make_node):
    node, made = node_with(make_node, 'both', 'zoe', 'yve')
    zoe = made['zoe']
    node.start(wait=False)
    node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    for number in range(4):
        send(node, zoe.address, f'number {number}', to=f'bob@{made["yve"].onion}')
    until(lambda: len(node.json('queue', 'list')) == 4, 20, 'the queue')
    node.kill()
    junk(zoe.mail / 'mail.db')
    bodies = sorted(zoe.mail.glob('queue/*'))
    bodies[2].unlink()
    bodies[1].unlink()
    segment = max(zoe.mail.glob('journal/*'))
    data = bytearray(segment.read_bytes())
    start = records(data)[-3]  # of four; what waits for a key is encrypted, so nobody sees which it is
    data[start + 80:start + 96] = b'x' * 16
    data[:8] = b'x' * 8
    segment.write_bytes(data)
    said = node.cli('identity', 'repair', 'zoe', '--yes').stdout
    assert 'may be missing' in said, said
    node.start(wait=False)
    node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    with zoe.mailbox() as mailbox:
        mailbox.imap.select('Recovered')
        found = set(mailbox.subjects())
    assert found >= {'number 0', 'number 2', 'number 3'} and 'number 1' not in found
    aside = next(zoe.mail.glob('damaged-*'))
    assert (aside / 'journal' / segment.name).read_bytes() == bytes(data)
    node.stop()


def test_the_other_identities_run_and_status_tells(make_node):
    node, made = node_with(make_node, 'others', 'zoe', 'yve')
    junk(made['zoe'].mail / 'mail.db')
    node.start(wait=False)
    status = node.wait_for(lambda status: {row['store'] for row in status['identities']} == {'damaged', 'works'}, 20, 'both')
    row = next(row for row in status['identities'] if row['store'] == 'damaged')
    assert row['name'] == 'zoe' and 'mail.db' in row['trouble'] and 'identity repair' in row['trouble']
    assert 'the database mail.db is damaged' in node.cli('status').stdout
    assert all(role['restarts'] == 0 for role in status['roles'])
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    send(node, made['yve'].address, 'still here')
    with made['yve'].mailbox() as mailbox:
        mailbox.wait_for('still here')
    with made['zoe'].mailbox() as mailbox:  # what was there can be read
        assert len(mailbox.uids()) == 1
    refused = send(node, made['zoe'].address, 'not now', check=False)
    assert refused.returncode == 75 and '451' in refused.stderr
    node.stop()


def test_nothing_is_repaired_while_a_node_starts_or_stops(make_node):
    node = make_node('starting', OFFLINE, tor=False)
    node.cli('identity', 'new', 'zoe')
    mail = node.home / 'identities' / 'zoe' / 'mail'
    with open(node.home / 'lock', 'w') as lock:
        account.own(node.home / 'lock')
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = node.cli('identity', 'repair', 'zoe', '--yes', check=False)
        assert result.returncode == 1 and 'starting or stopping' in result.stderr, result.stderr
        assert not list(mail.glob('damaged-*'))
    node.cli('identity', 'repair', 'zoe', '--yes')
    assert list(mail.glob('damaged-*'))


def test_a_repair_keeps_everything_and_sends_nothing_by_itself(make_node):
    """What was read stays; what waited is in the mailbox Recovered; the damaged files are kept."""
    node, made = node_with(make_node, 'repair', 'zoe', 'yve')
    zoe = made['zoe']
    node.start(wait=False)
    node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    far = f'bob@{made["yve"].onion}'
    send(node, zoe.address, 'on its way', to=far)
    until(lambda: len(node.json('queue', 'list')) == 1, 20, 'the queue')
    node.kill()
    junk(zoe.mail / 'mail.db')
    damaged = (zoe.mail / 'mail.db').read_bytes()
    node.start(wait=False)
    node.wait_for(lambda status: 'damaged' in [row['store'] for row in status['identities']], 20, 'the damage')

    assert node.cli('identity', 'repair', 'zoe', check=False).returncode == 2  # nobody is there to be asked
    said = node.cli('identity', 'repair', 'zoe', '--yes').stdout
    assert 'Recovered' in said
    aside = next(zoe.mail.glob('damaged-*'))
    assert str(aside) in said and (aside / 'mail.db').read_bytes() == damaged and (aside / 'queue').is_dir()
    node.wait_for(lambda status: all(row['store'] == 'works' for row in status['identities']), 20, 'every store')
    assert node.json('queue', 'list') == []
    node.wait_for(lambda status: 'imap' in status['endpoints'], 20, 'IMAP')
    with zoe.mailbox() as mailbox:
        assert len(mailbox.uids()) == 1
        mailbox.imap.select('Recovered')
        assert 'on its way' in [mailbox.message(uid)['Subject'] for uid in mailbox.uids()]
        assert b'Recovered' in b''.join(mailbox.imap.lsub()[1])
    send(node, zoe.address, 'after the repair')
    with zoe.mailbox() as mailbox:
        mailbox.wait_for('after the repair')
    node.stop()
