# SPDX-License-Identifier: ISC
"""One round: load, kills, and what came of it."""
import random
import time

from .field import DirectField
from .kills import MOMENTS, NAMES, Killer
from .ledger import Ledger
from .load import Owner, Stranger


class Round:
    """seed: decides the plan of the kills and what is sent; when the system lets things happen it cannot decide."""

    def __init__(self, installation, network, folder, seed, count, progress=lambda round_: None):
        self.seed, self.progress = seed, progress
        rng = random.Random(seed)
        self.ledger = Ledger(seed)
        self.field = DirectField([installation] * 2, network, folder, self.ledger, random.Random(rng.random()))
        self.killer = Killer(self.field, random.Random(rng.random()), count, lambda _: progress(self))
        self.senders = [kind(self.field, self.ledger, node, rng, self.killer.on_answer)
                        for node in self.field.nodes for kind in (Owner, Owner, Stranger, Stranger)]

    def run(self):
        """Returns the faults, as sentences."""
        begun_s = time.monotonic()
        for sender in self.senders:
            sender.start()
        try:
            self.killer.run()
        finally:
            for sender in self.senders:
                sender.ended.set()
            for sender in self.senders:
                sender.join(60)
        self.field.settle()
        self.seconds = time.monotonic() - begun_s
        faults = [f'a sender broke: {sender.wrong!r}' for sender in self.senders if sender.wrong] + self.ledger.faults()
        faults += [f'{name} sees {seen} messages by IMAP, and {left} are there'
                   for name, (seen, left) in self.field.left_by_imap().items() if seen != left]
        return faults

    def close(self):
        self.field.close()

    def table(self):
        """Kills by role and moment, and what was sent, as lines."""
        moments = [NAMES.get(moment, moment) for moment in MOMENTS]
        roles = sorted({role for role, _ in self.killer.done})
        yield f'{"kills":12}' + ''.join(f'{moment:>{len(moment) + 2}}' for moment in moments) + f'{"all":>7}'
        for role in roles:
            counts = [self.killer.done[role, moment] for moment in moments]
            yield f'{role:12}' + ''.join(f'{n or "":>{len(moment) + 2}}' for n, moment in zip(counts, moments)) + f'{sum(counts):7}'
        yield f'{"all":12}' + ''.join(f'{sum(self.killer.done[role, moment] for role in roles):{len(moment) + 2}}'
                                      for moment in moments) + f'{self.killer.total():7}'
        for what, count in self.ledger.counts().items():
            yield f'{what:28}{count:8}'
