# SPDX-License-Identifier: ISC
"""An identity moves from one machine to another in a file."""
import os
import pty
import re
import select
import signal
import stat
import subprocess
import termios
from pathlib import Path

import pytest

from harness import account
from harness.node import Identity, Node
from harness.programs import swaks
from harness.waiting import until

FAILED, USAGE, NOT_FOUND, EXISTS, WRONG = 1, 2, 4, 5, 20
PASSPHRASE = 'six random words would be better\n'


def export(node, name, path, passphrase=PASSPHRASE, **options):
    return node.cli('identity', 'export', name, str(path), '--passphrase-stdin', input=passphrase, **options)


def take_in(node, path, *more, passphrase=PASSPHRASE, **options):
    return node.cli('identity', 'import', str(path), *more, '--passphrase-stdin', input=passphrase, **options)


def names(node):
    return sorted(path.name for path in (node.home / 'identities').iterdir())


@pytest.fixture(scope='module')
def offline(installation, work):
    """A node that never runs, with alice."""
    node = Node(installation, None, work / 'export')
    node.json('identity', 'new', 'alice')
    return node


def test_an_identity_moves_with_its_address_and_its_mail(running, subject):
    a, b = running.a, running.b
    nomad = a.identity('nomad')
    swaks(running.bob, [nomad.address], '--header', f'Subject: {subject} before')
    with nomad.mailbox() as mailbox:
        uid = mailbox.wait_for(f'{subject} before')
        kind, before = mailbox.imap.uid('fetch', uid, '(INTERNALDATE)')
        mailbox.imap.uid('store', uid, '+FLAGS', '(\\Flagged)')
    swaks(nomad, [running.bob.address], '--header', f'Subject: {subject} out', '--header', 'Message-Id: <out@laptop.example>')
    with running.bob.mailbox() as mailbox:
        out = mailbox.message(mailbox.wait_for(f'{subject} out'))['Message-ID']
    pin = a.json('peer', 'show', f'nomad/{running.bob.onion}')
    path = a.folder / 'nomad.smtorp'
    told = a.json('identity', 'export', 'nomad', str(path), '--passphrase-stdin', input=PASSPHRASE)
    assert told == {'name': 'nomad', 'address': nomad.address, 'file': str(path), 'bytes': path.stat().st_size,
                    'recovery': True}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    for secret in (subject.encode(), nomad.onion.encode(), b'nomad', b'Maildir', b'SQLite', b'PRIVATE KEY'):
        assert secret not in content
    # the running node took it in again
    a.wait_for(lambda status: any(row['name'] == 'nomad' for row in status['identities']), 10, 'nomad to be back')
    assert a.cli('identity', 'delete', 'nomad', '--yes')
    moved = b.json('identity', 'import', str(path), '--passphrase-stdin', '--name', 'settled', input=PASSPHRASE)
    assert moved['address'] == nomad.address and 'password' not in moved
    b.wait_for(lambda status: any(row['name'] == 'settled' and row['state'] == 'published' for row in status['identities']), 60,
               'the moved identity to be published')
    settled = Identity(b, {**moved, 'password': nomad.password})
    assert b.json('peer', 'list', '--identity', 'settled') == [{**pin, 'id': f'settled/{running.bob.onion}', 'identity': 'settled'}]
    with settled.mailbox() as mailbox:
        uid = mailbox.wait_for(f'{subject} before')
        kind, after = mailbox.imap.uid('fetch', uid, '(INTERNALDATE)')
        assert before == after
        assert mailbox.uids('FLAGGED') == [uid]
        swaks(running.bob, [nomad.address], '--header', f'Subject: {subject} after', '--add-header', f'References: {out}')
        # the other machine knows what the id that was seen outside is called inside
        assert mailbox.message(mailbox.wait_for(f'{subject} after'))['References'] == '<out@laptop.example>'
    swaks(settled, [running.alice.address], '--header', f'Subject: {subject} back')
    with running.alice.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} back')
    b.cli('identity', 'delete', 'settled', '--yes')


def test_an_interrupted_export_puts_the_identity_back(running):
    node = running.a
    identity = node.identity('hasty', wait=False)
    ballast = identity.mail / 'ballast'  # so that there is time to interrupt
    with open(ballast, 'wb') as file:
        file.truncate(2 * 1024 ** 3)
    account.own(ballast)

    def is_loaded():
        return any(row['name'] == 'hasty' for row in node.status()['identities'])
    process = subprocess.Popen([node.installation.program('smtorp'), 'identity', 'export', 'hasty', 'half', '--passphrase-stdin'],
                               env=node.environment(), cwd=node.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, **account.popen_arguments())
    process.stdin.write(PASSPHRASE.encode())
    process.stdin.close()
    try:
        until(lambda: not is_loaded(), 20, 'the identity to be let go')
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert is_loaded()
    assert not [path for path in node.folder.iterdir() if 'half' in path.name]
    node.cli('identity', 'delete', 'hasty', '--yes')


def test_a_file_that_cannot_be_used_leaves_nothing_behind(offline, installation, work):
    path = offline.folder / 'alice.smtorp'
    export(offline, 'alice', path)
    other = Node(installation, None, work / 'import')
    other.cli('identity', 'new', 'carol')
    whole = path.read_bytes()
    damaged = other.folder / 'damaged'
    for content, says in ((whole[:-1], 'cut off'), (whole[:70], 'cut off'), (whole + b'x', 'damaged'), (b'', 'no file'),
                          (whole[:200] + b'\0\0\0\0' + whole[204:], 'damaged'), (b'PK' + whole, 'no file')):
        damaged.write_bytes(content)
        result = take_in(other, damaged, check=False)
        assert result.returncode == FAILED and says in result.stderr, result.stderr
        assert names(other) == ['carol']
    result = take_in(other, path, passphrase='another one\n', check=False)
    assert result.returncode == WRONG and 'passphrase is wrong' in result.stderr
    result = take_in(other, path, '--name', 'carol', check=False)
    assert result.returncode == EXISTS and 'carol' in result.stderr
    result = take_in(other, path, '--name', '../carol', check=False)
    assert result.returncode == USAGE
    assert names(other) == ['carol']
    take_in(other, path)
    assert names(other) == ['alice', 'carol']
    result = take_in(other, path, '--name', 'again', check=False)
    assert result.returncode == EXISTS and 'alice has this address' in result.stderr


def test_an_export_replaces_nothing(offline):
    path = offline.folder / 'there'
    path.write_text('mine')
    result = export(offline, 'alice', path, check=False)
    assert result.returncode == EXISTS and path.read_text() == 'mine'
    for name, file, passphrase, status in (('bob', 'x', PASSPHRASE, NOT_FOUND), ('alice', 'no/x', PASSPHRASE, FAILED),
                                           ('alice', 'x', 'short\n', FAILED), ('alice', 'x', '', FAILED)):
        result = export(offline, name, offline.folder / file, passphrase, check=False)
        assert result.returncode == status and result.stderr
    assert offline.cli('identity', 'export', 'alice', 'x', check=False).returncode == USAGE
    assert not [path for path in offline.folder.iterdir() if 'x' == path.name or path.name.startswith('.x')]


def test_no_core_file_has_the_keys(offline):
    words = ['prlimit', '--core=unlimited', '--', offline.installation.program('smtorp'), 'identity', 'export', 'alice', 'dumped', '--passphrase-stdin']
    process = subprocess.Popen(words, env=offline.environment(), cwd=offline.folder, stdin=subprocess.PIPE, **account.popen_arguments())
    try:
        until(lambda: re.search(r'Max core file size +0 +0 ', Path(f'/proc/{process.pid}/limits').read_text()), 20, 'core files to be refused')
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def type_hidden(terminal, prompt, answer):
    """Answers a prompt as a person does: once it is there and typing is not shown any more."""
    shown = b''
    while prompt.encode() not in shown:
        assert select.select([terminal], [], [], 20)[0], f'no prompt {prompt!r} but {shown!r}'
        shown += os.read(terminal, 1000)
    until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, 10, 'typing to be hidden')
    os.write(terminal, answer.encode() + b'\n')


def test_the_passphrase_is_asked_for_twice(offline):
    for second, status in (('correct house', FAILED), ('correct horse', 0)):
        master, slave = pty.openpty()
        process = subprocess.Popen([offline.installation.program('smtorp'), 'identity', 'export', 'alice', 'asked'],
                                   env=offline.environment(), cwd=offline.folder, stdin=slave, stdout=subprocess.DEVNULL,
                                   stderr=slave, **account.popen_arguments())
        try:
            type_hidden(master, 'New passphrase for the file: ', 'correct horse')
            type_hidden(master, 'The same again: ', second)
            assert process.wait(60) == status
        finally:
            process.kill()
            process.wait()
            os.close(slave)
            os.close(master)
        assert (offline.folder / 'asked').exists() == (status == 0)
    result = take_in(offline, 'asked', '--name', 'twice', passphrase='correct horse\n', check=False)
    assert result.returncode == EXISTS and 'alice has this address' in result.stderr  # so it was opened


def test_a_key_that_tor_made_becomes_an_identity(offline, installation, work):
    key = offline.home / 'identities' / 'alice' / 'onion.key'
    other = Node(installation, None, work / 'import-key')
    made = other.json('identity', 'import-key', 'old', '--tor-key', str(key), '--local-part', 'a.lice')
    assert made['onion'] == offline.json('identity', 'show', 'alice')['onion'] and made['password']
    assert made['address'] == f'a.lice@{made["onion"]}'
    for words, status in ((['copy', '--tor-key', str(key)], EXISTS), (['x'], USAGE),
                          (['x', '--tor-key', str(other.home / 'smtorp.conf')], FAILED), (['x', '--tor-key', '/none'], FAILED)):
        result = other.cli('identity', 'import-key', *words, check=False)
        assert result.returncode == status and result.stderr
    assert names(other) == ['old']


def test_the_recovery_key_goes_into_the_first_file_and_stays_there(installation, work):
    node, other = Node(installation, None, work / 'recovery'), Node(installation, None, work / 'recovery-other')
    node.json('identity', 'new', 'alice')
    folder, path = node.home / 'identities' / 'alice', node.folder / 'alice.smtorp'
    key, public = (folder / 'recovery.key').read_bytes(), (folder / 'recovery.pub').read_text()
    assert 'recovery key is in that file, and not on this machine' in export(node, 'alice', path).stdout
    assert not (folder / 'recovery.key').exists() and (folder / 'recovery.pub').read_text() == public
    assert 'recovery key' not in export(node, 'alice', node.folder / 'second.smtorp').stdout
    take_in(other, path)
    taken = other.home / 'identities' / 'alice'
    assert not (taken / 'recovery.key').exists() and (taken / 'recovery.pub').read_text() == public
    assert not any(key in file.read_bytes() for file in taken.rglob('*') if file.is_file())
    result = other.cli('identity', 'recovery', 'alice', check=False)
    assert result.returncode == EXISTS and 'second one' in result.stderr
