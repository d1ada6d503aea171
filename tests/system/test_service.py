# SPDX-License-Identifier: ISC
"""The node as a service: what the service manager is told, and the units."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import account

OFFLINE = {'tor.extra': 'DisableNetwork 1'}


class Manager:
    """The socket of a service manager: datagrams of NAME=VALUE lines (sd_notify(3))."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind('\0' + name[1:] if name.startswith('@') else name)
        if not name.startswith('@'):
            os.chmod(name, 0o666)
        self.socket.settimeout(30)

    def wait_for(self, line):
        """Every line until this one, with it."""
        seen = []
        while line not in seen:
            seen += self.socket.recv(4096).decode().split('\n')
        return seen


@pytest.fixture(params=['path', 'abstract'])
def manager(request, work):
    path = work / 'notify' / request.param
    path.parent.mkdir(exist_ok=True)
    manager = Manager(str(path) if request.param == 'path' else f'@smtorp-test-{os.getpid()}')
    yield manager
    manager.socket.close()


def test_the_manager_is_told_ready_status_and_stopping(make_node, manager):
    node = make_node(f'notify-{manager.name[0] == "@"}', OFFLINE, tor=False)
    node.json('identity', 'new', 'zoe')
    environment = {**node.environment(), 'NOTIFY_SOCKET': manager.name}
    process = subprocess.Popen([node.installation.program('smtorpd')], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=node.folder,
                               start_new_session=True, **account.popen_arguments())
    try:
        seen = manager.wait_for('READY=1')
        assert all(row['ready'] for row in node.status()['roles'])
        assert 'STOPPING=1' not in seen
        assert any(re.fullmatch(r'STATUS=tor: 0 %, \w.*', line) for line in seen)
        process.send_signal(signal.SIGTERM)
        seen = manager.wait_for('STOPPING=1')
        assert 'READY=1' not in seen
        assert not any('zoe' in line for line in seen)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize('kind', ['system', 'user'])
def test_the_units_are_sound(installation, work, kind):
    unit = installation.bin.parent / 'lib' / 'systemd' / kind / 'smtorp.service'
    text = unit.read_text()
    exits = re.search(r'^RestartPreventExitStatus=(.*)', text, re.M)[1].split()
    assert exits == ['2', '5', '7', '8', '9', '12']  # of smtorpd(8): trying again is no help
    if not shutil.which('systemd-analyze'):
        pytest.skip('there is no systemd-analyze')
    # the manual is not where man(1) looks, and the program lies below the installation's folder
    text = re.sub(r'^Documentation=.*\n', '', text, flags=re.M)
    text = re.sub(r'^ExecStart=\S+/smtorpd', f'ExecStart={installation.program("smtorpd")}', text, flags=re.M)
    copy = work / 'units' / kind / 'smtorp.service'
    copy.parent.mkdir(parents=True)
    copy.write_text(text)
    result = subprocess.run(['systemd-analyze', f'--{kind}', 'verify', str(copy)], capture_output=True, text=True,
                            timeout=60, env={**os.environ, 'XDG_RUNTIME_DIR': str(copy.parent)})
    assert result.returncode == 0 and not result.stderr, result.stderr
