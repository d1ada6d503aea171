# SPDX-License-Identifier: ISC
"""A sheet of paper brings an address back."""
import os
import re
import stat

import pytest

from harness.node import Identity, Node
from harness.programs import swaks
from harness.terminal import Terminal

FAILED, USAGE, EXISTS = 1, 2, 5


@pytest.fixture(scope='module')
def offline(installation, work):
    """A node that never runs, with alice."""
    node = Node(installation, None, work / 'sheet')
    node.json('identity', 'new', 'alice', '--local-part', 'a.lice')
    return node


def lines_of(sheet):
    return re.findall(r'^    ([1-9]):  ([0-9A-Z ]{19})$', sheet, re.M)


def test_a_lost_address_comes_back_from_its_sheet_and_gets_mail(running, subject):
    node = running.a
    paper = node.identity('paper', wait=False)
    sheet = node.cli('identity', 'sheet', 'paper').stdout
    node.cli('identity', 'delete', 'paper', '--yes')
    made = node.json('identity', 'import-sheet', 'paper', '--wait', input=sheet)
    assert made['address'] == paper.address and made['password'] != paper.password
    again = Identity(node, made)
    swaks(running.bob, [paper.address], '--header', f'Subject: {subject}')
    with again.mailbox() as mailbox:
        mailbox.wait_for(subject)
    node.cli('identity', 'delete', 'paper', '--yes')
    assert not any(symbols in node.log.read_text() for _, symbols in lines_of(sheet))


def test_a_sheet_fits_on_a_page_and_says_what_it_holds(offline):
    sheet = offline.cli('identity', 'sheet', 'alice').stdout
    lines = sheet.splitlines()
    assert len(lines) <= 60 and all(len(line) < 80 and line.isascii() for line in lines)
    shown = offline.json('identity', 'show', 'alice')
    for text in (shown['onion'], 'a.lice@', shown['created'][:4], 'KEEP IT SECRET', 'import-sheet alice', '--local-part',
                 'The mail does not', 'Nor does the address book'):
        assert text in sheet, text
    found = lines_of(sheet)
    assert [number for number, _ in found] == list('123456789')
    assert offline.json('identity', 'sheet', 'alice')['lines'] == [symbols for _, symbols in found]


def test_a_sheet_is_written_only_where_others_cannot_read_it(offline):
    path = offline.folder / 'sheet.txt'
    offline.cli('identity', 'sheet', 'alice', str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(lines_of(path.read_text())) == 9
    assert offline.cli('identity', 'sheet', 'alice', str(path), check=False).returncode == EXISTS
    for mode, status in ((0o644, USAGE), (0o600, 0)):
        with open(offline.folder / 'redirected', 'w') as file:
            os.fchmod(file.fileno(), mode)
            result = offline.cli('identity', 'sheet', 'alice', check=False, stdout=file)
        assert result.returncode == status and bool(result.stderr) == bool(status)


def test_what_was_typed_is_read_and_errors_are_located(offline, installation, work):
    sheet = offline.cli('identity', 'sheet', 'alice').stdout
    onion = offline.json('identity', 'show', 'alice')['onion']
    other = Node(installation, None, work / 'sheet-typed')
    found = lines_of(sheet)

    def typed(change=lambda number, symbols: symbols):
        return '\n'.join(f'{number}) {change(number, symbols)}' for number, symbols in found)
    for change, says in (
            (lambda number, symbols: symbols[:-1] + ('7' if symbols[-1] != '7' else '8') if number in '38' else symbols,
             'typing errors in lines 3 and 8'),
            (lambda number, symbols: '' if number == '4' else symbols, 'line 4'),
            (lambda number, symbols: symbols[:6] if number == '9' else symbols, 'line 9')):
        result = other.cli('identity', 'import-sheet', 'back', '-', input=typed(change), check=False)
        assert result.returncode == FAILED and says in result.stderr, result.stderr
    assert other.cli('identity', 'import-sheet', 'Back!', '-', input=typed(), check=False).returncode == USAGE
    assert other.cli('identity', 'import-sheet', 'back', '/none', check=False).returncode == FAILED
    assert 'no line of a recovery sheet' in other.cli('identity', 'import-sheet', 'back', check=False).stderr
    sloppy = typed(lambda number, symbols: symbols.lower().replace('1', 'l').replace('0', 'o').replace(' ', '' if number in '25' else ' - '))
    made = other.json('identity', 'import-sheet', 'back', '--local-part', 'a.lice', input=sloppy)
    assert made['onion'] == onion
    result = other.cli('identity', 'import-sheet', 'again', input=sloppy, check=False)
    assert result.returncode == EXISTS and 'back has this address' in result.stderr


def test_at_a_terminal_each_line_is_asked_for_until_it_is_right(offline, installation, work):
    first, other = Node(installation, None, work / 'sheet-first'), Node(installation, None, work / 'sheet-asked')
    onion = first.json('identity', 'new', 'alice')['onion']
    public = (first.home / 'identities' / 'alice' / 'recovery.pub').read_text()
    sheet = first.cli('identity', 'sheet', 'alice').stdout
    recovery = re.findall(r'^    [AB]:  ([0-9A-Z ]{19})$', sheet, re.M)
    with Terminal(other, 'identity', 'import-sheet', 'back') as terminal:
        for number, symbols in lines_of(sheet):
            if number == '5':
                terminal.answer('5: ', symbols[1:])
                terminal.expect('line 5: these are 15 letters and digits, and 16 stand on the sheet')
            terminal.answer(f'{number}: ', symbols)
        for a, b in ((recovery[1], recovery[0]), recovery):
            terminal.answer('A: ', a)
            terminal.answer('B: ', b)
        assert terminal.wait() == 0 and 'typing error' in terminal.shown
    assert other.json('identity', 'show', 'back')['onion'] == onion
    assert (other.home / 'identities' / 'back' / 'recovery.pub').read_text() == public
    with Terminal(other, 'identity', 'import-sheet', 'other') as terminal:  # a sheet that has none
        for number, symbols in lines_of(offline.cli('identity', 'sheet', 'alice').stdout):
            terminal.answer(f'{number}: ', symbols)
        terminal.answer('A: ', '')
        assert terminal.wait() == 0
    assert not (other.home / 'identities' / 'other' / 'recovery.pub').exists()
    with Terminal(other, 'identity', 'import-sheet', 'back') as terminal:  # said before nine lines are typed in vain
        assert terminal.wait() == EXISTS and "there is an identity 'back' already" in terminal.shown


def test_a_damaged_identity_can_be_deleted(installation, work):
    node = Node(installation, None, work / 'sheet-damaged')
    node.cli('identity', 'new', 'alice')
    (node.home / 'identities' / 'alice' / 'identity.conf').write_text('nonsense')
    assert node.cli('identity', 'show', 'alice', check=False).returncode == FAILED
    assert node.cli('identity', 'delete', 'alice', '--yes')
    assert list((node.home / 'identities').iterdir()) == []


def test_the_first_sheet_takes_the_recovery_key_and_no_other_has_it(installation, work):
    node, other = Node(installation, None, work / 'sheet-recovery'), Node(installation, None, work / 'sheet-recovered')
    node.json('identity', 'new', 'alice')
    folder = node.home / 'identities' / 'alice'
    public = (folder / 'recovery.pub').read_text()
    result = node.cli('identity', 'sheet', 'alice')
    assert 'not on this machine any more' in result.stderr and not (folder / 'recovery.key').exists()
    assert [letter for letter in re.findall(r'^    ([AB]):  [0-9A-Z ]{19}$', result.stdout, re.M)] == ['A', 'B']
    again = node.cli('identity', 'sheet', 'alice')
    assert not re.search(r'^    A:', again.stdout, re.M) and not again.stderr
    assert node.json('identity', 'sheet', 'alice')['recovery'] is None
    other.cli('identity', 'import-sheet', 'alice', input=result.stdout)
    assert (other.home / 'identities' / 'alice' / 'recovery.pub').read_text() == public
    assert not (other.home / 'identities' / 'alice' / 'recovery.key').exists()
    other.cli('identity', 'delete', 'alice', '--yes')
    other.cli('identity', 'import-sheet', 'alice', input=again.stdout)  # without it, as identities of before
    assert not (other.home / 'identities' / 'alice' / 'recovery.pub').exists()
    other.cli('identity', 'recovery', 'alice')
    assert (other.home / 'identities' / 'alice' / 'recovery.pub').read_text() != public
    wrong = re.sub(r'(?m)^(    A:  )(.)', lambda match: match[1] + ('8' if match[2] == '7' else '7'), result.stdout)
    other.cli('identity', 'delete', 'alice', '--yes')
    failed = other.cli('identity', 'import-sheet', 'alice', input=wrong, check=False)
    assert failed.returncode == FAILED and 'line A' in failed.stderr
    assert list((other.home / 'identities').iterdir()) == []
