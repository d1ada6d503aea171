# SPDX-License-Identifier: ISC
"""A mail server that does everything wrong which real ones have done before, for `smtorp doctor` to find."""
import re
import socket
import ssl
import threading


class Careless:
    """On one loopback port, for an onion's 25. In the clear and inside of TLS alike."""

    def __init__(self, pem):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.floods = False  # greets without end
        self.messages = 0
        self.said = b''      # by all clients
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(60)
        try:
            while self.floods:
                sock.sendall(b'220-come in\r\n' * 1000)
            sock.sendall(b'220 example ESMTP\r\n')
            _Session(self, sock).talk()
        except OSError:
            pass
        finally:
            sock.close()


class _Session:
    def __init__(self, server, sock):
        self.server, self.sock, self.buffer = server, sock, b''

    def _line(self):
        while b'\n' not in self.buffer:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionResetError
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b'\n')
        self.server.said += line + b'\n'
        return line.rstrip(b'\r')

    def talk(self):
        while True:
            line = self._line()
            verb = line[:4].upper()
            if verb == b'QUIT':
                self.sock.sendall(b'221 bye\r\n')
                return
            if line.upper() == b'STARTTLS':
                self.sock.sendall(b'220 go\r\n')
                self.sock = self.server.context.wrap_socket(self.sock, server_side=True)  # and keeps what came behind it
            elif verb == b'DATA':
                self._data()
            elif verb == b'BDAT':
                self._chunk(int(line.split()[1]) % 2**32)
            else:
                self.sock.sendall(self._answer(verb, line))

    def _answer(self, verb, line):
        if verb == b'EHLO':
            return b'250-example\r\n250-STARTTLS\r\n250-AUTH LOGIN\r\n250 CHUNKING\r\n'
        if verb == b'VRFY':
            return b'250 Carol <carol@example.onion>\r\n'
        if verb == b'AUTH':
            return b'334 VXNlcm5hbWU6\r\n'
        if verb == b'RCPT':
            return self._recipient(line)
        return b'500 what\r\n' if verb in (b'XYZZ', b'TURN', b'EXPN') else b'250 ok\r\n'

    def _recipient(self, line):
        address = re.search(rb'<(.*)>', line).group(1)
        if re.fullmatch(rb'carol@[a-z2-7]{56}\.onion', address):  # whichever onion
            return b'250 ok\r\n'
        return b'550 not by this way\r\n' if address.endswith(b'@localhost') else b'550 no\r\n'

    def _data(self):
        self.sock.sendall(b'354 go on\r\n')
        while self._line() != b'.':  # a line ends with LF, whatever stands before it
            pass
        self.server.messages += 1
        self.sock.sendall(b'250 taken\r\n')

    def _chunk(self, octets):
        while len(self.buffer) < octets:
            self.buffer += self.sock.recv(65536)
        self.buffer = self.buffer[octets:]
        self.sock.sendall(b'250 chunk\r\n')
