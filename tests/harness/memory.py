# SPDX-License-Identifier: ISC
"""How much memory the roles of nodes take at the most while something happens."""
import collections
import contextlib
import os
import pathlib
import threading


def _children(parent):
    for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            name, rest = path.read_text().split('(', 1)[1].rsplit(')', 1)
            if int(rest.split()[1]) == parent and name.startswith('smtorp'):
                yield name, int(path.parent.name)


def _status(pid, key):
    with open(f'/proc/{pid}/status') as status:
        return int(next(line for line in status if line.startswith(key)).split()[1])


def _memory_files(pid):
    """KiB of what it holds in memfds, which count for no process until they are mapped. Only root may look."""
    total = 0
    for entry in os.scandir(f'/proc/{pid}/fd'):
        with contextlib.suppress(OSError):
            if os.readlink(entry.path).startswith('/memfd:'):
                total += os.stat(entry.path).st_blocks // 2
    return total


def _pss_kib(pid):
    with open(f'/proc/{pid}/smaps_rollup') as rollup:
        return int(next(line for line in rollup if line.startswith('Pss:')).split()[1])


def pss_kib(node):
    """What all processes of the node take, but for tor and Dovecot; shared pages count in parts. Only root may look."""
    return sum(_pss_kib(pid) for pid in [node.process.pid] + [pid for _, pid in _children(node.process.pid)])


def role_pss_kib(node, role, identity=''):
    """The same of one role, with its memfds."""
    pid = node.role(role, identity)['pid']
    return _pss_kib(pid) + _memory_files(pid)


def role_peak_kib(node, role, identity=''):
    """The most that one role has held since it was started."""
    return _status(node.role(role, identity)['pid'], 'VmHWM')


class Peaks:
    """with Peaks(node, ...) as peaks: peaks.resident and peaks.files are the most KiB of each kind of role."""

    def __init__(self, *nodes):
        self.parents = [node.process.pid for node in nodes]
        self.resident, self.files = collections.Counter(), collections.Counter()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _look(self):
        for parent in self.parents:
            for name, pid in _children(parent):
                with contextlib.suppress(OSError, StopIteration):
                    self.resident[name] = max(self.resident[name], _status(pid, 'VmHWM'))
                    self.files[name] = max(self.files[name], _memory_files(pid))

    def _run(self):
        while not self.over.wait(0.05):
            self._look()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self._look()
