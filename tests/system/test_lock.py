# SPDX-License-Identifier: ISC
"""The keys of an identity behind a passphrase: without it nobody publishes the address, and nobody finds them on the disk."""
import base64
import ctypes
import os
import signal
import stat
import struct
import termios

import pytest

from harness import account
from harness.imap import TOR_PATIENCE_S
from harness.node import Identity, Node
from harness.programs import swaks
from harness.terminal import Terminal
from harness.waiting import until

FAILED, USAGE, NOT_RUNNING, WRONG = 1, 2, 3, 20
PASSPHRASE = 'six random words would be better'


def folder_of(node, name):
    return node.home / 'identities' / name


def secrets_of(node, name):
    """What must not be on the disk: the keys, in every form that they could be written in."""
    onion = (folder_of(node, name) / 'onion.key').read_bytes()[32:]
    lines = (folder_of(node, name) / 'tls.key').read_text().splitlines()
    tls = base64.b64decode(''.join(lines[1:-1]))
    openpgp = (folder_of(node, name) / 'openpgp.key').read_bytes()[50:90]
    return [onion[:32], onion[32:], base64.b64encode(onion)[:40], tls, lines[2].encode(), openpgp]


def hold_a_secret(folder, secrets):
    """The files below the folder in which one of the secrets is."""
    found = []
    for top, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(top, file)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, 'rb') as content:
                    data = content.read()
                found += [path for secret in secrets if secret in data]
    return found


def set_passphrase(node, name, *passphrases, **options):
    return node.cli('identity', 'passphrase', name, '--passphrase-stdin', input='\n'.join(passphrases) + '\n', **options)


def unlock(node, name, passphrase=PASSPHRASE, **options):
    return node.cli('unlock', name, '--passphrase-stdin', input=passphrase + '\n', **options)


def state_of(node, name):
    return next((row['state'] for row in node.status()['identities'] if row['name'] == name), None)


def wait_until_published(node, name):
    node.wait_for(lambda status: any(row['name'] == name and row['state'] == 'published' for row in status['identities']), 90,
                  f'{name} to be published')


@pytest.fixture(scope='module')
def offline(installation, work):
    """A node that never runs, with alice."""
    node = Node(installation, None, work / 'lock')
    node.json('identity', 'new', 'alice')
    return node


def test_a_passphrase_keeps_the_keys_and_the_address_from_whoever_has_not_got_it(running, make_node, subject):
    """The whole life of one: set while it runs, locked at start, unlocked, locked, moved."""
    node = make_node('locked')
    made = node.json('identity', 'new', 'vault')
    vault = Identity(node, made)
    secrets = secrets_of(node, 'vault')
    assert hold_a_secret(node.folder, secrets)
    set_passphrase(node, 'vault', PASSPHRASE)
    assert not hold_a_secret(node.folder, secrets)

    # at start it is locked: no role of it runs, tor does not know it, nobody can log in
    node.start()
    assert state_of(node, 'vault') == 'locked'
    assert 'vault (locked: smtorp unlock vault)' in node.cli('status').stdout
    assert 'vault (locked: smtorp unlock vault)' in node.cli('identity', 'list').stdout
    shown = node.json('identity', 'show', 'vault')
    assert shown['state'] == 'locked' and shown['passphrase'] is True
    assert node.role('smtp', 'vault') is None and node.role('mail', 'vault') is None
    assert not (node.home / 'run' / 'onion' / 'vault').exists()
    with pytest.raises(Exception, match='(?i)auth'):
        vault.mailbox()
    listed = node.cli('queue', 'list')
    assert 'vault is left out: it is locked. `smtorp unlock vault`' in listed.stderr
    # (from another node than mail comes from later: a tor that found nothing does not look again for a quarter of an hour)
    swaks(running.alice, [vault.address], '--header', f'Subject: {subject} is not taken')
    until(lambda: [row for row in running.a.json('queue', 'list', '--identity', 'alice')
                   if row['onion'] == vault.onion and row['tries'] > 0 and row['reason'] == 'unknown'], TOR_PATIENCE_S,
          'alice to find nobody')

    # the wrong passphrase
    result = unlock(node, 'vault', 'six random words would be worse', check=False)
    assert result.returncode == WRONG and 'not the passphrase of identity vault' in result.stderr
    assert state_of(node, 'vault') == 'locked'

    # the right one, and the keys are not on the disk all the same
    assert unlock(node, 'vault').returncode == 0
    wait_until_published(node, 'vault')
    assert not hold_a_secret(node.folder, secrets)
    swaks(running.bob, [vault.address], '--header', f'Subject: {subject} comes')
    with vault.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} comes')
    swaks(vault, [running.bob.address], '--header', f'Subject: {subject} back')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} back')

    # roles that are started again get the keys from memory
    smtp = node.role('smtp', 'vault')
    os.kill(smtp['pid'], signal.SIGKILL)
    tor = node.role('tor')
    os.kill(tor['pid'], signal.SIGKILL)
    node.wait_for(lambda status: any(row['role'] == 'smtp' and row['ready'] and row['pid'] != smtp['pid'] and row['pid'] > 0
                                     for row in status['roles']), 30, 'a new smtp role')
    node.wait_for(lambda status: any(row['role'] == 'tor' and row['ready'] and row['pid'] != tor['pid'] and row['pid'] > 0
                                     for row in status['roles']), 60, 'a new tor role')
    wait_until_published(node, 'vault')
    swaks(running.bob, [vault.address], '--header', f'Subject: {subject} again')
    with vault.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} again')

    # and locked while it runs
    assert node.json('lock', 'vault') == {'name': 'vault', 'state': 'locked'}
    assert state_of(node, 'vault') == 'locked' and node.role('smtp', 'vault') is None
    assert node.cli('lock', 'vault').returncode == 0  # it is what was asked for
    # (IMAP's server is started anew without it)
    with pytest.raises(Exception, match='(?i)auth|refused'):
        vault.mailbox()
    result = node.run('smtorp-sendmail', '-f', vault.address, running.bob.address, check=False, input='Subject: later\n\n')
    assert result.returncode == os.EX_TEMPFAIL and 'vault is locked: `smtorp unlock vault`' in result.stderr
    log = node.log.read_text()
    assert PASSPHRASE not in log and 'is locked; `smtorp unlock' in log
    assert node.cli('identity', 'delete', 'vault', '--yes')
    assert node.status()['identities'] == []
    for row in running.a.json('queue', 'list', '--identity', 'alice'):
        if row['onion'] == vault.onion:
            running.a.cli('queue', 'cancel', row['id'])


def key_of(path):
    """What the passphrase and the file's header make."""
    header = path.read_bytes()[:41]
    passes, memory_kib = struct.unpack('<II', header[17:25])
    key, sodium = ctypes.create_string_buffer(32), ctypes.CDLL('libsodium.so.23')
    assert sodium.crypto_pwhash(key, ctypes.c_ulonglong(32), PASSPHRASE.encode(), ctypes.c_ulonglong(len(PASSPHRASE)), header[25:],
                                ctypes.c_ulonglong(passes), ctypes.c_size_t(memory_kib * 1024), 2) == 0
    return key.raw


def in_memory(pid, secrets):
    """Which of them are in the process's memory."""
    found = set()
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for line in maps:
            where, rights = line.split()[:2]
            begin, end = (int(number, 16) for number in where.split('-'))
            if 'w' in rights:
                memory.seek(begin)
                data = memory.read(end - begin)
                found |= {name for name, secret in secrets.items() if secret in data}
    return found


def processes(node):
    status = node.status()
    return {row.get('role', row.get('name')): row['pid'] for row in status['roles'] + status['programs']} | {
        'parent': node.process.pid}


@pytest.mark.skipif(os.geteuid() != 0, reason='nobody else may look into these processes')
def test_who_has_no_use_for_the_secrets_has_no_copy_of_them(make_node):
    node = make_node('remembers', {'tor.extra': 'DisableNetwork 1'}, tor=False)
    node.json('identity', 'new', 'vault')
    plain = secrets_of(node, 'vault')
    set_passphrase(node, 'vault', PASSPHRASE)
    key = key_of(folder_of(node, 'vault') / 'secrets')
    secrets = {'onion key': plain[0], 'its second half': plain[1], 'TLS key': plain[4], 'passphrase': PASSPHRASE.encode(),
               'key': key, 'key as it is sent': base64.b64encode(key)}
    node.start(wait=False)
    node.wait_for(lambda status: status['identities'], 30, 'the node')
    unlock(node, 'vault')
    node.wait_for(lambda status: len(status['roles']) == 6 and all(row['ready'] for row in status['roles']), 30, 'every role')
    until(lambda: 'onion key' in in_memory(node.program('tor')['pid'], secrets), 30, 'tor to have the key')
    found = {name: in_memory(pid, secrets) for name, pid in processes(node).items()}
    assert found.pop('parent') == {'onion key', 'its second half', 'TLS key'}, 'or the test would see nothing'
    assert found.pop('sign') == {'onion key', 'its second half'}
    found.pop('tor')  # stands for the role, which may be sending it, and for the program, which has to have it
    assert not any(found.values()), found
    dovecot = node.program('dovecot')['pid']
    os.kill(dovecot, signal.SIGKILL)  # who sees to it is a copy of the parent
    node.wait_for(lambda status: node.program('dovecot')['pid'] not in (0, dovecot), 30, 'Dovecot again')
    node.cli('lock', 'vault')
    found = {name: in_memory(pid, secrets) for name, pid in processes(node).items()}
    assert not any(found.values()), found
    node.stop()


def test_a_passphrase_is_set_and_removed_while_the_identity_runs(running, subject):
    node = running.a
    identity = node.identity('diary')
    secrets = secrets_of(node, 'diary')
    assert node.cli('lock', 'diary', check=False).returncode == FAILED  # nothing to lock it with
    smtp = node.role('smtp', 'diary')
    assert node.json('identity', 'passphrase', 'diary', '--passphrase-stdin', input=PASSPHRASE + '\n') == {
        'name': 'diary', 'passphrase': True}
    assert not hold_a_secret(folder_of(node, 'diary'), secrets)
    assert node.role('smtp', 'diary')['pid'] == smtp['pid'] and state_of(node, 'diary') == 'published'
    # a role that is started again gets its key from the parent's memory
    os.kill(smtp['pid'], signal.SIGKILL)
    node.wait_for(lambda status: any(row['role'] == 'smtp' and row['identity'] == 'diary' and row['ready'] and
                                     row['pid'] not in (0, smtp['pid']) for row in status['roles']), 30, 'a new smtp role')
    swaks(running.bob, [identity.address], '--header', f'Subject: {subject}')
    with identity.mailbox() as mailbox:
        mailbox.wait_for(subject)
    # its export is locked, too
    node.cli('identity', 'export', 'diary', 'diary.smtorp', '--passphrase-stdin', input='of the file\n')
    assert state_of(node, 'diary') == 'locked'  # the node had let it go
    unlock(node, 'diary')
    result = node.cli('identity', 'passphrase', 'diary', '--remove', '--passphrase-stdin', input='wrong words\n', check=False)
    assert result.returncode == WRONG
    node.cli('identity', 'passphrase', 'diary', '--remove', '--passphrase-stdin', input=PASSPHRASE + '\n')
    assert secrets_of(node, 'diary') == secrets and not (folder_of(node, 'diary') / 'secrets').exists()
    wait_until_published(node, 'diary')
    node.cli('identity', 'delete', 'diary', '--yes')
    moved = node.json('identity', 'import', 'diary.smtorp', '--passphrase-stdin', input='of the file\n')
    assert moved['address'] == identity.address and moved['state'] == 'locked'
    unlock(node, 'diary')
    wait_until_published(node, 'diary')
    node.cli('identity', 'delete', 'diary', '--yes')


def test_up_asks_at_a_terminal_and_only_there(make_node):
    node = make_node('asks')
    for name in ('first', 'second'):
        node.cli('identity', 'new', name)
        set_passphrase(node, name, f'the words of {name}')
    with Terminal(node, 'up') as terminal:
        terminal.answer('Passphrase of first (nothing: leave it locked): ', 'the words of nobody', hidden=True)
        terminal.expect('this is not the passphrase of identity first')
        terminal.answer('Passphrase of first (nothing: leave it locked): ', 'the words of first', hidden=True)
        terminal.answer('Passphrase of second (nothing: leave it locked): ', '', hidden=True)
        terminal.expect('second is locked: `smtorp unlock second` asks for its passphrase')
        terminal.expect('published: first@', 120)
        assert state_of(node, 'second') == 'locked'
        with Terminal(node, 'unlock', 'second') as another:
            another.answer('Passphrase of second: ', 'the words of second', hidden=True)
            assert another.wait() == 0
        terminal.expect('published: second@', 120)
        assert 'the words of' not in terminal.shown
        node.cli('down')
        assert terminal.wait() == 0
    # nobody to ask: it starts, and says how to go on
    node.start()
    assert {row['state'] for row in node.status()['identities']} == {'locked'}
    node.stop()


def test_ctrl_c_at_the_question_gives_the_terminal_back(offline, installation, work):
    node = Node(installation, None, work / 'lock-ctrl-c')
    node.cli('identity', 'new', 'alice')
    set_passphrase(node, 'alice', PASSPHRASE)
    with Terminal(node, 'identity', 'sheet', 'alice') as terminal:
        terminal.expect('Passphrase of alice: ')
        until(lambda: not termios.tcgetattr(terminal.master)[3] & termios.ECHO, 10, 'typing to be hidden')
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait() == -signal.SIGINT
        assert termios.tcgetattr(terminal.master)[3] & termios.ECHO


def test_the_passphrase_is_changed_and_guards_what_holds_the_key(offline, installation, work):
    node = Node(installation, None, work / 'lock-change')
    made = node.json('identity', 'new', 'alice')
    secrets = secrets_of(node, 'alice')
    node.cli('identity', 'sheet', 'alice')  # the first one has the recovery key
    sheet = node.cli('identity', 'sheet', 'alice').stdout
    for passphrase, status, says in (('short', FAILED, 'too short'), ('', FAILED, 'no passphrase'),
                                     (made['password'], FAILED, 'password of mail programs')):
        result = set_passphrase(node, 'alice', passphrase, check=False)
        assert result.returncode == status and says in result.stderr, result.stderr
    assert node.cli('identity', 'passphrase', 'alice', check=False).returncode == USAGE  # nobody to ask
    assert node.cli('identity', 'passphrase', 'alice', '--remove', check=False).returncode == FAILED
    assert hold_a_secret(folder_of(node, 'alice'), secrets)
    set_passphrase(node, 'alice', PASSPHRASE)
    assert node.json('identity', 'show', 'alice')['state'] == 'offline'
    assert sorted(path.name for path in folder_of(node, 'alice').iterdir()) == [
        'identity.conf', 'mail', 'password', 'recovery.pub', 'secrets', 'tls.crt']
    assert stat.S_IMODE((folder_of(node, 'alice') / 'secrets').stat().st_mode) == 0o600
    assert set_passphrase(node, 'alice', 'not this one', 'another passphrase', check=False).returncode == WRONG
    set_passphrase(node, 'alice', PASSPHRASE, 'another passphrase')
    assert not hold_a_secret(node.folder, secrets)
    result = node.cli('identity', 'sheet', 'alice', '--passphrase-stdin', input=PASSPHRASE + '\n', check=False)
    assert result.returncode == WRONG and not result.stdout
    assert node.cli('identity', 'sheet', 'alice', '--passphrase-stdin', input='another passphrase\n').stdout == sheet
    assert unlock(node, 'alice', check=False).returncode == NOT_RUNNING
    node.cli('identity', 'delete', 'alice', '--yes')  # needs no passphrase
    assert node.cli('identity', 'show', 'alice', check=False).returncode != 0


def test_the_keys_of_a_new_identity_may_never_lie_open(running):
    node = running.a
    result = node.cli('identity', 'new', 'never', '--passphrase', check=False)
    assert result.returncode == USAGE and not folder_of(node, 'never').exists()
    made = node.json('identity', 'new', 'never', '--passphrase-stdin', '--wait', input=PASSPHRASE + '\n')
    assert made['state'] == 'published' and made['passphrase'] is True
    assert sorted(path.name for path in folder_of(node, 'never').iterdir()) == [
        'identity.conf', 'mail', 'password', 'recovery.key', 'recovery.pub', 'secrets', 'tls.crt']
    assert not hold_a_secret(folder_of(node, 'never'), [b'PRIVATE KEY', b'ed25519v1-secret'])
    node.cli('lock', 'never')
    assert unlock(node, 'never').returncode == 0
    wait_until_published(node, 'never')
    node.cli('identity', 'delete', 'never', '--yes')


def test_damaged_secrets_are_told_from_a_wrong_passphrase(make_node):
    node = make_node('rotten', tor=False)
    node.cli('identity', 'new', 'alice')
    set_passphrase(node, 'alice', PASSPHRASE)
    path = folder_of(node, 'alice') / 'secrets'
    whole = path.read_bytes()
    node.start(wait=False)
    until(lambda: node.cli('status', check=False).returncode == 0, 30, 'the node to answer')
    for content, says in ((whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], 'damaged'), (whole[:-1], 'damaged'), (b'', 'is none that'),
                          (whole[:17] + b'\xff' * 8 + whole[25:], 'damaged')):
        path.write_bytes(content)
        result = unlock(node, 'alice', check=False)
        assert result.returncode == FAILED and says in result.stderr, result.stderr
        assert state_of(node, 'alice') == 'locked'
    path.write_bytes(whole)
    words = node.folder / 'words'
    words.write_text(PASSPHRASE + '\n')
    words.chmod(0o644)
    result = node.cli('unlock', 'alice', '--passphrase-file', str(words), check=False)
    assert result.returncode == FAILED and 'chmod 600' in result.stderr
    words.chmod(0o600)
    account.own(words)
    assert node.json('unlock', 'alice', '--passphrase-file', str(words))['state'] == 'waiting'
    assert 'not locked' in unlock(node, 'alice').stderr
    path.write_bytes(b'')
    node.cli('lock', 'alice')
    node.cli('identity', 'delete', 'alice', '--yes')
    assert node.status()['identities'] == []
    node.stop()
