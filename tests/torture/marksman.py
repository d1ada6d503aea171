# SPDX-License-Identifier: ISC
"""Kills at the moment when a process is inside a system call of a kind: a process of its own, which nothing else holds up.

A line in, JSON: {"watch": [pids], "phase": "journal", "kill": [pids], "deadline_s": 3, "delay_s": 0}. A line out: the phase that was
met, or nothing; it kills in both cases."""
import contextlib
import json
import os
import platform
import re
import select
import signal
import subprocess
import sys
import time

SYNCS = {'x86_64': {74, 75, 306}, 'aarch64': {82, 83, 267}}.get(platform.machine(), set())  # fsync, fdatasync, syncfs
PHASES = {'journal': r'/journal', 'database': r'/mail\.db', 'mailbox': r'/Maildir', 'files': r'/(staging|queue|mail$)'}


class Watched:
    """One thread, by a descriptor that is read again and again."""

    def __init__(self, pid, task):
        self.pid = pid
        self.fd = os.open(f'/proc/{pid}/task/{task}/syscall', os.O_RDONLY)

    def path_in_sync(self):
        """The path of what it syncs at this moment, or nothing."""
        words = os.pread(self.fd, 100, 0).split()
        if len(words) < 2 or not words[0].isdigit() or int(words[0]) not in SYNCS:
            return ''
        return os.readlink(f'/proc/{self.pid}/fd/{int(words[1], 16)}')

    def __del__(self):
        with contextlib.suppress(AttributeError):
            os.close(self.fd)


def threads(pids):
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f'/proc/{pid}/task'):
                yield Watched(pid, task)


def met(order):
    wanted, end = re.compile(PHASES[order['phase']]), time.monotonic() + order['deadline_s']
    while time.monotonic() < end:
        watched = list(threads(order['watch']))  # anew now and then: threads come and go
        if not watched:
            return False  # gone already, or only root may look
        for _ in range(2000):
            for each in watched:
                with contextlib.suppress(OSError):
                    if wanted.search(each.path_in_sync()):
                        return True
    return False


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main():
    for line in sys.stdin:
        order = json.loads(line)
        phase = order['phase'] if order['phase'] in PHASES and met(order) else ''
        select.select([], [], [], order['delay_s'])
        kill(order['kill'])
        print(phase, flush=True)


class Marksman:
    """The other end."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, '-B', __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def shoot(self, watch, phase, victims, deadline_s=3.0, delay_s=0.0):
        self.process.stdin.write(json.dumps({'watch': watch, 'phase': phase, 'kill': victims, 'deadline_s': deadline_s,
                                             'delay_s': delay_s}) + '\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


if __name__ == '__main__':
    main()
