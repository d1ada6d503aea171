# SPDX-License-Identifier: ISC
"""A short round of `make torture`: two nodes under load, processes of which are killed at any moment."""
import secrets

from torture.round import Round


def test_nothing_is_lost_or_seen_twice_whatever_is_killed(installation, network, work):
    seed = secrets.randbelow(1 << 32)
    round_ = Round(installation, network, work / 'torture', seed, 30)
    try:
        faults = round_.run()
        text = '\n'.join([*faults, *round_.table(), f'again: make torture N=30 SEED={seed}'])
    finally:
        round_.close()
    assert not faults, text
    counts = round_.ledger.counts()
    assert counts['copies for readers promised'] > 100 and counts['bounces promised'] > 0, text
