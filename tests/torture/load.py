# SPDX-License-Identifier: ISC
"""Who sends: mail programs that log in, and strangers at the sockets that tor connects to."""
import contextlib
import random
import smtplib
import ssl
import threading

from harness.smtp import Session

OPEN_MOST = 300  # promised and not there yet: then the senders wait
SIZES = (300, 300, 2000, 2000, 4000, 4000, 16000, 100_000, 400_000)
FLIGHT_BYTES = 20_000


class Sender(threading.Thread):
    """One that sends until it is told to end. on_answer(node): a 250 came from that node."""

    def __init__(self, field, ledger, node, rng, on_answer):
        super().__init__(daemon=True)
        self.field, self.ledger, self.node, self.on_answer = field, ledger, node, on_answer
        self.rng = random.Random(rng.random())
        self.ended = threading.Event()
        self.wrong = None

    def run(self):
        try:
            while not self.ended.is_set():
                if self.ledger.open_count() > OPEN_MOST:
                    self.ended.wait(0.1)
                    continue
                try:
                    self.session()
                except (OSError, EOFError, smtplib.SMTPException, ssl.SSLError):
                    self.ended.wait(self.rng.uniform(0.01, 0.1))  # it is dead at the moment
        except BaseException as error:  # pylint: disable=broad-except
            self.wrong = error

    def promised(self, message):
        self.ledger.promise(message)
        self.on_answer(self.node)

    def someone(self, identities):
        identity = self.rng.choice(identities)
        return {identity.address: identity.name}


@contextlib.contextmanager
def logged_in(field, identity):
    """smtplib, ready for mail of this identity."""
    with smtplib.SMTP('127.0.0.1', field.ports[identity.node.short], local_hostname='client.example', timeout=30) as smtp:
        smtp.login(identity.login, identity.password)
        yield smtp


def submit(smtp, message):
    """True when all of it was answered with 250."""
    return not smtp.sendmail(message.sender, list(message.recipients), message.text.encode())


class Owner(Sender):
    """A mail program on loopback. What was not answered with 250 it does not send again."""

    def recipients(self):
        others = [each for each in self.field.identities if each.node is not self.node]
        kind = self.rng.random()
        nobody = {f'nobody-NUMBER@{self.rng.choice(others).onion}': None}
        if kind < 0.1:
            return nobody
        if kind < 0.2:
            return {**self.someone(others), **nobody}
        if kind < 0.3:
            return {each.address: each.name for each in others}
        return self.someone(others)

    def session(self):
        identity = self.rng.choice(self.node.identities)
        with logged_in(self.field, identity) as smtp:
            for _ in range(self.rng.randint(1, 20)):
                if self.ended.is_set() or self.ledger.open_count() > OPEN_MOST:
                    return
                message = self.ledger.write(identity.address, self.recipients(), self.rng.choice(SIZES))
                with contextlib.suppress(smtplib.SMTPResponseException):  # 4yz: it is no promise
                    if submit(smtp, message):
                        self.promised(message)


def bring(session, identity, messages):
    """In one flight, in a session that has said EHLO; yields each with the code of its last reply, until the session breaks."""
    for message in messages:
        data = message.text.encode()
        session.say(f'MAIL FROM:<{message.sender}>\r\nRCPT TO:<{identity.address}>\r\nBDAT {len(data)} LAST\r\n'.encode() + data)
    for message in messages:
        replies = [session.reply()[:3] for _ in range(3)]
        if '' in replies:
            return
        yield message, replies[2]


class Stranger(Sender):
    """A peer on port 465, in one flight. What was not answered with 250 it sends again, the same octets, as a peer does; now and
    then also what was answered."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.again = {identity.name: [] for identity in self.node.identities}

    def session(self):
        identity = self.rng.choice(self.node.identities)
        again = self.again[identity.name]
        while len(again) < self.rng.randint(1, 15):
            again.append(self.ledger.write('carol@example.net', {identity.address: identity.name}, self.rng.choice(SIZES)))
        self.flight(identity, list(again), again)

    def flight(self, identity, messages, again):
        with Session(identity.sockets['465'], tls=True, alpn='smtorp/1') as session:
            if session.reply()[:3] != '220' or session.command('EHLO carol.example')[:3] != '250':
                return
            while messages:
                flight = [messages.pop(0)]
                while messages and sum(len(each.text) for each in flight) < FLIGHT_BYTES:
                    flight.append(messages.pop(0))
                for message, answer in bring(session, identity, flight):
                    if answer == '250':
                        self.promised(message)
                        if self.rng.random() < 0.95:
                            again.remove(message)
