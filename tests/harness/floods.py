# SPDX-License-Identifier: ISC
"""Thousands of sessions that are as slow as they can be: one octet a second, each of its own kind.

As a program: floods.py SOCKET-25 SOCKET-465 MAILBOX COUNT KIND... opens them, prints a line of JSON and trickles on until its standard
input ends; then it prints how many of them the server has ended."""
import contextlib
import json
import os
import pathlib
import resource
import select
import socket
import ssl
import subprocess
import sys
import time

KINDS = ('silent', 'command', 'handshake', 'data', 'bdat')
DEAF_KINDS = ('deaf',)  # say a thousand commands at once, and read no reply
IDLE_KINDS = ('plain', 'tls')  # have said EHLO, and say nothing more
SLICES = 20  # of a second


def descriptors_most():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        tls_context().wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


class SlowSession:
    """One of them. `rest` is what it says, an octet at a time, for ever."""

    def __init__(self, kind, path_25, path_465, mailbox, context):
        self.kind, self.at = kind, 0
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(path_25 if kind in ('silent', 'command', 'plain') else path_465)
        if kind == 'command':
            self.rest = b'NOOP ' + b'x' * 3000
        elif kind == 'handshake':
            self.rest = client_hello()
        elif kind in IDLE_KINDS:
            self.sock = self.sock if kind == 'plain' else context.wrap_socket(self.sock)
            self.sock.sendall(b'EHLO x\r\n')
            self.hear(b'250 CHUNKING')
            self.rest = b''
        elif kind == 'deaf':
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.sock = context.wrap_socket(self.sock)
            self.sock.setblocking(False)
            self.rest = b''
            with contextlib.suppress(OSError):
                for _ in range(20):
                    self.sock.send(b'RSET\r\n' * 2500)
        elif kind in ('data', 'bdat'):
            self.sock = context.wrap_socket(self.sock)
            self.begin(mailbox)
            self.rest = b'Subject: slow\r\n\r\n' + b'x' * 70000
        self.sock.setblocking(False)

    def begin(self, mailbox):
        last = b'DATA\r\n' if self.kind == 'data' else b'BDAT 1000000\r\n'
        self.sock.sendall(b'EHLO x\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<%s>\r\n%s' % (mailbox.encode(), last))
        self.hear(b'354 ' if self.kind == 'data' else b'250 2.1.5')

    def hear(self, wanted):
        seen = b''
        while wanted not in seen:
            more = self.sock.recv(4096)
            assert more, f'it hung up after {seen!r}'
            seen += more

    def trickle(self):
        if self.kind != 'silent' and self.at < len(self.rest) - 1:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                self.sock.send(self.rest[self.at:self.at + 1])
                self.at += 1

    def is_ended(self):
        """The server has hung up, with or without a last word."""
        try:
            while True:
                if not self.sock.recv(4096):
                    return True
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True


def keep_up(sessions):
    """One octet a second in each; returns how many were ended meanwhile."""
    ended = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for part in range(SLICES):
            begun = time.monotonic()
            for each in sessions[part::SLICES]:
                try:
                    each.trickle()
                except OSError:
                    each.kind = 'silent'
            if select.select([sys.stdin], [], [], max(0, 1 / SLICES - (time.monotonic() - begun)))[0]:
                break
    for each in sessions:
        ended += each.is_ended()
    return ended


def main():
    path_25, path_465, mailbox, count, *kinds = sys.argv[1:]
    hard = descriptors_most()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = tls_context()
    begun = time.monotonic()
    sessions = []
    for i in range(int(count)):
        with contextlib.suppress(OSError, AssertionError):  # refused: there may be too many already
            sessions.append(SlowSession(kinds[i % len(kinds)], path_25, path_465, mailbox, context))
    print(json.dumps({'open': len(sessions), 'took_s': round(time.monotonic() - begun, 1)}), flush=True)
    print(json.dumps({'ended': keep_up(sessions)}), flush=True)
    os._exit(0)  # not one by one


class Flood:
    """with Flood(identity, 5000) as flood: so many slow sessions are open; flood.stop() says how many were ended."""

    def __init__(self, identity, count, kinds=KINDS):
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).resolve()), identity.sockets['25'], identity.sockets['465'],
             identity.address, str(count), *kinds], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _line(self):
        line = self.process.stdout.readline()
        assert line, 'the slow sessions broke off'
        return json.loads(line)

    def __enter__(self):
        self.opened = self._line()
        return self

    def stop(self):
        self.process.stdin.close()
        return self._line()['ended']

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()


if __name__ == '__main__':
    main()
