# SPDX-License-Identifier: ISC
"""What was sent, what was promised, and what the readers have found."""
import collections
import email
import email.policy
import hashlib
import re
import threading

LINE = 64


class Message:
    """recipients: addresses, as keys; the value is the reader's name, or None where the mail must come back."""

    def __init__(self, number, sender, recipients, text):
        self.number, self.sender, self.recipients, self.text = number, sender, recipients, text
        self.promised = False


class Ledger:
    """Thread-safe. Readers are named by their identity; each file of theirs is read once, by its name in the Maildir."""

    def __init__(self, seed):
        self.seed = seed
        self.messages = {}
        self.found = collections.Counter()    # (reader, number)
        self.returned = collections.Counter()  # (sender, failed address)
        self.late = collections.Counter()      # (sender, number): she was told that it is late
        self.strange = []                      # what nobody sent, and what is not as it was sent
        self._lock = threading.Lock()
        self._open = set()                     # (reader, number) and (sender, address) that were promised and are not there yet
        self._number = re.compile(rb'^Subject: torture %d ([0-9]+)\r?$' % seed, re.M)

    # -- what goes in

    def body(self, number, size_bytes):
        """Text that only this message has."""
        digits = hashlib.shake_128(b'%d %d' % (self.seed, number)).hexdigest(max(size_bytes, LINE) // 2)
        return '\r\n'.join(digits[at:at + LINE] for at in range(0, len(digits) // LINE * LINE, LINE)) + '\r\n'

    def write(self, sender, recipients, size_bytes):
        """A message of its own number, which is not sent yet. A recipient `None` in `recipients` becomes one who does not exist."""
        with self._lock:
            number = len(self.messages)
            self.messages[number] = None
        known = {address.replace('NUMBER', str(number)): reader for address, reader in recipients.items()}
        text = (f'From: {sender}\r\nTo: {", ".join(known)}\r\nSubject: torture {self.seed} {number}\r\n\r\n'
                + self.body(number, size_bytes))
        message = Message(number, sender, known, text)
        with self._lock:
            self.messages[number] = message
        return message

    def promise(self, message):
        """It got its 250."""
        with self._lock:
            message.promised = True
            self._open |= {key for key in self._keys(message) if not self.returned[key] and not self.found[key]}

    @staticmethod
    def _keys(message):
        return [(reader, message.number) if reader else (message.sender, address)
                for address, reader in message.recipients.items()]

    def open_count(self):
        with self._lock:
            return len(self._open)

    # -- what comes out

    def read(self, reader, address, data):
        """A file in the mailbox of `reader`, whose address is `address`."""
        number = self._number.search(data.split(b'\n\n', 1)[0])
        if b'multipart/report' in data.split(b'\n\n', 1)[0]:
            failed, delayed = self._told(data, 'failed'), self._told(data, 'delayed')
            with self._lock:
                self.returned.update((address, each) for each in failed)
                self._open -= {(address, each) for each in failed}
                if delayed:
                    self.late[address, int(re.search(rb'torture %d ([0-9]+)' % self.seed, data)[1])] += 1
            if not failed and not delayed:
                self.strange.append(f'{reader} has a report about nobody')
        elif number is None:
            self.strange.append(f'{reader} has what nobody sent: {data[:300]!r}')
        else:
            self._read_message(reader, int(number[1]), data)

    def _read_message(self, reader, number, data):
        message = self.messages.get(number)
        if message is None or reader not in message.recipients.values():
            self.strange.append(f'{reader} has message {number}, which was not sent to her')
            return
        with self._lock:
            self.found[reader, number] += 1
            self._open.discard((reader, number))
        if data.split(b'\n\n', 1)[1] != message.text.replace('\r\n', '\n').split('\n\n', 1)[1].encode():
            self.strange.append(f'{reader} has message {number} with another text')

    @staticmethod
    def _told(data, action):
        """The recipients of which a delivery status notification (RFC 3464) says this."""
        report = email.message_from_bytes(data, policy=email.policy.default)
        return [str(fields['Final-Recipient']).split(';', 1)[1].strip() for part in report.walk()
                if part.get_content_type() == 'message/delivery-status' for fields in part.get_payload()
                if fields['Final-Recipient'] and fields['Action'] == action]

    # -- what it comes to

    def faults(self):
        """Sentences, none when every promise was kept."""
        faults = list(self.strange)
        for message in filter(None, self.messages.values()):
            for address, reader in message.recipients.items():
                what = f'message {message.number} of {message.sender}'
                count = self.found[reader, message.number] if reader else self.returned[message.sender, address]
                kind = f'at {reader}' if reader else f'as a bounce for {address}'
                if count > 1:
                    faults.append(f'twice: {what} is there {count} times {kind}')
                if count == 0 and message.promised:
                    faults.append(f'lost: {what} is not there {kind}')
        faults += [f'twice: {sender} was told {count} times that {number} is late' for (sender, number), count in self.late.items() if count > 1]
        sent = {key for message in filter(None, self.messages.values()) for key in self._keys(message)}
        faults += [f'given up: {sender} was told so of {address}' for sender, address in self.returned if (sender, address) not in sent]
        return faults

    def counts_now(self):
        """In one line, while it goes on."""
        with self._lock:
            messages = [message for message in self.messages.values() if message]
            return (f'{len(messages)} messages sent, {sum(message.promised for message in messages)} promised, '
                    f'{len(self._open)} on their way')

    def counts(self):
        messages = [message for message in self.messages.values() if message]
        promised = [message for message in messages if message.promised]
        return {
            'messages sent': len(messages), 'of them answered with 250': len(promised),
            'copies for readers promised': sum(reader is not None for m in promised for reader in m.recipients.values()),
            'bounces promised': sum(reader is None for m in promised for reader in m.recipients.values()),
            'copies found': sum(self.found.values()), 'bounces found': sum(self.returned.values()),
            'twice': sum(n > 1 for n in [*self.found.values(), *self.returned.values()]),
            'lost': sum(fault.startswith('lost') for fault in self.faults()),
            'never sent, or changed': len(self.strange),
        }
