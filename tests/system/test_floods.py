# SPDX-License-Identifier: ISC
"""Strangers who come in thousands, and what they keep from the honest: nothing."""
import contextlib
import os
import statistics
import time

import pytest

from harness import socks
from harness.floods import DEAF_KINDS, Flood, descriptors_most
from harness.imap import TOR_PATIENCE_S
from harness.memory import role_pss_kib
from harness.smtp import bring
from harness.waiting import until

QUIET = {'tor.extra': 'DisableNetwork 1'}
SLOW = 5000
STREAMS = 32  # of one circuit


@contextlib.contextmanager
def lonely(make_node, name, command=()):
    """An identity of a node whose sockets only this test reaches."""
    node = make_node(name, QUIET, tor=False)
    plain = node.command
    node.command = lambda program: [*command, *plain(program)] if program == 'smtorpd' else plain(program)
    node.start(wait=False)
    node.wait_for(lambda status: True, 60, 'the node')
    identity = node.identity('carol', wait=False)
    node.wait_for(lambda status: all(row['ready'] for row in status['roles']), 60, 'the roles')
    yield identity
    node.stop()


def subjects(identity):
    return sum('Subject: honest' in path.read_text(errors='replace') for path in identity.mail.glob('Maildir/new/*'))


@pytest.mark.skipif(descriptors_most() < 2 * SLOW, reason=f'{SLOW} sessions take more open files than are allowed here')
def test_honest_sessions_beside_five_thousand_slow_ones(make_node):
    """Silent, in commands, TLS handshakes, DATA and BDAT at an octet a second; nobody is ended for it, and nobody waits."""
    with lonely(make_node, 'flooded') as carol, Flood(carol, SLOW) as flood:
        assert flood.opened['open'] == SLOW
        took_s = []
        for number in range(100):
            begun = time.monotonic()
            bring(carol, f'honest {number}')
            took_s.append(time.monotonic() - begun)
        print(f'honest sessions: {statistics.median(took_s):.3f} s, at most {max(took_s):.3f} s')
        assert statistics.median(took_s) < 1
        if os.geteuid() == 0:
            kib = role_pss_kib(carol.node, 'smtp', 'carol')
            print(f'smtp@carol: {kib / 1024:.0f} MiB (PSS) with {SLOW} slow sessions')
            assert kib < 192 * 1024
        until(lambda: subjects(carol) == 100, 60, 'the honest messages')
        assert flood.stop() == 0
        assert all(row['restarts'] == 0 for row in carol.node.status()['roles'])


@pytest.mark.skipif(os.geteuid() != 0 or descriptors_most() < 2 * SLOW, reason='needs root and many open files')
def test_who_does_not_read_takes_no_more_memory_than_there_is_for_all(make_node):
    """Replies that nobody fetches and commands behind them, in three thousand sessions over TLS."""
    with lonely(make_node, 'deafened') as carol, Flood(carol, 3000, DEAF_KINDS) as flood:
        bring(carol, 'honest')
        kib = role_pss_kib(carol.node, 'smtp', 'carol')
        print(f'smtp@carol: {kib / 1024:.0f} MiB (PSS) with 3000 who do not read, {flood.stop()} of them ended')
        assert kib < 192 * 1024
        assert all(row['restarts'] == 0 for row in carol.node.status()['roles'])
        until(lambda: subjects(carol) == 1, 60, 'the honest message')


def test_an_honest_session_gets_in_when_all_slots_are_held(make_node):
    """More strangers than there is room for, who never go by themselves."""
    with lonely(make_node, 'crowded', ['prlimit', '--nofile=1200:1200']) as carol, Flood(carol, 1400):
        assert 'raise LimitNOFILE' in carol.node.cli('logs').stdout
        assert carol.node.status()['limits']['open_files'] == 1200
        assert 'raise LimitNOFILE' in carol.node.cli('status').stdout

        def is_taken():
            with contextlib.suppress(OSError, AssertionError):
                bring(carol, 'honest')
                return True
        until(is_taken, 60, 'a slot')
        for number in range(20):
            bring(carol, f'honest {number}')
        until(lambda: subjects(carol) == 21, 60, 'the honest messages')


def test_one_circuit_cannot_hold_more_than_its_share(running, network):
    """tor tells no addresses, but whose streams share a circuit it knows."""
    onion, held = running.bob.onion, []
    proxy = network.socks()

    def open_one(name):
        with contextlib.suppress(OSError):
            sock = socks.connect(proxy, onion, 25, name, 60)
            sock.settimeout(60)
            if sock.makefile('rb').readline().startswith(b'220 '):
                return sock
            sock.close()
        return None
    with contextlib.ExitStack() as stack:
        first = until(lambda: open_one('mallory'), TOR_PATIENCE_S, 'the first connection')
        held.append(stack.enter_context(contextlib.closing(first)))
        for _ in range(STREAMS + 8):
            more = open_one('mallory')
            if more is not None:
                held.append(stack.enter_context(contextlib.closing(more)))
        assert len(held) <= STREAMS, 'a stranger on one circuit has more'
        assert len(held) >= STREAMS // 2, 'honest servers use some at a time'
        other = until(lambda: open_one('carol'), TOR_PATIENCE_S, 'another stranger')
        other.close()
        held[0].sendall(b'NOOP\r\n')
        assert b'250 ' in held[0].recv(200), 'what is within the share goes on'
