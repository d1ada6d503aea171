# SPDX-License-Identifier: ISC
"""Where tor is blocked: a node that reaches its network through bridges only."""
import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import account
from harness.waiting import until


class Relay:
    """A relay of the private network, which serves as a plain bridge, too."""

    def __init__(self, network, name):
        folder = network.folder / name
        self.port = int(re.search(r'^ORPort 127\.0\.0\.1:(\d+)', (folder / 'torrc').read_text(), re.M)[1])
        self.fingerprint = (folder / 'data' / 'fingerprint').read_text().split()[1]
        self.line = f'127.0.0.1:{self.port} {self.fingerprint}'


class Obfs4Bridge:
    """A tor of our own that offers obfs4 in the private network."""

    def __init__(self, network, folder):
        self.folder = account.own(_made(folder))
        folder.chmod(0o700)
        self.log = folder / 'log'
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        conf = [line.removeprefix('tor.extra = ') for line in network.conf.splitlines()]
        (folder / 'torrc').write_text('\n'.join([
            *(line for line in conf if line != 'AssumeReachable 1'), f'DataDirectory {folder}/data', 'SocksPort 0', 'ControlPort 0', 'BridgeRelay 1', 'Nickname obfuscated',
            'ORPort 127.0.0.1:auto', 'Address 127.0.0.1', 'AssumeReachable 1', 'PublishServerDescriptor 0', 'ExitRelay 0',
            'ServerTransportPlugin obfs4 exec ' + shutil.which('obfs4proxy'),
            f'ServerTransportListenAddr obfs4 127.0.0.1:{self.port}', 'Log notice stdout', 'SafeLogging 0']) + '\n')
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(['tor', '--defaults-torrc', '/dev/null', '-f', str(folder / 'torrc')],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=account.environment(), **account.popen_arguments())
        until(lambda: 'Bootstrapped 100%' in self.log.read_text(), 60, 'the bridge to bootstrap', log=self.log.read_text)
        line = folder / 'data' / 'pt_state' / 'obfs4_bridgeline.txt'  # by obfs4proxy, which tor does not wait for

        def certificate_written():
            return line.exists() and re.search(r'^Bridge obfs4 .*(cert=\S+ iat-mode=\d)', line.read_text(), re.M)
        certificate = until(certificate_written, 60, "obfs4proxy's bridge line", log=self.log.read_text)[1]
        fingerprint = (folder / 'data' / 'fingerprint').read_text().split()[1]
        self.line = f'Bridge obfs4 127.0.0.1:{self.port} {fingerprint} {certificate}'

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.kill()
        self.process.wait()


def _made(path):
    path.mkdir(parents=True)
    return path


def peer_ports(pid):
    """The ports that a process's TCP connections go to."""
    text = subprocess.run(['ss', '-Hntp', 'state', 'connected'], capture_output=True, text=True, check=True).stdout
    return {int(re.search(r':(\d+)\s+users:', line)[1]) for line in text.splitlines() if f'pid={pid},' in line}


def test_a_configured_bridge_is_the_only_way_out(make_node, network):
    bridge = Relay(network, 'relay1')
    node = make_node('bridged', {'tor.bridge': bridge.line})
    node.start()
    try:
        node.identity('zoe')  # reachable: published through the bridge
        tor = node.status()['tor']
        assert tor['bridges'] == 1
        assert peer_ports(tor['pid']) == {bridge.port}
        assert 'bridges: 1' in node.cli('status').stdout
    finally:
        node.stop()


def test_up_takes_bridges(make_node, network):
    lines = [Relay(network, name).line for name in ('relay2', 'relay3')]
    node = make_node('up-bridged')
    process = subprocess.Popen([node.installation.program('smtorp'), 'up', '--bridge', lines[0], '--bridge', lines[1]],
                               env=node.environment(), cwd=node.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                               **account.popen_arguments())
    seen = []
    try:
        for line in process.stdout:
            seen.append(line)
            if 'connected by way of a bridge' in line:
                break
        assert node.status()['tor']['bridges'] == 2, ''.join(seen)
        assert peer_ports(node.status()['tor']['pid']) <= {int(line.split()[0].split(':')[1]) for line in lines}
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.skipif(shutil.which('obfs4proxy') is None, reason='there is no obfs4proxy')
def test_an_obfs4_bridge_is_reached_by_debians_proxy(make_node, network, work):
    bridge = Obfs4Bridge(network, work / 'obfs4')
    try:
        node = make_node('obfuscated', {'tor.bridge': bridge.line})
        node.start()
        assert node.status()['tor']['bridges'] == 1
        assert not peer_ports(node.status()['tor']['pid']) & {bridge.port}  # the proxy goes there
        pids = subprocess.run(['ss', '-Hntp', 'state', 'connected', f'dport = :{bridge.port}'], capture_output=True,
                              text=True, check=True).stdout
        assert 'obfs4proxy' in pids
        node.stop()
    finally:
        bridge.stop()


@pytest.mark.parametrize('config, says', [
    ({'tor.bridge': 'bridge.example:443'}, "the bridge 'bridge.example:443' must read"),
    ({'tor.bridge': 'fog 192.0.2.7:443'}, 'tor.transport = fog PROGRAM'),
    ({'tor.bridge': 'obfs4 192.0.2.7:443', 'tor.transport': 'obfs4 no-such-proxy'}, "no program 'no-such-proxy'"),
])
def test_a_bridge_that_cannot_be_is_refused(make_node, config, says):
    node = make_node('unbridged', config, tor=False)
    result = node.run('smtorpd', check=False, timeout=20)
    assert result.returncode != 0 and says in result.stderr
