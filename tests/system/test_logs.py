# SPDX-License-Identifier: ISC
"""`smtorp logs`: what it shows, what it keeps, and above all what is not in it."""
import imaplib
import os
import signal
import smtplib
import subprocess

import pytest

from harness import account
from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.waiting import until

NOBODY = '25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion'
SUBJECT = 'kumquat'
MAXIMUM = 4 * 1024 * 1024


def lines_about_death(node, name):
    return [line for line in node.json_lines('logs', '--role', 'parent') if name in line['text']]


def kill_role(node, role, identity):
    before = node.role(role, identity)
    os.kill(before['pid'], signal.SIGKILL)
    node.wait_for(lambda status: any((row['role'], row.get('identity')) == (role, identity) and row['ready']
                                     and row['pid'] != before['pid'] for row in status['roles']), 20, f'{role} again')


def everything_that_goes_wrong(node, sender, receiver):
    """Mail that arrives, is refused, or finds nobody; wrong logins; a role that dies; an identity that goes."""
    swaks(sender, [receiver.address, f'medlar@{receiver.onion}'], '--header', f'Subject: {SUBJECT}', '--body', 'persimmon')
    swaks(sender, [f'loquat@{NOBODY}'], '--header', f'Subject: {SUBJECT}')
    with receiver.mailbox() as mailbox:
        mailbox.wait_for(SUBJECT)
    with sender.mailbox() as mailbox:
        until(lambda: mailbox.uids('HEADER', 'Content-Type', 'multipart/report'), TOR_PATIENCE_S, 'the bounce')
    until(lambda: any(row['tries'] and NOBODY in row['onion'] for row in node.json('queue', 'list')), TOR_PATIENCE_S,
          'a try that failed')
    for login in (sender.login, 'medlar', f'loquat@{NOBODY}'):
        with smtplib.SMTP(*node.endpoint('submission')) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(login, 'wrong')
        with imaplib.IMAP4(*node.endpoint('imap')) as imap, pytest.raises(imaplib.IMAP4.error):
            imap.login(login, 'wrong')
    kill_role(node, 'mail', sender.name)
    kill_role(node, 'tor', '')
    os.kill(node.program('dovecot')['pid'], signal.SIGKILL)
    node.identity('sorb', local_part='sorb.apple', wait=False)
    node.cli('identity', 'delete', 'sorb', '--yes')


def test_the_log_tells_nobody_who_writes_to_whom(make_node):
    node = make_node('hidden')
    node.start()
    sender, receiver = node.identity('quillon', local_part='zephyrine'), node.identity('brambleby')
    everything_that_goes_wrong(node, sender, receiver)
    node.wait_for(lambda status: status['tor']['bootstrap'] == 100, 60, 'tor again')
    node.stop()
    written = node.log.read_text() + ''.join(path.read_text() for path in (node.home / 'log').iterdir())
    for word in ('quillon', 'zephyrine', 'brambleby', 'sorb', 'medlar', 'loquat', SUBJECT, 'persimmon', NOBODY[:56],
                 sender.onion[:56], receiver.onion[:56], sender.password):
        assert word.lower() not in written.lower(), [line for line in written.splitlines() if word in line.lower()]
    assert 'mail@<name:' in written and '<name:' in written and 'tor-program: ' in written

    node.configure({'log.addresses': 'yes'})
    node.start()
    kill_role(node, 'mail', 'quillon')
    assert until(lambda: lines_about_death(node, 'mail@quillon'), 10, 'the name in the log')
    node.stop()


@pytest.fixture(scope='module')
def quiet(make_node):
    """A node without tor's network."""
    node = make_node('quiet', {'tor.extra': 'DisableNetwork 1'}, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 20, 'every role')
    return node


def test_logs_follows_filters_and_speaks_json(quiet):
    def all_have_spoken():
        lines = quiet.json_lines('logs')
        return lines if {'parent', 'tor', 'tor-program'} <= {line['role'] for line in lines} else None
    every = until(all_have_spoken, 20, 'every role in the log')
    assert all(set(line) == {'time', 'level', 'role', 'text'} and len(line['time']) == 24 for line in every)
    assert {line['role'] for line in quiet.json_lines('logs', '--role', 'tor')} == {'tor'}
    middle = every[len(every) // 2]['time']
    late = [line for line in every if line['time'] >= middle]  # and perhaps what was written meanwhile
    assert quiet.json_lines('logs', '--since', middle)[:len(late)] == late
    assert quiet.json_lines('logs', '--since', '1h')[:len(every)] == every and quiet.cli('logs', '--since', '2999-01-01').stdout == ''
    for words in (['--since', 'soon'], ['--role', 'cook']):
        assert quiet.cli('logs', *words, check=False).returncode == 2
    follower = subprocess.Popen([quiet.installation.program('smtorp'), 'logs', '--follow', '--role', 'parent'],
                                env=quiet.environment(), stdout=subprocess.PIPE, text=True, **account.popen_arguments())
    try:
        assert 'node in ' in follower.stdout.readline()
        os.kill(quiet.role('control')['pid'], signal.SIGKILL)
        assert 'control' in follower.stdout.readline()
    finally:
        follower.terminate()
        follower.wait()
        follower.stdout.close()


def test_a_log_that_dies_is_started_again(quiet):
    before = quiet.program('log')
    os.kill(before['pid'], signal.SIGKILL)
    quiet.wait_for(lambda status: quiet.program('log')['pid'] not in (0, before['pid']), 10, 'the log again')
    assert until(lambda: any('log (process' in line['text'] for line in quiet.json_lines('logs')), 10, 'its own death in it')


def test_the_log_is_bounded_and_for_the_owner_only(installation, work):
    """What a flood leaves: four files of a megabyte, with the end of the flood."""
    folder, flood = work / 'flood', work / 'flood-input'
    folder.mkdir()
    count = 100000
    with open(flood, 'w') as out:
        for i in range(count):
            out.write(f'2026-11-22T10:00:00.000Z info mail: {i:08} ' + 'x' * 40 + '\n')
        out.write('y' * 20000 + '\n\x1b[2Jand the end without a line end')
    program = installation.bin.parent / 'libexec' / 'smtorp' / 'smtorp-log'
    subprocess.run(['sh', '-c', 'exec "$0" hide 3<"$1"', str(program), str(flood)], check=True, cwd=folder,
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == ['smtorpd.log', 'smtorpd.log.1', 'smtorpd.log.2', 'smtorpd.log.3']
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    assert MAXIMUM / 2 < sum(path.stat().st_size for path in files) <= MAXIMUM
    newest = files[0].read_text()
    assert f'{count - 1:08} x' in newest and newest.endswith(' [2Jand the end without a line end\n')
    assert max(map(len, newest.splitlines())) < 4200
    flood.unlink()


@pytest.mark.parametrize('mode', ['hide', 'show'])
def test_what_others_write_stays_words(installation, tmp_path, mode):
    """Dovecot's and tor's lines may hold what any local user has said to them: nothing of it reaches the terminal as an order,
    and no address can be pushed over the end of a line so that neither half is known for one."""
    onion = 'b' * 55 + 'd'
    lines = [b'dovecot: auth: Info: unknown \xc2\x9b2J\x9b2J\x1b[2J\x07 end']
    for shift in range(4020, 4100, 7):
        begin = b'dovecot: lmtp: Info: '
        lines.append(begin + b'x' * (shift - len(begin)) + f' zephyrine@{onion}.onion said {onion} '.encode() * 2)
    (tmp_path / 'log').mkdir()
    (tmp_path / 'input').write_bytes(b'\n'.join(lines) + b'\nafter\n')
    program = installation.bin.parent / 'libexec' / 'smtorp' / 'smtorp-log'
    shown = subprocess.run(['sh', '-c', 'exec "$0" "$1" 3<"$2"', str(program), mode, str(tmp_path / 'input')], check=True,
                           cwd=tmp_path / 'log', stdin=subprocess.DEVNULL, capture_output=True, timeout=60).stderr
    for written in (shown, (tmp_path / 'log' / 'smtorpd.log').read_bytes()):
        assert b'unknown   2J 2J [2J  end\n' in written and written.endswith(b'warn program: after\n')
        assert written.count(b'\n') == len(lines) + 1
        if mode == 'hide':
            assert b'zephyr' not in written and b'bbbb' not in written


def test_no_log_is_said_to_be_none(make_node):
    node = make_node('unlogged', tor=False)
    result = node.cli('logs', check=False)
    assert result.returncode == 4 and 'no log' in result.stderr
