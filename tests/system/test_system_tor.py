# SPDX-License-Identifier: ISC
"""A node that uses a tor which is not its own: another user's, by its control socket, with the cookie."""
import os
import pwd
import shutil
import socket
import threading

import pytest

from harness.postfix import free_port
from harness.programs import swaks
from harness.systor import IS_ROOT, TOR_USER, SystemTor
from harness.waiting import until


@pytest.fixture(scope='module')
def system_tor(network, work):
    if IS_ROOT:
        try:
            pwd.getpwnam(TOR_USER)
        except KeyError:
            pytest.skip(f'there is no user {TOR_USER}')
    tor = SystemTor(network, work / 'systor')
    yield tor
    tor.stop()


def node_with(make_node, system_tor, name, **config):
    # So long a name makes the runtime folder one in /tmp, where the other user can pass through.
    node = make_node('with-the-tor-of-somebody-else-' + name, {**system_tor.config, **config}, tor=False)
    node.groups = system_tor.groups
    return node


@pytest.fixture(scope='module')
def node(make_node, system_tor):
    node = node_with(make_node, system_tor, 'main')
    node.start()
    node.carol = node.identity('carol')
    return node


def test_mail_goes_both_ways(node, running, subject):
    swaks(node.carol, [running.bob.address], '--header', f'Subject: {subject} to')
    swaks(running.bob, [node.carol.address], '--header', f'Subject: {subject} back')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} to')
    with node.carol.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} back')


def test_status_says_whose_tor_it_is(node, system_tor):
    status = node.status()
    assert status['tor']['control'] == system_tor.config['tor.control'] and status['tor']['version'].startswith('0.4.')
    assert node.program('tor') is None and not (node.home / 'tor').exists()
    assert f"not the node's own: {status['tor']['control']}" in node.cli('status').stdout


@pytest.mark.skipif(not IS_ROOT, reason='needs two users')
def test_that_tor_gets_the_sockets_and_nothing_else(node, system_tor):
    """The group may pass through three folders and connect to two sockets; all else is the node's alone."""
    sockets = {path for path in node.carol.sockets.values()}
    runtime = os.path.dirname(os.path.dirname(os.path.dirname(next(iter(sockets)))))
    open_to_group, folders = set(), {runtime, f'{runtime}/onion', f'{runtime}/onion/carol'}
    for folder, names, files in os.walk(runtime):
        for path in [folder, *(os.path.join(folder, name) for name in [*names, *files])]:
            found = os.lstat(path)
            if found.st_gid == system_tor.groups[0]:
                open_to_group.add(path)
                assert found.st_mode & 0o070 == (0o010 if path in folders else 0o060), path
    assert open_to_group == folders | sockets
    for name in os.listdir(runtime):  # to whom the folder lets pass, the others' rights in it count
        assert os.lstat(f'{runtime}/{name}').st_mode & 0o007 == 0, name


def test_services_are_back_when_that_tor_was_started_again(node, running, system_tor, subject):
    system_tor.stop()
    node.wait_for(lambda status: status['tor']['bootstrap'] == 0, 30, 'the node to notice')
    assert 'tor' in node.status()['tor']['phase']
    swaks(node.carol, [running.bob.address], '--header', f'Subject: {subject} to')
    system_tor.start()
    node.wait_for(lambda status: status['tor']['bootstrap'] == 100 and status['identities'][0]['state'] == 'published', 90,
                  'the service to be published again')
    swaks(running.bob, [node.carol.address], '--header', f'Subject: {subject} back')
    with node.carol.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} back')
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} to')


def test_control_and_socks_may_be_ports(make_node, system_tor, node, subject):
    other = node_with(make_node, system_tor, 'ports', **{'tor.control': f'127.0.0.1:{system_tor.control_port}',
                                                         'tor.socks': f'127.0.0.1:{system_tor.socks_port}'})
    other.start()
    dave = other.identity('dave', wait=False)
    swaks(dave, [node.carol.address], '--header', f'Subject: {subject}')
    with node.carol.mailbox() as mailbox:
        mailbox.wait_for(subject)
    other.stop()


def test_a_cookie_that_is_not_its_own_is_told(make_node, system_tor, work):
    wrong = work / 'wrong-cookie'
    wrong.write_bytes(b'x' * 32)
    wrong.chmod(0o644)
    if IS_ROOT:
        shutil.chown(wrong, TOR_USER, TOR_USER)
    node = node_with(make_node, system_tor, 'cookie', **{'tor.cookie': str(wrong)})
    node.start(wait=False)
    node.wait_for(lambda status: 'does not know the cookie' in status['tor']['phase'], 30, 'the reason')
    assert 'does not know the cookie' in node.cli('logs', '--role', 'tor').stdout
    node.stop()


def test_who_sits_on_the_port_and_wants_no_proof_gets_no_key(make_node, system_tor):
    """Any user may listen there while tor does not, and say that nobody need prove anything."""
    heard = bytearray()

    def answer(connection):
        with connection, connection.makefile('rb') as lines:
            for line in lines:
                heard.extend(line)
                connection.sendall(b'250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n'
                                   if line.startswith(b'PROTOCOLINFO') else b'250 OK\r\n')

    with socket.create_server(('127.0.0.1', 0)) as squatter:
        def serve():
            while True:
                try:
                    connection, _ = squatter.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
        node = node_with(make_node, system_tor, 'squat', **{'tor.control': f'127.0.0.1:{squatter.getsockname()[1]}'})
        node.start(wait=False)
        node.identity('dora', wait=False)
        node.wait_for(lambda status: 'gets no key' in status['tor']['phase'], 30, 'the reason')
        node.stop()
        squatter.shutdown(socket.SHUT_RDWR)
    assert heard.startswith(b'PROTOCOLINFO') and b'ADD_ONION' not in heard


def test_no_tor_there_is_said_and_waited_for(make_node):
    node = make_node('no-tor-there', {'tor.control': f'127.0.0.1:{free_port()}', 'tor.socks': '127.0.0.1:9'}, tor=False)
    node.start(wait=False)
    node.wait_for(lambda status: 'tor' in status['tor']['phase'] and status['tor']['phase'] != 'starting', 30, 'the reason')
    assert node.status()['tor']['bootstrap'] == 0
    node.stop()


@pytest.mark.parametrize('config, says', [
    ({'tor.bridge': '192.0.2.7:443'}, 'tor.bridge (--bridge) is for a tor of the node'),
    ({'tor.extra': 'ClientOnly 1'}, 'tor.extra is for a tor of the node'),
    ({'tor.transport': 'fog /bin/true'}, 'tor.transport is for a tor of the node'),
])
def test_what_only_a_tor_of_ones_own_can_have_is_refused(make_node, config, says):
    node = make_node('not-both', {'tor.control': 'unix:/nonexistent/control', 'tor.socks': 'unix:/nonexistent/socks', **config},
                     tor=False)
    result = node.run('smtorpd', check=False, timeout=20)
    assert result.returncode == 9 and says in result.stderr


@pytest.mark.skipif(not IS_ROOT, reason='needs two users')
@pytest.mark.parametrize('groups, name, says', [
    (False, 'with-the-tor-of-somebody-else-outside', 'is not in the group of'),
    (True, 'shut', 'cannot pass through'),
])
def test_a_tor_that_could_not_reach_the_sockets_is_refused(make_node, system_tor, groups, name, says):
    node = make_node(name, system_tor.config, tor=False)
    node.groups = system_tor.groups if groups else []
    node.start(wait=False)
    assert node.process.wait(20) != 0
    assert says in node.log.read_text()


def test_a_socks_port_that_mixes_circuits_is_refused(make_node, system_tor):
    node = node_with(make_node, system_tor, 'mixed', **{'tor.socks': f'127.0.0.1:{system_tor.mixed_port}'})
    node.start(wait=False)
    node.wait_for(lambda status: 'NoIsolateSOCKSAuth' in status['tor']['phase'], 30, 'the reason')
    assert node.status()['tor']['bootstrap'] == 0
    node.stop()
