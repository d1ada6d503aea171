# SPDX-License-Identifier: ISC
"""Life of the node and its identities, seen from the command line."""
import os
import re
import signal
import subprocess

import pytest

from harness import account
from harness.programs import swaks
from harness.node import DEFAULT_CONFIG
from harness.waiting import until


def test_status_shows_roles_endpoints_and_tor(running):
    status = running.a.status()
    assert status['tor']['bootstrap'] == 100 and status['tor']['version'].startswith('0.4.')
    assert {'submission', 'submissions', 'imap', 'imaps', 'sendmail'} <= set(status['endpoints'])
    roles = {(row['role'], row.get('identity', '')) for row in status['roles']}
    assert {('tor', ''), ('submission', ''), ('control', ''), ('mail', 'alice'), ('smtp', 'alice'),
            ('mail', 'work'), ('smtp', 'work')} <= roles
    assert {'tor', 'dovecot'} <= {row['name'] for row in status['programs']}
    assert 'alice' in running.a.cli('status').stdout


def test_an_identity_is_made_shown_and_deleted_while_the_node_runs(running, subject):
    made = running.b.identity('extra', local_part='x.tra')
    assert made.address == f'x.tra@{made.onion}' and made.login == made.address
    assert re.fullmatch(r'[a-z2-7]{56}\.onion', made.onion)
    swaks(running.alice, [made.address], '--header', f'Subject: {subject}')
    with made.mailbox() as mailbox:
        mailbox.wait_for(subject)
    assert 'extra' in [row['name'] for row in running.b.json('identity', 'list')]
    folder = running.b.home / 'identities' / 'extra'
    running.b.cli('identity', 'delete', 'extra', '--yes')
    assert not folder.exists()
    assert 'extra' not in [row['name'] for row in running.b.json('identity', 'list')]
    assert running.b.role('mail', 'extra') is None
    assert not os.path.exists(made.sockets['25'])


def test_a_new_password_counts_at_once(running, subject):
    alice = running.alice
    old = alice.password
    running.a.cli('identity', 'password', 'alice', '--stdin', input='a new password, with words\n')
    alice.password = 'a new password, with words'
    try:
        swaks(alice, [alice.address], '--header', f'Subject: {subject}')
        with alice.mailbox():
            pass
        alice.password = old
        assert swaks(alice, [alice.address], check=False).returncode != 0
    finally:
        running.a.cli('identity', 'password', 'alice', '--stdin', input=old + '\n')
        alice.password = old


def test_a_second_daemon_on_the_same_home_is_refused(running):
    result = running.a.run('smtorpd', check=False, timeout=20)
    assert result.returncode not in (0, 1) and 'already' in result.stderr


def test_a_wrong_key_is_named_with_its_line(make_node):
    node = make_node('wrong', {'submision.listen': '127.0.0.1:0'}, tor=False)
    result = node.run('smtorpd', check=False, timeout=20)
    assert result.returncode != 0
    assert f'line {len(DEFAULT_CONFIG) + 1}' in result.stderr and 'submission.listen' in result.stderr


def test_sigterm_ends_everything_in_time(running):
    pids = running.b.pids()
    running.b.process.send_signal(signal.SIGTERM)
    assert running.b.process.wait(10) == 0
    assert not any(os.path.exists(f'/proc/{pid}') for pid in pids)
    assert not (running.b.home / 'run').exists() or not os.listdir(running.b.home / 'run')
    running.b.start()


def test_commands_without_a_node_say_what_to_do(make_node):
    node = make_node('down', tor=False)
    for command in (['status'], ['identity', 'show', 'nobody']):
        result = node.cli(*command, check=False)
        assert result.returncode != 0 and result.stderr.strip()
    assert 'smtorp up' in node.cli('status', check=False).stderr
    made = node.json('identity', 'new', 'early')  # works without a running node
    assert made['address'].startswith('early@')
    assert node.cli('identity', 'new', 'early', check=False).returncode != 0
    assert node.cli('identity', 'new', 'Bad Name', check=False).returncode != 0


def test_root_is_refused(installation, work):
    if os.geteuid() != 0:
        pytest.skip('only root can try this')
    result = subprocess.run([installation.program('smtorpd')], env={'SMTORP_HOME': str(work / 'rooted')},
                            capture_output=True, text=True, timeout=20)
    assert result.returncode != 0 and 'root' in result.stderr


def test_nothing_listens_but_on_loopback_and_in_its_folders(running):
    """Every listening socket of every process of the node."""
    pids = set(running.a.pids()) | {running.a.process.pid}
    text = subprocess.run(['ss', '-Hlnptu'], capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if pids & set(map(int, re.findall(r'pid=(\d+)', line)))]
    assert lines
    for line in lines:
        assert re.search(r'\s(127\.0\.0\.1|\[::1\]):\d+\s', line), line


def test_up_shows_progress_and_ends_cleanly(make_node):
    node = make_node('up')
    node.json('identity', 'new', 'dave')
    process = subprocess.Popen([node.installation.program('smtorp'), 'up'], env=node.environment(), cwd=node.folder,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True, **account.popen_arguments())
    seen = []
    for line in process.stdout:
        seen.append(line)
        if 'dave' in line and 'onion' in line and 'publish' in line.lower() or 'reachable' in line.lower():
            break
    node.cli('down')
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert any('100' in line for line in seen), ''.join(seen)
    until(lambda: node.cli('status', check=False).returncode != 0, 10, 'the node to be down')


@pytest.mark.parametrize('number, status', [(signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_the_node_ends_with_up(make_node, number, status):
    """By Ctrl-C in order; a killed `smtorp up` leaves no node behind, either."""
    node = make_node(f'up-{number.name.lower()}')
    process = subprocess.Popen([node.installation.program('smtorp'), 'up'], env=node.environment(), cwd=node.folder,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, **account.popen_arguments())
    until(lambda: node.cli('status', check=False).returncode == 0, 20, 'the node to answer')
    assert node.cli('up', check=False).returncode == 5
    pids = node.pids()
    process.send_signal(number)
    assert process.wait(20) == status
    until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in pids), 20, 'the processes to be gone')
    assert node.cli('status', check=False).returncode == 3
