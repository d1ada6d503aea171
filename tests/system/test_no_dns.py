# SPDX-License-Identifier: ISC
"""What other people's mail servers ask DNS about a message that an onion signed: every question that leaves their machine. What
doc/mail-servers.md says is tried here."""
import base64
import hashlib
import os
import pathlib
import re

import pytest

from harness import proved
from harness.installation import ROOT
from harness.resolver import Resolver
from harness.traffic import TORLAND, TORLAND_6, Cable, Record
from harness.verifiers import EXIM_IDS, Exim, OpenDkim, Rspamd
from harness.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='makes network namespaces')

STRANGER = '203.0.113.9'  # a client that is not this machine (RFC 5737)
RECIPIENT = 'alice@mx.example'
CANARY = 's1._domainkey.canary.example'
OF_THE_CLIENT = {'1.0.77.10.in-addr.arpa'}  # who connects: asked before there is a message
OF_RSPAMD = re.compile(r'(maps|fuzzy\d)\.rspamd\.com$|^1\.0\.0\.127\.')  # what it asks at any time, for itself


class World:
    """A machine with a mail server, at the other end of whose cable its clients and its resolver are."""

    def __init__(self, folder):
        etc = folder / 'etc'
        etc.mkdir(parents=True)
        user, group = EXIM_IDS
        for name, lines in (('passwd', [f'Debian-exim:x:{user}:{group}::/nonexistent:/usr/sbin/nologin',
                                        f'alice:x:{user + 1}:{group + 1}::/nonexistent:/usr/sbin/nologin']),
                            ('group', [f'Debian-exim:x:{group}:', f'alice:x:{group + 1}:'])):
            (etc / name).write_text(pathlib.Path('/etc', name).read_text() + '\n'.join([*lines, '']))
        self.folder = folder
        self.cable = Cable(etc)
        self.resolvers = [Resolver(self.cable.torland, address) for address in (TORLAND, TORLAND_6)]
        self.record = Record(self.cable.machine)

    def names(self):
        return [name for resolver in self.resolvers for name in resolver.names]

    def packets(self):
        """How many left for anybody's port 53."""
        return sum(count for packet, count in self.record.seen().items() if packet.leaves and packet.target_port == 53)

    def questions(self, deliver, *arguments):
        """(names, elsewhere) of one delivery, which ends when the server has judged the message: what the machine's resolver was asked,
        and how many packets went to others."""
        for resolver in self.resolvers:
            resolver.names.clear()
        self.record.forget()
        deliver(*arguments)
        until(lambda: self.packets() >= len(self.names()), 5, 'the record to have what the resolvers have')
        return set(self.names()), self.packets() - len(self.names())

    def close(self):
        self.record.close()
        for resolver in self.resolvers:
            resolver.close()
        self.cable.close()


@pytest.fixture(scope='module')
def world(work):
    world = World(work / 'no-dns')
    yield world
    world.close()


@pytest.fixture(scope='module')
def message(pair):
    return proved.original(pair.bob, pair.alice, 'test_no_dns')


@pytest.fixture(scope='module')
def sender(pair):
    return pair.bob.address


def with_dkim(message):
    """With a DKIM signature besides, for which one must ask."""
    body = message[message.index(b'\r\n\r\n') + 4:].rstrip(b'\r\n') + b'\r\n'  # RFC 6376 3.4.3
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return (f'DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=canary.example; s=s1;\r\n h=from:subject; bh={digest};\r\n'
            f' b={base64.b64encode(bytes(256)).decode()}\r\n').encode() + message


def without_signature(message):
    bare = re.sub(rb'^Onion-Signature:.*\r\n([ \t].*\r\n)*', b'', message, flags=re.M)
    assert bare != message and b's=onion' not in bare
    return bare


@pytest.mark.parametrize('server', [Exim, OpenDkim])
def test_they_ask_nothing_about_an_onions_signature(world, sender, message, server):
    running = server(world.cable, world.folder / server.__name__, 2525).start()
    try:
        assert world.questions(running.deliver, sender, RECIPIENT, message) == (OF_THE_CLIENT, 0)
        # else nothing was shown: it does look at signatures, and the record sees what it asks
        names, elsewhere = world.questions(running.deliver, sender, RECIPIENT, with_dkim(message))
        assert CANARY in names or elsewhere > 0  # OpenDKIM has a resolver of its own
    finally:
        running.stop()


def snippet(language):
    """The settings that the documentation gives."""
    return re.search(rf'^```{language}\n(.*?)^```', (ROOT / 'doc/mail-servers.md').read_text(), re.M | re.S)[1]


def asked(world, rspamd, *arguments):
    return {name for name in world.questions(rspamd.deliver, *arguments)[0] if not OF_RSPAMD.search(name)}


def test_rspamd_asks_nothing_about_an_onions_signature(world, sender, message):
    rspamd = Rspamd(world.cable, world.folder / 'rspamd', 11333).start()
    try:
        assert asked(world, rspamd, sender, RECIPIENT, message) == set()  # from this machine
        far = asked(world, rspamd, sender, RECIPIENT, message, STRANGER)
        assert far == asked(world, rspamd, sender, RECIPIENT, without_signature(message), STRANGER)
        assert f'_dmarc.{sender.split("@")[1]}' in far and not any('_domainkey' in name for name in far)
        assert CANARY in asked(world, rspamd, sender, RECIPIENT, with_dkim(message), STRANGER)
    finally:
        rspamd.stop()


def test_rspamd_can_be_told_to_ask_nothing_about_onions(world, sender, message):
    rspamd = Rspamd(world.cable, world.folder / 'rspamd-told', 11333).start(settings=snippet('ucl'))
    try:
        far = asked(world, rspamd, sender, RECIPIENT, message, STRANGER)
        assert not any('onion' in name for name in far)
        assert '_dmarc.example.org' in asked(world, rspamd, 'carol@example.org', RECIPIENT, b'From: carol@example.org\r\n\r\n\r\n', STRANGER)
    finally:
        rspamd.stop()
