# SPDX-License-Identifier: ISC
"""Messages to a known peer, which go in the first flight of a session that goes on with an earlier one: over real tor, between real nodes,
after both were stopped."""
import pytest

from harness.early import EarlyServer
from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.recorder import certificate
from harness.slow import onions
from harness.waiting import until

TAKEN = 'a message went in the first flight'
REFUSED = 'did not take early data'
PROVED = 'a peer has proved which onion it is'
STILL_PROVED = 'a peer goes on with a session in which it has proved which onion it is'


def send(pair, subject):
    """Sends it from alice to bob, and waits for it and for its answer."""
    swaks(pair.alice, [pair.bob.address], '--header', f'Subject: {subject}', '--body', 'hello')
    with pair.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)
    until(lambda: not pair.a.json('queue', 'list', '--identity', pair.alice.name), TOR_PATIENCE_S, 'the answer to come back')


def send_to_known(pair, subject):
    """The same after both nodes have started anew. What the sender's log says about it."""
    pair.a.start()
    pair.b.start()
    pair.b.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), TOR_PATIENCE_S, 'bob to be back')
    before = len(pair.a.log.read_text(errors='replace'))
    send(pair, subject)
    return pair.a.log.read_text(errors='replace')[before:]


def stop(pair):
    pair.a.stop()
    pair.b.stop()


def send_until_early(pair, subject, prepare=lambda: None):
    """Sends to the known peer until the circuit stood for the first flight: one that breaks down takes the ticket with it. The subjects, and
    what was said of the last."""
    subjects = []
    for attempt in range(3):
        stop(pair)
        prepare()
        subjects.append(f'{subject} {attempt}')
        said = send_to_known(pair, subjects[-1])
        if TAKEN in said or REFUSED in said:
            break
    return subjects, said


def test_a_known_peer_takes_a_message_in_the_first_flight_when_both_were_stopped(running, subject):
    send(running, subject)
    key, = running.b.home.rglob(f'identities/{running.bob.name}/tickets.key')
    refused, said = send_until_early(running, f'{subject} refused', key.unlink)
    assert REFUSED in said and TAKEN not in said, said
    taken, said = send_until_early(running, f'{subject} taken')
    assert TAKEN in said and REFUSED not in said, said
    said_by_bob = running.b.log.read_text(errors='replace')
    assert PROVED in said_by_bob and 'proved nothing' not in said_by_bob
    assert said_by_bob.rindex(STILL_PROVED) > said_by_bob.rindex(PROVED), 'the ticket does not say who was proved'
    last = f'{subject} last'
    send(running, last)  # whatever was sent before this is there
    with running.bob.mailbox() as mailbox:
        found = mailbox.subjects()
    for each in (subject, *refused, *taken, last):
        assert found.count(each) == 1, f'{found.count(each)} copies of {each!r}'


MESSAGE = b'\r\nhello\r\n'
HONEST = b'220 x\r\n250 x\r\n250 a\r\n250 b\r\n250 c\r\n'
OPENING = b'220 x\r\n250 x\r\n235 proved\r\n'  # after a full handshake, where the client proves its onion
FULL = OPENING + b'250 a\r\n250 b\r\n250 c\r\n'
# What is said to a message that came early, before the connection ends. The mail waits.
LIES = {
    'nothing': b'',
    'no greeting': b'250 2.0.0 taken\r\n' * 5,
    'half': HONEST[:-4],
    'too little': HONEST[:-7],
    'too much': HONEST[:-7] + b'354 go\r\n250 2.0.0 taken\r\n',
    'endless': b'220 x\r\n250-' + b'y' * 100000,
    'controls': b'220 x\r\n250 x\r\n450 4.2.0 \x1b[2J\x00\r\n250 b\r\n250 c\r\n',
}


@pytest.fixture(scope='module')
def liar(network, work):
    pem, _ = certificate(work, 'liar')
    with EarlyServer(pem) as server, onions(network, [server]) as (server.onion,):
        yield server


def test_who_takes_early_data_and_lies_gets_no_message_out_of_the_queue(running, liar, subject):
    """Until he tells the truth. To who has forgotten his keys the message is sent again, after the handshake."""
    alice, a = running.alice, running.a
    log_begin = a.log.stat().st_size

    def waits():
        return [row for row in a.json('queue', 'list', '--identity', alice.name) if row['onion'] == liar.onion]

    def is_heard(begin):
        """A whole message, by which the session's turn has come to be answered."""
        return MESSAGE in liar.heard[begin:]

    def give(answer, begin):
        until(lambda: is_heard(begin), TOR_PATIENCE_S, 'the message', log=a.waiting)
        liar.say(answer)

    def send():
        begin = len(liar.heard)
        swaks(alice, [f'carol@{liar.onion}'], '--header', f'Subject: {subject}', '--body', 'hello')
        return begin

    begin = send()  # first contact: it gives tickets, and has no card
    until(lambda: b'CARD\r\n' in liar.heard[begin:], TOR_PATIENCE_S, 'the question for a card', log=a.waiting)
    liar.say(OPENING + b'500 5.5.2 What?\r\n')
    give(FULL[len(OPENING):], begin)
    until(lambda: not waits(), TOR_PATIENCE_S, 'the answer', log=a.waiting)
    liar.hang_up()
    begin = all_begin = send()
    for lie in LIES.values():
        give(lie, begin)
        tries, begin = waits()[0]['tries'], len(liar.heard)
        liar.hang_up()
        until(lambda: waits()[0]['tries'] > tries, TOR_PATIENCE_S, 'the next try', log=a.waiting)
        a.cli('queue', 'retry', '--all')
    liar.restart()  # also because one of the words to hang up may have come when there was nobody
    begin = len(liar.heard)
    a.cli('queue', 'retry', '--all')
    give(FULL, begin)
    until(lambda: not waits(), TOR_PATIENCE_S, 'the answer', log=a.waiting)
    assert liar.heard[all_begin:begin].count(MESSAGE) >= len(LIES) and liar.heard[begin:].count(MESSAGE) == 1
    assert TAKEN in a.log.read_text(errors='replace')[log_begin:]
