# SPDX-License-Identifier: ISC
"""Messages to a known peer, which go in the first flight of a session that goes on with an earlier one: over real tor, between real nodes,
after both were stopped."""
from harness.imap import TOR_PATIENCE_S
from harness.programs import swaks
from harness.waiting import until

TAKEN = 'a message went in the first flight'
REFUSED = 'did not take early data'


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
    last = f'{subject} last'
    send(running, last)  # whatever was sent before this is there
    with running.bob.mailbox() as mailbox:
        found = mailbox.subjects()
    for each in (subject, *refused, *taken, last):
        assert found.count(each) == 1, f'{found.count(each)} copies of {each!r}'
