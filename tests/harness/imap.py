# SPDX-License-Identifier: ISC
"""Reading by IMAP, with Python's imaplib, as a mail program does."""
import contextlib
import email
import email.policy
import imaplib
import socket
import ssl

from .waiting import until

# A stream that was opened while a peer went away may keep tor waiting for three times a minute, and the queue tries again
# after that. Usually it is a second or two.
TOR_PATIENCE_S = 420

imaplib._MAXLINE = 200 * 1024 * 1024


class Mailbox:
    def __init__(self, host, port, login, password, tls=False):
        self.login, self.password = login, password
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.imap = imaplib.IMAP4_SSL(host, port, ssl_context=context)
        else:
            self.imap = imaplib.IMAP4(host, port)
        self.imap.login(login, password)
        self.imap.select('INBOX')

    def close(self):
        with contextlib.suppress(Exception):
            self.imap.logout()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def uids(self, *criteria):
        self.imap.noop()
        kind, data = self.imap.uid('search', *(criteria or ('ALL',)))
        assert kind == 'OK'
        return data[0].split()

    def raw(self, uid):
        kind, data = self.imap.uid('fetch', uid, '(BODY.PEEK[])')
        assert kind == 'OK' and data[0] is not None
        return data[0][1]

    def message(self, uid):
        # the parser keeps line ends as they are, and the texts we compare with have LF
        return email.message_from_bytes(self.raw(uid).replace(b'\r\n', b'\n'), policy=email.policy.default)

    def subjects(self):
        return [str(self.message(uid)['Subject']) for uid in self.uids()]

    def wait_for(self, subject, deadline_s=TOR_PATIENCE_S):
        """Waits for the messages with this subject and returns the one; two would be one too many."""
        def look():
            return [uid for uid in self.uids() if self.message(uid)['Subject'] == subject]
        found = until(look, deadline_s, f'the message {subject!r}', every_s=0.1)
        assert len(found) == 1, f'{len(found)} copies of {subject!r}'
        return found[0]

    def idle_meanwhile(self, act):
        """Enters IDLE, calls act(), and returns the untagged lines that the server has said meanwhile."""
        self.imap.send(b'IDLE2 IDLE\r\n')
        assert self.imap.readline().startswith(b'+')
        act()
        self.imap.send(b'DONE\r\n')
        lines = []
        while not (line := self.imap.readline()).startswith(b'IDLE2'):
            assert line, 'the IMAP server ended IDLE'
            lines.append(line)
        return lines

    def idle(self, act, deadline_s=60):
        """Enters IDLE, calls act(), and returns the server's first untagged EXISTS line."""
        self.imap.send(b'IDLE1 IDLE\r\n')
        assert self.imap.readline().startswith(b'+')
        act()
        self.imap.sock.settimeout(deadline_s)
        try:
            while True:
                line = self.imap.readline()
                if b'EXISTS' in line:
                    return line
                if not line:
                    raise AssertionError('the IMAP server ended IDLE')
        except socket.timeout:
            raise AssertionError(f'no new mail in IDLE within {deadline_s} s') from None
        finally:
            self.imap.sock.settimeout(None)
            self.imap.send(b'DONE\r\n')
            while not self.imap.readline().startswith(b'IDLE1'):
                pass
