# SPDX-License-Identifier: ISC
"""One SMTorP node: its folder, its daemon, its command line."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

from . import account
from .imap import Mailbox
from .waiting import until

DEFAULT_CONFIG = {
    'submission.listen': '127.0.0.1:0',
    'submissions.listen': '127.0.0.1:0',
    'imap.listen': '127.0.0.1:0',
    'imaps.listen': '127.0.0.1:0',
    'queue.retry-first': '2s',
    'tor.stagger': 'never',
    'queue.retry-most': '5s',
}


class CommandFailed(AssertionError):
    def __init__(self, result):
        super().__init__(f'exit {result.returncode}: {result.args}\n{result.stdout}\n{result.stderr}')
        self.result = result


class Identity:
    """What `smtorp identity new --json` and `show --json` say."""

    def __init__(self, node, description):
        self.node = node
        self.name = description['name']
        self.address = description['address']
        self.onion = description['onion']
        self.login = description['login']
        self.sockets = description['sockets']
        self.password = description.get('password')

    @property
    def mail(self):
        return self.node.home / 'identities' / self.name / 'mail'

    def mailbox(self):
        """A fresh IMAP connection, logged in, INBOX selected."""
        endpoint = self.node.status()['endpoints']['imap']
        return Mailbox(endpoint['host'], endpoint['port'], self.login, self.password)


class Node:
    def __init__(self, installation, network, folder, config=None):
        self.installation = installation
        self.folder = pathlib.Path(self.own(_made(folder)))
        self.home = pathlib.Path(self.own(_made(self.folder / 'home')))
        self.home.chmod(0o700)
        self.process = None
        self.log = self.folder / 'log'
        self.network = network
        self.groups = []  # further ones of its daemon
        self.configure(config or {})

    def configure(self, config):
        lines = [f'{key} = {value}' for key, value in {**DEFAULT_CONFIG, **config}.items()]
        text = '\n'.join(lines) + '\n' + (self.network.conf if self.network else '')
        path = self.home / 'smtorp.conf'
        path.write_text(text)
        self.own(path)

    def environment(self):
        return account.environment(SMTORP_HOME=str(self.home), HOME=str(self.folder), ASAN_OPTIONS='detect_leaks=0')

    def own(self, path):
        return account.own(path)

    def words(self, *command):
        """The words that run a program where this node runs, and as whom."""
        return [str(word) for word in command]

    def command(self, name):
        return self.words(self.installation.program(name))

    def account(self):
        return account.popen_arguments(self.groups)

    def run(self, *command, check=True, **options):
        """Runs a program of the installation as the node's user."""
        options = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True,
                   'timeout': 180, **options}
        if 'input' in options:
            del options['stdin']
        result = subprocess.run([*self.command(command[0]), *command[1:]], env=self.environment(), cwd=self.folder,
                                **self.account(), **options)
        if check and result.returncode != 0:
            raise CommandFailed(result)
        return result

    def cli(self, *arguments, **options):
        return self.run('smtorp', *arguments, **options)

    def json(self, *arguments, **options):
        return json.loads(self.cli(*arguments, '--json', **options).stdout)

    def json_lines(self, *arguments, **options):
        return [json.loads(line) for line in self.cli(*arguments, '--json', **options).stdout.splitlines()]

    # -- life

    def start(self, wait=True):
        """Starts the daemon; with wait, until tor is bootstrapped and IMAP answers."""
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(self.command('smtorpd'), env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                                            **self.account())
        if wait:
            self.wait_for(lambda status: status['tor']['bootstrap'] == 100, 90, 'tor to bootstrap')
            self.wait_for(lambda status: 'imap' in status['endpoints'], 10, 'IMAP')
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def status(self):
        return self.json('status')

    def wait_for(self, check, deadline_s, what):
        def look():
            assert self.is_running(), f'smtorpd ended with {self.process.returncode}; its log:\n{self.log_tail()}'
            with contextlib.suppress(CommandFailed):
                status = self.status()
                return status if check(status) else None
        try:
            return until(look, deadline_s, what, every_s=0.2)
        except AssertionError as error:
            raise AssertionError(f'{error}; the log:\n{self.log_tail()}') from None

    def log_tail(self, lines=60):
        return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:])

    def waiting(self):
        """What waits in the queues, in plain words, for those who wonder why a test failed."""
        result = self.cli('queue', 'list', check=False)
        return result.stdout + result.stderr

    def stop(self):
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self.process = None

    def kill(self):
        """SIGKILL to the parent and to every process that it left: the machine's sudden death, but for the disk."""
        pids = self.pids()
        self.process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        until(lambda: not any(_alive(pid) for pid in pids), 10, 'the killed processes to be gone')
        self.process = None

    # -- a look inside

    def pids(self):
        status = self.status()
        return [row['pid'] for row in status['roles'] + status['programs'] if row['pid'] > 0]

    def role(self, role, identity=''):
        for row in self.status()['roles']:
            if row['role'] == role and row.get('identity', '') == identity:
                return row
        return None

    def kill_role(self, role, identity=''):
        """SIGKILL to a role, and its return; smtp: no session is warm then."""
        pid = self.role(role, identity)['pid']
        os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda status: any(row['role'] == role and row.get('identity', '') == identity and row['ready']
                                         and row['pid'] not in (0, pid) for row in status['roles']), 20, f'{role} to be back')

    def program(self, name):
        return next((row for row in self.status()['programs'] if row['name'] == name), None)

    def endpoint(self, name):
        endpoint = self.status()['endpoints'][name]
        return endpoint['host'], endpoint['port']

    # -- identities

    def identity(self, name, local_part=None, wait=True):
        """Makes an identity and waits until tor has published it."""
        arguments = ['identity', 'new', name]
        arguments += ['--local-part', local_part] if local_part else []
        arguments += ['--wait'] if wait else []
        made = self.json(*arguments)
        return Identity(self, {**self.json('identity', 'show', name), 'password': made['password']})


def _made(path):
    pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    return path


def _alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False
