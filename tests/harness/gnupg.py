# SPDX-License-Identifier: ISC
"""GnuPG with a folder of its own."""
import subprocess


class GnuPG:
    def __init__(self, folder):
        self.home = folder
        folder.mkdir(mode=0o700)

    def __call__(self, *arguments, input=None):
        result = subprocess.run(['gpg', '--homedir', self.home, '--batch', '--yes', '--quiet', '--pinentry-mode', 'loopback', *arguments],
                                input=input, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result

    def make_key(self, address):
        """Returns the fingerprint."""
        self('--passphrase', '', '--quick-generate-key', address, 'ed25519', 'default', 'never')
        fingerprint = next(line.split(':')[9] for line in self('--with-colons', '--list-keys', address).stdout.splitlines()
                           if line.startswith('fpr:'))
        self('--passphrase', '', '--quick-add-key', fingerprint, 'cv25519', 'encr', 'never')
        return fingerprint

    def end(self):
        subprocess.run(['gpgconf', '--homedir', self.home, '--kill', 'gpg-agent'], check=True)
