# SPDX-License-Identifier: ISC
"""The programs under test, installed below a folder as `make install` would."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Installation:
    def __init__(self, folder, build=None):
        """Installs the build (default: build/ of the source tree) below `folder`, readable by everybody."""
        build = pathlib.Path(build or os.environ.get('SMTORP_BUILD') or ROOT / 'build')
        subprocess.run(['meson', 'install', '-C', str(build), '--no-rebuild', '--quiet'], check=True,
                       env=dict(os.environ, DESTDIR=str(folder)), umask=0o022)
        programs = list(pathlib.Path(folder).rglob('bin/smtorpd'))
        assert len(programs) == 1, f'{folder} holds {len(programs)} installations'
        self.bin = programs[0].parent
        self.man = self.bin.parent / 'share' / 'man'

    def program(self, name):
        return str(self.bin / name)
