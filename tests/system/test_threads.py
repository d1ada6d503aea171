# SPDX-License-Identifier: ISC
"""Message ids: those of the mail programs stay at home, and threads hang together all the same."""
import email.policy
import mailbox as maildirs
import os
import re

import pytest

from harness import account
from harness.programs import run, swaks

AS_IT_IS = email.policy.default.clone(max_line_length=998, refold_source='none')
CANARY = 'laptop.home.example'  # the machine's name, as a mail program would write it


def outer(identity):
    return rf'<[a-z2-7]{{26}}@{re.escape(identity.onion)}>'


def ids(message, field):
    return str(message[field] or '').split()


def write(sender, recipient, subject, inner, references=(), text='text'):
    """Sends with the headers that a mail program writes: its own id, and what it answers."""
    more = ['--header', f'Message-Id: {inner}', '--body', text]
    if references:
        more += ['--add-header', f'In-Reply-To: {references[-1]}', '--add-header', f'References: {" ".join(references)}']
    swaks(sender, [recipient.address], '--header', f'Subject: {subject}', *more)


def get(recipient, subject):
    with recipient.mailbox() as mailbox:
        return mailbox.message(mailbox.wait_for(subject))


def thread(identity, messages):
    """What Dovecot says of these messages in a folder: threads by their ids alone (not by their subjects)."""
    with identity.mailbox() as mailbox:
        folder = f'Thread{os.urandom(4).hex()}'
        assert mailbox.imap.create(folder)[0] == 'OK'
        for message in messages:
            assert mailbox.imap.append(folder, None, None, message.as_bytes(policy=AS_IT_IS))[0] == 'OK'
        mailbox.imap.select(folder)
        kind, data = mailbox.imap.thread('REFS', 'UTF-8', 'ALL')
        assert kind == 'OK' and mailbox.imap.delete(folder)[0] == 'OK'
        return data[0].decode()


@pytest.fixture
def desk():
    folder = account.own(account.work_folder())
    yield folder
    account.remove(folder)


def test_a_thread_hangs_together_on_both_sides(running, subject, desk):
    """alice to bob, bob to alice, alice to bob: each finds the own ids again, and sees none of the other's."""
    alice, bob = running.alice, running.bob
    settings = os.path.join(desk, 'muttrc')
    with open(settings, 'w', encoding='utf-8') as file:
        file.write(running.a.cli('mua', 'alice', '--client', 'mutt').stdout +
                   f'\nset hostname="{CANARY}"\nunhook folder-hook\nset record="{desk}/sent"\n')
    account.own(settings)
    run(alice.node, 'neomutt', '-n', '-F', settings, '-s', f'{subject} question', '--', bob.address, input='?\n')
    question = next(iter(maildirs.mbox(os.path.join(desk, 'sent'))))
    assert CANARY in question['Message-ID']

    got = get(bob, f'{subject} question')
    assert CANARY not in got.as_string() and re.fullmatch(outer(alice), got['Message-ID'])

    # too large for memory: it goes through files on both sides
    large = os.path.join(desk, 'large')
    with open(large, 'w', encoding='utf-8') as file:
        file.writelines(f'line {number} of a long letter\n' for number in range(50000))
    write(bob, alice, f'{subject} answer', f'<answer@desk.{CANARY}>', [got['Message-ID']], f'@{large}')
    answer = get(alice, f'{subject} answer')
    assert ids(answer, 'In-Reply-To') == ids(answer, 'References') == [question['Message-ID']]
    assert answer.get_content().replace('\r', '').strip().endswith('line 49999 of a long letter')
    assert 'desk' not in answer.as_string() and re.fullmatch(outer(bob), answer['Message-ID'])

    write(alice, bob, f'{subject} thanks', f'<thanks@{CANARY}>', [question['Message-ID'], answer['Message-ID']])
    thanks = get(bob, f'{subject} thanks')
    assert ids(thanks, 'References') == [got['Message-ID'], f'<answer@desk.{CANARY}>']
    assert ids(thanks, 'In-Reply-To') == [f'<answer@desk.{CANARY}>']
    assert f'@{CANARY}' not in thanks.as_string()

    # what lies in their folders: the own ones as they were written, the others as they came
    for message, inner in ((answer, f'<answer@desk.{CANARY}>'), (thanks, f'<thanks@{CANARY}>')):
        message.own = type(message)()
        for name, value in message.items():
            message.own[name] = value if name != 'Message-ID' else inner
    del thanks.own['References'], thanks.own['In-Reply-To']
    thanks.own['References'] = f'{question["Message-ID"]} {answer["Message-ID"]}'
    del answer.own['References'], answer.own['In-Reply-To']
    answer.own['References'] = got['Message-ID']
    assert thread(alice, [question, answer, thanks.own]) == '(1 2 3)'
    assert thread(bob, [got, answer.own, thanks]) == '(1 2 3)'


def test_an_answer_as_somebody_else_links_nothing(running, subject):
    """alice gets an answer and goes on as `work`: bob sees ids that he has never seen, and his answer to them is threaded."""
    alice, work, bob = running.alice, running.work, running.bob
    write(alice, bob, f'{subject} question', f'<question-{subject}@{CANARY}>'.replace(' ', '-'))
    got = get(bob, f'{subject} question')
    write(bob, alice, f'{subject} answer', '<1@bob.example>', [got['Message-ID']])
    answer = get(alice, f'{subject} answer')
    references = ids(answer, 'References') + [answer['Message-ID']]
    assert CANARY in references[0] and bob.onion in references[1]

    write(work, bob, f'{subject} other', f'<other@{CANARY}>', references)
    other = get(bob, f'{subject} other')
    assert re.fullmatch(outer(work), other['Message-ID'])
    assert len(ids(other, 'References')) == 2 and ids(other, 'In-Reply-To') == ids(other, 'References')[-1:]
    assert all(re.fullmatch(outer(work), each) for each in ids(other, 'References'))
    for known in (alice.onion, CANARY, got['Message-ID'], answer['Message-ID'], '1@bob.example'):
        assert known not in other.as_string()

    write(bob, work, f'{subject} end', '<2@bob.example>', [*ids(other, 'References'), other['Message-ID']])
    assert ids(get(work, f'{subject} end'), 'References') == [*references, f'<other@{CANARY}>']


def test_what_one_sends_to_oneself_keeps_its_id(running, subject):
    """The copy here is the mail program's own; the one that left is not."""
    inner = f'<self@{CANARY}>'
    swaks(running.alice, [running.alice.address, running.bob.address], '--header', f'Subject: {subject}',
          '--header', f'Message-Id: {inner}')
    assert get(running.alice, subject)['Message-ID'] == inner
    assert re.fullmatch(outer(running.alice), get(running.bob, subject)['Message-ID'])
