# SPDX-License-Identifier: ISC
"""Programs of others that are missing or too old: one clear line and an exit status of its own."""
import pytest

from harness import account

MISSING, TOO_OLD = 7, 8


@pytest.mark.parametrize('command', [['smtorpd'], ['smtorp', 'up']])
@pytest.mark.parametrize('config, says', [
    ({'tor.program': '/nonexistent/tor'}, ["'/nonexistent/tor'", 'install it', 'tor.program']),
    ({'imap.program': 'no-such-dovecot'}, ["'no-such-dovecot'", 'install it', 'imap.program']),
    ({'tor.bridge': 'obfs4 192.0.2.7:443', 'tor.transport': 'obfs4 no-such-proxy'}, ["'no-such-proxy'", 'tor.transport']),
])
def test_a_missing_program_is_named(make_node, command, config, says):
    node = make_node('missing', config, tor=False)
    result = node.run(*command, check=False, timeout=20)
    assert result.returncode == MISSING
    lines = [line for line in result.stderr.splitlines() if ' error ' in line]
    assert len(lines) == 1 and all(text in lines[0] for text in says), result.stderr


@pytest.mark.parametrize('command', [['smtorpd'], ['smtorp', 'up']])
@pytest.mark.parametrize('prints, says', [
    ('Tor version 0.4.8.16.', ['tor 0.4.8.16 is too old', '0.4.9.11', 'older ones']),
    ('Tor version 0.4.9.10 (git-0123456789abcdef).', ['tor 0.4.9.10 is too old', '0.4.9.11']),
    ('something else 7', ['is tor.program really tor?']),
])
def test_a_tor_that_is_too_old_is_refused(make_node, work, command, prints, says):
    """A script says what such a tor says; nothing is started with it."""
    program = work / 'old-tor'
    program.write_text(f"#!/bin/sh\n[ \"$*\" = --version ] && echo '{prints}'\n")
    program.chmod(0o755)
    account.own(program)
    node = make_node('old', {'tor.program': str(program)}, tor=False)
    result = node.run(*command, check=False, timeout=20)
    assert result.returncode == TOO_OLD
    lines = [line for line in result.stderr.splitlines() if ' error ' in line]
    assert len(lines) == 1 and all(text in lines[0] for text in says), result.stderr
    assert not (node.home / 'tor').exists()


def test_a_tor_that_ends_again_and_again_is_no_tor_that_starts(make_node, work):
    program = work / 'dying-tor'
    program.write_text("#!/bin/sh\n[ \"$*\" = --version ] && echo 'Tor version 0.4.9.11.' && exit 0\nexit 3\n")
    program.chmod(0o755)
    account.own(program)
    node = make_node('dying', {'tor.program': str(program)}, tor=False).start(wait=False)
    node.wait_for(lambda status: 'ends whenever it is started' in (status['tor']['hint'] or ''), 60, 'the hint')
    assert 'smtorp logs' in node.cli('status').stdout
    node.stop()
