# SPDX-License-Identifier: ISC
"""Two nodes with two identities each, which reach each other over a path without circuits, and their readers."""
import asyncio
import contextlib
import os
import pathlib
import threading

from harness.delay import DelayedPath
from harness.node import Node
from harness.postfix import free_port
from harness.systor import SystemTor
from harness.waiting import Late, until

CONFIG = {'queue.retry-first': '1s', 'queue.retry-most': '2s', 'queue.keep-delivered': 'never'}
# so long a name makes the runtime folder one where another user's tor can pass
LONG = 'with-the-tor-of-somebody-else-under-torture-'
TOR = 'tor'


def tree(pid):
    """All processes below one, [(pid, role or program)], parents first. `tor` is the program, its role is `tor role`."""
    found = []
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
            words = pathlib.Path(f'/proc/{child}/cmdline').read_bytes().decode().split('\0')
            name = os.path.basename(words[0])
            role = words[1] if name == 'smtorp-smtp' else name.removeprefix('smtorp-')
            found.append((int(child), TOR if name == TOR else role if role != TOR else 'tor role'))
            found += tree(int(child))
    return found


def is_gone(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return True


class DirectPath(DelayedPath):
    """Without a delay; when one side is gone the other one is told at once, as by tor's END."""

    def __init__(self, folder, routes, tor):
        super().__init__(folder, 0, 0, routes, tor=tor)

    async def _carry(self, path, reader, writer, connected=None, stands=lambda: None):
        stands()
        from_server, to_server = await asyncio.open_unix_connection(path)
        if connected:
            writer.write(connected)
        pumps = [self._loop.create_task(self._pump(reader, to_server)), self._loop.create_task(self._pump(from_server, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            to_server.close()

    @staticmethod
    async def _pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


class Reader:
    """A mail program of one identity: it reads each file once and takes some of them away, as POP3 does."""

    def __init__(self, ledger, identity, rng, folder):
        self.ledger, self.identity, self.rng = ledger, identity, rng
        self.read, self.taken = set(), set()
        self.away = folder
        folder.mkdir()

    def look(self):
        for folder in (self.identity.mail / 'Maildir' / 'new', self.identity.mail / 'Maildir' / 'cur'):
            for path in folder.iterdir():
                name = path.name.split(':')[0]
                with contextlib.suppress(FileNotFoundError):  # the IMAP server has moved it
                    self._file(path, name)

    def _file(self, path, name):
        if name in self.taken:
            self.ledger.strange.append(f'{self.identity.name} has {name} again, which she took away')
        if name not in self.read:
            data = path.read_bytes()
            self.read.add(name)
            self.ledger.read(self.identity.name, self.identity.address, data)
        if self.rng.random() < 0.3:
            path.rename(self.away / name)
            self.taken.add(name)


class Field:
    """Nodes, which have `identities` and a name `short`, and their readers. ports: of submission, by node.short."""

    def __init__(self, nodes, ports, ledger, rng, folder):
        self.nodes, self.ports, self.ledger = nodes, ports, ledger
        self.identities = [identity for node in nodes for identity in node.identities]
        self.readers = [Reader(ledger, each, rng, folder / f'read-{each.name}') for each in self.identities]
        self._ended = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @staticmethod
    def wait_until_it_works(node):
        node.wait_for(lambda status: all(row['ready'] for row in status['roles'])
                      and all(row['store'] == 'works' for row in status['identities']), 120, 'every role')

    def _read(self):
        while not self._ended.wait(0.3):
            for reader in self.readers:
                reader.look()

    # -- nodes

    def bury(self, node, pids):
        """Waits until all of a node that was killed is gone, so that it can be started again."""
        node.process.wait(20)
        until(lambda: all(is_gone(pid) for pid in pids), 20, 'the killed processes to be gone')
        node.process = None

    def is_quiet(self):
        """Nothing waits in a queue, and nothing in a staging folder."""
        return not any(os.listdir(each.mail / name) for each in self.identities for name in ('queue', 'staging'))

    def wait_for_promises(self, deadline_s=300):
        """Until all that was promised is there; or not, which the ledger tells."""
        with contextlib.suppress(Late):
            until(lambda: self.ledger.open_count() == 0 and self.is_quiet(), deadline_s, 'what was promised', every_s=0.3)

    def settle(self, deadline_s=300):
        """The same, and then until nothing more comes: the last word of the readers."""
        self.wait_for_promises(deadline_s)
        for node in self.nodes:  # and nothing more comes when they start anew
            node.kill()
            node.start(wait=False)
        for node in self.nodes:
            self.wait_until_it_works(node)
            node.wait_for(lambda status: 'imap' in status['endpoints'], 30, 'IMAP')
        with contextlib.suppress(Late):
            until(self.is_quiet, 60, 'the queues to be empty')
        self._ended.set()
        self._reading.join()
        for reader in self.readers:
            reader.look()

    def left_by_imap(self):
        """{reader: (what IMAP shows, what the reader left there)}"""
        left = {}
        for reader in self.readers:
            with reader.identity.mailbox() as mailbox:
                left[reader.identity.name] = (len(mailbox.uids()), len(reader.read) - len(reader.taken))
        return left

    def close(self):
        self._ended.set()
        self._reading.join()


class DirectField(Field):
    """Two nodes, each with an installation of its own perhaps, on a path without circuits."""

    def __init__(self, installations, network, folder, ledger, rng, config=None):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.tor = SystemTor(network, folder / 'tor')
        routes, ports, nodes = {}, {'a': free_port(), 'b': free_port()}, []
        self.path = DirectPath(folder, routes, str(folder / 'tor' / 'control'))
        config = {**CONFIG, **self.tor.config, 'tor.control': f'unix:{self.path.control}', 'tor.socks': f'unix:{self.path.path}', **(config or {})}
        for installation, name, people in zip(installations, 'ab', (('alice', 'work'), ('bob', 'home'))):
            node = Node(installation, None, folder / (LONG + name), {**config, 'submission.listen': f'127.0.0.1:{ports[name]}'})
            node.short, node.groups = name, self.tor.groups
            nodes.append(node)
            node.start(wait=False)
            node.wait_for(lambda status: status['tor']['bootstrap'] == 100, 90, 'tor')
            node.identities = [node.identity(each, wait=False) for each in people]
            routes.update({(each.onion, int(port)): path for each in node.identities for port, path in each.sockets.items()})
        super().__init__(nodes, ports, ledger, rng, folder)
        for node in nodes:
            self.wait_until_it_works(node)

    def close(self):
        super().close()
        for node in self.nodes:
            node.stop()
        self.path.close()
        self.tor.stop()
