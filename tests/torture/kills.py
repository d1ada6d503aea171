# SPDX-License-Identifier: ISC
"""Which process is killed when: a plan that its seed decides, and who carries it out."""
import collections
import queue
import select

from harness.waiting import until

from .field import tree
from .marksman import PHASES, Marksman

# How often a role may die between two deaths of its whole node: more, and the node would make it wait for seconds.
DEATHS_MOST = {'mail': 5, 'smtp': 5}
WEIGHTS = {'mail': 40, 'smtp': 14, 'submission': 10, 'content': 8, 'tor role': 4, 'control': 2, 'dovecot': 2, 'log': 1, 'node': 9}
NODE = 'node'
ANY_TIME, AFTER_250, STARTING = 'any time', 'after a 250', 'while it starts'
MOMENTS = {ANY_TIME: 20, AFTER_250: 25, 'journal': 22, 'database': 10, 'files': 8, 'mailbox': 8, STARTING: 12}
NAMES = {'journal': 'journal sync', 'database': 'database sync', 'files': 'sync of files', 'mailbox': 'Maildir sync'}


class Kill:
    def __init__(self, rng, deaths):
        self.node = rng.randrange(2)
        role = rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
        deaths[self.node, role] += 1
        if deaths[self.node, role] > DEATHS_MOST.get(role, 2):
            role = NODE
        self.role = role
        self.moment = rng.choices(list(MOMENTS), MOMENTS.values())[0]
        self.pause_s, self.delay_s, self.which = rng.expovariate(4), rng.uniform(0, 0.03), rng.random()
        if role == NODE:
            for key in [key for key in deaths if key[0] == self.node]:
                del deaths[key]


class Killer:
    """Carries out `count` kills. restart(node): starts a node whose processes are all gone."""

    def __init__(self, field, rng, count, progress=lambda done: None):
        self.field, self.rng, self.count, self.progress = field, rng, count, progress
        self.done = collections.Counter()  # (role, moment)
        self.marksman = Marksman()
        self.answers = {id(node): queue.SimpleQueue() for node in field.nodes}
        self.waits_for = None

    def on_answer(self, node):
        if self.waits_for is node:
            self.answers[id(node)].put(None)

    def run(self):
        deaths = collections.Counter()
        try:
            while self.total() < self.count:
                self._carry_out(Kill(self.rng, deaths))
                self.progress(self)
        finally:
            self.marksman.close()

    def total(self):
        return sum(self.done.values())

    def _carry_out(self, kill):
        select.select([], [], [], kill.pause_s)
        node = self.field.nodes[kill.node]
        processes = tree(node.process.pid)
        everything = [node.process.pid] + [pid for pid, _ in processes]
        victims = [pid for pid, role in processes if role == kill.role]
        role = kill.role if victims else NODE if kill.role == NODE else None
        if role is None:
            return  # it does not run at the moment, as content@ID when there is nothing to do
        victims = everything if role == NODE else [victims[int(kill.which * len(victims))]]
        self._shoot(node, kill, role, victims, processes)
        if role == NODE:
            self.field.bury(node, everything)
            node.start(wait=False)
        if kill.moment == STARTING:
            self._shoot_again(node, kill, role, set(everything))

    def _shoot(self, node, kill, role, victims, processes):
        """One kill, at the moment that the plan names or, when that does not come, at any."""
        watch = [pid for pid, name in processes if name == 'mail' and (role != 'mail' or pid in victims)]
        if kill.moment == AFTER_250:
            met = self._wait_for_answer(node)
            self.marksman.shoot([], '', victims, delay_s=kill.delay_s)
            moment = AFTER_250 if met else ANY_TIME
        else:
            met = self.marksman.shoot(watch, kill.moment, victims, delay_s=0 if kill.moment in PHASES else kill.pause_s)
            moment = NAMES.get(met, ANY_TIME)
        self.done[role, moment] += 1

    def _wait_for_answer(self, node):
        answers = self.answers[id(node)]
        while not answers.empty():
            answers.get()
        self.waits_for = node
        try:
            answers.get(timeout=3)
            return True
        except queue.Empty:
            return False
        finally:
            self.waits_for = None

    def _shoot_again(self, node, kill, role, before):
        """When it has started anew, while it looks at what the one before has left."""
        wanted = 'mail' if role == NODE else role
        fresh = until(lambda: [pid for pid, name in tree(node.process.pid) if name == wanted and pid not in before]
                      or (wanted == 'content' and [0]), 20, f'{wanted} to start again', every_s=0.002)
        if fresh == [0]:
            return
        victims = fresh[:1]
        if role == NODE:
            victims = [node.process.pid] + [pid for pid, _ in tree(node.process.pid)]
        self.marksman.shoot([], '', victims, delay_s=kill.delay_s * 2)
        self.done[role, STARTING] += 1
        if role == NODE:
            self.field.bury(node, victims)
            node.start(wait=False)
