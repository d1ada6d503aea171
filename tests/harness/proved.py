# SPDX-License-Identifier: ISC
"""Mail that an onion signed, and what its recipient's node says of it."""
from .programs import swaks


def verdict(message):
    field, = message.get_all('SMTorP-Verdict')
    return ' '.join(field.split())


def original(sender, recipient, subject):
    """A message as it arrived: the octets below what the recipient's node has put on top. What looks encrypted already is not
    encrypted again, so that they are those that were signed."""
    swaks(sender, [recipient.address], '--data',
          f'From: {sender.address}\nTo: {recipient.address}\nSubject: {subject}\n\n-----BEGIN PGP MESSAGE-----\n\nsigned\n')
    with recipient.mailbox() as mailbox:
        uid = mailbox.wait_for(subject)
        words = verdict(mailbox.message(uid)).split('; ')
        assert words[:2] == ['proved', f'sender={sender.address}'] and 'came=directly' in words
        raw = mailbox.raw(uid)
    return raw[raw.index(b'Autocrypt:'):]
