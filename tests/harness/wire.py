# SPDX-License-Identifier: ISC
"""Both sides of TLS over memory: every record, every handshake message and every decrypted octet of the other side is kept."""
import socket
import ssl

from .recorder import OnionPorts

HANDSHAKE = 22


class Tape:
    """What the other side has sent, in order: ('plain', octets), ('record', type, version, length), ('message', type, octets) of a
    handshake, ('inside', octets), ('alert', octets), ('end',). Octets of one kind that follow each other are one entry."""

    def __init__(self):
        self.entries = []

    def add(self, kind, *what):
        if kind in ('plain', 'inside') and self.entries and self.entries[-1][0] == kind:
            what = (self.entries.pop()[1] + what[0],)
        self.entries.append((kind, *what))

    def octets(self):
        """All that could be read, by whoever has the keys."""
        return b'\n'.join(part for entry in self.entries for part in entry[1:] if isinstance(part, bytes))

    def of(self, kind):
        return [entry for entry in self.entries if entry[0] == kind]


class Wire:
    """One connected socket. Without TLS first; start_tls() goes on with it."""

    def __init__(self, sock, tape=None):
        self.sock, self.tape = sock, tape or Tape()
        sock.settimeout(180)
        self.tls = None
        self.ready = b''     # plaintext that nobody has read yet
        self.raw = b''       # the beginning of a record
        self.ended = False

    # -- TLS

    def start_tls(self, context, server_side=False, session=None):
        """The context is this connection's own."""
        context._msg_callback = self._on_message
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side, session=session)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                if not self._receive():
                    raise ConnectionResetError('ended in the handshake') from None
            except ssl.SSLError:
                self._flush()
                raise
        self._flush()
        return self

    def _on_message(self, _connection, direction, _version, content_type, kind, octets):
        if direction == 'read' and content_type == HANDSHAKE:
            self.tape.add('message', int(kind), octets)
        elif direction == 'read' and content_type == ssl._TLSContentType.ALERT:
            self.tape.add('alert', octets)

    def _flush(self):
        octets = self.outgoing.read()
        if octets:
            self.sock.sendall(octets)

    # -- octets

    def say(self, octets):
        octets = octets.encode() if isinstance(octets, str) else octets
        try:
            if self.tls:
                self.tls.write(octets)
                self._flush()
            else:
                self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # its last words can be read still

    def _receive(self):
        try:
            octets = self.sock.recv(65536)
        except ConnectionResetError:
            octets = b''
        if not octets:
            if not self.ended:
                self.tape.add('end')
            self.ended = True
            return False
        if self.tls:
            self._note_records(octets)
            self.incoming.write(octets)
        else:
            self.tape.add('plain', octets)
            self.ready += octets
        return True

    def _note_records(self, octets):
        self.raw += octets
        while len(self.raw) >= 5 and len(self.raw) >= 5 + int.from_bytes(self.raw[3:5], 'big'):
            length = int.from_bytes(self.raw[3:5], 'big')
            self.tape.add('record', self.raw[0], self.raw[1:3].hex(), length)
            self.raw = self.raw[5 + length:]

    def _decrypt(self):
        while True:
            try:
                octets = self.tls.read(65536)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError:
                octets = b''
            if not octets:
                return
            self.tape.add('inside', octets)
            self.ready += octets

    def line(self):
        """The next line, b'' at the end."""
        if self.tls and b'\n' not in self.ready:
            self._decrypt()  # what came with the handshake
        while b'\n' not in self.ready:
            if not self._receive():
                line, self.ready = self.ready, b''
                return line
            if self.tls:
                self._decrypt()
        line, _, self.ready = self.ready.partition(b'\n')
        return line + b'\n'

    def take(self, count):
        while len(self.ready) < count and self._receive():
            if self.tls:
                self._decrypt()
        octets, self.ready = self.ready[:count], self.ready[count:]
        return octets

    def reply(self):
        """The next SMTP reply; b'' when the connection has ended."""
        lines = b''
        while True:
            line = self.line()
            lines += line
            if len(line) < 4 or line[3:4] != b'-':
                return lines

    def rest(self):
        """Until the other side hangs up."""
        octets = b''
        while line := self.line():
            octets += line
        return octets

    def close(self):
        if self.tls:
            try:
                self.tls.unwrap()
            except (ssl.SSLError, OSError, ValueError):
                pass
            try:
                self._flush()
            except OSError:
                pass
        self.sock.close()


def client_context(alpn=None, most=None, least=None, ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    if least:
        context.minimum_version = least
    if most:
        context.maximum_version = most
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def dial(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    return Wire(sock)


class Peer(OnionPorts):
    """A mail server behind an onion that keeps a tape of each session. It hangs up behind each message, so that sessions
    can be compared. What it answers goes by the local part of the recipient: `later` 450 at first, `never` 550, `torn` at
    first no answer to the message, `stay` is not hung up on; the rest is taken."""

    def __init__(self, pem, alpn):
        self.tapes = []
        self.seen = set()
        super().__init__(pem, alpn)

    def forget(self):
        self.tapes.clear()
        self.seen.clear()

    def of(self, onion):
        """The tapes of the sessions in which this onion was said."""
        return [tape for tape in list(self.tapes) if onion.encode() in tape.octets()]

    def _serve(self, port, sock):
        wire = Wire(sock)
        wire.tape.add('port', port)
        self.tapes.append(wire.tape)
        try:
            if port == 465:
                wire.start_tls(self.context(port), server_side=True)
            self._talk(wire, port)
        except (OSError, ValueError):
            pass
        finally:
            wire.close()

    def _talk(self, wire, port):
        wire.say('220 peer ESMTP\r\n')
        sender, recipients = b'', []
        while line := wire.line():
            verb = (line.split() or [b''])[0].upper()
            if verb == b'EHLO':
                offer = ['250-STARTTLS'] if port == 25 and not wire.tls else []
                wire.say('\r\n'.join(['250-peer', *offer, '250-PIPELINING', '250-CHUNKING', '250-SIZE 100000000', '250 8BITMIME', '']))
            elif verb == b'STARTTLS':
                wire.say('220 go\r\n')
                wire.start_tls(self.context(port), server_side=True)
            elif verb == b'MAIL':
                sender, recipients = line, []
                wire.say('250 ok\r\n')
            elif verb == b'RCPT':
                wire.say(self._judge(sender, line, recipients))
            elif verb == b'BDAT':
                wire.take(int(line.split()[1]))
                if self._is_first(b'<torn', sender, recipients):
                    return
                wire.say('250 ok\r\n' if recipients else '503 no\r\n')
                if b'<stay' in b''.join(recipients):
                    wire.rest()
                return
            else:
                wire.say('221 bye\r\n' if verb == b'QUIT' else '250 ok\r\n')

    def _judge(self, sender, line, recipients):
        if b'<never' in line:
            return '550 5.1.1 nobody\r\n'
        if self._is_first(b'<later', sender, [line]):
            return '450 4.2.0 later\r\n'
        recipients.append(line)
        return '250 ok\r\n'

    def _is_first(self, what, sender, recipients):
        """Of this kind, from this sender."""
        said = b''.join(recipients)
        if what not in said or (sender, said) in self.seen:
            return False
        self.seen.add((sender, said))
        return True
