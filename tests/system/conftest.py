# SPDX-License-Identifier: ISC
"""One installation and one private tor network for the run; one pair of nodes that most tests share."""
import pathlib
import signal
import sys
import threading

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import account  # noqa: E402
from harness.installation import Installation  # noqa: E402
from harness.node import Node  # noqa: E402
from harness.tornet import TorNetwork  # noqa: E402

NODES = pytest.StashKey()

def pytest_configure(config):
    if threading.current_thread() is threading.main_thread():  # a worker of xdist may have another one
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that an ended run takes its nodes along
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it, and all that is started there
    config.addinivalue_line('markers', 'slow: takes minutes; left out of a usual run (make check-slow)')
    config.addinivalue_line('markers', 'sanitized: also run against the build with ASan and UBSan')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails across tor tells little by itself: what the nodes say of their queues, and their last lines."""
    report = (yield).get_result()
    if not report.failed:
        return
    for node in item.config.stash.get(NODES, []):
        if node.is_running():
            report.sections.append((f'node {node.folder.name}', f'{node.waiting()}\n{node.log_tail(25)}'))


@pytest.fixture(scope='session')
def work():
    folder = account.work_folder()
    yield pathlib.Path(folder)
    account.remove(folder)


@pytest.fixture(scope='session')
def installation(work):
    return Installation(work / 'inst')


@pytest.fixture(scope='session')
def network(work):
    network = TorNetwork(work / 'net')
    network.start()
    yield network
    network.stop()


@pytest.fixture(scope='session')
def make_node(installation, network, work, pytestconfig):
    """make_node(name, config={}, tor=True): a node that is not started yet; stopped at the end of the run."""
    made = pytestconfig.stash[NODES] = []

    def make(name, config=None, tor=True):
        node = Node(installation, network if tor else None, work / name, config)
        made.append(node)
        return node
    yield make
    for node in made:
        node.stop()
    for node in made:  # a role that a sanitizer ended is started again, so only the log tells
        log = node.log.read_text(errors='replace') if node.log.exists() else ''
        assert 'Sanitizer' not in log and 'runtime error:' not in log, f'{node.log}:\n{node.log_tail(100)}'


class Pair:
    """Node a with alice and work, node b with bob and home: two identities on each side."""

    def __init__(self, make_node):
        self.a = make_node('a').start(wait=False)
        self.b = make_node('b').start()
        self.a.wait_for(lambda status: status['tor']['bootstrap'] == 100, 90, 'tor to bootstrap')
        self.alice = self.a.identity('alice', wait=False)
        self.work = self.a.identity('work', local_part='w.alice', wait=False)
        self.bob = self.b.identity('bob')
        self.home = self.b.identity('home', wait=False)
        for node in (self.a, self.b):
            node.wait_for(lambda status: all(row['state'] == 'published' for row in status['identities']), 60,
                          'the identities to be published')


@pytest.fixture(scope='session')
def pair(make_node):
    return Pair(make_node)


@pytest.fixture
def running(pair):
    """The pair, both nodes running whatever the test before did to them."""
    for node in (pair.a, pair.b):
        if not node.is_running():
            node.start()
    return pair


@pytest.fixture
def subject(request):
    """A subject that no other test uses."""
    subject.count = getattr(subject, 'count', 0) + 1
    return f'{request.node.name} {subject.count}'
