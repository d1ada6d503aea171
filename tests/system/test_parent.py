# SPDX-License-Identifier: ISC
"""The parent and the control role, without a tor network: tor runs, but is told to stay offline."""
import contextlib
import imaplib
import json
import os
import pathlib
import signal
import socket

import pytest

from harness.imap import Mailbox
from harness.node import Identity
from harness.waiting import until

OFFLINE = {'tor.extra': 'DisableNetwork 1'}


@pytest.fixture(scope='module')
def offline(make_node):
    """A node with one identity, zoe."""
    node = make_node('offline', OFFLINE, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: True, 10, 'the control socket')
    node.zoe = node.identity('zoe', wait=False)
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 10, 'every role')
    yield node
    node.stop()


class Control:
    """A connection to control.sock."""

    def __init__(self, node):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(node.home / 'run' / 'control.sock'))
        self.lines = self.socket.makefile('rb')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def receive(self):
        return json.loads(self.lines.readline())

    def call(self, method, **params):
        self.send(json.dumps({'jsonrpc': '2.0', 'id': 7, 'method': method, 'params': params}).encode() + b'\n')
        return self.receive()


@pytest.mark.parametrize('line, code', [
    (b'nonsense', -32700), (b'', -32700), (b'{"jsonrpc":"2.0"', -32700), (b'\xff\xfe', -32700),
    (b'{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"status"}', -32700),
    (b'[]', -32600), (b'1', -32600), (b'{}', -32600), (b'{"jsonrpc":"1.0","id":1,"method":"status"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600), (b'{"jsonrpc":"2.0","id":{},"method":"status"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"statu"}', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"identity.load"}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"identity.load","params":[]}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"identity.load","params":{"name":"' + b'x' * 33 + b'"}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"identity.load","params":{"name":"../zoe"}}', -32000),
    (b'{"jsonrpc":"2.0","id":1,"method":"identity.load","params":{"name":"nobody"}}', -32001),
    (b'{"jsonrpc":"2.0","id":1,"method":"identity.unload","params":{"name":"nobody"}}', -32001),
])
def test_wrong_requests_have_an_error_and_the_connection_goes_on(offline, line, code):
    with Control(offline) as control:
        control.send(line + b'\n')
        answer = control.receive()
        assert answer['error']['code'] == code and answer['error']['message']
        assert 'result' in control.call('status')


def test_requests_in_pieces_and_in_one_piece_are_answered(offline):
    with Control(offline) as control:
        for octet in b'{"jsonrpc":"2.0","id":"a","method":"status"}\n':
            control.send(bytes([octet]))
        assert control.receive()['id'] == 'a'
        control.send(b''.join(b'{"jsonrpc":"2.0","id":%d,"method":"status"}\n' % number for number in range(10)))
        assert [control.receive()['id'] for _ in range(10)] == list(range(10))


def test_a_notification_has_no_answer(offline):
    with Control(offline) as control:
        control.send(b'{"jsonrpc":"2.0","method":"status"}\n')
        assert control.call('status')['id'] == 7


def test_a_line_without_end_closes_the_connection(offline):
    with Control(offline) as control:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            control.send(b'x' * 200000)
        with contextlib.suppress(ConnectionResetError):
            assert control.receive()['error']['code'] == -32600
            assert control.lines.readline() == b''
    assert offline.role('control')['restarts'] == 0


def test_more_connections_than_there_are_places_wait(offline):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Control(offline)) for _ in range(20)]
        for control in held[:16]:
            assert 'result' in control.call('status')
        held[17].send(b'{"jsonrpc":"2.0","id":7,"method":"status"}\n')
        held[0].__exit__()
        held[1].__exit__()
        assert held[17].receive()['id'] == 7


@pytest.mark.parametrize('role, identity', [('control', ''), ('submission', ''), ('mail', 'zoe'), ('smtp', 'zoe'),
                                            ('tor', '')])
def test_a_killed_role_comes_back(offline, role, identity):
    before = offline.role(role, identity)
    os.kill(before['pid'], signal.SIGKILL)
    offline.wait_for(lambda status: any(
        row['role'] == role and row['identity'] == identity and row['ready'] and row['pid'] != before['pid'] and
        row['restarts'] == before['restarts'] + 1 for row in status['roles']), 20, f'{role} to be back')


@pytest.mark.slow
def test_a_role_that_hangs_is_told_killed_and_started_again(offline):
    """SIGSTOP: it neither ends nor answers."""
    before = offline.role('submission')
    os.kill(before['pid'], signal.SIGSTOP)
    offline.wait_for(lambda status: any(row['pid'] == before['pid'] and row['silent_s'] > 0 for row in status['roles']), 75, 'it to be told')
    assert 'has not answered for' in offline.cli('status').stdout
    offline.wait_for(lambda status: any(row['role'] == 'submission' and row['ready'] and row['pid'] != before['pid'] and
                                        row['silent_s'] == 0 for row in status['roles']), 75, 'another to be started')


def test_a_connection_waits_while_its_role_is_started_again(offline):
    """The parent keeps the listening sockets open."""
    pid = offline.role('smtp', 'zoe')['pid']
    os.kill(pid, signal.SIGKILL)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(offline.zoe.sockets['25'])
        assert peer.recv(100) == f'220 {offline.zoe.onion} ESMTP\r\n'.encode()


@pytest.mark.parametrize('name', ['dovecot', 'tor'])
def test_a_killed_program_comes_back(offline, name):
    before = offline.program(name)
    os.kill(before['pid'], signal.SIGKILL)
    offline.wait_for(lambda status: any(row['name'] == name and row['pid'] not in (0, before['pid']) and
                                        row['restarts'] > before['restarts'] for row in status['programs']), 20, name)
    offline.wait_for(lambda status: all(row['ready'] for row in status['roles']), 20, 'every role')
    def log_in():
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            with offline.zoe.mailbox():
                return True
    until(log_in, 20, 'a login')


def test_unloading_ends_the_imap_sessions_of_the_identity(offline):
    gone = offline.identity('gone', wait=False)
    session = gone.mailbox()
    with Control(offline) as control:
        assert 'result' in control.call('identity.unload', name='gone')
        assert offline.role('mail', 'gone') is None and offline.role('smtp', 'gone') is None
        assert not pathlib.Path(gone.sockets['25']).exists()
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            session.imap.noop()
        with pytest.raises((imaplib.IMAP4.error, OSError)):
            host, port = offline.endpoint('imap')
            until(lambda: _answers(host, port), 10, 'Dovecot')
            Mailbox(host, port, gone.login, gone.password)
        assert 'result' in control.call('identity.load', name='gone')
        assert offline.role('mail', 'gone') is not None
    offline.cli('identity', 'delete', 'gone', '--yes')


def _answers(host, port):
    with contextlib.suppress(OSError):
        with socket.create_connection((host, port), 5):
            return True


def test_the_environment_and_the_arguments_tell_nothing(offline):
    """Identities' names and onions are in no argument and no variable."""
    for row in offline.status()['roles']:
        process = pathlib.Path('/proc') / str(row['pid'])
        text = (process / 'cmdline').read_bytes()
        if os.geteuid() == 0:  # nobody else can read it
            text += (process / 'environ').read_bytes()
        assert b'zoe' not in text and offline.zoe.onion.encode() not in text
        assert b'HOME=' not in text and b'SMTORP' not in text


def descendants(pid):
    children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [int(child) for child in children] + [below for child in children for below in descendants(int(child))]


def test_no_process_of_a_node_has_privileges(offline):
    """Roles, tor, and Dovecot with all of its own: the node's user, no capability, and no way to get one."""
    with offline.zoe.mailbox():  # so that Dovecot has children for a session, too
        pids = [offline.process.pid, *descendants(offline.process.pid)]
        assert set(offline.pids()) < set(pids)
        for pid in pids:
            status = dict(line.split(':\t', 1) for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines())
            assert set(status['Uid'].split()) == {str(offline.home.stat().st_uid)} != {'0'}, status['Name']
            assert int(status['CapEff'], 16) == int(status['CapPrm'], 16) == 0, status['Name']
            assert status['NoNewPrivs'] == '1', status['Name']


@pytest.mark.skipif(os.geteuid() != 0, reason='a role shows its descriptors to root only')
def test_roles_hold_no_descriptors_but_those_of_the_table(offline):
    """Sockets, memory and the loop's own; files only mail@ID, in its folder."""
    for row in offline.status()['roles']:
        folder = pathlib.Path('/proc') / str(row['pid']) / 'fd'
        held = {int(link.name): os.readlink(link) for link in folder.iterdir()}
        assert held.pop(0) == '/dev/null' and held[1].startswith('pipe:') and held.pop(1) == held.pop(2)
        allowed = ('socket:', 'anon_inode:[event', 'pipe:', '/memfd:')
        if row['role'] == 'mail':
            allowed += (str(offline.zoe.mail),)
        strange = {number: link for number, link in held.items() if not link.startswith(allowed)}
        assert not strange, (row['role'], strange)


def test_an_identity_from_before_is_there_after_a_restart(offline):
    offline.stop()
    offline.start(wait=False)
    offline.wait_for(lambda status: status['roles'] and all(row['ready'] for row in status['roles']), 10, 'every role')
    again = Identity(offline, {**offline.json('identity', 'show', 'zoe'), 'password': offline.zoe.password})
    until(lambda: _answers(*offline.endpoint('imap')), 10, 'Dovecot')
    with again.mailbox() as mailbox:
        assert mailbox.uids() == []


def test_a_node_without_imap_runs(make_node):
    node = make_node('bare', {**OFFLINE, 'imap.program': 'none'}, tor=False)
    node.start(wait=False)
    status = node.wait_for(lambda status: True, 10, 'the control socket')
    assert 'imap' not in status['endpoints'] and 'dovecot' not in [row['name'] for row in status['programs']]
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(10) == 0


def test_a_folder_with_odd_letters_is_a_home_like_any_other(make_node):
    node = make_node('odd %u "quote" $HOME \\ äö', OFFLINE, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: True, 10, 'the control socket')
    odd = node.identity('odd', wait=False)
    until(lambda: _answers(*node.endpoint('imap')), 10, 'Dovecot')
    with odd.mailbox() as mailbox:
        assert mailbox.uids() == []
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 10, 'every role')
    node.stop()
