# SPDX-License-Identifier: ISC
"""The tor role alone, with a real tor: src/daemon/role_tor_test.c plays its parent, mail and smtp."""
import os
import pathlib
import subprocess

import pytest

from harness.installation import ROOT


@pytest.mark.sanitized
def test_the_tor_role_with_a_real_tor(network):
    build = pathlib.Path(os.environ.get('SMTORP_BUILD') or ROOT / 'build')
    environment = dict(os.environ, SMTORP_TESTNET=str(network.folder), SMTORP_SOURCE=str(ROOT))
    done = subprocess.run([str(build / 'src' / 'daemon' / 'daemon-tor-test')], env=environment, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
