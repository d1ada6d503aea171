# SPDX-License-Identifier: ISC
"""Sessions that are gone on with, and early data: openssl's client, and somebody on the wire who keeps what it says first."""
import os
import pathlib
import socket
import struct
import subprocess
import threading

APPLICATION, SERVER_HELLO, PRE_SHARED_KEY = 23, 2, 41


class Tap:
    """A Unix socket that hands everything on to another one, and keeps what the client said before the server said anything."""

    def __init__(self, path, target):
        self.target, self.flights = str(target), []
        self.path = pathlib.Path(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.path.unlink(missing_ok=True)
        self.listener.bind(str(self.path))
        self.listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            at = len(self.flights)
            self.flights.append(b'')
            answered = threading.Event()
            threading.Thread(target=self._forward, args=(client, server, at, answered), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client, answered), daemon=True).start()

    def _forward(self, client, server, at, answered):
        try:
            while octets := client.recv(65536):
                if not answered.is_set():
                    self.flights[at] += octets
                server.sendall(octets)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def _back(server, client, answered):
        try:
            while octets := server.recv(65536):
                answered.set()
                client.sendall(octets)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def s_client(path, said='', session_in=None, session_out=None, early=None, alpn='smtorp/1'):
    """All that openssl's client writes: what the server said, and what became of the session. It ends when the server hangs up."""
    words = ['openssl', 's_client', '-unix', str(path), '-noservername', '-ign_eof', '-nocommands']
    for word, value in (('-alpn', alpn), ('-sess_in', session_in), ('-sess_out', session_out), ('-early_data', early)):
        words += [word, str(value)] if value else []
    return subprocess.run(words, input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False).stdout


def records(octets):
    """[(type, content)] of all that are whole."""
    found = []
    while len(octets) >= 5 and len(octets) >= 5 + struct.unpack('!H', octets[3:5])[0]:
        length = struct.unpack('!H', octets[3:5])[0]
        found.append((octets[0], octets[5:5 + length]))
        octets = octets[5 + length:]
    return found


def answer_to(path, flight, patience_s=20):
    """(whether the session is gone on with, the lengths of the records that the server answers a first flight with), as far as it can
    without hearing more. Replies to early data are one record more than the handshake's two."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.settimeout(patience_s)
        sock.sendall(flight)
        octets, is_reused, inside = b'', False, []
        try:
            while len(inside) < (3 if is_reused else 4):
                part = sock.recv(65536)
                if not part:
                    break
                octets += part
                found = records(octets)
                is_reused = bool(found) and PRE_SHARED_KEY in extensions_of_hello(found[0][1])
                inside = [content for kind, content in found if kind == APPLICATION]
        except TimeoutError:
            pass
    return is_reused, [(kind, len(content)) for kind, content in records(octets)]


def extensions_of_hello(octets):
    """Their numbers, of a ServerHello."""
    assert octets[0] == SERVER_HELLO
    at = 4 + 2 + 32
    at += 1 + octets[at] + 2 + 1
    end, found = at + 2 + struct.unpack('!H', octets[at:at + 2])[0], []
    at += 2
    while at < end:
        kind, length = struct.unpack('!HH', octets[at:at + 4])
        found.append(kind)
        at += 4 + length
    return found


def with_random_ticket(flight):
    """The same first flight with octets that are nobody's ticket: the last extension of a ClientHello holds it."""
    (kind, hello), *_ = records(flight)
    assert kind == 22
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack('!H', hello[at:at + 2])[0]
    at += 1 + hello[at] + 2
    while struct.unpack('!H', hello[at:at + 2])[0] != PRE_SHARED_KEY:
        at += 4 + struct.unpack('!H', hello[at + 2:at + 4])[0]
    begin = 5 + at + 4 + 2 + 2  # of the record, the extension, the list, the ticket
    length = struct.unpack('!H', flight[begin - 2:begin])[0]
    return flight[:begin] + os.urandom(length) + flight[begin + length:]


class EarlyServer:
    """openssl's server on a loopback port: takes early data, and says what it is told to, in one session after the other."""

    def __init__(self, pem):
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.port = free.getsockname()[1]
        self.pem, self.heard = pem, b''  # inside TLS, with what openssl writes about it
        self._start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.listening.join()

    def ports(self):
        """As add_onion() wants them."""
        return [f'465,127.0.0.1:{self.port}']

    def _start(self):
        words = ['openssl', 's_server', '-accept', f'127.0.0.1:{self.port}', '-cert', str(self.pem), '-key', str(self.pem), '-alpn', 'smtorp/1',
                 '-early_data', '-max_early_data', '65536', '-no_anti_replay', '-num_tickets', '20']
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.listening = threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True)
        self.listening.start()

    def _listen(self, out):
        while octets := out.read1(65536):
            self.heard += octets

    def restart(self):
        """It forgets the keys of its tickets."""
        self.__exit__()
        self._start()

    def say(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def hang_up(self):
        self.say(b'q\n')
