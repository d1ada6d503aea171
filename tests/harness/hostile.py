# SPDX-License-Identifier: ISC
"""Mail servers that lie, break off and say what nobody should; and can be healed."""
import contextlib
import os
import re
import socket
import ssl
import threading

HANG, CLOSE = object(), object()


def endless(piece, count=None):
    """Says a piece again and again, until the other side has had enough of it."""
    def say(sock):
        said = 0
        while count is None or said < count:
            sock.sendall(piece)
            said += 1
        return CLOSE
    return say


def half(piece):
    def say(sock):
        sock.sendall(piece)
        return CLOSE
    return say


def no_tls(sock):
    sock.sendall(b'220 ready\r\n')
    sock.recv(4096)
    sock.sendall(os.urandom(4096))
    return CLOSE


class HostileServer:
    """Takes mail with DATA on one port. Each session has its own answers, the last ones stay: what is said instead of what
    should be, by what it answers (greeting, EHLO, STARTTLS, MAIL, RCPT, DATA, end; EHLO-TLS inside of TLS): bytes, HANG,
    CLOSE, or a function of the socket."""

    def __init__(self, *answers, pem=None):
        self.answers = answers or ({},)
        self.pem = pem
        self.sessions = 0
        self.asked = set()   # what it was asked, so that a test knows how far the client has come
        self.received = []   # messages that were answered with 250 as it should be
        self.wire = b''      # all that clients have said
        self._open = []
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self):
        """From now on it does what it should; sessions from before are cut."""
        self.answers = ({},)
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        self.heal()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                answers = self.answers[min(self.sessions, len(self.answers) - 1)]
                self.sessions += 1
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock, answers), daemon=True).start()

    def _serve(self, sock, answers):
        with contextlib.suppress(OSError, ValueError):
            self._talk(sock, answers)
        with contextlib.suppress(OSError):
            sock.close()

    def _answer(self, sock, what, usual, answers):
        """False: nothing more is to be said."""
        self.asked.add(what)
        answer = answers.get(what, usual)
        if callable(answer):
            answer = answer(sock)
        if answer is HANG:
            while sock.recv(65536):
                pass
        if answer in (HANG, CLOSE):
            return None
        if answer is not None:
            sock.sendall(answer)
        return answer

    def _body(self, file):
        lines = []
        while (line := file.readline()) not in (b'.\r\n', b''):
            self.wire += line
            lines.append(line)
        return b''.join(lines) if line else None

    def _talk(self, sock, answers, in_tls=False):
        file = sock.makefile('rb')
        if not in_tls and self._answer(sock, 'greeting', b'220 example ESMTP\r\n', answers) is None:
            return
        while line := file.readline():
            self.wire += line
            verb = re.match(rb'[A-Za-z]*', line)[0].decode().upper()
            usual = {'EHLO': b'250-example\r\n250 8BITMIME\r\n', 'DATA': b'354 go\r\n', 'QUIT': b'221 bye\r\n',
                     'STARTTLS': b'220 ready\r\n'}.get(verb, b'250 ok\r\n')
            answer = self._answer(sock, verb + ('-TLS' if in_tls and verb == 'EHLO' else ''), usual, answers)
            if answer is None or verb == 'QUIT':
                return
            if verb == 'STARTTLS' and self.pem:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.pem)
                self._talk(context.wrap_socket(sock, server_side=True), answers, in_tls=True)
                return
            if verb == 'DATA' and answer.startswith(b'354'):
                body = self._body(file)
                said = None if body is None else self._answer(sock, 'end', b'250 2.0.0 taken\r\n', answers)
                if said is None:
                    return
                if said.startswith(b'250'):
                    self.received.append(body)
