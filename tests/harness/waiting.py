# SPDX-License-Identifier: ISC
"""Waiting for events: always with a deadline, never for a fixed time."""
import select
import time


class Late(AssertionError):
    """The event did not come before its deadline."""


def until(check, deadline_s=30, what=None, every_s=0.05, log=None):
    """Calls check() until it returns something true, and returns that. log() is shown when it was in vain."""
    end = time.monotonic() + deadline_s
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise Late(f'waited {deadline_s} s in vain for {what or check}' + (f'\n{log()}' if log else ''))
        select.select([], [], [], every_s)
