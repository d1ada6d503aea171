# SPDX-License-Identifier: ISC
"""A node on a small disk of its own: a tmpfs in a mount namespace that goes with it. Needs root."""
import contextlib
import errno
import os
import pathlib
import pwd
import shutil
import subprocess

from . import account
from .node import Node


class SmallDisk:
    """A file system of so many MiB over a folder; only processes started with `prefix` see it there."""

    def __init__(self, folder, size_mib, files=0):
        """files: as many as there can be; 0: enough."""
        user = pwd.getpwnam(account.USER)
        self.folder = pathlib.Path(folder)
        script = f'mount -t tmpfs -o size={size_mib}m,nr_inodes={files},mode=700,uid={user.pw_uid},gid={user.pw_gid} none "$1" && echo ready && read end'
        self.holder = subprocess.Popen(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', str(folder)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == 'ready\n'
        self.prefix = ['nsenter', f'--mount=/proc/{self.holder.pid}/ns/mnt', 'setpriv', f'--reuid={user.pw_uid}',
                       f'--regid={user.pw_gid}', '--clear-groups']
        self.seen = pathlib.Path(f'/proc/{self.holder.pid}/root{folder}')  # the same from outside

    def fill(self, keep_bytes=0):
        """Leaves only so much room."""
        with open(self.seen / 'filler', 'ab') as filler:
            while True:
                free = os.statvfs(self.seen)
                try:
                    os.posix_fallocate(filler.fileno(), filler.tell(), max(1, free.f_bavail * free.f_bsize - keep_bytes))
                    return
                except OSError as error:  # the node was faster: look again
                    if error.errno != errno.ENOSPC or free.f_bavail == 0:
                        raise

    def fill_with_files(self):
        """Empty ones, until there can be no more."""
        (self.seen / 'fillers').mkdir()
        with contextlib.suppress(OSError):
            for number in range(1 << 20):
                open(self.seen / 'fillers' / str(number), 'x').close()

    def empty(self):
        (self.seen / 'filler').unlink(missing_ok=True)
        shutil.rmtree(self.seen / 'fillers', ignore_errors=True)

    def mount(self, *words):
        """Whether mount(8) could do it there."""
        return subprocess.run([*self.prefix[:2], 'mount', *map(str, words)], stderr=subprocess.DEVNULL).returncode == 0

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()


class NodeOnDisk(Node):
    """Its home is the disk."""

    def __init__(self, installation, network, folder, config, size_mib, files=0):
        home = pathlib.Path(folder) / 'home'
        home.mkdir(parents=True)
        self.disk = SmallDisk(home, size_mib, files)
        super().__init__(installation, network, folder, config)

    def configure(self, config):
        super().configure(config)
        text = (self.home / 'smtorp.conf').read_text()
        (self.disk.seen / 'smtorp.conf').write_text(text)
        account.own(self.disk.seen / 'smtorp.conf')

    def command(self, name):
        return [*self.disk.prefix, *super().command(name)]

    def account(self):
        return {}  # the prefix changes the user, after the namespace

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
        self.disk.close()
