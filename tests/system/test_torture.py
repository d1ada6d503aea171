# SPDX-License-Identifier: ISC
"""A short round of `make torture`: two nodes under load, processes of which are killed at any moment."""
import secrets

import pytest

from torture.round import Round


@pytest.mark.parametrize('kills', [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_seen_twice_whatever_is_killed(installation, network, work, kills):
    seed = secrets.randbelow(1 << 32)
    round_ = Round(installation, network, work / f'torture-{kills}', seed, kills)
    try:
        faults = round_.run()
        text = '\n'.join([*faults, *round_.table(), f'again: make torture N={kills} SEED={seed}'])
    finally:
        round_.close()
    assert not faults, text
    counts = round_.ledger.counts()
    assert counts['copies for readers promised'] > 100 and counts['bounces promised'] > 0, text
