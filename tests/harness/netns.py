# SPDX-License-Identifier: ISC
"""A network namespace with a tor network and nodes of its own, whose link can be pulled. Needs root."""
import contextlib
import pwd
import subprocess

from . import account
from .node import Node
from .tornet import TorNetwork


class NetworkNamespace:
    """Its loopback is the only network there."""

    def __init__(self):
        self.holder = subprocess.Popen(['unshare', '--net', 'sh', '-c', 'ip link set lo up && echo ready && read end'],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == 'ready\n'
        self.prefix = ['nsenter', f'--net=/proc/{self.holder.pid}/ns/net']

    def ip(self, *words):
        subprocess.run([*self.prefix, 'ip', *words], check=True)

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()


class TorNetworkInside(TorNetwork):
    def __init__(self, folder, namespace):
        super().__init__(folder)
        self.namespace = namespace

    def _run(self, *arguments, **options):
        return super()._run(*arguments, prefix=self.namespace.prefix, **options)


class NodeInside(Node):
    def __init__(self, installation, network, folder, config, namespace):
        self.namespace = namespace
        super().__init__(installation, network, folder, config)

    def command(self, name):
        user = pwd.getpwnam(account.USER)
        return [*self.namespace.prefix, 'setpriv', f'--reuid={user.pw_uid}', f'--regid={user.pw_gid}', '--clear-groups',
                *super().command(name)]

    def account(self):
        return {}  # the prefix changes the user, after the namespace

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
