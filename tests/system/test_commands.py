# SPDX-License-Identifier: ISC
"""The command line without a running node: exit statuses, texts, JSON, and whose files are made."""
import json
import os
import pathlib
import pty
import re
import shutil
import socket
import subprocess

import pytest

from harness import account
from harness.node import Node
from harness.terminal import Terminal

OK, FAILED, USAGE, NOT_RUNNING, NOT_FOUND, EXISTS = range(6)


@pytest.fixture(scope='module')
def node(installation, work):
    return Node(installation, None, work / 'commands')


@pytest.fixture(scope='module')
def alice(node):
    return node.json('identity', 'new', 'alice')


@pytest.mark.parametrize('words, status, says', [
    ([], USAGE, 'identity new NAME'),
    (['help'], OK, 'identity new NAME'),
    (['help', 'identity', 'new'], OK, '--local-part LP'),
    (['help', 'nonsense'], USAGE, 'no command'),
    (['--help'], OK, 'usage: smtorp'),
    (['--version'], OK, 'smtorp 0.'),
    (['version'], OK, 'smtorp 0.'),
    (['statsu'], USAGE, 'did you mean `smtorp status`'),
    (['help', 'statsu'], USAGE, 'did you mean `smtorp status`'),
    (['identiy', 'new'], USAGE, 'did you mean `smtorp identity new`'),
    (['identity'], USAGE, 'identity password'),
    (['identity', 'nwe', 'x'], USAGE, 'did you mean `smtorp identity new`'),
    (['identity', 'new'], USAGE, 'NAME is missing'),
    (['identity', 'new', 'a', 'b'], USAGE, "too many: 'b'"),
    (['identity', 'new', 'a', '--locl-part', 'x'], USAGE, "no option '--locl-part'"),
    (['identity', 'new', 'a', '--local-part'], USAGE, 'needs a value'),
    (['identity', 'new', 'a', '--wait=yes'], USAGE, 'takes no value'),
    (['identity', 'new', 'a', '--timeout', '0'], USAGE, 'seconds'),
    (['identity', 'new', 'a', '--local-part', 'a b'], USAGE, 'before the @'),
    (['identity', 'new', 'Bad Name'], USAGE, "1 to 32 of a-z"),
    (['identity', 'new', '--', '-a'], USAGE, "1 to 32 of a-z"),
    (['identity', 'new', 'a', '--wait'], NOT_RUNNING, 'smtorp up'),
    (['identity', 'new', 'alice'], EXISTS, "'alice' already"),
    (['identity', 'show', 'bob'], NOT_FOUND, 'identity list'),
    (['identity', 'delete', 'bob', '--yes'], NOT_FOUND, "no identity 'bob'"),
    (['identity', 'delete', 'alice'], USAGE, '--yes'),
    (['identity', 'password', 'bob'], NOT_FOUND, "no identity 'bob'"),
    (['identity', 'password', 'alice', '--stdin'], FAILED, 'nothing was changed'),
    (['status'], NOT_RUNNING, 'smtorp up'),
    (['down'], NOT_RUNNING, 'smtorp up'),
    (['mua', 'bob'], NOT_FOUND, "no identity 'bob'"),
    (['mua', 'alice', '--client', 'pine'], USAGE, 'thunderbird'),
    (['mua', 'alice'], NOT_RUNNING, 'smtorp up'),  # its ports are chosen when it starts
])
def test_every_way_to_end_has_its_status_and_says_what_to_do(node, alice, words, status, says):
    result = node.cli(*words, check=False)
    assert result.returncode == status, result.stderr
    assert says in (result.stdout if status == OK else result.stderr)
    assert result.stdout == '' or status == OK
    assert not any(folder.name.startswith('.') for folder in (node.home / 'identities').iterdir())


def test_descriptions_of_identities(node, alice):
    assert re.fullmatch(r'[a-z2-7]{56}\.onion', alice['onion'])
    assert alice['address'] == alice['login'] == f'alice@{alice["onion"]}'
    assert re.fullmatch(r'[a-z2-7]{5}(-[a-z2-7]{5}){3}', alice.pop('password'))
    assert alice['sockets'] == {port: str(node.home / 'run' / 'onion' / 'alice' / port) for port in ('25', '465')} or \
        alice['sockets']['25'].startswith('/tmp/smtorp-')
    assert alice['state'] == 'offline'
    assert node.json('identity', 'show', 'alice') == alice
    assert alice in node.json('identity', 'list')


def test_a_home_may_be_named_before_and_after_the_command(node, alice):
    for words in (['--home', node.home, 'identity', 'list', '--json'], ['identity', 'list', f'--home={node.home}', '--json']):
        result = subprocess.run([node.installation.program('smtorp'), *map(str, words)], env=account.environment(),
                                cwd=node.folder, capture_output=True, text=True, **account.popen_arguments())
        assert 'alice' in [row['name'] for row in json.loads(result.stdout)]


def test_deleting_asks_on_a_terminal(node):
    made = node.json('identity', 'new', 'doomed')
    for answer, is_gone in (('yes', False), ('', False), ('doomed', True)):
        master, slave = pty.openpty()
        os.write(master, answer.encode() + b'\n')
        result = node.cli('identity', 'delete', 'doomed', stdin=slave, check=False)
        os.close(slave)
        os.close(master)
        assert made['address'] in result.stderr
        assert (result.returncode == OK) == is_gone == (not (node.home / 'identities' / 'doomed').exists())


@pytest.mark.parametrize('words', [['--help'], ['doctor', '--help'], ['identity', 'passphrase', '--help'], ['queue', '--help']])
def test_help_fits_a_terminal(node, words):
    with Terminal(node, *words, columns=80) as terminal:
        terminal.wait()
        lines = terminal.shown.splitlines()
        assert len(lines) > 3 and max(map(len, lines)) <= 80, lines


def test_settings_are_printed_without_a_node_when_ports_are_configured(installation, work):
    node = Node(installation, None, work / 'ports', {f'{name}.listen': f'127.0.0.1:{port}' for name, port in
                                                     [('submission', 4587), ('submissions', 4465), ('imap', 4143), ('imaps', 4993)]})
    made = node.json('identity', 'new', 'info')
    for client in ('generic', 'thunderbird', 'mutt'):
        text = node.cli('mua', 'info', '--client', client).stdout
        assert '4993' in text and made['address'] in text


def test_all_is_done_as_the_owner_when_root_asks(installation, work):
    if os.geteuid() != 0:
        pytest.skip('only root can try this')
    node = Node(installation, None, work / 'owned')
    environment = account.environment(SMTORP_HOME=str(node.home))
    for words in (['identity', 'new', 'alice'], ['identity', 'password', 'alice']):
        subprocess.run([installation.program('smtorp'), *words], env=environment, check=True, capture_output=True)
    owner = os.stat(node.home).st_uid
    assert owner != 0
    for folder, folders, files in os.walk(node.home / 'identities'):
        assert all(os.lstat(os.path.join(folder, name)).st_uid == owner for name in folders + files)
    rooted = work / 'rooted-commands'
    rooted.mkdir()
    result = subprocess.run([installation.program('smtorp'), 'identity', 'new', 'alice', '--home', str(rooted)],
                            env=account.environment(), capture_output=True, text=True)
    assert result.returncode == FAILED and 'root' in result.stderr and not list(rooted.iterdir())


@pytest.mark.parametrize('words, message, status, says', [
    (['bob@example.onion'], 'Subject: x\n\nx\n', 75, 'smtorp up'),
    ([], 'Subject: x\n\nx\n', 64, 'no recipient'),
    (['-t'], 'Subject: x\n\nx\n', 64, 'nobody'),
    (['-t'], 'To: a b c@x\n\nx\n', 65, 'To: '),
    (['-Z', 'x@y'], '', 64, 'no option'),
    (['-bs'], '', 64, '-bm'),
    (['-f', 'a@x, b@y', 'c@z'], '', 64, 'one address'),
    (['a b'], '', 64, 'recipient a b'),
])
def test_sendmail_ends_as_sysexits_says(node, alice, words, message, status, says):
    result = node.run('smtorp-sendmail', *words, check=False, input=message)
    assert result.returncode == status and says in result.stderr


def test_sendmail_wants_a_sender_when_there_is_a_choice(installation, work):
    node = Node(installation, None, work / 'choice')
    result = node.run('smtorp-sendmail', 'x@y.onion', check=False, input='\n')
    assert result.returncode == 67 and 'smtorp identity new' in result.stderr
    alice, bob = node.json('identity', 'new', 'alice'), node.json('identity', 'new', 'bob')
    result = node.run('smtorp-sendmail', 'x@y.onion', check=False, input='From: carol@example.com\n\n')
    assert result.returncode == 67 and '-f' in result.stderr
    result = node.run('smtorp-sendmail', 'x@y.onion', check=False, input=f'From: Bob <bob+x@{bob["onion"]}>\n\n')
    assert result.returncode == 75  # the node is not running, but the sender was clear
    result = node.run('smtorp-sendmail', 'x@y.onion', check=False, input=f'From: bob@{alice["onion"]}\n\n')
    assert result.returncode == 67


def test_a_socket_of_somebody_else_is_not_trusted(installation, work):
    """The runtime folder may be in /tmp: whoever squats there gets neither questions nor mail."""
    if os.geteuid() != 0:
        pytest.skip('needs two users')
    node = Node(installation, None, work / 'squatted')
    made = node.json('identity', 'new', 'alice')
    runtime = pathlib.Path(made['sockets']['25']).parent.parent.parent
    runtime.mkdir(mode=0o755)
    listeners = []
    try:
        for name in ('control.sock', 'sendmail.sock'):
            listeners.append(socket.socket(socket.AF_UNIX))
            listeners[-1].bind(str(runtime / name))
            listeners[-1].listen()
            (runtime / name).chmod(0o666)
        result = node.cli('status', check=False)
        assert result.returncode == FAILED and 'somebody else' in result.stderr
        result = node.run('smtorp-sendmail', 'x@y.onion', check=False, input='secret\n')
        assert result.returncode == 69 and 'somebody else' in result.stderr
        for listener in listeners:
            connection, _ = listener.accept()
            assert connection.recv(100) == b''
            connection.close()
    finally:
        for listener in listeners:
            listener.close()
        shutil.rmtree(runtime)
