# SPDX-License-Identifier: ISC
"""System calls that fail while mail is on its way: refused for the moment or taken, once there, and the node goes on by itself.

Each kind of call once; all of them with all errors, and bounces: `make faults`."""
import os
import platform

import pytest

from harness.faults import DELIVERIES, FAULTS, FaultyNode

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64' or os.geteuid() != 0, reason='needs root to change the calls of a role')


@pytest.fixture(scope='module')
def faulty(installation, network, work):
    faulty = FaultyNode(installation, network, work / 'faults')
    yield faulty
    faulty.check_all()
    faulty.close()


def few(counts):
    """Each call once, with each error in turn."""
    for index, (call, count) in enumerate(sorted(counts.items())):
        faults = FAULTS.get(call, ())
        if faults:
            yield call, 1 + index % min(count, 2), faults[index % len(faults)]


@pytest.mark.parametrize('way, role, identity', [row for row in DELIVERIES if row[0] != 'bounced'])
def test_one_failing_call_loses_nothing_and_doubles_nothing(faulty, way, role, identity):
    if role == 'parent':
        faulty.restart()
    results = [faulty.try_fault(way, role, identity, plan) for plan in few(faulty.count(way, role, identity))]
    assert sum(result is not None for result in results) >= min(3, len(results))


@pytest.mark.parametrize('fault', ['EIO', 'late-EIO'])
def test_a_sync_that_fails_ends_the_process_before_it_answers(faulty, fault):
    result = faulty.try_fault('received', 'mail', 'bob', ('fdatasync', 1, fault))
    assert result['first'].startswith('451') and result['has_ended'], result
