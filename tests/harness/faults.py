# SPDX-License-Identifier: ISC
"""A system call of a running process that fails, while mail is on its way; and what must hold of that mail. Needs root."""
import contextlib
import os
import pathlib
import select
import shutil
import signal
import ssl
import subprocess

from . import account
from .delay import DelayedPath
from .installation import ROOT
from .node import Node
from .smtp import Session
from .systor import SystemTor
from .waiting import until

PATIENCE_S = 90
SETTLED_S = 1.5  # mail@ID tidies up a second after it was busy
DEATHS_MOST = 3  # of a role; then its parent waits longer and longer before it starts it, so the node begins anew

# What can go wrong with a call. "late": it was made, and said to have failed. "short": half of it was done.
_WRITE = ('ENOSPC', 'EIO', 'EINTR', 'short')
_SYNC = ('EIO', 'ENOSPC', 'late-EIO')
_OPEN = ('EMFILE', 'ENFILE', 'ENOSPC', 'EIO', 'ENOMEM', 'EINTR')
_NAME = ('EIO', 'ENOSPC', 'late-EIO')
_LOOK = ('EIO', 'ENOMEM')
_MEMORY = ('ENOMEM',)
FAULTS = {
    'read': ('EIO', 'EINTR', 'short'), 'pread64': ('EIO', 'EINTR', 'short'), 'recvfrom': ('EINTR', 'ENOMEM', 'ECONNRESET', 'short'),
    'recvmsg': ('EINTR', 'ENOMEM'), 'sendmsg': ('EINTR', 'ENOBUFS', 'ENOMEM'), 'sendto': ('EINTR', 'ENOBUFS', 'ENOMEM', 'short'),
    'write': _WRITE, 'writev': _WRITE, 'pwrite64': _WRITE, 'pwritev': _WRITE, 'fallocate': ('ENOSPC', 'EIO', 'EINTR'),
    'ftruncate': ('EIO', 'ENOSPC', 'EINTR'), 'fsync': _SYNC, 'fdatasync': _SYNC, 'syncfs': _SYNC, 'sync_file_range': _SYNC,
    'open': _OPEN, 'openat': _OPEN, 'memfd_create': ('EMFILE', 'ENFILE', 'ENOMEM'), 'accept4': ('EMFILE', 'ENFILE', 'ENOMEM', 'EINTR', 'ECONNABORTED'),
    'socketpair': ('EMFILE', 'ENFILE', 'ENOMEM'), 'socket': ('EMFILE', 'ENFILE', 'ENOBUFS'), 'pipe2': ('EMFILE', 'ENFILE'),
    'connect': ('EINTR', 'EAGAIN', 'ENOMEM'), 'clone': ('EAGAIN', 'ENOMEM'), 'fork': ('EAGAIN', 'ENOMEM'),
    'rename': _NAME, 'renameat': _NAME, 'unlink': _NAME, 'unlinkat': _NAME, 'linkat': _NAME, 'mkdir': _NAME, 'mkdirat': _NAME,
    'fcntl': ('EMFILE', 'EIO', 'EINTR'), 'fstat': _LOOK, 'newfstatat': _LOOK, 'statfs': _LOOK, 'lseek': ('EIO',), 'getdents64': ('EIO', 'ENOMEM'),
    'close': ('late-EIO', 'late-EINTR'), 'mmap': _MEMORY, 'mremap': _MEMORY, 'munmap': _MEMORY, 'brk': _MEMORY, 'madvise': ('ENOMEM', 'EAGAIN'),
    'epoll_wait': ('EINTR',), 'getrandom': ('EINTR',), 'epoll_ctl': ('ENOMEM', 'ENOSPC'), 'setsockopt': ('ENOMEM',), 'getsockopt': ('ENOMEM',), 'utimensat': ('EIO',),
    'fchmod': ('EIO',), 'faccessat': ('EIO',), 'access': ('EIO',), 'stat': _LOOK, 'lstat': _LOOK, 'shutdown': ('ENOBUFS',),
}
SYNCS = ('fsync', 'fdatasync', 'syncfs')  # after one that failed nobody knows what is on the disk: mail@ID has to end (but for
# lack of space, when it writes all of it anew)


def plans(counts, places=None):
    """(call, number, fault) for calls that were counted: at each place, or at `places` of them, spread from the first to the last."""
    for call, count in sorted(counts.items()):
        numbers = range(1, count + 1)
        if places and count > places:
            numbers = sorted({1 + (count - 1) * place // max(1, places - 1) for place in range(places)})
        for fault in FAULTS.get(call, ()):
            for number in numbers:
                yield call, number, fault


class Gone(Exception):
    """The process has ended before it could be looked at."""


class Injector:
    """Looks on a process until end(); a plan is what plans() yields."""

    def __init__(self, program, pid, plan=None):
        self.counts, self.was_injected, self.has_ended = {}, False, False
        self.process = subprocess.Popen([program, str(pid), *map(str, plan or ())], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            self.process.communicate()
            raise Gone

    def wait_for_fault(self, deadline_s):
        """What is done behind a delivery is done a while afterwards. Returns early when the fault came, or the process ended."""
        return select.select([self.process.stdout], [], [], deadline_s)[0] != []

    def wait_for_end(self):
        until(lambda: self.process.poll() is not None, 20, 'the process to end, since nothing is known after a sync that failed')

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        for line in self.process.communicate(timeout=20)[0].splitlines():
            if line.startswith('call '):
                self.counts[line.split()[1]] = int(line.split()[2])
            self.was_injected |= line == 'injected'
            self.has_ended |= line == 'ended'
        assert self.process.returncode == 0
        return self


class Path(DelayedPath):
    """No delay; its streams can be cut, so that the next message needs another one."""

    def __init__(self, folder, routes):
        self.writers = set()
        super().__init__(folder, 0, 0, routes)

    def _guard(self, serve):
        async def guarded(reader, writer):
            self.writers.add(writer)
            with contextlib.suppress(OSError, EOFError):
                await serve(reader, writer)
            self.writers.discard(writer)
            writer.close()
        return guarded

    def cut(self):
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in self.writers])


class Arrivals:
    """Counts the messages of a Maildir by a word that stands in each, and takes them out."""

    def __init__(self, identity):
        self.folder = identity.mail / 'Maildir' / 'new'
        self.texts = []

    def count(self, word):
        if self.folder.exists():
            for entry in os.scandir(self.folder):
                self.texts.append(pathlib.Path(entry.path).read_text(errors='replace'))
                os.unlink(entry.path)
        return sum(word in text for text in self.texts)


class Broken(AssertionError):
    """What must hold did not."""


class FaultyNode:
    """A node of alice and bob. What alice writes to bob goes over a session between the two; a SOCKS proxy stands for tor's streams."""

    def __init__(self, installation, network, folder):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        build = pathlib.Path(os.environ.get('SMTORP_BUILD') or ROOT / 'build')
        self.program = shutil.copy(build / 'tests' / 'faults' / 'inject-fault', folder / 'inject-fault')
        self.tor = SystemTor(network, folder / 'tor')
        routes = {}
        self.path = Path(folder, routes)
        # so long a name makes the runtime folder one where tor's user can pass
        self.node = Node(installation, None, folder / 'a-node-with-the-tor-of-somebody-else-that-has-faults', {
            **self.tor.config, 'tor.socks': f'unix:{self.path.path}', 'queue.retry-first': '1s', 'queue.retry-most': '1s'})
        self.node.groups = self.tor.groups
        self.node.start(wait=False)
        self.alice, self.bob = (self.node.identity(name, wait=False) for name in ('alice', 'bob'))
        routes.update({(who.onion, int(port)): path for who in (self.alice, self.bob) for port, path in who.sockets.items()})
        self.arrivals = {who: Arrivals(who) for who in (self.alice, self.bob)}
        self.number = 0
        self.deaths = 0
        self.wait_ready()

    def close(self):
        self.node.stop()
        self.path.close()
        self.tor.stop()

    def wait_ready(self):
        def is_ready(status):
            return all(row['ready'] for row in status['roles']) and {row['store'] for row in status['identities']} == {'works'}
        self.node.wait_for(is_ready, 60, 'every role to be there')

    def restart(self):
        self.node.stop()
        self.node.start(wait=False)
        self.wait_ready()
        self.deaths = 0

    def pid_of(self, role, identity):
        if role == 'parent':
            return self.node.process.pid
        row = self.node.role(role, identity)
        if row is None or row['pid'] == 0:  # content is started when it is needed
            self.deliver('submitted', self.word(), [])
            row = self.node.role(role, identity)
        return row['pid']

    def word(self):
        self.number += 1
        return f'numbered-{os.getpid()}-{self.number}-'

    # -- one message, tried until it is taken. Each attempt: (what was said, a word for its copies)

    def received(self, word):
        """From a stranger, with the same bytes in each attempt."""
        body = f'Subject: {word}\r\n\r\n{"x" * 900}\r\n'
        try:
            with Session(self.bob.sockets['465'], tls=True, alpn='smtorp/1') as session:
                session.say(f'EHLO a.example\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{self.bob.address}>\r\n'
                            f'BDAT {len(body)} LAST\r\n{body}QUIT\r\n')
                replies = [session.reply() for _ in range(6)]
        except (OSError, ssl.SSLError):
            return 'dropped'
        codes = [reply[:3] for reply in replies]
        failed = next((reply for reply, code in zip(replies[1:5], codes[1:5]) if code != '250'), None)
        return '250' if failed is None else failed or 'dropped'

    def submitted(self, word, recipient=None):
        """By the owner's sendmail, whose exit status tells temporary from permanent."""
        recipient = recipient or self.bob.address
        result = self.node.run('smtorp-sendmail', '-f', self.alice.address, recipient, check=False, timeout=PATIENCE_S,
                               input=f'From: {self.alice.address}\nTo: {recipient}\nSubject: {word}\n\n{"x" * 900}\n')
        return {0: '250', 75: '451 ' + result.stderr}.get(result.returncode, f'5yz {result.returncode} {result.stderr}')

    def bounced(self, word):
        """To nobody, so that a notification comes back."""
        return self.submitted(word, f'nobody-{word}@{self.bob.onion}')

    def deliver(self, way, word, attempts):
        """Until it was taken, and was seen where it belongs; a submitted one that was not taken is another message each time."""
        def attempt():
            own = word if way == 'received' else f'{word}{len(attempts)}-'
            said = getattr(self, way)(own)
            attempts.append((said, own))
            if not said.startswith(('250', '4', 'dropped')):
                raise Broken(f'a fault that passes was answered with: {said}')
            return said == '250'
        if way == 'submitted':
            self.path.cut()
        until(attempt, PATIENCE_S, 'the message to be taken', every_s=0.1)
        arrivals = self.arrivals[self.alice if way == 'bounced' else self.bob]
        until(lambda: arrivals.count(attempts[-1][1]), PATIENCE_S, 'what was answered with 250', every_s=0.01)
        for said, own in attempts:
            copies = arrivals.count(own)
            if copies > 1:
                raise Broken(f'{copies} copies of what was answered: {said}')

    def look_on(self, role, identity, plan=None):
        for _ in range(3):  # it may be about to end, because of the fault before
            try:
                return Injector(self.program, self.pid_of(role, identity), plan)
            except Gone:
                self.wait_ready()
        raise Broken(f'{role}@{identity} does not stay')

    def count(self, way, role, identity):
        """The system calls of one delivery."""
        if role == 'parent':
            self.end_content()
        injector = self.look_on(role, identity)
        self.deliver(way, self.word(), [])
        if role == 'mail':
            injector.wait_for_fault(SETTLED_S)
        return injector.end().counts

    def end_content(self):
        """The parent has to start it for the next message."""
        row = self.node.role('content', 'alice')
        if row and row['pid']:
            os.kill(row['pid'], signal.SIGKILL)
            self.deaths += 1
            until(lambda: (self.node.role('content', 'alice') or {}).get('pid') != row['pid'], 20, 'content to end')

    def try_fault(self, way, role, identity, plan):
        """One delivery with one fault. Returns None when it did not come, else what became of it."""
        if role == 'parent':
            self.end_content()
        attempts = []
        injector = self.look_on(role, identity, plan)
        try:
            self.deliver(way, self.word(), attempts)
            if role == 'mail':
                injector.wait_for_fault(SETTLED_S)
            if role == 'mail' and plan[0] in SYNCS and not plan[2].endswith('ENOSPC') and injector.wait_for_fault(0):
                injector.wait_for_end()
            if role == 'mail' and way == 'received' and plan[:2] == ('fdatasync', 1) and attempts[0][0] == '250':
                raise Broken('250 for what was not made durable')
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise Broken(f'{way}, {role}@{identity}, {" ".join(map(str, plan))}: {error}; the last attempts of {len(attempts)}: {attempts[-3:]}\n{self.node.log_tail(12)}') from None
        finally:
            injector.end()
        if role == 'parent' and injector.has_ended:
            raise Broken(f'the node ended by {plan}:\n{self.node.log_tail(30)}')
        if injector.has_ended:
            self.deaths += 1
            self.wait_ready()
        first = attempts[0][0]
        if self.deaths > DEATHS_MOST:
            self.restart()
        return {'first': first, 'has_ended': injector.has_ended, 'attempts': len(attempts)} if injector.was_injected else None

    def check_all(self):
        """Nothing came twice, nor came late what had come before."""
        for who, arrivals in self.arrivals.items():
            for said in {line for text in arrivals.texts for line in text.splitlines() if line.startswith('Subject: numbered-')}:
                if arrivals.count(said + '\n') > 1 and 'nobody' not in said:
                    raise Broken(f'more than one copy of {said} for {who.name}')


# Who has a hand in which delivery.
DELIVERIES = (('received', 'smtp', 'bob'), ('received', 'mail', 'bob'), ('submitted', 'submission', ''), ('submitted', 'content', 'alice'),
              ('submitted', 'mail', 'alice'), ('submitted', 'tor', ''), ('submitted', 'smtp', 'alice'), ('bounced', 'mail', 'alice'),
              ('bounced', 'content', 'alice'), ('submitted', 'parent', ''))
