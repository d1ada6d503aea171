# SPDX-License-Identifier: ISC
"""Another machine, as far as a program can see: its own host name, user, time zone, locale, and paths. Needs root."""
import contextlib
import os
import pathlib
import subprocess

from . import account
from .node import Node

BEGIN = 'hostname "$1" && mount --bind "$2" /etc/passwd && mount --bind "$3" /etc/group && ' \
        '{ [ ! -e /etc/machine-id ] || mount --bind "$3.id" /etc/machine-id; } && echo ready && read end'


class Machine:
    """Whoever runs there sees nothing of the names of the real one. uid: a number that nobody has; zone: letters, and offset: as in
    a date, +0723."""

    def __init__(self, folder, host, user, uid, zone, offset, language):
        folder = pathlib.Path(folder)
        folder.mkdir()
        self.host, self.user, self.uid, self.zone, self.offset, self.language = host, user, uid, zone, offset, language
        self.real_name = f'{user.capitalize()} Realname'
        passwd, group = folder / 'passwd', folder / 'group'
        home = folder / f'home-of-{user}'
        passwd.write_text(f'root:x:0:0:root:/root:/bin/sh\n{user}:x:{uid}:{uid}:{self.real_name},,,:{home}:/bin/sh\n')
        group.write_text(f'root:x:0:\n{user}:x:{uid}:\n')
        (folder / 'group.id').write_text(f'{uid:032x}\n')
        self.home = self.own(_made(home))
        self.holder = subprocess.Popen(['unshare', '--uts', '--mount', 'sh', '-c', BEGIN, 'sh', host, passwd, group],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == 'ready\n'

    def words(self, *command):
        spaces = f'/proc/{self.holder.pid}/ns'
        return ['nsenter', f'--uts={spaces}/uts', f'--mount={spaces}/mnt', f'--wd={self.home}', 'setpriv', f'--reuid={self.uid}',
                f'--regid={self.uid}', '--clear-groups', *(str(word) for word in command)]

    def environment(self):
        sign, hours, minutes = self.offset[0], self.offset[1:3], self.offset[3:]
        zone = f'<{self.zone}>{"-" if sign == "+" else "+"}{hours}:{minutes}'  # POSIX counts to the west
        return {'TZ': zone, 'LANG': self.language, 'LC_ALL': self.language, 'HOME': str(self.home), 'USER': self.user,
                'LOGNAME': self.user, 'HOSTNAME': self.host, 'EMAIL': f'{self.user}@{self.host}'}

    def own(self, path):
        os.chown(path, self.uid, self.uid)
        return path

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()


class NodeOn(Node):
    """A node on such a machine; its mail programs run there, too."""

    def __init__(self, installation, network, machine, config=None):
        self.machine = machine
        super().__init__(installation, network, machine.home, config)

    def own(self, path):
        return self.machine.own(path)

    def words(self, *command):
        return self.machine.words(*command)

    def account(self):
        return {}  # the words change the user, after the namespaces

    def environment(self):
        return account.environment(**{**self.machine.environment(), 'SMTORP_HOME': str(self.home), 'ASAN_OPTIONS': 'detect_leaks=0'})

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()


def _made(path):
    path.mkdir()
    return path
