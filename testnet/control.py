# SPDX-License-Identifier: ISC
"""A small client for tor's control port (control-spec), enough for the test network and for tests.

    with Control.open(path) as tor:
        tor.subscribe("HS_DESC")
        service = tor.add_onion("25,unix:/tmp/echo.sock")
        tor.wait_published(service, timeout=30)

Every call that waits takes a timeout in seconds and raises TimeoutError when it is over. A tor that ends in the
meantime raises ConnectionError; a refusal raises ControlError.
"""

import collections
import socket
import time


class ControlError(Exception):
    """Tor refused a command; code is the three-digit number of its reply."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code = code


class Control:
    def __init__(self, sock):
        """Takes over a connected socket that needs no more authentication."""
        self._socket = sock
        self._received = b""
        self._events = collections.deque()

    @classmethod
    def open(cls, path, timeout=10):
        """Connect to the Unix control socket at path."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(timeout)
            sock.connect(str(path))
            control = cls(sock)
            control.command("AUTHENTICATE", timeout)
        except BaseException:
            sock.close()
            raise
        return control

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def command(self, line, timeout=10):
        """Send one command and return the lines of its reply, the codes removed."""
        deadline = time.monotonic() + timeout
        self._socket.settimeout(max(timeout, 0.001))
        self._socket.sendall(line.encode() + b"\r\n")
        while True:
            code, lines = self._read_message(deadline)
            if code == 650:
                self._events.append(lines)
            elif 200 <= code < 300:
                return lines
            else:
                raise ControlError(code, " ".join(lines))

    def getinfo(self, key, timeout=10):
        first = self.command(f"GETINFO {key}", timeout)[0]
        return first.removeprefix(f"{key}=").strip("\n")

    def subscribe(self, *names):
        self.command("SETEVENTS " + " ".join(names))

    def wait(self, accept, timeout):
        """Return the first event, as its one string, that accept(string) is true for, and drop the earlier ones."""
        deadline = time.monotonic() + timeout
        while True:
            while self._events:
                event = "\n".join(self._events.popleft())
                if accept(event):
                    return event
            code, lines = self._read_message(deadline)
            if code == 650:
                self._events.append(lines)

    def add_onion(self, *ports, key="NEW:ED25519-V3", flags=("DiscardPK",)):
        """Add a service, each port a "VIRTUAL,TARGET" of ADD_ONION, and return its name without ".onion".

        Without the flag Detach it ends with this connection.
        """
        words = ["ADD_ONION", key]
        if flags:
            words.append("Flags=" + ",".join(flags))
        words += [f"Port={port}" for port in ports]
        return self.command(" ".join(words))[0].removeprefix("ServiceID=")

    def wait_published(self, service, timeout):
        """Wait until every descriptor upload that tor began for the service has succeeded. HS_DESC must have been
        subscribed to before the service was added."""
        begun = uploaded = 0

        def accept(event):
            nonlocal begun, uploaded
            words = event.split()
            if words[0] == "HS_DESC" and words[2] == service:
                begun += words[1] == "UPLOAD"
                uploaded += words[1] == "UPLOADED"
            return 0 < begun == uploaded

        self.wait(accept, timeout)

    def _read_message(self, deadline):
        """One whole reply or event: its code and lines; a data block is appended to the line that announces it."""
        lines = []
        while True:
            line = self._read_line(deadline)
            code, kind, text = int(line[:3]), line[3:4], line[4:]
            if kind == "+":
                while (data := self._read_line(deadline)) != ".":
                    text += "\n" + data.removeprefix(".")
            lines.append(text)
            if kind == " ":
                return code, lines

    def _read_line(self, deadline):
        while b"\r\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("tor did not answer in time")
            self._socket.settimeout(left)
            chunk = self._socket.recv(65536)
            if not chunk:
                raise ConnectionError("tor closed the control connection")
            self._received += chunk
        line, self._received = self._received.split(b"\r\n", 1)
        return line.decode(errors="replace")
