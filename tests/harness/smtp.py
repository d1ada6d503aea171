# SPDX-License-Identifier: ISC
"""A raw SMTP client for the sockets that tor connects to."""
import socket
import ssl


class Session:
    """Says bytes, reads replies."""

    def __init__(self, path, tls=False, alpn=None):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        if tls:
            self.start_tls(alpn)
        self.file = self.sock.makefile('rb')

    def start_tls(self, alpn=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols([alpn])
        self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile('rb')

    def reply(self):
        """The next reply as one text."""
        lines = []
        while True:
            line = self.file.readline().decode()
            lines.append(line.rstrip('\r\n'))
            if len(line) < 4 or line[3] != '-':
                return '\n'.join(lines)

    def say(self, text):
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def command(self, line):
        self.say(line + '\r\n')
        return self.reply()

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def bring(identity, subject):
    """One message from a stranger, in one flight over TLS, up to its 250."""
    body = f'Subject: {subject}\r\n\r\nx\r\n'
    with Session(identity.sockets['465'], tls=True, alpn='smtorp/1') as session:
        session.say(f'EHLO a.example\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<{identity.address}>\r\n'
                    f'BDAT {len(body)} LAST\r\n{body}QUIT\r\n')
        replies = [session.reply() for _ in range(6)]
        assert [reply[:3] for reply in replies] == ['220', '250', '250', '250', '250', '221'], replies


def greeted(identity, port='25', **options):
    """A session on one of its sockets, up to the greeting."""
    session = Session(identity.sockets[port], **options)
    assert session.reply() == f'220 {identity.onion} ESMTP'
    return session


def tls_session(identity, port='25'):
    """Up to EHLO inside of TLS; on port 25, after STARTTLS."""
    session = greeted(identity, port, tls=port == '465')
    session.command('EHLO x.example')
    if port == '25':
        assert session.command('STARTTLS').startswith('220')
        session.start_tls()
        session.command('EHLO x.example')
    return session
