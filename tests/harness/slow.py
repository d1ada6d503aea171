# SPDX-License-Identifier: ISC
"""Mail servers that behave badly, behind onion services of the private network's own client."""
import contextlib
import socket
import sys
import threading

from .installation import ROOT

sys.path.insert(0, str(ROOT / 'testnet'))
import control  # noqa: E402


class BadServer:
    """Takes connections, says `greeting` to each (nothing when it is empty), and then neither answers nor hangs up."""

    def __init__(self, greeting=b''):
        self.greeting = greeting
        self.taken, self.ended = 0, 0
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.taken += 1
                threading.Thread(target=self._hold, args=(sock,), daemon=True).start()

    def _hold(self, sock):
        with sock, contextlib.suppress(OSError):
            sock.sendall(self.greeting)
            while sock.recv(4096):
                pass
        self.ended += 1

    def close(self):
        self.listener.close()


@contextlib.contextmanager
def onions(network, servers):
    """An onion service for each server, which leads to it from its port 25, or as its ports() say; gone at the end."""
    with control.Control.open(network.status()['control_socket']) as tor:
        tor.subscribe('HS_DESC')
        names = [tor.add_onion(*(server.ports() if hasattr(server, 'ports') else [f'25,127.0.0.1:{server.port}'])) for server in servers]
        balance = dict.fromkeys(names)

        def are_published(event):
            words = event.split()
            if words[0] == 'HS_DESC' and words[2] in balance and words[1] in ('UPLOAD', 'UPLOADED'):
                balance[words[2]] = (balance[words[2]] or 0) + (1 if words[1] == 'UPLOAD' else -1)
            return all(each == 0 for each in balance.values())
        tor.wait(are_published, 120)
        yield [f'{name}.onion' for name in names]
