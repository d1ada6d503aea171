# SPDX-License-Identifier: ISC
"""Processes that outlive their starter and are found again by pid and start time, so no recycled pid is ever taken
for one of them."""

import os
import pathlib
import select
import signal
import subprocess
import time


def _start_time(pid):
    """Clock ticks after boot at which the process began, or None; zombies count as gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def spawn(arguments, record, output, pass_fds=()):
    """Start a process in a session of its own and return its Popen.

    The new process writes the record itself before it becomes the program: whenever the starter is killed, the
    record of everything that runs is complete.
    """
    def write_record():
        pid = os.getpid()
        record.write_text(f"{pid} {_start_time(pid)}\n")

    with open(output, "ab") as log:
        return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=pass_fds,
                                start_new_session=True, preexec_fn=write_record)


def recorded_pid(record):
    """The pid of the recorded process if that very process still runs, else None."""
    try:
        pid, started = record.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if str(_start_time(int(pid))) == started else None


def end(records, grace_s=5):
    """End the recorded processes: SIGTERM, and SIGKILL after the grace time. Returns when all are gone."""
    handles = [handle for handle in map(_open_handle, records) if handle is not None]
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for handle in handles:
                _send(handle, number)
            if _all_gone(handles, grace_s):
                return
        raise TimeoutError("some processes did not end even after SIGKILL")
    finally:
        for handle in handles:
            os.close(handle)


def _open_handle(record):
    """A pidfd for the recorded process, or None. Opened first and checked after, so the pid cannot change hands."""
    pid = recorded_pid(record)
    if pid is None:
        return None
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if recorded_pid(record) == pid:
        return handle
    os.close(handle)
    return None


def _send(handle, number):
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass


def _all_gone(handles, timeout_s):
    deadline = time.monotonic() + timeout_s
    for handle in handles:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        left_ms = max(0, int((deadline - time.monotonic()) * 1000))
        if not poll.poll(left_ms):
            return False
    return True
