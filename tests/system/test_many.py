# SPDX-License-Identifier: ISC
"""Many at a time: destinations, some of them slow; messages; identities."""
from harness.programs import swaks
from harness.slow import BadServer, onions
from harness.waiting import until

SLOW = 20


def cancel_all(node, identity):
    for row in node.json('queue', 'list', '--identity', identity.name):
        node.cli('queue', 'cancel', row['id'], check=False)  # one that is being delivered now goes by itself


def test_slow_peers_delay_nobody(running, network, subject):
    """More servers than anybody has patience for take the connection and say nothing; the mail beside them arrives."""
    server = BadServer()
    try:
        with onions(network, server, SLOW) as slow:
            swaks(running.alice, [f'carol@{onion}' for onion in slow], '--header', f'Subject: {subject} slow',
                  '--header', 'To: many:;')
            until(lambda: server.taken >= SLOW, 420, f'{SLOW} connections to slow servers')
            swaks(running.alice, [running.home.address], '--header', f'Subject: {subject}')
            with running.home.mailbox() as mailbox:
                mailbox.wait_for(subject)
            assert server.ended == 0, 'a slow peer had to be given up first'
            cancel_all(running.a, running.alice)
    finally:
        server.close()


def test_a_refused_session_bounces_nothing(running, network, subject):
    """554 instead of a greeting is about no message: both that wait are kept, and tried again."""
    server = BadServer(b'554 5.3.2 not today\r\n')

    def tried_twice():
        rows = [row for row in running.a.json('queue', 'list', '--identity', 'alice') if row['onion'] == onion]
        return len(rows) == 2 and all(row['tries'] >= 2 and row['reason'] == 'refused' for row in rows) and rows
    try:
        with onions(network, server, 1) as [onion]:
            for _ in range(2):
                swaks(running.alice, [f'carol@{onion}'], '--header', f'Subject: {subject}')
            rows = until(tried_twice, 420, 'two tries')
            assert all('554 not today' in row['text'] for row in rows)
            with running.alice.mailbox() as mailbox:
                assert not any(subject in mailbox.message(uid).as_string() for uid in mailbox.uids())
            cancel_all(running.a, running.alice)
    finally:
        server.close()
