# SPDX-License-Identifier: ISC
"""`smtorp scrub`: what would leave of a message, without a running node; and that readers see in it what they saw before."""
import email
import email.policy
import json
import random

import pytest

from harness.node import Node

FAILED, USAGE, NOT_FOUND = 1, 2, 4

LETTER = '''From nobody Sun Nov 22 12:47:51 2026
From: Alice <{address}>
To: bob@example.onion
X-Mailer: canary
Message-ID: <1@canary>
References: (canary)
	<2@canary>
Date: Sun, 22 Nov 2026 12:47:51 +0200
Content-Type: multipart/mixed; boundary="=-canary"
MIME-Version: 1.0 (canary)

canary, in a preamble
--=-canary
Content-Type: text/plain; charset=UTF-8; x-unix-mode=0canary
Content-Language: canary

Hello, Bob.
--=-canary
Content-Type: image/jpeg; name="/home/canary/cat.jpg"
Content-Transfer-Encoding: base64

/9j/4AAQSkZJRg==
--=-canary--
canary, in an epilogue
'''


@pytest.fixture(scope='module')
def node(installation, work):
    return Node(installation, None, work / 'scrub')


@pytest.fixture(scope='module')
def alice(node):
    return node.json('identity', 'new', 'alice')['address']


def scrub(node, message, *options, status=0):
    result = node.cli('scrub', *options, input=message, check=False)
    assert result.returncode == status, result.stderr
    assert status == 0 or result.stdout == '', 'of what is refused nothing is shown'
    return result.stdout if status == 0 else result.stderr


def test_no_terminal_obeys_what_is_shown(node, alice):
    shown = scrub(node, 'Subject: J\u00fcrgen \u00c2\u00a0 a\x1b[2J \x7f \x9b2J \u0085\u0080\nX-Y: \x9b\n\n')
    assert 'J\u00fcrgen \u00c2\u00a0 a?[2J ? ?2J ??' in shown
    assert not any(c < ' ' and c != '\n' or '\x7f' <= c < '\xa0' for c in shown), repr(shown)


def test_what_would_leave_is_shown_with_reasons(node, alice):
    shown = scrub(node, LETTER.format(address=alice)).splitlines()
    leaves = [line for line in shown if line[0] in ' +']
    assert not any('canary' in line for line in leaves), leaves
    assert '+Date: Sun, 22 Nov 2026 10:47:00 +0000' in leaves
    assert ' To: bob@example.onion' in leaves
    assert [line[:len('+References: <')] for line in leaves if 'References' in line] == ['+References: <']
    for line, why in (('-X-Mailer: canary', 'mail program'), ('-Content-Language: canary', 'language'),
                      ('-canary, in an epilogue', 'outside of all parts')):
        assert why in shown[shown.index(line) + 1], line
    assert 'Part 2: pictures' in shown[-1]


def test_the_message_itself_and_json(node, alice):
    message = scrub(node, LETTER.format(address=alice), '--message', '--identity', 'alice')
    assert 'canary' not in message
    texts = [part.get_payload() for part in email.message_from_string(message).walk() if not part.is_multipart()]
    assert [text.strip() for text in texts] == ['Hello, Bob.', '/9j/4AAQSkZJRg==']
    told = json.loads(scrub(node, LETTER.format(address=alice), '--json'))
    assert told['identity'] == 'alice' and told['address'] == alice
    assert {'part': 0, 'before': 'X-Mailer: canary\r\n', 'after': '', 'why': 'names your mail program'} in told['lines']
    assert [warning['part'] for warning in told['warnings']] == [2]


@pytest.mark.parametrize('field, status, says', [
    ('From: eve@example.onion', FAILED, 'would be refused'),
    ('Reply-To: eve@example.onion', FAILED, 'tie the two together'),
])
def test_what_would_be_refused_says_so(node, alice, field, status, says):
    assert says in scrub(node, f'{field}\n\nx\n', status=status)


def test_it_says_what_is_missing(node, alice):
    assert "'bob'" in scrub(node, 'Subject: x\n\nx\n', '--identity', 'bob', status=NOT_FOUND)
    assert 'name' in scrub(node, 'Subject: x\n\nx\n', '--identity', '../x', status=USAGE)
    assert 'exclude' in scrub(node, 'Subject: x\n\nx\n', '--message', '--json', status=USAGE)
    assert 'nothing on standard input' in scrub(node, '', status=FAILED)


def test_whose_a_message_is_must_be_clear_of_several(installation, work):
    node = Node(installation, None, work / 'scrub-several')
    for name in ('alice', 'work'):
        node.json('identity', 'new', name)
    assert 'it has no From:' in scrub(node, 'Subject: x\n\nx\n', status=NOT_FOUND)
    assert 'no address of yours' in scrub(node, 'From: eve@example.onion\n\nx\n', status=NOT_FOUND)
    assert 'no From' not in scrub(node, 'Subject: x\n\nx\n', '--identity', 'work')


def test_what_is_too_large_would_be_refused(installation, work):
    node = Node(installation, None, work / 'scrub-large', {'message.max-size': '64K'})
    node.json('identity', 'new', 'alice')
    line = 'x' * 62 + '\n'
    assert 'message.max-size' in scrub(node, 'Subject: x\n\n' + line * 1024, status=FAILED)
    scrub(node, 'Subject: x\n\n' + line * 1000)


# ---- readers see the same before and after

LINES = ['--A', '--A--', '--B', '--B--', '--AB', '--AB--', '--A ', '--A-- \t', '--A-', '', '', 'text', '-- ', '--', '--S', '--S--', '--C',
         '--C--', 'Ä = ö']
FIELDS = ['Content-Type: text/plain', 'Content-Type: multipart/mixed; boundary=B', 'Content-Type: multipart/alternative; boundary="AB"',
          'Content-Type: multipart/signed; boundary=S', 'Content-Type: message/rfc822', 'Content-Type: multipart/related;\n boundary=C',
          'Content-Disposition: attachment; filename="x y"', 'X-Unknown: goes']


def random_message(dice, address):
    lines = [f'From: {address}', 'Content-Type: multipart/mixed; boundary=A', '']
    for _ in range(dice.randrange(30)):
        line = dice.choice(LINES)
        lines.append(line)
        if line.startswith('--') and not line.rstrip().endswith('--'):
            lines += [dice.choice(FIELDS)] * dice.randrange(2) + ['']
    return '\n'.join(lines + ['--A--'] * dice.randrange(2)) + '\n'


def seen(text):
    """What Python's reader makes of a message. It takes the last line end off a part that no boundary ends; we keep it."""
    message = email.message_from_string(text, policy=email.policy.compat32)
    return [(part.get_content_type(), len(part.get_payload()) if part.is_multipart() else part.get_payload().rstrip('\r\n'))
            for part in message.walk()]


def test_readers_see_the_same_parts_with_the_same_content(node, alice):
    """Heaps of boundaries made by chance, the same in each run: right and wrong ones, one inside the other."""
    dice = random.Random(2)
    passed = 0
    for number in range(150):
        message = random_message(dice, alice)
        result = node.cli('scrub', '--message', input=message, check=False)
        if result.returncode != 0:
            assert 'would be refused' in result.stderr and result.stdout == ''
            continue
        assert seen(result.stdout) == seen(message), f'message {number}:\n{message}\n-----\n{result.stdout}'
        passed += 1
    assert passed > 50
