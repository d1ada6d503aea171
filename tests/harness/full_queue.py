# SPDX-License-Identifier: ISC
"""A queue that is full before its node starts."""
import sqlite3
import time

from . import account


def fill(identity, count, onion='a' * 56 + '.onion'):
    """Puts items into the queue of an identity whose node is not running, as it would have done itself; their time is far
    away. The bodies are not there."""
    with sqlite3.connect(identity.mail / 'mail.db') as db:
        now = int(time.time())
        db.execute("INSERT INTO peers (onion, due_ms, not_before_ms, tried_ms, tries, failures, port, port_ms, reason, reply)"
                   " VALUES (?, 1 << 50, 1 << 50, 0, 1, 1, 0, 0, 5, 'it went offline')", (onion,))
        db.executemany("INSERT INTO items VALUES (?, ?, ?, 1000, ?, 0, ?, 0, 1 << 50, 0, 0)",
                       ((i, onion, i, identity.address, now) for i in range(1, count + 1)))
        db.executemany("INSERT INTO recipients VALUES (?, 0, ?, 0, 0, '', '')",
                       ((i, f'user{i}@{onion}') for i in range(1, count + 1)))
    db.close()
    for path in identity.mail.glob('mail.db*'):
        account.own(path)
