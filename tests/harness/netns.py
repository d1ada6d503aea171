# SPDX-License-Identifier: ISC
"""A network namespace with a tor network and nodes of its own, whose link can be pulled. Needs root."""
import contextlib
import ctypes
import pwd
import subprocess

from . import account
from .node import Node
from .tornet import TorNetwork


CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def _enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f'cannot enter {namespace.name}')


class NetworkNamespace:
    """Its loopback is the only network there. prepare: a command for the shell that also makes its view of the files, if
    files is true, other than that of the rest of the machine."""

    def __init__(self, files=False, prepare='true'):
        self.holder = subprocess.Popen(['unshare', '--net', *(['--mount'] if files else []), 'sh', '-c',
                                        f'ip link set lo up && {prepare} && echo ready && read end'],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == 'ready\n'
        self.net = f'/proc/{self.holder.pid}/ns/net'
        self.prefix = ['nsenter', f'--net={self.net}', *([f'--mount=/proc/{self.holder.pid}/ns/mnt'] if files else [])]

    @contextlib.contextmanager
    def entered(self):
        """Sockets made and programs started meanwhile by this thread are in the namespace."""
        with open('/proc/thread-self/ns/net') as home, open(self.net) as inside:
            _enter(inside)
            try:
                yield
            finally:
                _enter(home)

    def ip(self, *words):
        subprocess.run([*self.prefix, 'ip', *words], check=True)

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()


class TorNetworkInside(TorNetwork):
    def __init__(self, folder, namespace, *options):
        super().__init__(folder, *options)
        self.namespace = namespace

    def _run(self, *arguments, **options):
        return super()._run(*arguments, prefix=self.namespace.prefix, **options)


class NodeInside(Node):
    def __init__(self, installation, network, folder, config, namespace):
        self.namespace = namespace
        super().__init__(installation, network, folder, config)

    def words(self, *command):
        user = pwd.getpwnam(account.USER)
        return [*self.namespace.prefix, 'setpriv', f'--reuid={user.pw_uid}', f'--regid={user.pw_gid}', '--clear-groups',
                *super().words(*command)]

    def account(self):
        return {}  # the prefix changes the user, after the namespace

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
