# SPDX-License-Identifier: ISC
"""The OpenPGP keys of an identity, made, shown and changed with the node's own commands, and used by GnuPG."""
import os
import pathlib
import subprocess

import pytest

from harness import account
from harness.gnupg import GnuPG
from harness.node import Node
from harness.programs import swaks
from harness.waiting import until

FAILED, USAGE, EXISTS, WRONG = 1, 2, 5, 20
PASSPHRASE = 'six random words would be better'


@pytest.fixture
def gnupg(tmp_path):
    gpg = GnuPG(tmp_path / 'gnupg')
    yield gpg
    gpg.end()


@pytest.fixture(scope='module')
def offline(installation, work):
    """A node that never runs."""
    return Node(installation, None, work / 'openpgp')


def keys_of(node, name, **options):
    return node.json('openpgp', 'show', name, **options)['keys']


def file_of(node, name):
    return node.home / 'identities' / name / 'openpgp.key'


def test_each_identity_has_a_key_for_its_bare_address_of_the_day_that_does_not_expire(offline, gnupg):
    made = offline.json('identity', 'new', 'alice')
    key, = keys_of(offline, 'alice')
    assert key['user_id'] == made['address'] and key['created'] % 86400 == 0 and key['expires'] == 0 and key['present']
    gnupg('--import', input=offline.cli('openpgp', 'export', 'alice').stdout)
    listed = gnupg('--with-colons', '--list-keys', made['address']).stdout
    assert offline.json('openpgp', 'show')['address'] == made['address']  # while she is the only one
    assert key['fingerprint'] in listed and ':ed25519:' in listed and ':cv25519:' in listed


def test_secret_keys_go_into_no_file_that_others_can_read(offline, tmp_path):
    offline.json('identity', 'new', 'private')
    for mode, status in ((0o644, USAGE), (0o640, USAGE), (0o600, 0)):
        path = tmp_path / f'{mode:o}'
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), 'wb') as file:
            os.fchmod(file.fileno(), mode)
            words = [offline.installation.program('smtorp'), 'openpgp', 'export', '--secret', 'private']
            result = subprocess.run(words, env=offline.environment(), stdout=file, stderr=subprocess.PIPE, timeout=60, check=False,
                                    **account.popen_arguments())
        assert result.returncode == status, result.stderr
        assert (b'PRIVATE KEY' in path.read_bytes()) == (status == 0)
    assert 'say whose' in offline.cli('openpgp', 'show', check=False).stderr


def test_a_new_key_stands_before_the_former_one_which_still_decrypts_and_can_be_revoked(offline, gnupg):
    address = offline.json('identity', 'new', 'rotated')['address']
    gnupg('--import', input=offline.cli('openpgp', 'export', 'rotated').stdout)
    sealed = gnupg('--trust-model', 'always', '--armor', '--encrypt', '-r', address, input='Hello').stdout
    former, = keys_of(offline, 'rotated')
    certificate = offline.cli('openpgp', 'rotate', '--revoke', 'rotated').stdout
    present, kept = keys_of(offline, 'rotated')
    assert kept['fingerprint'] == former['fingerprint'] and not kept['present'] and present['present']
    gnupg('--import', input=certificate)
    assert 'pub:r:' in gnupg('--with-colons', '--list-keys', former['fingerprint']).stdout
    gnupg('--import', input=offline.cli('openpgp', 'export', '--secret', 'rotated').stdout)
    assert gnupg('--decrypt', input=sealed).stdout == 'Hello'
    assert present['fingerprint'] in gnupg('--with-colons', '--list-secret-keys').stdout
    again = offline.json('openpgp', 'rotate', '--revoke', 'rotated')
    assert again['certificate'].startswith('-----BEGIN PGP') and again['keys'][1] == {**present, 'present': False}


def test_a_key_of_gnupgs_is_taken_with_its_passphrase(offline, gnupg):
    offline.json('identity', 'new', 'brought')
    gnupg('--passphrase', 'open sesame', '--quick-generate-key', 'dave@example.org', 'ed25519', 'default', 'never')
    fingerprint = next(line.split(':')[9] for line in gnupg('--with-colons', '--list-keys').stdout.splitlines() if line.startswith('fpr:'))
    gnupg('--passphrase', 'open sesame', '--quick-add-key', fingerprint, 'cv25519', 'encr', 'never')
    file = offline.folder / 'dave.key'
    file.write_text(gnupg('--passphrase', 'open sesame', '--armor', '--export-secret-keys', fingerprint).stdout)
    before = file_of(offline, 'brought').read_bytes()
    take = ('openpgp', 'import', '--passphrase-stdin', 'brought', str(file))
    assert offline.cli(*take, input='open simsim\n', check=False).returncode == WRONG
    assert file_of(offline, 'brought').read_bytes() == before
    offline.cli(*take, input='open sesame\n')
    assert [key['fingerprint'] for key in keys_of(offline, 'brought')][0] == fingerprint
    assert offline.cli(*take, input='open sesame\n', check=False).returncode == EXISTS
    file.write_text(gnupg('--armor', '--export', fingerprint).stdout)
    refused = offline.cli(*take, input='open sesame\n', check=False)
    assert refused.returncode == FAILED and 'export-secret-keys' in refused.stderr


def test_a_locked_key_lies_nowhere_in_the_open_and_comes_back(offline):
    offline.json('identity', 'new', 'locked')
    plain = file_of(offline, 'locked').read_bytes()
    before = keys_of(offline, 'locked')
    offline.cli('identity', 'passphrase', 'locked', '--passphrase-stdin', input=f'{PASSPHRASE}\n')
    folder = offline.home / 'identities' / 'locked'
    for top, _, files in os.walk(folder):
        assert not any(plain[50:90] in pathlib.Path(top, file).read_bytes() for file in files)
    assert offline.cli('openpgp', 'show', '--passphrase-stdin', 'locked', input='wrong\n', check=False).returncode == WRONG
    ask = {'input': PASSPHRASE + '\n'}
    assert offline.json('openpgp', 'show', '--passphrase-stdin', 'locked', **ask)['keys'] == before
    offline.cli('openpgp', 'rotate', '--passphrase-stdin', 'locked', **ask)
    assert not file_of(offline, 'locked').exists()
    offline.cli('identity', 'passphrase', '--remove', 'locked', '--passphrase-stdin', **ask)
    present, former = keys_of(offline, 'locked')
    assert former['fingerprint'] == before[0]['fingerprint'] and file_of(offline, 'locked').read_bytes().endswith(plain)


def test_the_keys_move_with_an_export_and_are_made_for_one_that_has_none(offline):
    offline.json('identity', 'new', 'moved')
    offline.cli('openpgp', 'rotate', 'moved')
    before = keys_of(offline, 'moved')
    for name, keeps in (('with', True), ('without', False)):
        if not keeps:
            file_of(offline, 'moved').unlink()
        path = offline.folder / name
        offline.cli('identity', 'export', '--passphrase-stdin', 'moved', str(path), input=PASSPHRASE + '\n')
        offline.cli('identity', 'delete', '--yes', 'moved')
        offline.cli('identity', 'import', '--passphrase-stdin', str(path), input=PASSPHRASE + '\n')
        assert file_of(offline, 'moved').exists()
        assert (keys_of(offline, 'moved') == before) == keeps


def test_an_identity_of_before_gets_a_key_when_it_is_asked_for(offline):
    made = offline.json('identity', 'new', 'old')
    file_of(offline, 'old').unlink()
    key, = keys_of(offline, 'old')
    assert key['user_id'] == made['address'] and file_of(offline, 'old').stat().st_mode & 0o777 == 0o600


def test_a_running_node_makes_the_key_of_an_identity_of_before_and_takes_others_in(running, subject):
    node = running.a
    keyless = node.identity('keyless', wait=False)
    file_of(node, 'keyless').unlink()
    swaks(keyless, [running.bob.address], '--header', f'Subject: {subject}')
    until(lambda: file_of(node, 'keyless').exists(), what='the key that the node makes')
    key, = keys_of(node, 'keyless')
    assert key['user_id'] == keyless.address and file_of(node, 'keyless').stat().st_mode & 0o777 == 0o600
    node.cli('openpgp', 'rotate', 'keyless')
    swaks(keyless, [running.bob.address], '--header', f'Subject: {subject}')
    assert [former['fingerprint'] for former in keys_of(node, 'keyless')][1] == key['fingerprint']
    node.cli('identity', 'delete', 'keyless', '--yes')
