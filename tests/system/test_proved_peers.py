# SPDX-License-Identifier: ISC
"""A peer that has proved which onion it is gets at once what could not be brought to it before; who proves nothing sets nothing off."""
import contextlib
import sqlite3

from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.smtp import tls_session
from harness.waiting import until

PATIENT = {'queue.retry-first': '1h', 'queue.retry-most': '1h'}


def waiting(identity):
    return identity.node.json('queue', 'list', '--identity', identity.name)


def make_tries_old(identity):
    """It is as if the last try had been long ago."""
    with contextlib.closing(sqlite3.connect(identity.mail / 'mail.db')) as database, database:
        database.execute('UPDATE peers SET tried_ms = tried_ms - 3600000')


def test_who_proves_to_be_there_gets_what_waits(make_node, running, subject):
    node = make_node('patient', PATIENT).start()
    carol, bob, home = node.identity('carol'), running.bob, running.home
    running.b.stop()
    swaks(carol, [bob.address], '--header', f'Subject: {subject} waits')
    until(lambda: [row for row in waiting(carol) if row['tries']], TOR_PATIENCE_S, 'the first try to fail', log=lambda: waiting(carol))
    node.stop()
    make_tries_old(carol)
    node.start()
    running.b.start()

    def assert_waits_long():
        row, = waiting(carol)
        assert row['onion'] == bob.onion and row['tries'] == 1

    with carol.mailbox() as mailbox:
        with tls_session(carol) as stranger:  # says that he is bob, and proves nothing
            body = f'Subject: {subject} false\r\n\r\n'
            stranger.say(f'MAIL FROM:<{bob.address}>\r\nRCPT TO:<{carol.address}>\r\nBDAT {len(body)} LAST\r\n{body}')
            assert [stranger.reply()[:3] for _ in range(3)] == ['250', '250', '250']
        swaks(home, [carol.address], '--header', f'Subject: {subject} other')  # proves to be another one
        mailbox.wait_for(f'{subject} other')
        assert_waits_long()
        swaks(bob, [carol.address], '--header', f'Subject: {subject} proved')
        mailbox.wait_for(f'{subject} proved')
    with bob.mailbox() as mailbox:
        mailbox.wait_for(f'{subject} waits')
    node.stop()
