# SPDX-License-Identifier: ISC
"""A private tor network for the tests, by the project's own tool."""
import json
import pathlib
import subprocess
import sys

from .installation import ROOT

TESTNET = str(ROOT / 'testnet' / 'testnet')


class TorNetwork:
    def __init__(self, folder, *options):
        """options: of `testnet start`."""
        self.folder = pathlib.Path(folder)
        self.options = options

    def _run(self, *arguments, prefix=(), **options):
        return subprocess.run([*prefix, sys.executable, TESTNET, *arguments], check=True, **options)

    def start(self, quiet=True):
        self._run('start', str(self.folder), *self.options, *(['--quiet'] if quiet else []))
        self.conf = self._run('conf', str(self.folder), stdout=subprocess.PIPE, text=True).stdout
        return self

    def status(self):
        return json.loads(self._run('status', str(self.folder), '--json', stdout=subprocess.PIPE, text=True).stdout)

    def socks(self):
        """(host, port) of the SocksPort of the network's own client: ordinary programs reach onions through it."""
        socks = self.status()['socks']
        return socks['host'], socks['port']

    def stop(self):
        self._run('stop', str(self.folder), '--remove')
