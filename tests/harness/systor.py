# SPDX-License-Identifier: ISC
"""A tor that is not a node's own, as Debian runs it."""
import grp
import os
import shutil
import signal
import subprocess

from . import account
from .postfix import free_port
from .waiting import until

TOR_USER = 'debian-tor'
IS_ROOT = os.geteuid() == 0


class SystemTor:
    """A tor as Debian runs it: its own user, a control socket for its group, a cookie for its group."""

    def __init__(self, network, folder):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self.control_port, self.socks_port, self.mixed_port = free_port(), free_port(), free_port()
        conf = [line.removeprefix('tor.extra = ') for line in network.conf.splitlines()]
        (folder / 'torrc').write_text('\n'.join([
            *conf, f'DataDirectory {folder}/data', 'Log notice stdout', 'SafeLogging 0',
            f'ControlSocket {folder}/control GroupWritable RelaxDirModeCheck', f'ControlPort 127.0.0.1:{self.control_port}',
            'CookieAuthentication 1', 'CookieAuthFileGroupReadable 1', f'CookieAuthFile {folder}/cookie',
            f'SocksPort unix:{folder}/socks WorldWritable', f'SocksPort 127.0.0.1:{self.socks_port}',
            f'SocksPort 127.0.0.1:{self.mixed_port} NoIsolateSOCKSAuth']) + '\n')
        self.user = {}
        self.groups = []
        if IS_ROOT:
            self.user = {'user': TOR_USER, 'group': TOR_USER, 'extra_groups': []}
            self.groups = [grp.getgrnam(TOR_USER).gr_gid]
            shutil.chown(folder, TOR_USER, TOR_USER)
        self.config = {'tor.control': f'unix:{folder}/control', 'tor.socks': f'unix:{folder}/socks',
                       'tor.cookie': f'{folder}/cookie'}
        self.start()

    def start(self):
        with open(self.folder / 'log', 'wb') as log:
            self.process = subprocess.Popen(['tor', '--defaults-torrc', '/dev/null', '-f', str(self.folder / 'torrc')],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=account.environment(), **self.user)
        until(lambda: 'Bootstrapped 100%' in self.log(), 60, 'the tor to bootstrap', log=self.log)

    def log(self):
        return (self.folder / 'log').read_text()

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
