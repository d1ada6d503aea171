# SPDX-License-Identifier: ISC
"""Mail programs that we did not write, as a user of the node runs them."""
import subprocess


def run(node, *command, check=True, **options):
    """Runs an installed program as the node's user, in the node's folder."""
    options = {'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, 'timeout': 120, 'text': True, **options}
    if 'input' not in options:
        options['stdin'] = subprocess.DEVNULL
    result = subprocess.run(node.words(*command), env=node.environment(), cwd=node.folder, **node.account(), **options)
    assert not check or result.returncode == 0, f'{command[0]} ended with {result.returncode}:\n{result.stdout}'
    return result


def swaks(identity, recipients, *more, check=True, endpoint='submission'):
    """swaks over submission, logged in as the identity; returns its result (the transcript is in stdout)."""
    host, port = identity.node.endpoint(endpoint)
    return run(identity.node, 'swaks', '--server', host, '--port', port, '--auth', 'PLAIN',
               '--auth-user', identity.login, '--auth-password', identity.password,
               '--from', identity.address, '--to', ','.join(recipients), '--ehlo', 'client.example', *more, check=check)
