# SPDX-License-Identifier: ISC
"""What `make demo` shows, once the packages are there and everything is built."""
import os
import subprocess

from harness.installation import ROOT


def test_the_demo_passes_in_time_and_leaves_no_file(work):
    folder = work / 'd'  # short: Unix sockets are made below it
    folder.mkdir()
    done = subprocess.run([str(ROOT / 'demo' / 'demo')], env=dict(os.environ, TMPDIR=str(folder)), timeout=180,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(' intact: ') == 9 and done.stdout.rstrip().endswith('every message arrived intact')
    assert os.listdir(folder) == []
