# SPDX-License-Identifier: ISC
"""A server on an onion that writes down what it is told: whoever answers in the place of another."""
import base64
import hashlib
import socket
import ssl
import subprocess
import threading


def certificate(folder, name):
    """A fresh key with its certificate in one file; and its fingerprint, as openssl and Python see it."""
    path, part = folder / f'{name}.pem', folder / f'{name}.part'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj',
                    '/CN=example.onion', '-keyout', path, '-out', part], check=True, capture_output=True)
    path.write_text(path.read_text() + part.read_text())
    public = subprocess.run(['openssl', 'x509', '-in', part, '-noout', '-pubkey'], check=True, capture_output=True).stdout
    spki = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], check=True, capture_output=True, input=public).stdout
    return path, base64.b32encode(hashlib.sha256(spki).digest()).decode().rstrip('=').lower()


class OnionPorts:
    """Two loopback ports for an onion's 465 and 25, whose connections _serve(port, sock) gets, each in a thread of its own."""

    def __init__(self, pem, alpn):
        self.pem, self.alpn = pem, alpn  # None: no ALPN. Both can be changed at any time
        self.listeners = {port: socket.create_server(('127.0.0.1', 0), backlog=64) for port in (25, 465)}
        for port, listener in self.listeners.items():
            threading.Thread(target=self._accept, args=(port, listener), daemon=True).start()

    def ports(self):
        """As add_onion() wants them."""
        return [f'{port},127.0.0.1:{listener.getsockname()[1]}' for port, listener in self.listeners.items()]

    def stop(self):
        for listener in self.listeners.values():
            listener.close()

    def context(self, port):
        """A fresh one for the server's side of TLS on this port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        if port == 465 and self.alpn:
            context.set_alpn_protocols([self.alpn])
        return context

    def _accept(self, port, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(port, sock), daemon=True).start()


class Recorder(OnionPorts):
    """Takes mail, and can be told to do so in other ways at any time."""

    def __init__(self, pem):
        self.offers_starttls = True  # on 25
        self.sessions = []           # what each session said after TLS (or in the clear), as bytes
        super().__init__(pem, 'smtorp/1')

    def said(self):
        return b''.join(self.sessions)

    def _serve(self, port, sock):
        self.sessions.append(b'')
        at = len(self.sessions) - 1
        sock.settimeout(120)
        try:
            if port == 465:
                sock = self.context(port).wrap_socket(sock, server_side=True)
            self._talk(sock, at)
        except (OSError, ValueError):
            pass
        finally:
            sock.close()

    def _talk(self, sock, at, greets=True):
        file, is_tls = sock.makefile('rb'), isinstance(sock, ssl.SSLSocket)
        if greets:
            sock.sendall(b'220 example ESMTP\r\n')
        while line := file.readline():
            self.sessions[at] += line
            verb = (line.split() or [b''])[0].upper()
            if verb == b'BDAT':
                self.sessions[at] += file.read(int(line.split()[1]))
            if verb == b'EHLO':
                starttls = b'250-STARTTLS\r\n' if self.offers_starttls and not is_tls else b''
                sock.sendall(b'250-example\r\n' + starttls + b'250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n')
            elif verb == b'STARTTLS':
                sock.sendall(b'220 go\r\n')
                self._talk(self.context(25).wrap_socket(sock, server_side=True), at, greets=False)
                return
            else:
                sock.sendall(b'221 bye\r\n' if verb == b'QUIT' else b'250 ok\r\n')
