# SPDX-License-Identifier: ISC
"""The benches still run: each once, with next to nothing to measure."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# What the last line or one of the others says when all was measured.
SHORT = {
    'queue': (['--items', '100'], r'peak of mail@ID, full .* of empty'),
    'sessions': (['--sessions', '20'], r'20 tls .* KiB each'),
    'floods': (['--sessions', '20', '--messages', '3'], r'ended by the server'),
    'memory': (['--identities', '2'], r'each further identity: .* of the first'),
}


@pytest.mark.parametrize('name', SHORT)
def test_a_bench_still_runs(name):
    words, wanted = SHORT[name]
    if os.geteuid() != 0 and name in ('sessions', 'memory'):
        pytest.skip('only root may see what another process takes')
    command = [ROOT / 'bench' / name, '--build', os.environ.get('SMTORP_BUILD', ROOT / 'build'), *words]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
    assert result.returncode == 0 and re.search(wanted, result.stdout), result.stdout


def test_every_bench_says_what_it_measures_and_is_in_the_table():
    table = (ROOT / 'doc' / 'BENCHMARKS.md').read_text()
    for bench in sorted(path for path in (ROOT / 'bench').iterdir() if os.access(path, os.X_OK) and path.is_file()):
        shown = subprocess.run([bench, '--help'], stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
        assert f'bench/{bench.name}' in shown and f'bench/{bench.name}' in table, bench.name
